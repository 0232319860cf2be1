"""Finds figures of a quote that contradict its other figures, and corrects or removes them. Pure."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

from heatmap.market.quotes import Change

if TYPE_CHECKING:
    from datetime import date

    from heatmap.market.quotes import Quote

# Figures in the recorded bodies of 2026 agree to 0.005, half the last digit of their percent changes.
# Five times that digit allows for a source that takes its two figures at slightly different moments.
PERCENT_TOLERANCE = 0.05  # percentage points
PRICE_STEP = 0.01  # rounding loses up to half of it in each of two prices: 1 % of a price of one rupee
# A percent change from an adjusted close must agree to its last digit: some of 40 ratios fit by chance.
ADJUSTED_TOLERANCE = 0.01  # percentage points
# The rounding of prices may add this much. Prices below about five rupees are too coarse to find a ratio.
MOST_ROUNDING = 0.1  # percentage points
FINE_BELOW = 250.0  # rupees: the price step is 0.01 below it, and 0.05 or more above
BAND = 0.2  # the largest move of a price in a session without a corporate action, as a share
LAST_DIGIT = 0.01  # of a percent change, in percentage points
# The range of a year covers 52 weeks; the change of a year counts from the close before them.
RANGE = timedelta(weeks=52)


def contradicts_itself(quote: Quote) -> bool:
    """Whether the percent change differs from the change between previous close and last price.

    They may differ by PERCENT_TOLERANCE and by the rounding of the prices. No price is 0, so -100 % is
    a contradiction even without prices.
    """
    if quote.percent_change is not None and quote.percent_change <= -100:
        return True
    if quote.last_price is None or quote.previous_close is None or quote.percent_change is None:
        return False
    ratio = quote.last_price / quote.previous_close
    rounding = PRICE_STEP / quote.previous_close * 100 * max(1.0, ratio)
    return abs(quote.percent_change - (ratio - 1) * 100) > PERCENT_TOLERANCE + rounding


def with_adjusted_close(quote: Quote) -> Quote | None:
    """Return a contradicting quote with the adjusted previous close from which its percent change counts.

    That close must be the previous close times the ratio of a split, a bonus or a consolidation, and the
    price must have moved less than BAND from it. The source's changes over longer periods then mix two terms
    and become unknown. None: no ratio fits.
    """
    from heatmap.market import ratios  # late: its fractions cost 10 ms, and few quotes contradict themselves

    if quote.previous_close is None:
        return None
    for ratio in ratios.ALL_RATIOS:
        close = quote.previous_close * float(ratio)
        if _counts_from(quote, close) and abs(quote.percent_change or 0.0) <= BAND * 100:
            changes = {period: Change(None, change.since) for period, change in quote.changes.items()}
            doubt = "A split or bonus took effect today, and the source's figure ignores it."
            doubts = {period: doubt for period, change in quote.changes.items() if change.percent is not None}
            close = max(round(close, 2), PRICE_STEP)
            return replace(quote, previous_close=close, changes=changes, doubts={**quote.doubts, **doubts})
    return None


def with_own_close(quote: Quote, close: float) -> Quote | None:
    """Return a contradicting quote with `close` as previous close, if its percent change counts from it.

    `close` is the history's close of the session before. None: the percent change counts from another
    close, or the previous close is `close` adjusted, so the percent change is still on the old terms.
    """
    from heatmap.market import ratios  # late: its fractions cost 10 ms, and few quotes contradict themselves

    if quote.previous_close is None or not _counts_from(quote, close):
        return None
    if any(abs(close * float(ratio) - quote.previous_close) <= PRICE_STEP for ratio in ratios.ALL_RATIOS):
        return None
    return replace(quote, previous_close=close)


def remove_refuted_changes(quote: Quote, today: date) -> Quote:
    """Return the quote without changes over longer periods that its range of 52 weeks refutes.

    A change counts from the close last price / (1 + change / 100). A close within those weeks must be in
    their range, except for rounding. A close before them, such as that of a year, may be outside by the
    move of one session. The exchange adjusts the range for splits and bonuses, but not these changes.
    """
    refuted = {
        period: reason for period in quote.changes if (reason := _find_refutation(quote, period, today))
    }
    if not refuted:
        return quote
    changes = {
        period: Change(None, change.since) if period in refuted else change
        for period, change in quote.changes.items()
    }
    return replace(quote, changes=changes, doubts={**quote.doubts, **refuted})


def _counts_from(quote: Quote, close: float) -> bool:
    """Whether a quote's percent change counts from this close, within the rounding of its figures."""
    if quote.last_price is None or quote.percent_change is None:
        return False
    ratio = quote.last_price / close
    rounding = _half_step(close) / close * 100 * ratio
    difference = abs(quote.percent_change - (ratio - 1) * 100)
    return rounding <= MOST_ROUNDING and difference <= ADJUSTED_TOLERANCE + rounding


def _half_step(close: float) -> float:
    """Return the possible rounding error of an adjusted close, in rupees: half the price step."""
    from heatmap.market import ratios  # late: its fractions cost 10 ms, and few quotes contradict themselves

    step = PRICE_STEP / 2 if close < FINE_BELOW else ratios.HALF_STEP
    return max(step, ratios.HALF_STEP_SHARE * close)


def _find_refutation(quote: Quote, period: str, today: date) -> str | None:
    """Return the reason why a change is impossible; None if it is possible."""
    change, price = quote.changes[period], quote.last_price
    low, high = quote.year_low, quote.year_high
    if change.percent is None or change.percent <= -100 or price is None or low is None or high is None:
        return None
    beyond = BAND if change.since is None or change.since <= today - RANGE else 0.0
    most = price / max(1 + (change.percent - LAST_DIGIT / 2) / 100, 1e-9)
    least = price / (1 + (change.percent + LAST_DIGIT / 2) / 100)
    if least <= high * (1 + beyond) + PRICE_STEP and most >= low * (1 - beyond) - PRICE_STEP:
        return None
    base = price / (1 + change.percent / 100)
    return (
        f"The source's change counts from a price of {base:,.2f}, and in 52 weeks the price was between "
        f"{low:,.2f} and {high:,.2f}: a split or bonus is not counted."
    )
