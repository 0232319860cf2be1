"""The cost of a run, in ratios: cold processes in turn, the median of each, all in one measurement.

    python -m bench.tick [--runs N]

An open tick (HTTP JSON of 210 quotes to a page on disk) against the floor and the original approach, and a
tick in a closed market against a bare interpreter: the first after a session, which looks, and the ones
after it, which find its note. CPU is user plus system time of the whole process.

The open tick is without history; "with history" is the same tick, at the end of the day, with its 74 earlier
ticks, a year of daily bars, a month of ticks, every default period and mode, the lines and the replay.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from heatmap.history.options import HistoryOptions
from heatmap.history.store import open_store
from heatmap.market.bars import Bar
from heatmap.market.calendar import packaged, phases
from heatmap.market.calendar.session import Phase
from heatmap.sources.recording import Recording
from heatmap.state import idle
from tests.servers.exchange import Exchange

CHECKOUT = Path(__file__).resolve().parents[1]
# Compiled modules are kept from tick to tick, whatever the shell says.
ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
# A child's peak memory begins at that of the process it was spawned from, so a process smaller than any that
# is measured stands between. Its output is a pipe, as under cron: on a terminal a tick does more.
LAUNCHER = """
import os, sys, time
start = time.perf_counter()
child = os.posix_spawn(sys.argv[1], sys.argv[1:], os.environ)
_, status, usage = os.wait4(child, 0)
print(time.perf_counter() - start, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)
sys.exit(os.waitstatus_to_exitcode(status))
"""
OPEN, CLOSED = "2026-09-17T15:25:00+05:30", "2026-09-19T03:00:00+05:30"
# CPU, at most. The original draws one table; an open tick thirteen readings and a picture.
GOALS = (
    ("open tick", "original", 2.0),
    ("closed tick", "bare python", 5.0),
    ("  with history", "open tick", 1.15),
)
MARKET = "nse-fno"
YEAR_SESSIONS, MONTH_SESSIONS = 250, 20
DAY_TICKS, INTERVAL = 75, timedelta(minutes=5)  # the open tick is the last of them


class Cost(NamedTuple):
    """One process: seconds of wall clock and of CPU, and its peak memory in MiB."""

    wall: float
    cpu: float
    memory: float


def measure(command: list[str], folder: Path) -> Cost:
    """Run a command and return what it cost. Raises CalledProcessError."""
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", LAUNCHER, *command],
        cwd=folder,
        env=ENVIRONMENT | {"PYTHONPATH": str(CHECKOUT)},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return Cost(*map(float, done.stdout.splitlines()[-1].split()))


def remember(folder: Path) -> None:
    """Fill a history with what a year and a day, but for its last two ticks, leave."""
    opens = datetime.fromisoformat(OPEN) - (DAY_TICKS - 1) * INTERVAL
    recording = Recording()
    day = [recording.fetch(now=opens + number * INTERVAL) for number in range(DAY_TICKS)]
    calendar = packaged.load(packaged.SessionOptions(), folder)
    with open_store(HistoryOptions(), folder, print) as store:
        sessions = 0
        date = opens.date()
        closes = {quote.symbol: quote.previous_close or 1.0 for quote in day[0].quotes}
        while sessions < YEAR_SESSIONS:
            date -= timedelta(days=1)
            if not phases.session_on(calendar, date):
                continue
            sessions += 1
            bars = []
            for place, (symbol, close) in enumerate(closes.items()):
                before = round(close * (1 + ((sessions * 31 + place * 17) % 41 - 20) / 1000), 2)
                span = max(close, before), min(close, before)
                bars.append(Bar(symbol, date, before, *span, close, before, 1e6 + place, 1e9))
                closes[symbol] = before
            store.add_bars(MARKET, bars)
            if sessions <= MONTH_SESSIONS:
                for snapshot in day:
                    as_of = snapshot.as_of - (opens.date() - date)
                    store.add_tick(MARKET, replace(snapshot, as_of=as_of), date, Phase.OPEN)
        for snapshot in day[:-2]:
            store.add_tick(MARKET, snapshot, opens.date(), Phase.OPEN)


def check(what: str, folder: Path) -> None:
    """Raise RuntimeError if a process has not done what it is measured for. Call it after that process."""
    site = folder / "site/nse-fno"
    time = datetime.fromisoformat(OPEN).isoformat()
    if what == "closed tick":
        is_done = (folder / idle.STATE_DIRECTORY / idle.FILE_NAME).exists()
    elif what == "  with PNG":
        is_done = (site / "heatmap.png").exists()
    elif what == "  with history":
        past, replay = (json.loads((site / name).read_bytes()) for name in ("history.json", "replay.json"))
        is_done = past["as_of"] == time and past["periods"] and len(replay["moments"]) == DAY_TICKS
    elif what == "open tick":
        is_done = f'datetime="{time}"' in (site / "index.html").read_text("utf-8")
    else:
        return
    if not is_done:
        raise RuntimeError(f"{what.strip()}: the process did less than it is measured for")


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=15)
    runs = parser.parse_args().runs
    with tempfile.TemporaryDirectory() as name, Exchange(now=datetime.fromisoformat(OPEN)) as exchange:
        folder = Path(name)
        source = f'[[market]]\nname = "nse-fno"\n[market.source]\nbase_url = "{exchange.url}"\n'
        plain = f"{source}[page]\npng = false\n"
        (folder / "heatmap.toml").write_text(f"{plain}[history]\nenabled = false\n", "utf-8")
        (folder / "png.toml").write_text(f"{source}[history]\nenabled = false\n", "utf-8")
        (folder / "history.toml").write_text(f'state_directory = "past"\n{plain}', "utf-8")
        python = sys.executable
        heatmap = [str(Path(python).with_name("heatmap")), "run", "--now"]
        commands = {
            "bare python": [python, "-c", "pass"],
            "first closed": [*heatmap, CLOSED],  # the open tick before it has changed what is remembered
            "closed tick": [*heatmap, CLOSED],
            "floor": [python, str(CHECKOUT / "bench/floor.py"), exchange.url, "floor.txt"],
            "original": [python, str(CHECKOUT / "bench/original.py"), exchange.url, "original.html"],
            "open tick": [*heatmap, OPEN],
            "  with PNG": [*heatmap, OPEN, "--config", "png.toml"],
            "  with history": [*heatmap, OPEN, "--config", "history.toml"],
        }
        (folder / "past").mkdir()
        remember(folder / "past")
        exchange.now = datetime.fromisoformat(OPEN) - INTERVAL
        # The tick before it leaves what ticks leave each other.
        measure([*heatmap, exchange.now.isoformat(), "--config", "history.toml"], folder)
        exchange.now = datetime.fromisoformat(OPEN)
        shutil.copytree(folder / "past", folder / "before")
        costs: dict[str, list[Cost]] = {what: [] for what in commands}
        for number in range(runs + 1):
            if sys.stderr.isatty():
                print(f"\rround {number} of {runs} ", end="", file=sys.stderr, flush=True)
            for what, command in commands.items():
                if what.endswith("history"):
                    shutil.rmtree(folder / "past")
                    shutil.copytree(folder / "before", folder / "past")
                cost = measure(command, folder)
                if number:  # the first round warms the caches
                    costs[what].append(cost)
                if number == runs:
                    check(what, folder)
        medians = {
            what: Cost(*map(statistics.median, zip(*list_, strict=True))) for what, list_ in costs.items()
        }
        print(f"\n{runs} cold processes each, in turn; medians")
        print(f"{'':16}{'wall ms':>9}{'CPU ms':>9}{'MiB':>7}   times the wall, CPU, memory of")
        for what, cost in medians.items():
            against = {
                "closed tick": ["bare python"],
                "original": ["floor"],
                "open tick": ["floor", "original"],
                "  with history": ["open tick"],
            }
            ratios = "; ".join(
                f"{other}: " + ", ".join(f"{a / b:.2f}" for a, b in zip(cost, medians[other], strict=True))
                for other in against.get(what, [])
            )
            print(f"{what:16}{cost.wall * 1000:9.1f}{cost.cpu * 1000:9.1f}{cost.memory:7.1f}   {ratios}")
        for what, other, goal in GOALS:
            ratio = medians[what].cpu / medians[other].cpu
            verdict = "holds" if ratio <= goal else "is missed"
            print(f"goal: {what.strip()} at most {goal:g} x the CPU of {other}: {ratio:.2f}, {verdict}")
        page = (folder / "site/nse-fno/index.html").read_bytes()
        print(f"page: {len(page):,} bytes, {len(gzip.compress(page, 9)):,} gzip")


if __name__ == "__main__":
    main()
