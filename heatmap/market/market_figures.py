"""Whether the figures of a whole market can be, and what is left of single ones. Pure.

A source that is not ready, or whose answer has another form, often fills all rows alike: no price and 0 %, or
one volume for all. Each row by itself could be right; all of them together cannot.
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

# In a small market it is nothing out of the ordinary that nobody trades for a while.
LEAST_INSTRUMENTS = 10
LEAST_IDENTICAL = 3  # instruments: two may well have the same figure
# Beyond this it is no bad row, and no ex-date, but another meaning of the column: in 20 sessions of 210
# stocks the exchange lowered not one close.
MOST_CONTRADICTING = 0.1  # of the instruments
OTHER_UNIT = 5.0  # times: no tenth of a market moves so far between two pages, and no unit is nearer
PRICE_STEP = 0.01  # by which a price may lie outside its range: a close is an average, and rounded
MOST_NAMED = 5  # instruments in a sentence
NO_PRICE_REASON = "The source gives no price for it, and 0 % is what it writes where it knows nothing."
PAGE_STAYS = (
    "the page stays as it is; if that goes on, the answer's form has changed: a newer version may know it"
)


def remove_impossible_figures(
    snapshot: Snapshot, closes: Mapping[str, float]
) -> tuple[Snapshot, tuple[str, ...]]:
    """Return the snapshot without figures that cannot be, and a sentence for each kind of them.

    The instruments stay; what cannot be is unknown:

    - a percent change of 0 without a price, where most other instruments have one;
    - open, high and low, where they contradict each other or the last price;
    - volume and turnover, where all instruments have the same and their prices have moved.

    A previous close that is missing is taken from `closes`, which are those of the same session, by symbol.
    """
    filled = [quote.symbol for quote in snapshot.quotes if _has_placeholder_change(quote)]
    if 2 * sum(quote.last_price is not None for quote in snapshot.quotes) <= len(snapshot.quotes):
        filled = []  # this source gives no prices, or only to some
    ranges = [quote.symbol for quote in snapshot.quotes if _has_odd_range(quote)]
    moved = any(quote.percent_change for quote in snapshot.quotes)
    volumes = moved and _are_identical([quote.volume for quote in snapshot.quotes])
    turnovers = moved and _are_identical([quote.turnover for quote in snapshot.quotes])
    sentences = []
    if filled:
        sentences.append(f"the day's change is unknown where no price is given: {name_some(filled)}")
    if ranges:
        sentences.append(
            f"open, high and low are unknown where they contradict each other: {name_some(ranges)}"
        )
    if volumes or turnovers:
        what = " and ".join(name for name, odd in (("volume", volumes), ("turnover", turnovers)) if odd)
        sentences.append(f"{what} unknown: all instruments have the same")
    without, odd_ranges = frozenset(filled), frozenset(ranges)
    quotes = []
    for given in snapshot.quotes:
        quote = given
        if quote.previous_close is None and quote.last_price is not None and quote.symbol in closes:
            quote = replace(quote, previous_close=closes[quote.symbol])
        if quote.symbol in without:
            quote = replace(quote, percent_change=None, doubts={**quote.doubts, DAY: NO_PRICE_REASON})
        if quote.symbol in odd_ranges:
            quote = replace(quote, open=None, high=None, low=None)
        if volumes or turnovers:
            volume = None if volumes else quote.volume
            quote = replace(quote, volume=volume, turnover=None if turnovers else quote.turnover)
        quotes.append(quote)
    kept = tuple(quotes)
    return (snapshot if kept == snapshot.quotes else replace(snapshot, quotes=kept)), tuple(sentences)


def refuse_identical_figures(
    quotes: Sequence[Quote], prices: Mapping[str, float], *, has_traded: bool
) -> None:
    """Raise SourceGated where nearly all instruments have the same percent change or the same price.

    `prices` are those of the last page, by symbol. Where they were alike, too, that is the market's nature.
    Where prices and previous closes confirm the percent changes, a small market may well be so, and any may
    that has not moved yet: `has_traded` says whether it must have.
    """
    changes = [quote.percent_change for quote in quotes if quote.percent_change is not None]
    figure = _find_common(changes, LEAST_IDENTICAL)
    if figure is not None:
        alike = [quote for quote in quotes if quote.percent_change == figure]
        confirmed = [quote for quote in alike if quote.last_price and quote.previous_close]
        is_confirmed = len(alike) - len(confirmed) <= MOST_CONTRADICTING * len(alike)
        can_be = len(changes) < LEAST_INSTRUMENTS or (figure == 0 and not has_traded)
        is_still = figure == 0 and len(alike) < len(changes)  # as where little is traded
        if not is_confirmed or not (can_be or is_still):
            lack = "" if is_confirmed else ", and no price that confirms it"
            raise SourceGated(
                f"{len(alike):,} of its {len(quotes):,} instruments have the same percent change, "
                f"{figure:.2f}{lack}: {PAGE_STAYS}; --force takes them all the same"
            )
    price = _find_common([quote.last_price for quote in quotes if quote.last_price], LEAST_INSTRUMENTS)
    if price is not None and _find_common(list(prices.values()), LEAST_INSTRUMENTS) is None:
        raise SourceGated(
            f"nearly all of its {len(quotes):,} instruments have the same price, {price:,.2f}: {PAGE_STAYS}; "
            "--force takes them all the same"
        )


def refuse_lost_prices(quotes: Sequence[Quote], prices: Mapping[str, float], least_share: float) -> None:
    """Raise SourceGated where fewer than `least_share` of the last page's `prices` have one now."""
    compared = [quote for quote in quotes if quote.symbol in prices]
    lost = [quote.symbol for quote in compared if quote.last_price is None]
    if len(compared) - len(lost) < least_share * len(compared):
        raise SourceGated(
            f"{len(lost):,} of its {len(quotes):,} instruments have no price any more, and had one on the "
            f"page ({name_some(lost)}): {PAGE_STAYS}; --force takes them all the same"
        )


