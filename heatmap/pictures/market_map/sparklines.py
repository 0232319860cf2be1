"""The small lines of a stock's panel: prices scaled to the line's height. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from heatmap.system import varint

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from heatmap.market.quotes import Quote

SESSIONS = 60  # that a line of closes has, the running one included
HEIGHT = 30  # steps from the lowest price to the highest: with the unknown, five bits a point
UNKNOWN = varint.encode([0])


class Sparkline(NamedTuple):
    """One instrument's line.

    `heights`, packed, are one more than 0 to HEIGHT from the lowest price up, a digit each; 0: not known.
    """

    heights: str
    low: float
    high: float
    first: float  # known price
    last: float


def draw(prices: Sequence[float | None]) -> Sparkline | None:
    """Return the line of some prices; None where fewer than two are known."""
    known = [price for price in prices if price is not None]
    if len(known) < 2:
        return None
    low, high = min(known), max(known)
    scale, offset = _scaling(low, high)
    heights = [0 if price is None else int((price - low) * scale + offset) + 1 for price in prices]
    return Sparkline(varint.encode(heights), low, high, known[0], known[-1])


def encode_height(price: float | None, low: float, high: float) -> str:
    """Return the end of a line with this range, for a price within it."""
    if price is None:
        return UNKNOWN
    scale, offset = _scaling(low, high)
    return varint.encode([int((price - low) * scale + offset) + 1])


def draw_closes(closes: Mapping[str, Sequence[float | None]]) -> dict[str, Sparkline]:
    """Return the lines through the closes of earlier sessions, by symbol, without their last point."""
    return {symbol: drawn for symbol, prices in closes.items() if (drawn := draw(prices[1 - SESSIONS :]))}


def add_last_prices(
    lines: Mapping[str, Sparkline], closes: Mapping[str, Sequence[float | None]], quotes: Sequence[Quote]
) -> list[Sparkline | None]:
    """Return each quote's line through the closes of the last sessions, the last price at its end.

    `lines` are those that `begun` makes of `closes`, which are by symbol, a value a session.
    """
    found: list[Sparkline | None] = []
    for quote in quotes:
        price, earlier = quote.last_price, lines.get(quote.symbol)
        if earlier and (price is None or earlier.low <= price <= earlier.high):
            heights, low, high, first, last = earlier
            end = encode_height(price, low, high)
            found.append(Sparkline(heights + end, low, high, first, last if price is None else price))
        else:
            prices = closes.get(quote.symbol, ())
            found.append(draw([*prices[1 - SESSIONS :], price]))
    return found


def _scaling(low: float, high: float) -> tuple[float, float]:
    """Return what a price's distance from `low` is multiplied by, and what is added: then int cuts off.

    Without a range a line is straight, half way up.
    """
    return (HEIGHT / (high - low), 0.5) if high > low else (0.0, HEIGHT / 2)
