"""The small lines of a stock's panel: prices scaled to the line's height. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from heatmap import vlq

if TYPE_CHECKING:
    from collections.abc import Sequence

    from heatmap.history.model import Past
    from heatmap.model import Quote

SESSIONS = 60  # that a line of closes has, the running one included
HEIGHT = 30  # steps from the lowest price to the highest: with the unknown, five bits a point
UNKNOWN = vlq.packed([0])


class Line(NamedTuple):
    """One instrument's line.

    `heights`, packed, are one more than 0 to HEIGHT from the lowest price up, a digit each; 0: not known.
    """

    heights: str
    low: float
    high: float
    first: float  # known price
    last: float


def line(prices: Sequence[float | None]) -> Line | None:
    """Return the line of some prices; None where fewer than two are known."""
    known = [price for price in prices if price is not None]
    if len(known) < 2:
        return None
    low, high = min(known), max(known)
    scale, offset = _scaling(low, high)
    heights = [0 if price is None else int((price - low) * scale + offset) + 1 for price in prices]
    return Line(vlq.packed(heights), low, high, known[0], known[-1])


def height(price: float | None, low: float, high: float) -> str:
    """Return the end of a line with this range, for a price within it."""
    if price is None:
        return UNKNOWN
    scale, offset = _scaling(low, high)
    return vlq.packed([int((price - low) * scale + offset) + 1])


def of_sessions(past: Past, quotes: Sequence[Quote]) -> list[Line | None]:
    """Return each quote's line through the closes of the last sessions, the last price at its end."""
    found: list[Line | None] = []
    for quote in quotes:
        price, begun = quote.last_price, past.digest.lines.get(quote.symbol)
        if begun and (price is None or begun[1] <= price <= begun[2]):
            heights, low, high, first, last = begun
            end = height(price, low, high)
            found.append(Line(heights + end, low, high, first, last if price is None else price))
        else:
            closes = past.digest.closes.get(quote.symbol, ())
            found.append(line([*closes[1 - SESSIONS :], price]))
    return found


def _scaling(low: float, high: float) -> tuple[float, float]:
    """Return what a price's distance from `low` is multiplied by, and what is added: then int cuts off.

    Without a range a line is straight, half way up.
    """
    return (HEIGHT / (high - low), 0.5) if high > low else (0.0, HEIGHT / 2)
