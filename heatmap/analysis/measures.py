"""Measures of a market: one function for each mode, and the statistics that they share. Pure.

Every measure returns a value for each quote, in the order of the quotes; None means unknown. Statistics
leave unknown values out. Conventions: the standard deviation is that of the population (n); the median
absolute deviation times 1.4826 estimates it for a normal distribution; fewer than FEWEST known values give
None; a spread of 0 gives 0 for every value.
"""

from __future__ import annotations

from math import fsum, isfinite, sqrt
from typing import TYPE_CHECKING

from heatmap.market.periods import DAY, YEAR
from heatmap.market.quotes import Breadth

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from heatmap.market.quotes import Quote

FEWEST = 3  # known values: a statistic of fewer is unknown
FEWEST_IN_SECTOR = 4  # known values: a sector with fewer is measured against the market
MAD_TO_DEVIATION = 1.4826  # 1 / the 75th percentile of the standard normal distribution

SHOWN_DECIMALS = 2  # of a percent change

Values = list["float | None"]


# --- Measures of the modes ---------------------------------------------------------------------------


def percent_changes(quotes: Sequence[Quote], period: str = DAY) -> Values:
    """Percent change over the period, in % (1.5 means +1.5 %): the source's own figures, unchanged."""
    if period == DAY:
        return [quote.percent_change for quote in quotes]
    changes = (quote.changes.get(period) for quote in quotes)
    return [change.percent if change else None for change in changes]


def relative_strengths(quotes: Sequence[Quote], period: str = DAY) -> Values:
    """Relative strength: (percent change - mean) / standard deviation over the market, in σ.

    The standard score; 0 is the market's arithmetic mean. It is relative: a stock at -2 % is strong on a
    day of -5 %. A cluster of limit moves shifts the mean, so only values beyond ±1.5 σ are reliable.
    """
    return standard_scores(percent_changes(quotes, period))


def turnover_rates(quotes: Sequence[Quote], _: str = DAY) -> Values:
    """Liquidity: today's volume / free-float shares x 100, in %. Always the day's, never cumulative.

    Free-float shares are the free-float market capitalisation / last price, because no source gives them.
    """
    return [
        finite_or_none(quote.volume * quote.last_price / quote.free_float_market_cap * 100)
        if quote.volume is not None and quote.last_price and quote.free_float_market_cap
        else None
        for quote in quotes
    ]


def traded_amounts(quotes: Sequence[Quote], _: str = DAY) -> Values:
    """Amount: the money traded today, in the market's currency. Never cumulative."""
    return [quote.turnover for quote in quotes]


def sector_scores(quotes: Sequence[Quote], period: str = DAY) -> Values:
    """(Percent change - the sector's median) / the sector's median absolute deviation x 1.4826.

    A robust standard score (Iglewicz and Hoaglin 1993): it finds the stock that did not move with
    its sector. Stocks without a sector, and stocks in sectors with fewer than FEWEST_IN_SECTOR known
    values, are measured against the whole market.
    """
    return scores_in_sectors(percent_changes(quotes, period), [quote.sector for quote in quotes])


def scores_in_sectors(values: Sequence[float | None], sectors: Sequence[str | None]) -> Values:
    """Return the `sector_scores` of percent changes; `sectors` has the sector of each."""
    market = _centre_and_spread(_known(values))
    members: dict[str | None, list[float]] = {}
    for sector, value in zip(sectors, values, strict=True):
        if value is not None:
            members.setdefault(sector, []).append(value)
    references = {
        sector: market if sector is None or len(changes) < FEWEST_IN_SECTOR else _centre_and_spread(changes)
        for sector, changes in members.items()
    }
    scores: Values = []
    for sector, value in zip(sectors, values, strict=True):
        reference = None if value is None else references[sector]
        scores.append(None if reference is None or value is None else _score(value, *reference))
    return scores


def range_positions(quotes: Sequence[Quote], period: str = DAY) -> Values:
    """Place in range: (last - low) / (high - low) x 100.

    The range is that of the day, or for the period "1y" that of the last 52 weeks (the stochastic
    oscillator's %K, Lane). 0 is the low, 100 the high. If the price is already outside a range that the
    source has not widened yet, it counts as at its end. None for other periods, and if high and low are
    the same.
    """
    if period not in (DAY, YEAR):
        return [None] * len(quotes)
    positions: Values = []
    for quote in quotes:
        low, high = (quote.low, quote.high) if period == DAY else (quote.year_low, quote.year_high)
        if quote.last_price is None or low is None or high is None or high <= low:
            positions.append(None)
        else:
            positions.append(min(max((quote.last_price - low) / (high - low) * 100, 0.0), 100.0))
    return positions


