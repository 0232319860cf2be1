"""A month of runs of the real command, some of them killed, and a check of the history after it.

Each session has some ticks, the last one is its final. A killed run is sometimes repeated, as by cron; a final
always is. Figures follow from session, time and symbol, so the right values are known without a record.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path

from heatmap.history.model import TickRow
from heatmap.history.options import HistoryOptions
from heatmap.history.store import open_store
from tests.checkout import CHECKOUT
from tests.history import markets
from tests.history.figures import MARKET, at

SYMBOLS = tuple(f"STOCK{number}" for number in range(210))
TIMES = ((9, 20), (9, 30), (12, 0))  # of the ticks while the market is open
FINAL = (15, 50)
LONGEST_RUN_SECONDS = 60.0


@dataclass
class Month:
    """The attempted ticks, and the promised ones: their run succeeded."""

    folder: Path
    sessions: int
    attempted: list[datetime] = field(default_factory=list)
    promised: list[datetime] = field(default_factory=list)
    kills: int = 0
    seconds: float = 1.0  # the usual time of a run

    def __post_init__(self) -> None:
        """Write the configuration."""
        self.days = [*markets.sessions_before(markets.nse(), markets.SESSION, self.sessions)]
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "heatmap.toml").write_text(
            f'[[market]]\nname = "{MARKET}"\n[market.source]\ntype = "file"\npath = "figures.json"\n'
            '[[publish]]\nurl = "file:site"\n[page]\npng = false\n[archive]\nenabled = false\n',
            "utf-8",
        )

    def moments(self) -> list[datetime]:
        """Return the time of each tick of the month."""
        return [at(day, *time) for day in self.days for time in (*TIMES, FINAL)]

    def run(self, moment: datetime, kill_after: float | None = None) -> bool:
        """Run one tick, killed after so many seconds; return whether it ended well."""
        (self.folder / "figures.json").write_text(json.dumps(document(moment)), "utf-8")
        self.attempted.append(moment)
        process = subprocess.Popen(
            [sys.executable, "-m", "heatmap", "run", "--now", moment.isoformat()],
            cwd=self.folder,
            env=os.environ | {"PYTHONPATH": str(CHECKOUT)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        try:
            said, _ = process.communicate(timeout=LONGEST_RUN_SECONDS if kill_after is None else kill_after)
        except subprocess.TimeoutExpired:
            process.kill()
            said, _ = process.communicate()
            self.kills += 1
        assert process.returncode in {0, -9}, said
        assert "" == said
        if process.returncode == 0:
            self.promised.append(moment)
        return process.returncode == 0


def price(moment: datetime, number: int) -> float:
    """Return the price of an instrument at a time."""
    return round(100 + number + (moment.toordinal() % 97) / 7 + moment.minute / 100 + moment.hour / 10, 2)


def volume(moment: datetime, number: int) -> float:
    """Return the volume of an instrument until a time."""
    return 1000.0 * (moment.hour - 8) + number


def document(moment: datetime) -> dict[str, object]:
    """Return a snapshot.json of this time."""
    is_final = (moment.hour, moment.minute) == FINAL
    quotes = []
    for number, symbol in enumerate(SYMBOLS):
        last, percent = price(moment, number), round(number / 100 - 1, 2)
        quotes.append(
            {
                "symbol": symbol, "percent_change": percent, "last_price": last,
                "previous_close": round(last / (1 + percent / 100), 2), "open": last, "high": last + 1, "low": last - 1,
                "volume": volume(moment, number), "turnover": 1e6 + number,
            }
        )  # fmt: skip
    return {
        "schema": "market-heatmap/1", "source": "test", "as_of": moment.isoformat(), "currency": "INR",
        "session": {"phase": "final" if is_final else "open"}, "is_open": not is_final, "quotes": quotes,
    }  # fmt: skip


def rows(moment: datetime) -> dict[str, TickRow]:
    """Return its rows that must be stored."""
    return {
        symbol: TickRow(
            price(moment, number), round(number / 100 - 1, 2), price(moment, number) + 1,
            price(moment, number) - 1, volume(moment, number), 1e6 + number,
        )
        for number, symbol in enumerate(SYMBOLS)
    }  # fmt: skip


def simulate(folder: Path, sessions: int, kills: int, seed: int) -> Month:
    """Run the month, with a number of kills at random instants."""
    month = Month(folder, sessions)
    dice = random.Random(seed)
    moments = month.moments()
    times_to_kill = set(dice.sample(range(1, len(moments)), min(kills, len(moments) - 1)))
    extra_kills = kills - len(times_to_kill)
    clock = time.monotonic
    for number, moment in enumerate(moments):
        if number in times_to_kill:
            for _ in range(1 + (dice.random() < extra_kills / len(times_to_kill))):
                if month.run(moment, dice.uniform(0, month.seconds)):
                    break
            is_final = (moment.hour, moment.minute) == FINAL
            if moment in month.promised or (not is_final and dice.random() < 0.5):
                continue
        start = clock()
        assert month.run(moment)
        month.seconds = (month.seconds + clock() - start) / 2
    return month


def check(month: Month) -> None:
    """Check that all promised ticks are there, whole, in order and once, and no tick that was not attempted."""
    with open_store(HistoryOptions(), month.folder / "state", _refuse) as store:
        found = [tick for day in store.tick_sessions(MARKET) for tick in store.ticks(MARKET, day)]
        times = [tick.as_of for tick in found]
        assert sorted(set(times)) == times
        assert set(month.promised) <= set(times) <= set(month.attempted)
        for tick in found:
            assert rows(tick.as_of.astimezone(month.attempted[0].tzinfo)) == tick.rows
        assert tuple(month.days) == store.sessions(MARKET)
        last: date = month.days[-1]
        bars = store.bars(MARKET, last, 10_000)
        assert [(day, symbol) for day in month.days for symbol in sorted(SYMBOLS)] == [
            (bar.date, bar.symbol) for bar in bars
        ]
        for bar in bars:
            assert price(at(bar.date, *FINAL), SYMBOLS.index(bar.symbol)) == bar.close
    leftovers = sorted(path.name for path in (month.folder / "state").glob("history*"))
    assert ["history.sqlite"] == leftovers


def _refuse(sentence: str) -> None:
    raise AssertionError(sentence)
