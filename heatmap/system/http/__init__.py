"""HTTP GETs that end: in time, in bytes, in redirects and in repeats."""

from __future__ import annotations

from heatmap.system.http.client import Budget, Client
from heatmap.system.http.responses import Answer, Limits, shown

__all__ = ["Answer", "Budget", "Client", "Limits", "shown"]
