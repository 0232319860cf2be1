"""Every period and every mode that takes the history, against pandas on the same figures."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from heatmap.analysis.rankings import Ranking
from heatmap.history.options import HistoryOptions
from heatmap.history.store import Store, open_store
from heatmap.market.bars import Bar
from heatmap.market.calendar import phases
from heatmap.market.calendar.session import Phase
from heatmap.market.quotes import Quote, Snapshot
from heatmap.pictures.market_map import past as figures
from heatmap.pictures.market_map.history_data import _period_changes, periods_of, rank_all
from heatmap.pictures.market_map.past import HistoryView
from heatmap.pictures.options import PageOptions
from heatmap.sources.nse import bhavcopy
from tests.history import markets
from tests.history.figures import MARKET, ZONE

pandas = pytest.importorskip("pandas", reason="pandas is not here: pip install pandas")
pytestmark = pytest.mark.real
NAMES = ("2d", "5d", "20d", "60d", "120d", "250d", "ytd")


def past_of(
    folder: Path, bars: list[Bar], quotes: list[Quote], session: date
) -> tuple[HistoryView, Snapshot]:
    """Return the history's figures for one tick, from a store with these bars."""
    folder.mkdir(parents=True, exist_ok=True)
    as_of = datetime(session.year, session.month, session.day, 15, 40, tzinfo=ZONE)
    snapshot = Snapshot("test", as_of, tuple(quotes), currency="INR")
    with open_store(HistoryOptions(), folder, pytest.fail) as store:
        store.add_bars(MARKET, bars)
        found = figures.PastReader(store, MARKET, markets.nse(), NAMES, folder)
        return found.read(snapshot, session, Phase.FINAL), snapshot


def frame(bars: list[Bar], quotes: list[Quote], session: date, figure: str = "close") -> Any:
    """Return one figure as a table: a row for each session, a column for each new symbol; today is the last row."""
    rows = [
        (bar.date, markets.NEW if bar.symbol == markets.OLD else bar.symbol, getattr(bar, figure))
        for bar in bars
    ]
    today = {"close": "last_price"}.get(figure, figure)
    rows += [(session, quote.symbol, getattr(quote, today)) for quote in quotes]
    return pandas.DataFrame(rows, columns=["date", "symbol", "value"]).pivot(
        index="date", columns="symbol", values="value"
    )


def read(past: HistoryView, snapshot: Snapshot) -> Mapping[str, dict[str, float]]:
    """Return the values of each ranking, by symbol."""
    found, _ = rank_all(
        past, snapshot, periods_of(past), _period_changes(past, snapshot.quotes), PageOptions()
    )

    def values(reading: Ranking) -> dict[str, float]:
        order = [snapshot.quotes[index].symbol for index in reading.order]
        return dict(zip(order, reading.values, strict=False))

    return {name: values(reading) for name, reading in found.items()}


def percentiles(past: HistoryView, snapshot: Snapshot) -> Mapping[str, dict[str, float]]:
    """Return the percentiles of each ranking, by symbol."""
    found, _ = rank_all(
        past, snapshot, periods_of(past), _period_changes(past, snapshot.quotes), PageOptions()
    )
    return {
        name: {
            snapshot.quotes[index].symbol: value
            for index, value in zip(reading.order, reading.percentiles, strict=False)
        }
        for name, reading in found.items()
    }


def known(series: Any) -> dict[str, float]:
    """Return a series as a mapping, without unknown values."""
    return {str(symbol): float(value) for symbol, value in series.dropna().items()}


def in_sectors(exact: Any) -> Any:
    """Exact changes against their sectors' medians, in scaled median absolute deviations; small sectors against all."""

    def score(members: Any) -> Any:
        against = members if len(members) >= 4 else exact
        return (members - against.median()) / ((against - against.median()).abs().median() * 1.4826)

    sectors = {symbol: number % 3 for number, symbol in enumerate(markets.SYMBOLS)}
    return pandas.concat([score(members) for _, members in exact.groupby(sectors)])


