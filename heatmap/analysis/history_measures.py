"""Measures that need the history: one function for each mode. Pure.

As in `measures`, every function returns a value for each quote, in the order of the quotes; None means
unknown. The figures of earlier sessions are in the same order, on the terms of today.
"""

from __future__ import annotations

from math import fsum, sqrt
from typing import TYPE_CHECKING, TypeAlias

from heatmap.analysis.measures import FEWEST, Values, finite_or_none, is_flat
from heatmap.market.periods import BAND_DEVIATIONS, BAND_SESSIONS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from heatmap.market.quotes import Quote

Prices: TypeAlias = "Sequence[float | None]"


def period_changes(prices: Prices, bases: Prices) -> Values:
    """(Last price / the close before the period - 1) x 100, in %, not rounded (see `measures.rounded`).

    None unless both are positive.
    """
    return [
        (price / base - 1) * 100 if price and base and price > 0 and base > 0 else None
        for price, base in zip(prices, bases, strict=True)
    ]


def band_positions(prices: Prices, closes: Sequence[Prices]) -> Values:
    """%B: (last price - lower band) / (upper band - lower band) x 100, 0 on the lower band, 100 on the upper.

    Bollinger (2001): the bands lie 2 standard deviations (population) on either side of the mean of the last
    BAND_SESSIONS closes, including the last price. `closes` are the closes of the sessions before; none may
    be missing. None if all are the same, because then there is no band.
    """
    values: Values = []
    for price, earlier in zip(prices, closes, strict=True):
        window = [*earlier[1 - BAND_SESSIONS :], price]
        known = [close for close in window if close is not None]
        if price is None or len(known) < BAND_SESSIONS:
            values.append(None)
            continue
        mean = fsum(known) / BAND_SESSIONS
        deviation = sqrt(fsum((close - mean) ** 2 for close in known) / BAND_SESSIONS)
        width = 2 * BAND_DEVIATIONS * deviation
        # Equal prices may differ from their own mean in the last bit: then there is no band.
        lower = mean - BAND_DEVIATIONS * deviation
        values.append(finite_or_none((price - lower) / width * 100) if deviation > 1e-12 * mean else None)
    return values


def momenta(
    changes: Sequence[float | None],
    today: Sequence[float | None],
    spreads: Sequence[Sequence[float] | None],
    sessions: int,
) -> Values:
    """Momentum: the period's change / (standard deviation of its daily changes x √sessions), in σ.

    The divisor is the spread of a random walk with these daily changes over so many sessions, so chance
    makes a move beyond ±2 once in twenty times. Momentum: Jegadeesh and Titman 1993; scaled by its own risk:
    Barroso and Santa-Clara 2015. `spreads` are count, mean and sum of squared deviations of the daily
    changes before `today`'s, which is added (Welford 1962). Population standard deviation. None for fewer
    than FEWEST daily changes, and if all are the same.
    """
    values: Values = []
    for change, last, spread in zip(changes, today, spreads, strict=True):
        if change is None or last is None or spread is None or spread[0] + 1 < FEWEST:
            values.append(None)
            continue
        count, mean, squares = spread
        squares += (last - mean) ** 2 * count / (count + 1)
        deviation = sqrt(squares / (count + 1))
        values.append(finite_or_none(change / (deviation * sqrt(sessions))) if deviation > 1e-9 else None)
    return values


def volume_ratios(quotes: Sequence[Quote], usual: Prices) -> Values:
    """Today's volume so far / the usual volume by this time of day: 1 is usual, 2 is twice as much."""
    return [
        finite_or_none(quote.volume / volume) if quote.volume is not None and volume else None
        for quote, volume in zip(quotes, usual, strict=True)
    ]


def breakouts(prices: Prices, ranges: Sequence[tuple[float, float] | None]) -> Values:
    """How far the last price is above the opening range's high or below its low, in % of that range.

    0 inside it; +100 is one whole range above its high, -100 one below its low (Crabel 1990). `ranges` are
    the low and the high of the session's first minutes. None if the two are the same.
    """
    values: Values = []
    for price, opening_range in zip(prices, ranges, strict=True):
        if price is None or opening_range is None or opening_range[1] <= opening_range[0]:
            values.append(None)
        else:
            low, high = opening_range
            beyond = price - high if price > high else price - low if price < low else 0.0
            values.append(finite_or_none(beyond / (high - low) * 100))
    return values


def streaks(changes: Sequence[float | None], before: Sequence[int | None]) -> Values:
    """Count the sessions in a row, including this one, in which the price rose; negative if it fell.

    0 if today's change is flat. `before` are the streaks that ended with the session before.
    """
    values: Values = []
    for change, earlier in zip(changes, before, strict=True):
        if change is None or earlier is None:
            values.append(None)
        elif is_flat(change):
            values.append(0.0)
        else:
            sign = 1 if change > 0 else -1
            values.append(float(sign + (earlier if earlier * sign > 0 else 0)))
    return values
