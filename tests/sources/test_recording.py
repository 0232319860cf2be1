"""The recorded day: real at its corners, plausible between them, always the same."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path

import pytest

from heatmap.errors import ConfigError
from heatmap.market.quotes import Change, Quote, Snapshot
from heatmap.sources.nse.body import parse
from heatmap.sources.recording import Recording

INDIA = timezone(timedelta(hours=5, minutes=30))
END = datetime(2026, 9, 17, 16, 0, 28, tzinfo=INDIA)


def at(hour: int, minute: int, second: int = 0) -> Snapshot:
    """Return the recorded day at this time of it."""
    return Recording().fetch(now=datetime(2026, 9, 17, hour, minute, second, tzinfo=INDIA))


def by_symbol(snapshot: Snapshot) -> dict[str, Quote]:
    """Return the quotes by symbol."""
    return {quote.symbol: quote for quote in snapshot.quotes}


DAY = by_symbol(at(16, 1))
TIMES = [(9 + (15 + 5 * step) // 60, (15 + 5 * step) % 60) for step in range(77)]  # 09:15 to 15:35


def test_end_of_the_day() -> None:
    """At its end and later, the day is as recorded."""
    snapshot = Recording().fetch(now=datetime(2027, 1, 1, tzinfo=INDIA))

    assert (snapshot.as_of, snapshot.is_open, snapshot.recording) == (END, False, True)
    assert (snapshot.source, snapshot.currency, len(snapshot.quotes)) == ("nse", "INR", 210)
    assert sum(quote.percent_change > 0 for quote in snapshot.quotes) == 162
    assert sum(quote.percent_change < 0 for quote in snapshot.quotes) == 48
    assert all(quote.sector and quote.name for quote in snapshot.quotes)
    assert snapshot.quotes[0] == Quote(
        symbol="HDFCLIFE",
        percent_change=5.05,
        name="HDFC LIFE INSURANCE COMPANY LIMITED",
        sector="Financial Services",
        last_price=557.0,
        previous_close=530.2,
        open=532.9,
        high=560.95,
        low=529.95,
        volume=9374431.0,
        turnover=5196622080.54,
        free_float_market_cap=601571169812.24,
        year_high=796.9,
        year_low=508.7,
        changes={"1mo": Change(2.58, date(2026, 8, 17)), "1y": Change(-28.07, date(2025, 9, 16))},
    )


def test_equals_the_recorded_body(recorded_bodies: Path) -> None:
    """Every figure of the packaged day is the exchange's own."""
    body = (recorded_bodies / "snapshot" / "getIndicesData_SECURITIES-IN-FO_2026-09-17.json").read_bytes()
    assert by_symbol(parse(body)) == DAY


@pytest.mark.parametrize(("hour", "minute"), [(0, 0), (9, 0), (9, 15)])
def test_open(hour: int, minute: int) -> None:
    """Until the open every stock has its opening price."""
    snapshot = at(hour, minute)
    for symbol, quote in by_symbol(snapshot).items():
        assert quote.last_price == quote.high == quote.low == quote.open == DAY[symbol].open
    assert snapshot.as_of == datetime(2026, 9, 17, hour, minute, tzinfo=INDIA)


def test_status() -> None:
    """The market is open from 09:15:00 to just before 15:15:00."""
    times = [(9, 14, 59), (9, 15, 0), (15, 14, 59), (15, 15, 0), (15, 35, 0), (16, 0, 28)]
    assert [at(*time).is_open for time in times] == [False, True, True, False, False, False]


def test_path() -> None:
    """Prices stay within the day's range; high, low, volume and turnover only grow towards the day's."""
    before = by_symbol(at(9, 15))
    for time in TIMES[1:]:
        now = by_symbol(at(*time))
        for symbol, quote in now.items():
            day, earlier = DAY[symbol], before[symbol]
            assert day.low and day.high and quote.last_price and quote.low and quote.high
            assert day.low <= quote.low <= quote.last_price <= quote.high <= day.high
            assert quote.low <= (earlier.low or 0)
            assert quote.high >= (earlier.high or 0)
            assert (earlier.volume or 0) <= (quote.volume or 0) <= (day.volume or 0)
            assert (earlier.turnover or 0) <= (quote.turnover or 0) <= (day.turnover or 0)
        before = now


def test_percent_change_goes_with_the_price() -> None:
    """Between the corners the percent change is that of last price against previous close."""
    for quote in at(12, 0).quotes:
        assert quote.last_price and quote.previous_close
        assert quote.percent_change == pytest.approx(
            100 * quote.last_price / quote.previous_close - 100, abs=0.0051
        )


def test_auction() -> None:
    """From 15:15 prices do not change; at 15:35 they jump once, to the recorded last prices."""
    still = [quote.last_price for quote in at(15, 15).quotes]
    assert [quote.last_price for quote in at(15, 34, 59).quotes] == still
    assert by_symbol(at(15, 35)) == DAY
    assert sum(price != quote.last_price for price, quote in zip(still, at(15, 35).quotes, strict=True)) > 150


def test_both_extremes_are_reached_before_the_auction() -> None:
    """When continuous trading ends, every stock has reached its high and its low."""
    for symbol, quote in by_symbol(at(15, 15)).items():
        assert (quote.high, quote.low) == (DAY[symbol].high, DAY[symbol].low)


def test_same_every_time() -> None:
    """The same time gives the same market, another time another market."""
    assert at(11, 20) == at(11, 20)
    assert at(11, 20).quotes != at(11, 25).quotes


def test_times_of_other_zones() -> None:
    """05:30 UTC is 11:00 in India, and is shown so."""
    snapshot = Recording().fetch(now=datetime(2026, 9, 17, 5, 30, tzinfo=UTC))
    assert snapshot == at(11, 0)
    assert snapshot.as_of.isoformat() == "2026-09-17T11:00:00+05:30"


@pytest.mark.parametrize("name", ["", "gone", "../nse_industries", "a/b", "nse-fno-2026-09-17\0"])
def test_unknown_name(name: str) -> None:
    """The error for an unknown recording lists the known ones."""
    with pytest.raises(ConfigError, match="nse-fno-2026-09-17"):
        Recording(name=name)
