"""Sparklines, the small lines in a stock's panel: prices scaled to the line's height. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from heatmap.system import varint

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from heatmap.market.quotes import Quote

SESSIONS = 60  # the points of a line of closes, with the running session
HEIGHT = 30  # steps from the lowest price to the highest: with the code for unknown, five bits a point
UNKNOWN = varint.encode([0])


class Sparkline(NamedTuple):
    """One instrument's sparkline.

    `points` has a digit for each price: one more than its height, 0 to HEIGHT from the lowest price up; 0:
    the price is unknown.
    """

    points: str
    low: float
    high: float
    first: float  # the first known price
    last: float  # the last known price


def draw(prices: Sequence[float | None]) -> Sparkline | None:
    """Return the line of some prices; None if fewer than two are known."""
    known_prices = [price for price in prices if price is not None]
    if len(known_prices) < 2:
        return None
    low, high = min(known_prices), max(known_prices)
    scale, offset = _scaling(low, high)
    points = [0 if price is None else int((price - low) * scale + offset) + 1 for price in prices]
    return Sparkline(varint.encode(points), low, high, known_prices[0], known_prices[-1])


def encode_height(price: float | None, low: float, high: float) -> str:
    """Return the point of a price on a line with this range, in which the price lies; None: unknown."""
    if price is None:
        return UNKNOWN
    scale, offset = _scaling(low, high)
    return varint.encode([int((price - low) * scale + offset) + 1])


def draw_closes(closes: Mapping[str, Sequence[float | None]]) -> dict[str, Sparkline]:
    """Return the lines through the closes of earlier sessions, by symbol; the last point is still missing."""
    return {symbol: line for symbol, prices in closes.items() if (line := draw(prices[1 - SESSIONS :]))}


def add_last_prices(
    lines: Mapping[str, Sparkline], closes: Mapping[str, Sequence[float | None]], quotes: Sequence[Quote]
) -> list[Sparkline | None]:
    """Return each quote's line through the closes of the last sessions, the last price at its end.

    `lines` is what `draw_closes` returned for `closes`. `closes` has a value for each session, by symbol.
    """
    whole: list[Sparkline | None] = []
    for quote in quotes:
        price, line = quote.last_price, lines.get(quote.symbol)
        if line and (price is None or line.low <= price <= line.high):
            points, low, high, first, last = line
            end = encode_height(price, low, high)
            whole.append(Sparkline(points + end, low, high, first, last if price is None else price))
        else:
            prices = closes.get(quote.symbol, ())
            whole.append(draw([*prices[1 - SESSIONS :], price]))
    return whole


def _scaling(low: float, high: float) -> tuple[float, float]:
    """Return the scale and the offset: a price's height is int((price - low) * scale + offset).

    A line without a range is straight, half way up.
    """
    return (HEIGHT / (high - low), 0.5) if high > low else (0.0, HEIGHT / 2)