# --- Statistics ------------------------------------------------------------------------------------


def standard_scores(values: Sequence[float | None]) -> Values:
    """Return (value - mean) / population standard deviation, in σ."""
    known = _known(values)
    if len(known) < FEWEST:
        return [None] * len(values)
    mean = fsum(known) / len(known)
    deviation = sqrt(fsum((value - mean) ** 2 for value in known) / len(known))
    if _is_zero_spread(deviation, mean):
        return [None if value is None else 0.0 for value in values]
    return [None if value is None else finite_or_none((value - mean) / deviation) for value in values]


def percentiles(values: Sequence[float | None]) -> Values:
    """Return the mid-rank percentile, 0 to 100: (values below + half of the equal ones) / n x 100."""
    known = sorted(_known(values))
    if len(known) < FEWEST:
        return [None] * len(values)
    by_value: dict[float, float] = {}
    start = 0
    while start < len(known):
        end = start
        while end < len(known) and known[end] == known[start]:
            end += 1
        by_value[known[start]] = (start + end) / 2 / len(known) * 100
        start = end
    return [None if value is None else by_value[value] for value in values]


def median(values: Sequence[float]) -> float | None:
    """Return the middle value, or the mean of the middle two; None without values."""
    if not values:
        return None
    ordered = sorted(values)
    middle = len(ordered) // 2
    return ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2


def _centre_and_spread(values: Sequence[float]) -> tuple[float, float] | None:
    """Return the median and the scaled median absolute deviation; None for fewer than FEWEST values."""
    centre = median(values) if len(values) >= FEWEST else None
    if centre is None:
        return None
    return centre, (median([abs(value - centre) for value in values]) or 0.0) * MAD_TO_DEVIATION


def _score(value: float, centre: float, spread: float) -> float | None:
    return 0.0 if _is_zero_spread(spread, centre) else finite_or_none((value - centre) / spread)


def _is_zero_spread(spread: float, centre: float) -> bool:
    """Whether a spread counts as 0: equal numbers may differ from their own mean in the last bit."""
    return spread <= 1e-12 * max(abs(centre), 1.0)


def finite_or_none(value: float) -> float | None:
    """Return the number; None if it is infinite or NaN."""
    return value if isfinite(value) else None


def _known(values: Iterable[float | None]) -> list[float]:
    return [value for value in values if value is not None]


# --- The day ---------------------------------------------------------------------------------------


def percent_change(last_price: float | None, previous_close: float | None) -> float | None:
    """Return (last price / previous close - 1) x 100 to two decimals; None unless both are positive."""
    if last_price is None or previous_close is None or last_price <= 0 or previous_close <= 0:
        return None
    return round((last_price / previous_close - 1) * 100, SHOWN_DECIMALS) + 0.0


def rounded(changes: Iterable[float | None]) -> Values:
    """Return percent changes rounded to SHOWN_DECIMALS, as pages show them; never -0.0."""
    return [None if change is None else round(change, SHOWN_DECIMALS) + 0.0 for change in changes]


def is_flat(change: float) -> bool:
    """Whether pages show a percent change as 0.00. It then counts neither as a rise nor as a fall."""
    return round(change, SHOWN_DECIMALS) == 0


def breadth(changes: Iterable[float | None]) -> Breadth:
    """Count the percent changes that pages show as more than 0.00, as less, and as 0.00."""
    known = _known(rounded(changes))
    advances = len([change for change in known if change > 0])
    declines = len([change for change in known if change < 0])
    return Breadth(advances, declines, len(known) - advances - declines)


def rank(quotes: Sequence[Quote], values: Sequence[float | None]) -> list[int]:
    """Return the indexes of the quotes in drawing order: value descending, ties by symbol, unknown last."""
    key = [
        (value is None, 0.0 if value is None else -value, quote.symbol)
        for quote, value in zip(quotes, values, strict=True)
    ]
    return sorted(range(len(quotes)), key=key.__getitem__)
