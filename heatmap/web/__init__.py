"""HTTP GETs that end: in time, in bytes, in redirects and in repeats."""

from __future__ import annotations

from heatmap.web.answers import Answer, Limits, shown
from heatmap.web.client import Budget, Client

__all__ = ["Answer", "Budget", "Client", "Limits", "shown"]
