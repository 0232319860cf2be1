"""The cost of the history: adding a tick, the size of a year, the reads of a run, and the imports.

    python -m bench.history [--runs N]

Adding is opening the file, one tick, and closing it, as every run does; the file has a month in it by then.
The year is extrapolated from whole sessions of 75 moments of the recorded day, with their daily bars.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from heatmap.history.options import HistoryOptions
from heatmap.history.store import open_store
from heatmap.market.calendar.session import Phase
from heatmap.sources.recording import Recording

if TYPE_CHECKING:
    from collections.abc import Callable

    from heatmap.market.quotes import Snapshot

CHECKOUT = Path(__file__).resolve().parents[1]
# Compiled modules are kept from tick to tick, whatever the shell says.
ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
TICK_IMPORTS = "import colour, jinja2, requests, heatmap.market.snapshot_json"
STORE_IMPORTS = "import heatmap.history.sqlite, heatmap.history.store"
MARKET = "nse-fno"
SESSIONS = 20
YEAR_SESSIONS = 250
OPENS = datetime.fromisoformat("2026-09-17T09:15:00+05:30")
MOMENTS = [OPENS + timedelta(minutes=5 * number) for number in range(74)] + [OPENS.replace(hour=16, minute=5)]
# Milliseconds and megabytes, at most.
GOALS = {"adding 210 quotes": 10.0, "adding 10,000 quotes": 200.0, "a year of ticks": 500.0}


class Cost(NamedTuple):
    """Milliseconds of so many runs: the median and the least of the wall clock, and the median of CPU."""

    median: float
    least: float
    cpu: float


def milliseconds(work: Callable[[], object], runs: int) -> Cost:
    """Return what the work costs."""
    walls, cpus = [], []
    for _ in range(runs):
        wall, cpu = time.perf_counter(), time.process_time()
        work()
        walls.append((time.perf_counter() - wall) * 1000)
        cpus.append((time.process_time() - cpu) * 1000)
    return Cost(statistics.median(walls), min(walls), statistics.median(cpus))


def show(what: str, cost: Cost) -> None:
    """Print a line of the table."""
    print(f"{what:32}{cost.median:10.1f}{cost.least:9.1f}{cost.cpu:9.1f}")


def sync(folder: Path) -> None:
    """Bring eight kilobytes to the disk: adding a tick does so four times."""
    with (folder / "synced").open("wb") as file:
        file.write(bytes(8192))
        file.flush()
        os.fsync(file.fileno())


def add(folder: Path, snapshot: Snapshot, session: date, phase: Phase = Phase.OPEN) -> None:
    """Add one tick as a run does."""
    with open_store(HistoryOptions(), folder, print) as store:
        assert store.add_tick(MARKET, snapshot, session, phase).is_new


def adding(folder: Path, snapshot: Snapshot, phase: Phase, runs: int) -> Cost:
    """Return what adding this snapshot takes, at another moment each time."""
    moments = iter(range(runs))

    def work() -> None:
        as_of = OPENS + timedelta(days=100 + next(moments))
        add(folder, replace(snapshot, as_of=as_of), as_of.date(), phase)

    return milliseconds(work, runs)


def import_milliseconds(statement: str, runs: int) -> Cost:
    """Return what a statement adds to a process that has imported what an open tick has without history."""
    code = f"import time\n{TICK_IMPORTS}\nwall, cpu = time.perf_counter(), time.process_time()\n{statement}\n"
    code += "print(time.perf_counter() - wall, time.process_time() - cpu)"
    costs = []
    for _ in range(runs + 1):
        done = subprocess.run(
            [sys.executable, "-c", code],
            cwd=CHECKOUT,
            env=ENVIRONMENT,
            stdout=subprocess.PIPE,
            check=True,
        )
        costs.append([float(seconds) * 1000 for seconds in done.stdout.split()])
    walls, cpus = zip(*costs[1:], strict=True)  # the first one compiles
    return Cost(statistics.median(walls), min(walls), statistics.median(cpus))


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=15)
    runs = parser.parse_args().runs
    recording = Recording()
    day = [recording.fetch(now=moment) for moment in MOMENTS]
    quotes = tuple(
        replace(quote, symbol=f"{quote.symbol}.{number}") for number in range(48) for quote in day[40].quotes
    )
    large = replace(day[40], quotes=quotes[:10_000])
    figures: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        sessions = [OPENS.date() + timedelta(days=number) for number in range(SESSIONS)]
        with open_store(HistoryOptions(), folder, print) as store:
            for number, session in enumerate(sessions):
                for snapshot in day:
                    phase = Phase.FINAL if snapshot is day[-1] else Phase.OPEN
                    as_of = snapshot.as_of + timedelta(days=number)
                    store.add_tick(MARKET, replace(snapshot, as_of=as_of), session, phase)
        size = (folder / "history.sqlite").stat().st_size
        figures["a year of ticks"] = size / SESSIONS * YEAR_SESSIONS / 1e6
        print(f"{len(day)} moments of {len(day[0].quotes)} quotes, {SESSIONS} sessions: {size / 1e6:.1f} MB")
        print(f"\n{'milliseconds':32}{'median':>10}{'least':>9}{'CPU':>9}")
        for what, snapshot, phase in (
            ("adding 210 quotes", day[40], Phase.OPEN),
            ("adding 210 quotes, final", day[40], Phase.FINAL),
            ("adding 10,000 quotes", large, Phase.OPEN),
            ("adding 10,000 quotes, final", large, Phase.FINAL),
        ):
            with tempfile.TemporaryDirectory() as other:
                copy = Path(other)
                (copy / "history.sqlite").write_bytes((folder / "history.sqlite").read_bytes())
                cost = adding(copy, snapshot, phase, runs)
            figures[what] = cost.median
            show(what, cost)
        show("bringing 8 kB to this disk", milliseconds(lambda: sync(folder), runs))
        with open_store(HistoryOptions(), folder, print) as store:
            last = store.bars(MARKET, sessions[-1], 1)
            for number in range(YEAR_SESSIONS - SESSIONS):
                store.add_bars(
                    MARKET, [bar._replace(date=sessions[0] - timedelta(days=number + 1)) for bar in last]
                )
            until = sessions[-1]
            noon = OPENS.replace(hour=12)
            for what, work in {
                "a day's 75 moments": lambda: store.ticks(MARKET, until),
                "the same, as they are kept": lambda: store.encoded_ticks(MARKET, until),
                "20 sessions' volumes, at noon": lambda: store.volumes_at(
                    MARKET, {session: noon + (session - OPENS.date()) for session in sessions}
                ),
                "250 sessions' closes": lambda: store.series(MARKET, "close", until, YEAR_SESSIONS),
                "250 sessions' bars": lambda: store.bars(MARKET, until, YEAR_SESSIONS),
                "60 sessions' bars": lambda: store.bars(MARKET, until, 60),
            }.items():
                if not work():
                    raise RuntimeError(f"{what}: nothing was read, so the time tells nothing")
                show(what, milliseconds(work, runs))
    show("importing sqlite3", import_milliseconds("import sqlite3", runs))
    show("importing the store, with it", import_milliseconds(STORE_IMPORTS, runs))
    print()
    for what, goal in GOALS.items():
        unit = "MB" if "year" in what else "ms"
        verdict = "holds" if figures[what] <= goal else "is missed"
        print(f"goal: {what} under {goal:g} {unit}: {figures[what]:.1f}, {verdict}")


if __name__ == "__main__":
    main()
