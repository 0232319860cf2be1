"""status.json: its fields, and the values that it must not have."""

from __future__ import annotations

import json
from datetime import datetime

from heatmap.market.calendar.session import MarketStatus, Phase
from heatmap.notify.monitoring import status_file
from heatmap.state.run_log import RunOutcome


def at(text: str) -> datetime:
    """A moment in India."""
    return datetime.fromisoformat(f"{text}+05:30")


def test_the_whole_file() -> None:
    """Times are in the market's time zone; the newest outcome comes first."""
    page = status_file.make_file(
        "nse-fno",
        MarketStatus(Phase.OPEN, None, datetime.fromisoformat("2026-09-18T03:45:00+00:00"), "It trades."),
        as_of=datetime.fromisoformat("2026-09-17T05:29:58+00:00"),
        generated_at=at("2026-09-17T11:00:00"),
        outcomes=[
            RunOutcome(
                "nse-fno",
                at("2026-09-17T10:50:00"),
                75,
                "blocked",
                "of some-host, which is nobody's business",
            ),
            RunOutcome("nse-fno", at("2026-09-17T10:55:00"), 0, "published"),
        ],
    )

    assert page.path == "nse-fno/status.json"
    assert {
        "schema": "market-heatmap-status/1",
        "market": "nse-fno",
        "as_of": "2026-09-17T10:59:58+05:30",
        "generated_at": "2026-09-17T11:00:00+05:30",
        "phase": "open",
        "next_open": "2026-09-18T09:15:00+05:30",
        "outcomes": [
            {"generated_at": "2026-09-17T10:55:00+05:30", "exit_code": 0},
            {"generated_at": "2026-09-17T10:50:00+05:30", "exit_code": 75},
        ],
    } == json.loads(page.content)


def test_unknown_values_are_null() -> None:
    """A market that never closes has no next opening; the first run has no outcome before it."""
    page = status_file.make_file(
        "all-day",
        MarketStatus(Phase.OPEN, None, None, "It never closes."),
        as_of=at("2026-09-17T11:00:00"),
        generated_at=at("2026-09-17T11:00:00"),
        outcomes=(),
    )

    document = json.loads(page.content)
    assert (None, []) == (document["next_open"], document["outcomes"])
