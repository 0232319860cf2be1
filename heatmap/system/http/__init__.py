"""HTTP GETs with limits: of time, bytes, redirects and retries."""

from __future__ import annotations

from heatmap.system.http.client import Client, FetchBudget
from heatmap.system.http.responses import Limits, Response, redacted_url

__all__ = ["Client", "FetchBudget", "Limits", "Response", "redacted_url"]
