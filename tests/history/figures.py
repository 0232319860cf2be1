"""Snapshots and bars whose figures follow from a session and a time, so that a test knows the right values."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from heatmap.history.model import TickRow
from heatmap.market.bars import Bar
from heatmap.market.quotes import Quote, Snapshot

MARKET = "nse-fno"
ZONE = ZoneInfo("Asia/Kolkata")
MONDAY = date(2026, 9, 14)
SYMBOLS = ("TCS", "M&M", "BAJAJ-AUTO")


def at(session: date, hour: int, minute: int = 0, second: int = 0) -> datetime:
    """Return a time of a session's day, in the market's zone."""
    return datetime(session.year, session.month, session.day, hour, minute, second, tzinfo=ZONE)


def price(place: int, as_of: datetime) -> float:
    """Return the price of the instrument at this place at a time: it changes every second, in paise."""
    seconds = int(as_of.timestamp()) % 86_400
    return round(100 * (place + 1) + seconds / 100, 2)


def quote(symbol: str, place: int, as_of: datetime) -> Quote:
    """Return a quote with all fields that the history stores, and some others."""
    last = price(place, as_of)
    return Quote(
        symbol, round(place - 1.25, 2), name="A name", sector="A sector", last_price=last, previous_close=last - 1,
        open=last - 0.5, high=last + 2, low=last - 3, volume=float(1000 * (place + 1)), turnover=last * 1000,
    )  # fmt: skip


def snapshot(as_of: datetime, symbols: tuple[str, ...] = SYMBOLS) -> Snapshot:
    """Return a market at one time."""
    quotes = tuple(quote(symbol, place, as_of) for place, symbol in enumerate(symbols))
    return Snapshot("test", as_of, quotes, currency="INR", is_open=True)


def rows(as_of: datetime, symbols: tuple[str, ...] = SYMBOLS) -> dict[str, TickRow]:
    """Return the rows of such a snapshot that must be stored."""
    return {
        symbol: TickRow(price(place, as_of), round(place - 1.25, 2), price(place, as_of) + 2, price(place, as_of) - 3,
                    float(1000 * (place + 1)), price(place, as_of) * 1000)
        for place, symbol in enumerate(symbols)
    }  # fmt: skip


def bar(symbol: str, session: date, close: float, **figures: float | None) -> Bar:
    """Return a bar with this close; other figures are invented, unless given."""
    defaults = {"open": close, "high": close * 2, "low": close / 2, "previous_close": close, "volume": 10.0, "turnover": 10 * close}  # fmt: skip
    return Bar(symbol=symbol, date=session, close=close, **(defaults | figures))


def sessions_from(first: date, count: int) -> list[date]:
    """Return the first `count` weekdays from a date on."""
    days = (first + timedelta(days=number) for number in range(2 * count + 7))
    return [day for day in days if day.weekday() < 5][:count]


def utc(moment: datetime) -> datetime:
    """Return the same time in UTC, like the store."""
    return moment.astimezone(UTC)