def check(found: Mapping[str, dict[str, float]], closes: Any, volumes: Any, changes: Any) -> None:
    """Compare all rankings with pandas' results from adjusted closes, volumes, and today's changes in %."""
    count = len(closes)
    daily = closes.pct_change(fill_method=None) * 100
    for name in NAMES:
        if name == "ytd":
            sessions = sum(day.year == closes.index[-1].year for day in closes.index)
        else:
            sessions = int(name[:-1])
        if sessions >= count:
            assert {} == found[f"change {name}"]
            continue
        exact = ((closes.iloc[-1] / closes.iloc[-1 - sessions] - 1) * 100).dropna()
        assert known(exact) == pytest.approx(found[f"change {name}"], abs=0.0050001)  # as shown
        assert all(value == round(value, 2) for value in found[f"change {name}"].values())
        relative = (exact - exact.mean()) / exact.std(ddof=0)
        assert known(relative) == pytest.approx(found[f"rs {name}"])
        assert known(in_sectors(exact)) == pytest.approx(found[f"sector {name}"])
        if sessions >= 5:
            spread = daily.iloc[-sessions:].std(ddof=0, skipna=True)
            momentum = exact / (spread * sessions**0.5)
            enough = daily.iloc[-sessions:].count() >= 3
            expected = known(momentum[enough & (spread > 1e-9)])
            assert expected == pytest.approx(found[f"momentum {name}"], rel=1e-6)
    window = closes.iloc[-20:]
    mean, spread = window.mean(), window.std(ddof=0)
    bands = ((closes.iloc[-1] - (mean - 2 * spread)) / (4 * spread) * 100)[
        (window.count() == 20) & (spread > 1e-9)
    ]
    assert known(bands) == pytest.approx(found["bands 20d"], rel=1e-6)
    usual = volumes.iloc[-21:-1].mean()
    assert known(volumes.iloc[-1] / usual) == pytest.approx(found["volume 1d"])
    signs = daily.round(2).iloc[:-1].apply(lambda column: column.map(lambda x: (x > 0) - (x < 0)))
    expected = {}
    for symbol, change in changes.items():
        sign = (change > 0) - (change < 0)
        run = (signs[symbol][::-1] == sign).cumprod().sum() if sign else 0
        expected[symbol] = float(sign * (1 + run)) if sign else 0.0
    assert expected == found["streak 1d"]


def test_all_that_can_happen_within_a_year(tmp_path: Path) -> None:
    """Splits, new symbols, young stocks, a day without trade: 300 sessions across holidays and a Sunday session."""
    bars, quotes = markets.bars(markets.nse(), 300)
    past, snapshot = past_of(tmp_path, bars, quotes, markets.SESSION)
    closes = frame(bars, quotes, markets.SESSION)
    closes.loc[closes.index < markets.SPLIT_DAY, markets.SPLIT] /= 5
    volumes = frame(bars, quotes, markets.SESSION, "volume")
    volumes.loc[volumes.index < markets.SPLIT_DAY, markets.SPLIT] *= 5

    found = read(past, snapshot)

    check(found, closes, volumes, {quote.symbol: quote.percent_change for quote in quotes})
    assert date(2026, 2, 1) in closes.index  # a Sunday with a session
    assert markets.YOUNG not in found["change 20d"]  # listed inside the period: unknown, not 0
    assert markets.YOUNG in found["change 5d"]
    assert {markets.SPLIT} == past.earlier_sessions.starts["20d"].adjusted_symbols
    assert frozenset() == past.earlier_sessions.starts["5d"].adjusted_symbols
    assert abs(found["change 20d"][markets.SPLIT]) < 40  # not -80 %
    assert markets.NEW in found["change 250d"]


@pytest.mark.parametrize("count", [0, 1, 4, 19, 20, 61])
def test_a_history_that_is_still_short(tmp_path: Path, count: int) -> None:
    """Longer periods than the history have no values and a sentence each; all others are right."""
    calendar = markets.nse()
    bars, quotes = markets.bars(calendar, count)
    past, snapshot = past_of(tmp_path, bars, quotes, markets.SESSION)
    found, lacks = rank_all(
        past, snapshot, periods_of(past), _period_changes(past, snapshot.quotes), PageOptions()
    )

    for name in ("5d", "20d", "60d"):
        short = int(name[:-1]) > count
        assert short == (f"change {name}" in lacks) == (not found[f"change {name}"].values)
        if short:
            assert f"the history has {count} session" in past.earlier_sessions.starts[name].reason_missing
    assert (count < 19) == ("bands 20d" in lacks)
    if count:
        check_short = {name: values for name, values in read(past, snapshot).items() if name == "change 5d"}
        assert (count >= 5) == bool(check_short["change 5d"])


