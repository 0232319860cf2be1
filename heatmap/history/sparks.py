"""The small lines of a stock's panel: prices scaled to the line's height. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

    from heatmap.history.model import Past
    from heatmap.model import Quote

SESSIONS = 60  # that a line of closes has, the running one included
HEIGHT = 30  # steps from the lowest price to the highest: with the unknown, five bits a point


class Line(NamedTuple):
    """One instrument's line. `points` are 0 to HEIGHT from the lowest price up; None: not known."""

    points: Sequence[int | None]
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
    scale, offset = scaling(low, high)
    points = [None if price is None else int((price - low) * scale + offset) for price in prices]
    return Line(points, low, high, known[0], known[-1])


def scaling(low: float, high: float) -> tuple[float, float]:
    """Return what a price's distance from `low` is multiplied by, and what is added: then int cuts off.

    Without a range a line is straight, half way up.
    """
    return (HEIGHT / (high - low), 0.5) if high > low else (0.0, HEIGHT / 2)


def of_sessions(past: Past, quotes: Sequence[Quote]) -> list[Line | None]:
    """Return each quote's line through the closes of the last sessions, the last price at its end."""
    closes = past.digest.closes
    return [line((*closes.get(quote.symbol, ())[1 - SESSIONS :], quote.last_price)) for quote in quotes]
