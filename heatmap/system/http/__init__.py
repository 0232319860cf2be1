"""HTTP GETs that end: in time, in bytes, in redirects and in repeats."""

from __future__ import annotations

from heatmap.system.http.client import Client, FetchBudget
from heatmap.system.http.responses import Limits, Response, redacted_url

__all__ = ["Client", "FetchBudget", "Limits", "Response", "redacted_url"]
