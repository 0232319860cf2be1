"""status.json beside a market's page: how old it is, and how the last runs ended, as codes alone."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from heatmap.system import parts
from heatmap.system.web_file import WebFile

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from heatmap.market.calendar.session import MarketStatus
    from heatmap.state.run_log import RunOutcome

SCHEMA = "market-heatmap-status/1"
FILE_NAME = "status.json"
MAX_OUTCOMES = 20


def make_file(
    market: str,
    verdict: MarketStatus,
    *,
    as_of: datetime,
    generated_at: datetime,
    outcomes: Iterable[RunOutcome],
) -> WebFile:
    """Return the file. `outcomes` are of earlier runs, oldest first.

    A run cannot know its own outcome before its pages are in place, so it is told by the next one.
    Nothing in it names a host, a user or a path.
    """
    zone = generated_at.tzinfo
    document = {
        "schema": SCHEMA,
        "market": market,
        "as_of": as_of.astimezone(zone).isoformat(),
        "generated_at": generated_at.isoformat(),
        "phase": str(verdict.phase),
        "next_open": verdict.next_open.astimezone(zone).isoformat() if verdict.next_open else None,
        "outcomes": [
            {"generated_at": outcome.at.astimezone(zone).isoformat(), "exit_code": outcome.code}
            for outcome in reversed(tuple(outcomes))
        ],
    }
    return WebFile(f"{market}/{FILE_NAME}", f"{json.dumps(document, indent=1)}\n".encode(), parts.STATUS)