def test_the_exchange_s_own_sessions(tmp_path: Path, recorded_bodies: Path) -> None:
    """Twenty real sessions: nineteen as history, the last as today's quotes; splits adjusted as found by hand."""
    days: dict[date, list[Bar]] = {}
    for file in sorted((recorded_bodies / "bhavcopy").glob("sec_bhavdata_full_*.csv")):
        day = bhavcopy.find_date(file.name)
        assert day
        days[day] = list(bhavcopy.parse(file.read_bytes(), day).bars)
    *earlier, session = sorted(days)
    assert 19 == len(earlier)
    bars = [bar for day in earlier for bar in days[day]]
    quotes = [
        Quote(
            bar.symbol, round((bar.close / bar.previous_close - 1) * 100, 2), last_price=bar.close,
            previous_close=bar.previous_close, open=bar.open, high=bar.high, low=bar.low, volume=bar.volume,
        )
        for bar in days[session] if bar.previous_close
    ]  # fmt: skip
    past, snapshot = past_of(tmp_path, bars, quotes, session)
    found, ranks = read(past, snapshot), percentiles(past, snapshot)
    quote_of = {quote.symbol: quote for quote in quotes}
    # What is adjusted, or may not be compared, is left to the tests of actions: here the rest, nearly all.
    plain = {
        symbol
        for symbol, closes in past.earlier_sessions.closes.items()
        if symbol not in past.earlier_sessions.factors
    }
    table = frame(bars, quotes, session)
    raw = [symbol for symbol in table.columns if symbol in plain]
    assert len(raw) > 2300
    for name, sessions in (("2d", 2), ("5d", 5)):
        expected = known(((table[raw].iloc[-1] / table[raw].iloc[-1 - sessions] - 1) * 100).round(2))
        mine = {symbol: value for symbol, value in found[f"change {name}"].items() if symbol in plain}
        assert len(set(expected) ^ set(mine)) <= 3  # of unknown terms
        assert {symbol: expected[symbol] for symbol in mine} == pytest.approx(mine, abs=0.0101)
    # Percentiles are those of the exact changes of all stocks that are known: no ties but true ones.
    everyone = ranks["change 5d"]
    exact = pandas.Series(
        {
            symbol: quote_of[symbol].last_price / past.earlier_sessions.starts["5d"].closes[symbol] - 1
            for symbol in everyone
        }
    )
    assert known((exact.rank() - 0.5) / len(exact) * 100) == pytest.approx(everyone)
    assert len(set(everyone.values())) > 0.99 * len(everyone) > len(set(found["change 5d"].values()))
    window = table[raw].iloc[-20:]
    mean, spread = window.mean(), window.std(ddof=0)
    bands = known(
        ((window.iloc[-1] - (mean - 2 * spread)) / (4 * spread) * 100)[
            (window.count() == 20) & (spread > 1e-9)
        ]
    )
    mine = {symbol: value for symbol, value in found["bands 20d"].items() if symbol in plain}
    assert len(bands) > 2000
    assert len(set(bands) ^ set(mine)) <= 5
    assert {symbol: bands[symbol] for symbol in mine} == pytest.approx(mine, rel=1e-6)
    assert phases.session_on(markets.nse(), session)


def test_the_usual_volume_by_this_time(tmp_path: Path) -> None:
    """The median volume of earlier sessions' ticks by this time of day, where there are five or more."""
    calendar = markets.nse()
    session = markets.SESSION
    days = markets.sessions_before(calendar, session, 25)
    table = pandas.DataFrame(
        {day: {"A": 1000.0 * (place % 7 + 1), "B": 50.0 * (place + 1)} for place, day in enumerate(days)}
    ).T
    with open_store(HistoryOptions(), tmp_path, pytest.fail) as store:
        _add_ticks(store, table)
        quotes = (
            Quote("A", 1.0, last_price=10.0, volume=3000.0),
            Quote("B", 1.0, last_price=10.0, volume=1.0),
        )
        at = datetime(session.year, session.month, session.day, 11, 1, 30, tzinfo=ZONE)
        snapshot = Snapshot("test", at, quotes)
        past = figures.PastReader(store, MARKET, calendar, ("5d",), tmp_path).read(
            snapshot, session, Phase.OPEN
        )

    usual = table.iloc[-20:].median()
    assert (2, 20) == (past.usual_volumes.by_time, past.usual_volumes.sessions)
    assert known(usual) == pytest.approx(past.usual_volumes.volumes)
    found, _ = rank_all(
        past, snapshot, periods_of(past), _period_changes(past, snapshot.quotes), PageOptions()
    )
    assert (3000 / usual["A"], 1 / usual["B"]) == pytest.approx(found["volume 1d"].values)


def _add_ticks(store: Store, by_eleven: Any) -> None:
    """Let each session have a tick at 10:55 of half of it, one at 11:00, and one at 15:30 of ten times that."""
    for day, volumes in by_eleven.iterrows():
        for minutes, share in ((655, 0.5), (660, 1.0), (930, 10.0)):
            as_of = datetime(day.year, day.month, day.day, tzinfo=ZONE) + timedelta(minutes=minutes)
            quotes = tuple(
                Quote(symbol, 0.0, last_price=10.0, volume=volume * share)
                for symbol, volume in volumes.items()
            )
            store.add_tick(MARKET, Snapshot("test", as_of, quotes), day, Phase.OPEN)
