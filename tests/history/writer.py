"""A process that adds one tick after another, like runs, until it is killed. It prints each stored tick.

    python -m tests.history.writer FOLDER FIRST [--prune] [postgresql://...]

FIRST is the number of its first tick. It prints "ready", then each tick's number after it was added and the
history was closed; the last tick of a session is its final. With --prune it prunes after every final, and
rewrites the file each time.
"""

from __future__ import annotations

import sys
from datetime import date, datetime, timedelta
from itertools import count
from pathlib import Path

from heatmap.history import sqlite
from heatmap.history.options import HistoryOptions
from heatmap.history.store import open_store
from heatmap.market.calendar.session import Phase
from tests.history.figures import MARKET, MONDAY, at, snapshot

VARIABLE = "HEATMAP_TEST_HISTORY_PASSWORD"
SYMBOLS = tuple(f"SYMBOL{number}" for number in range(210))
TICKS = 12  # a session
KEPT_SESSIONS = 2  # with their ticks, where it prunes


def session_of(number: int) -> date:
    """Return the session of a tick."""
    return MONDAY + timedelta(days=number // TICKS)


def moment_of(number: int) -> datetime:
    """Return the time of a tick's figures."""
    return at(session_of(number), 10, 5 * (number % TICKS))


def is_final(number: int) -> bool:
    """Whether a tick is the last of its session."""
    return number % TICKS == TICKS - 1


def main(folder: Path, first: int, *, prune: bool, url: str | None) -> None:
    """Write until killed."""
    options = HistoryOptions(url=url, password_env=url and VARIABLE)
    sqlite.WORTH_COMPACTING_BYTES = 0
    if url:
        import psycopg  # before it is ready: that takes longer than many ticks

        del psycopg
    print("ready", flush=True)
    for number in count(first):
        with open_store(options, folder, print) as store:
            phase = Phase.FINAL if is_final(number) else Phase.OPEN
            store.add_tick(MARKET, snapshot(moment_of(number), SYMBOLS), session_of(number), phase)
            if prune and is_final(number):
                store.prune(HistoryOptions(tick_sessions=KEPT_SESSIONS))
        print(number, flush=True)


if __name__ == "__main__":
    main(
        Path(sys.argv[1]),
        int(sys.argv[2]),
        prune="--prune" in sys.argv,
        url=sys.argv[-1] if "://" in sys.argv[-1] else None,
    )