def refuse_other_unit(quotes: Sequence[Quote], prices: Mapping[str, float]) -> None:
    """Raise SourceGated where too many prices are a multiple or a fraction of the last page's `prices`.

    So it is where a source begins to give paise for rupees. A split moves one instrument at a time.
    """
    compared = [(quote.symbol, quote.last_price) for quote in quotes if quote.symbol in prices]
    jumped = [
        symbol
        for symbol, price in compared
        if price is not None and not 1 / OTHER_UNIT < price / prices[symbol] < OTHER_UNIT
    ]
    if len(jumped) > max(1, MOST_CONTRADICTING * len(compared)):
        raise SourceGated(
            f"the prices of {len(jumped):,} of its {len(quotes):,} instruments are {OTHER_UNIT:g} times "
            f"those of the page or more, or {OTHER_UNIT:g} times less ({name_some(jumped)}), so they "
            f"may be in another unit: {PAGE_STAYS}; --force takes them all the same"
        )


def name_some(symbols: Collection[str]) -> str:
    """Return the first symbols for a sentence, MOST_NAMED at most."""
    first = sorted(symbols)[:MOST_NAMED]
    return ", ".join(first) + (", …" if len(symbols) > MOST_NAMED else "")


def _has_placeholder_change(quote: Quote) -> bool:
    return quote.last_price is None and quote.percent_change == 0


def _has_odd_range(quote: Quote) -> bool:
    """Whether the day's high is below its low, or open or last price lie outside."""
    low, high = quote.low, quote.high
    if low is not None and high is not None and low > high:
        return True
    inside = [price for price in (quote.open, quote.last_price) if price is not None]
    below = low is not None and any(price < low - PRICE_STEP for price in inside)
    above = high is not None and any(price > high + PRICE_STEP for price in inside)
    return below or above


def _are_identical(amounts: Sequence[float | None]) -> bool:
    """Whether all known amounts are the same: 0 for three instruments, any for ten."""
    known = [amount for amount in amounts if amount is not None]
    least = LEAST_IDENTICAL if not any(known) else LEAST_INSTRUMENTS
    return len(known) >= least and len(set(known)) == 1


def _find_common(figures: Sequence[float], least: int) -> float | None:
    """Return the figure that nearly all of `least` or more have; None where there is none."""
    if len(figures) < least:
        return None
    figure, count = Counter(figures).most_common(1)[0]
    return figure if count >= (1 - MOST_CONTRADICTING) * len(figures) else None
