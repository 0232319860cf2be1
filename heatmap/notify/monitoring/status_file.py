"""status.json beside a market's page: the age of the page, and the exit codes of the last runs."""

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
    status: MarketStatus,
    *,
    as_of: datetime,
    generated_at: datetime,
    outcomes: Iterable[RunOutcome],
) -> WebFile:
    """Return the file. `outcomes` are those of earlier runs, oldest first.

    The outcome of this run is not known before its pages are published, so the next run's file has it.
    The file contains no host, user or path.
    """
    zone = generated_at.tzinfo
    document = {
        "schema": SCHEMA,
        "market": market,
        "as_of": as_of.astimezone(zone).isoformat(),
        "generated_at": generated_at.isoformat(),
        "phase": str(status.phase),
        "next_open": status.next_open.astimezone(zone).isoformat() if status.next_open else None,
        "outcomes": [
            {"generated_at": outcome.at.astimezone(zone).isoformat(), "exit_code": outcome.code}
            for outcome in reversed(tuple(outcomes))
        ],
    }
    return WebFile(f"{market}/{FILE_NAME}", f"{json.dumps(document, indent=1)}\n".encode(), parts.STATUS)
