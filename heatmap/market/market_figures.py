"""Finds figures of a whole market that are impossible, and removes single impossible figures. Pure.

A source that is not ready, or whose response has a new form, often gives all rows the same figures: no price
and 0 %, or one volume. Each row by itself can be right, but all of them together cannot.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

from heatmap.errors import SourceGated
from heatmap.market.periods import DAY

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from heatmap.market.quotes import Quote, Snapshot

# In a small market it is normal that nobody trades for a while.
LEAST_INSTRUMENTS = 10
LEAST_IDENTICAL = 3  # instruments: two often have the same figure
# Above this share the cause is no bad row and no ex-date: the column has another meaning. In 20 sessions of
# 210 stocks the exchange lowered no close.
MOST_CONTRADICTING = 0.1  # of the instruments
OTHER_UNIT = 5.0  # times: a tenth of a market never moves so far between two pages, and units differ by more
PRICE_STEP = 0.01  # a price may lie this far outside its range: a close is an average, and rounded
MOST_NAMED = 5  # instruments in a sentence
NO_PRICE_REASON = "The source gives no price for it, and it writes 0 % where it knows nothing."
PAGE_STAYS = (
    "the page stays as it is; if this continues, the response has a new form: a newer version may read it"
)


def remove_impossible_figures(
    snapshot: Snapshot, closes: Mapping[str, float]
) -> tuple[Snapshot, tuple[str, ...]]:
    """Return the snapshot without impossible figures, and a sentence for each kind of them.

    All instruments stay. These figures become unknown:

    - a percent change of 0 without a price, where most other instruments have one;
    - open, high and low, where they contradict each other or the last price;
    - volume and turnover, where all instruments have the same amount and prices have moved.

    A missing previous close is taken from `closes`: the previous closes of the same session, by symbol.
    """
    placeholders = [quote.symbol for quote in snapshot.quotes if _has_placeholder_change(quote)]
    if 2 * sum(quote.last_price is not None for quote in snapshot.quotes) <= len(snapshot.quotes):
        placeholders = []  # this source gives no prices, or only for some instruments
    odd_ranges = [quote.symbol for quote in snapshot.quotes if _has_odd_range(quote)]
    moved = any(quote.percent_change for quote in snapshot.quotes)
    volumes = moved and _are_identical([quote.volume for quote in snapshot.quotes])
    turnovers = moved and _are_identical([quote.turnover for quote in snapshot.quotes])
    sentences = []
    if placeholders:
        sentences.append(f"the day's change is unknown where no price is given: {name_some(placeholders)}")
    if odd_ranges:
        sentences.append(
            f"open, high and low are unknown where they contradict each other: {name_some(odd_ranges)}"
        )
    if volumes or turnovers:
        names = [name for name, is_odd in (("volume", volumes), ("turnover", turnovers)) if is_odd]
        sentences.append(f"{' and '.join(names)} unknown: all instruments have the same")
    without_change, without_range = frozenset(placeholders), frozenset(odd_ranges)
    quotes = []
    for original in snapshot.quotes:
        quote = original
        if quote.previous_close is None and quote.last_price is not None and quote.symbol in closes:
            quote = replace(quote, previous_close=closes[quote.symbol])
        if quote.symbol in without_change:
            quote = replace(quote, percent_change=None, doubts={**quote.doubts, DAY: NO_PRICE_REASON})
        if quote.symbol in without_range:
            quote = replace(quote, open=None, high=None, low=None)
        if volumes or turnovers:
            volume = None if volumes else quote.volume
            quote = replace(quote, volume=volume, turnover=None if turnovers else quote.turnover)
        quotes.append(quote)
    usable = tuple(quotes)
    return (snapshot if usable == snapshot.quotes else replace(snapshot, quotes=usable)), tuple(sentences)


def refuse_identical_figures(
    quotes: Sequence[Quote], prices: Mapping[str, float], *, has_traded: bool
) -> None:
    """Raise SourceGated where nearly all instruments have the same percent change or the same price.

    `prices` are the prices of the last page, by symbol. If they were the same, too, this is normal for the
    market. Equal percent changes pass where prices and previous closes confirm them and the market is small
    or has not moved yet. `has_traded` says whether prices must have moved by now.
    """
    changes = [quote.percent_change for quote in quotes if quote.percent_change is not None]
    figure = _find_common(changes, LEAST_IDENTICAL)
    if figure is not None:
        same = [quote for quote in quotes if quote.percent_change == figure]
        confirmed = [quote for quote in same if quote.last_price and quote.previous_close]
        is_confirmed = len(same) - len(confirmed) <= MOST_CONTRADICTING * len(same)
        is_possible = len(changes) < LEAST_INSTRUMENTS or (figure == 0 and not has_traded)
        is_still = figure == 0 and len(same) < len(changes)  # as in a market with little trading
        if not is_confirmed or not (is_possible or is_still):
            addition = "" if is_confirmed else ", and no price confirms it"
            raise SourceGated(
                f"{len(same):,} of its {len(quotes):,} instruments have the same percent change, "
                f"{figure:.2f}{addition}: {PAGE_STAYS}; --force publishes them anyway"
            )
    price = _find_common([quote.last_price for quote in quotes if quote.last_price], LEAST_INSTRUMENTS)
    if price is not None and _find_common(list(prices.values()), LEAST_INSTRUMENTS) is None:
        raise SourceGated(
            f"nearly all of its {len(quotes):,} instruments have the same price, {price:,.2f}: {PAGE_STAYS}; "
            "--force publishes them anyway"
        )


def refuse_lost_prices(quotes: Sequence[Quote], prices: Mapping[str, float], least_share: float) -> None:
    """Raise SourceGated if less than `least_share` of the instruments in `prices` still have a price.

    `prices` are the prices of the last page, by symbol.
    """
    compared = [quote for quote in quotes if quote.symbol in prices]
    lost = [quote.symbol for quote in compared if quote.last_price is None]
    if len(compared) - len(lost) < least_share * len(compared):
        raise SourceGated(
            f"{len(lost):,} of its {len(quotes):,} instruments have no price now, but had one on the page "
            f"({name_some(lost)}): {PAGE_STAYS}; --force publishes them anyway"
        )


def refuse_other_unit(quotes: Sequence[Quote], prices: Mapping[str, float]) -> None:
    """Raise SourceGated where too many prices are a multiple or a fraction of the last page's `prices`.

    This happens when a source changes from rupees to paise. A split moves one instrument only.
    """
    compared = [(quote.symbol, quote.last_price) for quote in quotes if quote.symbol in prices]
    outliers = [
        symbol
        for symbol, price in compared
        if price is not None and not 1 / OTHER_UNIT < price / prices[symbol] < OTHER_UNIT
    ]
    if len(outliers) > max(1, MOST_CONTRADICTING * len(compared)):
        raise SourceGated(
            f"the prices of {len(outliers):,} of its {len(quotes):,} instruments are {OTHER_UNIT:g} times "
            f"those of the page or more, or {OTHER_UNIT:g} times less ({name_some(outliers)}), so they "
            f"may be in another unit: {PAGE_STAYS}; --force publishes them anyway"
        )


def name_some(symbols: Collection[str]) -> str:
    """Return the first symbols as a list for a sentence: at most MOST_NAMED."""
    first = sorted(symbols)[:MOST_NAMED]
    return ", ".join(first) + (", …" if len(symbols) > MOST_NAMED else "")


def _has_placeholder_change(quote: Quote) -> bool:
    return quote.last_price is None and quote.percent_change == 0


def _has_odd_range(quote: Quote) -> bool:
    """Whether the day's high is below its low, or the open or the last price is outside them."""
    low, high = quote.low, quote.high
    if low is not None and high is not None and low > high:
        return True
    inside = [price for price in (quote.open, quote.last_price) if price is not None]
    below = low is not None and any(price < low - PRICE_STEP for price in inside)
    above = high is not None and any(price > high + PRICE_STEP for price in inside)
    return below or above


def _are_identical(amounts: Sequence[float | None]) -> bool:
    """Whether all known amounts are the same: 0 for three instruments or more, any amount for ten or more."""
    known = [amount for amount in amounts if amount is not None]
    least = LEAST_IDENTICAL if not any(known) else LEAST_INSTRUMENTS
    return len(known) >= least and len(set(known)) == 1


def _find_common(figures: Sequence[float], least: int) -> float | None:
    """Return the figure that nearly all have; None if there is none, or fewer than `least` figures."""
    if len(figures) < least:
        return None
    figure, count = Counter(figures).most_common(1)[0]
    return figure if count >= (1 - MOST_CONTRADICTING) * len(figures) else None
