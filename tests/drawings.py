"""Markets to draw in tests, and their pages."""

from __future__ import annotations

import json
import re
from datetime import datetime
from pathlib import Path
from random import Random
from typing import Any

from heatmap.analysis import rankings
from heatmap.analysis.rankings import Ranking
from heatmap.market.bars import Bar
from heatmap.market.calendar import packaged, phases
from heatmap.market.quotes import Quote, Snapshot
from heatmap.pages.page import render
from heatmap.pictures.context import PageContext
from heatmap.pictures.market_map.data import page_data
from heatmap.pictures.market_map.table import TableView
from heatmap.pictures.options import PageOptions
from heatmap.sources.recording import Recording

FINAL = datetime.fromisoformat("2026-09-17T16:01:00+05:30")
AS_OF = datetime.fromisoformat("2026-09-17T10:30:28+00:00")
SMALL = (
    Quote("M&M", -1.5, "Mahindra", "Autos", 1234567.5, 1250000.0, low=1230000.0, high=1260000.0),
    Quote("UP", 2.0, last_price=102.0, previous_close=100.0),
    Quote("BARE", 0.0),
)


def snapshot_of(*quotes: Quote, currency: str | None = "INR", recording: bool = False) -> Snapshot:
    """A market of these quotes after the close of 17 September 2026."""
    return Snapshot("memory", AS_OF, quotes or SMALL, currency, recording=recording)


def bars_before(snapshot: Snapshot, calendar: phases.Calendar, count: int) -> list[Bar]:
    """Bars of `count` sessions before a snapshot's session, generated backwards from its previous closes."""
    chance = Random(5)
    closes = {quote.symbol: quote.previous_close or 100.0 for quote in snapshot.quotes}
    day = snapshot.as_of.date()
    bars: list[Bar] = []
    while len(bars) < count * len(closes):
        day -= phases.ONE_DAY
        if phases.session_on(calendar, day) is None:
            continue
        for symbol, close in closes.items():
            before = round(close / (1 + chance.gauss(0.0005, 0.014)), 2)
            high, low = max(close, before) * 1.004, min(close, before) * 0.996
            bars.append(Bar(symbol, day, before, high, low, close, before, chance.uniform(1e5, 3e5), None))
            closes[symbol] = before
    return bars


def recorded(now: datetime = FINAL) -> Snapshot:
    """The bundled recorded day, at a moment of it."""
    return Recording().fetch(now=now)


def page_context(title: str = "A market", **more: Any) -> PageContext:
    """A drawing after the close of 17 September 2026."""
    calendar = packaged.load(packaged.SessionOptions(), Path())
    fields = {"calendar_end": phases.coverage_end(calendar), **more}
    verdict = phases.phase_at(calendar, FINAL)
    return PageContext("nse-fno", title, "Asia/Kolkata", FINAL, verdict, 5, ("nse-fno",), **fields)


def page_of(
    snapshot: Snapshot,
    *,
    root: bool = False,
    options: PageOptions | None = None,
    where: PageContext | None = None,
    history: dict[str, object] | None = None,
) -> str:
    """The page of a market, in its own folder or in the one above."""
    options = options or PageOptions()
    by_mode_and_period = rankings.rank_all(snapshot, options.clamp_percent, options.period_clamps)
    view = TableView(options.columns, options.gradient, options.up, options.heat)
    table = view.draw(snapshot, by_mode_and_period["change", "1d"])
    data = page_data(snapshot, by_mode_and_period, options)
    page, page_above = render(table, snapshot, data, where or page_context(), options, history=history)
    return (page_above if root else page).decode()


def data_of(page: str) -> dict[str, Any]:
    """The data of a page's script."""
    match = re.search(r'id="heatmap-data">(.*?)</script>', page, re.DOTALL)
    assert match is not None
    data: dict[str, Any] = json.loads(match[1])
    return data


def ranking_of(snapshot: Snapshot, mode: str, period: str = "1d") -> Ranking:
    """One ranking of a market, with the usual clamps."""
    return rankings.rank_all(snapshot, 3.0, {})[mode, period]
