"""A month of real runs, some of them killed at random instants, and what the history holds after it."""

from __future__ import annotations

from pathlib import Path
from random import Random
from typing import NamedTuple

from heatmap.history.options import HistoryOptions
from heatmap.history.store import open_store
from tests.history import month
from tests.history.figures import MARKET, at

SAMPLE, WHOLE = 5, 240  # of which one in ten comes after the end
KILLS_A_SESSION = 3


class Months(NamedTuple):
    """What so many kills did to a history."""

    sessions: int
    runs: int
    kills: int  # that came before the run's end
    promised: int  # ticks whose run ended with exit code 0
    lost: int  # of them, and sessions without all their daily bars
    doubled: int  # ticks and daily bars that are there twice
    wrong: int  # ticks and daily bars with other figures, or that nobody made
    warnings: int  # sentences of a damaged history

    @property
    def holds(self) -> bool:
        """Nothing is lost, doubled or spoilt, of what was promised in spite of kills."""
        return (
            self.kills > 0
            and self.promised > 0
            and not (self.lost or self.doubled or self.wrong or self.warnings)
        )


def measure(folder: Path, rng: Random, amount: int) -> Months:
    """Simulate the month with so many kills, and look."""
    sessions = max(2, amount // KILLS_A_SESSION)
    told = month.simulate(folder, sessions, amount, rng.randrange(2**32))
    warnings: list[str] = []
    with open_store(HistoryOptions(), folder / "state", warnings.append) as store:
        found = [tick for day in store.tick_sessions(MARKET) for tick in store.ticks(MARKET, day)]
        bars = store.bars(MARKET, told.days[-1], 10 * sessions)
    times = [tick.as_of for tick in found]
    zone = told.attempted[0].tzinfo
    expected = {(day, symbol) for day in told.days for symbol in month.SYMBOLS}
    closes = {
        (day, symbol): month.price(at(day, *month.FINAL), number)
        for day in told.days
        for number, symbol in enumerate(month.SYMBOLS)
    }
    there = [(bar.date, bar.symbol) for bar in bars]
    return Months(
        sessions=sessions,
        runs=len(told.attempted),
        kills=told.kills,
        promised=len(set(told.promised)),
        lost=len(set(told.promised) - set(times)) + len(expected - set(there)),
        doubled=len(times) - len(set(times)) + len(there) - len(set(there)),
        wrong=len(set(times) - set(told.attempted))
        + sum(month.rows(tick.as_of.astimezone(zone)) != tick.rows for tick in found)
        + len(set(there) - expected)
        + sum(bar.close != closes.get((bar.date, bar.symbol)) for bar in bars),
        warnings=len(warnings),
    )
