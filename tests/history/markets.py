"""Seeded bars of a market over many sessions, with every event that makes periods difficult."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pytest

from heatmap.history.options import HistoryOptions
from heatmap.history.store import open_store
from heatmap.market.bars import Bar
from heatmap.market.calendar import packaged, phases
from heatmap.market.calendar.phases import Calendar
from heatmap.market.calendar.session import Phase
from heatmap.market.quotes import Quote, Snapshot
from heatmap.pictures.market_map.past import PastReader
from heatmap.pictures.market_map.replay_track import ReplayTrack
from tests.history.figures import MARKET

SESSION = date(2026, 9, 17)  # the running one
SPLIT_DAY, SPLIT = date(2026, 9, 9), "SPLIT"  # five shares of one; the previous close shows it
LISTED_DAY, YOUNG = date(2026, 9, 2), "YOUNG"
RENAMED_DAY, OLD, NEW = date(2026, 8, 20), "OLDNAME", "TMPV"
HALTED_DAY, HALTED = date(2026, 9, 3), "HALTED"  # not traded on that day
SYMBOLS = ("FLAT", "A", "B", "C", "D", "E", "F", "G", SPLIT, YOUNG, NEW, HALTED)


def nse() -> Calendar:
    """Return the exchange's calendar, with one more symbol change."""
    known = packaged.load(packaged.SessionOptions(), Path.cwd())
    return replace(known, symbol_changes=(*known.symbol_changes, phases.SymbolChange(OLD, NEW, RENAMED_DAY)))


def tape_of(*snapshots: Snapshot, folder: Path) -> ReplayTrack:
    """The tape of the last of these ticks of SESSION, the others of which the history has."""
    *earlier, last = snapshots
    with open_store(HistoryOptions(), folder, pytest.fail) as store:
        for snapshot in earlier:
            store.add_tick(MARKET, snapshot, SESSION, Phase.OPEN)
        return PastReader(store, MARKET, nse(), (), folder).read(last, SESSION, Phase.OPEN).replay_track


def sessions_before(calendar: Calendar, session: date, count: int) -> list[date]:
    """The last `count` sessions before one, the oldest first: walked day by day."""
    days: list[date] = []
    day = session
    while len(days) < count:
        day -= timedelta(days=1)
        if phases.session_on(calendar, day):
            days.append(day)
    return days[::-1]


def bars(calendar: Calendar, count: int, seed: int = 7) -> tuple[list[Bar], list[Quote]]:
    """Return the bars of `count` sessions before SESSION as an exchange has them, and the quotes of SESSION."""
    dice = random.Random(seed)
    days = sessions_before(calendar, SESSION, count)
    found: list[Bar] = []
    quotes: list[Quote] = []
    for number, symbol in enumerate(SYMBOLS):
        close, previous = 500.0 + 37 * number, None
        for day in (*days, SESSION):
            if symbol == YOUNG and day < LISTED_DAY:
                continue
            if symbol == SPLIT and day == SPLIT_DAY and previous:
                previous = round(previous / 5, 2)
                close = previous
            if symbol != "FLAT":
                close = round(close * (1 + dice.gauss(0.0005, 0.015)), 2)
            volume = float(dice.randrange(10_000, 1_000_000))
            opened = previous or close
            high, low = max(opened, close) + 0.5, min(opened, close) - 0.5
            name = OLD if symbol == NEW and day < RENAMED_DAY else symbol
            if day == SESSION:
                before = previous or close
                quotes.append(
                    Quote(
                        symbol, round((close / before - 1) * 100, 2), sector=f"Sector {number % 3}",
                        last_price=close, previous_close=before, open=opened, high=high, low=low,
                        volume=volume, turnover=volume * close,
                    )
                )  # fmt: skip
            elif symbol != HALTED or day != HALTED_DAY:
                found.append(Bar(name, day, opened, high, low, close, previous, volume, volume * close))
                previous = close
    return sorted(found, key=lambda bar: (bar.date, bar.symbol)), quotes
