"""The small lines of a stock's panel: prices scaled to the line's height. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

    from heatmap.history.model import Past

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
    # Without a range the line is straight, half way up. The half rounds: int cuts off.
    scale, offset = (HEIGHT / (high - low), 0.5) if high > low else (0.0, HEIGHT / 2)
    points = [None if price is None else int((price - low) * scale + offset) for price in prices]
    return Line(points, low, high, known[0], known[-1])


def of_day(past: Past, symbols: Sequence[str]) -> list[Line | None]:
    """Return each symbol's line through the session's ticks so far."""
    rows = [moment.rows for moment in past.moments]
    return [
        line([row.last_price if (row := each.get(symbol)) else None for each in rows]) for symbol in symbols
    ]


def of_sessions(past: Past, symbols: Sequence[str]) -> list[Line | None]:
    """Return each symbol's line through the closes of the last sessions, the last price at its end."""
    now = past.moments[-1].rows
    return [
        line(
            (
                *past.digest.closes.get(symbol, ())[1 - SESSIONS :],
                now[symbol].last_price if symbol in now else None,
            )
        )
        for symbol in symbols
    ]
