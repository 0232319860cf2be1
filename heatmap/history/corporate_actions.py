"""Finds splits, bonuses and other events that make prices of two sessions incomparable. Pure."""

from __future__ import annotations

from collections import deque
from enum import StrEnum
from fractions import Fraction
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from heatmap.analysis.measures import median
from heatmap.history import symbol_changes
from heatmap.market import ratios
from heatmap.market.periods import DAY
from heatmap.market.plausibility import BAND

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from heatmap.market.bars import Bar
    from heatmap.market.calendar.phases import Calendar
    from heatmap.market.quotes import Quote

ONE_TICK = 0.05  # rupees: a previous close may differ so much from the close before, by rounding
# A smaller difference is no action: each action changes a price by more, and a last price differs from the
# official close by less.
SAME_SHARE = 0.01
# A split leaves the turnover about as it was. A crash or a demerger raises it.
MOST_TURNOVER_TIMES = 3
TURNOVER_SESSIONS = 20  # the usual turnover is their median


class Certainty(StrEnum):
    """How certain the terms of a session's prices are."""

    EXACT = "exact"  # the factor comes from the exchange's adjusted previous close, or from the user
    PROBABLE = "probable"  # the factor comes from the open alone
    NONE = "none"  # the terms are those of the session before
    UNEXPLAINED = "unexplained"  # the terms changed, and no split or bonus explains the change


class TermsChange(NamedTuple):
    """A change of an instrument's terms before a session."""

    certainty: Certainty
    factor: Fraction | None  # multiplies earlier prices; 1 for NONE, None for UNEXPLAINED
    previous_close: float | None  # on the session's own terms; None: not known


class QuotedClose(NamedTuple):
    """A previous close from the exchange's live quotes of the day, which adjust it for that day."""

    price: float
    tolerance: float  # its largest error: it is computed from rounded figures


class CorporateAction(NamedTuple):
    """An event that puts prices from `date` on and earlier prices on different terms.

    `factor` multiplies earlier prices: 1/5 where one share became five. None: no split or bonus has such a
    factor, so the event may be a demerger, a relisting or an error.
    """

    symbol: str
    date: dt.date
    factor: Fraction | None
    earlier_date: dt.date | None  # the instrument's session before; None: it is missing
    earlier_close: float
    price: float  # compared with `earlier_close`: the exchange's previous close, or the open
    is_likely: bool = False  # True: found by the open, not by the exchange's previous close
    is_declared: bool = False  # True: declared by the user, whatever the figures show

    def leaves_old(self, previous_close: float) -> bool:
        """Whether this previous close, of the session of `date`, is still on the old terms."""
        old, new = self.earlier_close, self.earlier_close * float(self.factor or 1)
        return abs(previous_close - old) < abs(previous_close - new)


DeclaredSplits: TypeAlias = "Mapping[str, Mapping[dt.date, Fraction]]"  # factors by today's symbol and date
CloseLookup: TypeAlias = "Callable[[str, dt.date], QuotedClose | None]"  # by today's symbol and date


class Detection(NamedTuple):
    """The result of `detect`."""

    compared: int  # previous closes
    matches: int  # of the compared: equal to the close before, to within a tick
    actions: tuple[CorporateAction, ...]


def find_declared_splits(calendar: Calendar) -> DeclaredSplits:
    """Return the factors that the user declared, by the new symbol and the date."""
    splits: dict[str, dict[dt.date, Fraction]] = {}
    for symbol, day, old, new in calendar.declared_splits:
        splits.setdefault(symbol_changes.newest_symbol(symbol, day, calendar.symbol_changes), {})[day] = (
            Fraction(old, new)
        )
    return splits


def derive_quoted_close(last_price: float | None, percent_change: float | None) -> QuotedClose | None:
    """Return the previous close from which a quote's percent change counts; None if it is not known.

    last price / (1 + percent change / 100); the change is rounded to 0.01, the price to 0.01.
    """
    if last_price is None or percent_change is None or last_price <= 0 or percent_change <= -100:
        return None
    growth = 1 + percent_change / 100
    price = last_price / growth
    return QuotedClose(price, price * 0.00005 / growth + 0.005 / growth)


def find_previous_close(quote: Quote) -> float | None:
    """Return a quote's previous close on the terms of its day; None if it is doubtful.

    If a ratio of splits and bonuses lies between the quote's previous close and the price from which its
    percent change counts, the source has left the old price in that column: the latter price is returned.
    """
    if DAY in quote.doubts:
        return None
    previous = quote.previous_close
    quoted = derive_quoted_close(quote.last_price, quote.percent_change)
    if not previous or quoted is None or abs(quoted.price / previous - 1) <= SAME_SHARE:
        return previous
    factor = ratios.find_exact(previous, quoted.price, quoted.tolerance)
    return round(previous * float(factor), 2) if factor else previous


def judge_terms(
    bar: Bar, earlier: Sequence[Bar] = (), quoted: QuotedClose | None = None, *, is_next: bool = True
) -> TermsChange:
    """Return how the terms of a session's prices changed, by all evidence.

    `earlier` are the instrument's bars of earlier sessions, oldest first. Without any, the bar's own previous
    close stands for the close before. `is_next`: the last earlier bar is of the session just before. After a
    break of trading nothing is guessed. `quoted` comes from a tick of the day.

    A previous close that differs from the close before was adjusted by the exchange. The change is EXACT if
    the two have a ratio of splits and bonuses, to the rounding, else UNEXPLAINED. A previous close that does
    not differ may come from an archive, which keeps the old terms on the first day; a missing one says
    nothing. In both cases a whole session beyond any price band shows a change: PROBABLE if it opens near a
    usual ratio, else UNEXPLAINED. With `quoted` the exchange itself adjusted nothing, so the change is no
    split or bonus.
    """
    previous_close = quoted.price if quoted else bar.previous_close
    close = earlier[-1].close if earlier else bar.previous_close
    if close is None:
        return TermsChange(Certainty.NONE, Fraction(1), previous_close)
    if previous_close is not None and abs(previous_close / close - 1) > SAME_SHARE:
        factor = ratios.find_exact(close, previous_close, quoted.tolerance if quoted else 0.0)
        if factor and quoted:
            previous_close = round(close * float(factor), 2)
        return TermsChange(Certainty.EXACT if factor else Certainty.UNEXPLAINED, factor, previous_close)
    if not is_beyond_band(bar, close):
        return TermsChange(Certainty.NONE, Fraction(1), previous_close)
    factor = None if quoted or not is_next else _guess_factor(bar, close, earlier)
    if factor is None:
        return TermsChange(Certainty.UNEXPLAINED, None, None)
    return TermsChange(Certainty.PROBABLE, factor, round(close * float(factor), 2))


def is_beyond_band(bar: Bar, close: float) -> bool:
    """Whether all prices of a session are farther from `close` than a price moves in one session."""
    if (1 - BAND) * close <= bar.close <= (1 + BAND) * close:  # nearly every session
        return False
    traded = [price for price in (bar.open, bar.high, bar.low, bar.close) if price]
    return max(traded) < (1 - BAND) * close or (1 + BAND) * close < min(traded)


def detect(
    sessions: Iterable[Sequence[Bar]],
    follows: Callable[[dt.date, dt.date], bool],
    declared: DeclaredSplits | None = None,
    quoted: CloseLookup | None = None,
) -> Detection:
    """Find the actions in sessions that are given in time order.

    `follows(earlier, later)`: whether no session lies between two dates. Prices on both sides of a missing
    session are not compared; there a bar is compared with its own previous close. `declared` actions hold,
    also across a missing session. `quoted` is called where a bar alone would give a guess.
    """
    declared_by_symbol = declared or {}
    bars_by_symbol: dict[str, deque[Bar]] = {}  # the last bars of each symbol
    symbols_since_gap: set[str] = set()  # symbols with a bar since the last missing session
    last_date: dt.date | None = None
    actions: list[CorporateAction] = []
    compared = matches = 0
    for bars in sessions:
        if not bars:
            continue
        today = bars[0].date
        if last_date is not None and not follows(last_date, today):
            symbols_since_gap.clear()
        for bar in bars:
            earlier = bars_by_symbol.get(bar.symbol)
            if earlier is None:
                bars_by_symbol[bar.symbol] = deque((bar,), TURNOVER_SESSIONS)
                symbols_since_gap.add(bar.symbol)
                continue
            last, previous = earlier[-1], bar.previous_close
            is_compared = bar.symbol in symbols_since_gap
            declared_actions = (
                _find_declared_actions(bar, last, declared_by_symbol[bar.symbol])
                if bar.symbol in declared_by_symbol
                else []
            )
            actions += [action for action in declared_actions if action.factor != 1]
            close = last.close if is_compared else previous
            if is_compared and previous is not None:
                compared += 1
                matches += abs(previous - last.close) <= ONE_TICK
            if close is not None and not declared_actions:
                reference = close if previous is None else previous
                if abs(reference / close - 1) > SAME_SHARE or is_beyond_band(bar, close):
                    is_next = not is_compared or last.date == last_date
                    action = _find_action(bar, earlier, quoted, is_compared=is_compared, is_next=is_next)
                    actions += [action] if action else []
            earlier.append(bar)
            symbols_since_gap.add(bar.symbol)
        last_date = today
    return Detection(compared, matches, tuple(actions))


def describe(action: CorporateAction) -> str:
    """Return a sentence about an action."""
    verb = "opened at" if action.is_likely else "gives a previous close of"
    when = f" on {action.earlier_date:%d %b %Y}" if action.earlier_date else " the session before"
    evidence = (
        f"{action.symbol} closed at {action.earlier_close:,.2f}{when}, "
        f"and {verb} {action.price:,.2f} on {action.date:%d %b %Y}"
    )
    if action.factor is None:
        return (
            f"{evidence}: no split or bonus explains it, so earlier prices are not compared with later ones"
        )
    if action.is_declared:
        return f"{evidence}: by your [[action]], so earlier prices count {action.factor}"
    qualifier = "probably " if action.is_likely else ""
    return f"{evidence}: {qualifier}{ratios.describe(action.factor)}, so earlier prices count {action.factor}"


def _find_action(
    bar: Bar, earlier: Sequence[Bar], quoted: CloseLookup | None, *, is_compared: bool, is_next: bool
) -> CorporateAction | None:
    """Return the action before a bar; None if there was none. `earlier` are the instrument's last bars.

    Without `is_compared`, sessions between `earlier` and the bar are missing. Then the bar's own previous
    close stands for the close before.
    """
    *others, last = earlier
    if not is_compared:
        last = last._replace(close=bar.previous_close or last.close)
    change = judge_terms(bar, (*others, last), is_next=is_next)
    if change.certainty is Certainty.NONE:
        return None
    # Whether the change comes from the session's own previous close, and not from its open.
    is_own = change.certainty is not Certainty.PROBABLE and change.previous_close is not None
    tick = None if is_own or quoted is None else quoted(bar.symbol, bar.date)
    if tick is not None:
        change = judge_terms(bar, (*others, last), tick, is_next=is_next)
        is_own = change.previous_close is not None
    day = last.date if is_compared else None
    price = (change.previous_close if is_own else bar.open) or bar.close
    return CorporateAction(bar.symbol, bar.date, change.factor, day, last.close, price, is_likely=not is_own)


def _guess_factor(bar: Bar, close: float, earlier: Sequence[Bar]) -> Fraction | None:
    """Return the usual ratio near which a session opened; None if its turnover contradicts a split."""
    factor, is_clear = ratios.find_likely(close, bar.open or bar.close)
    if factor is None or is_clear:
        return factor
    usual = median([turnover for other in earlier if (turnover := _find_turnover(other)) is not None])
    turnover = _find_turnover(bar)
    is_calm = usual is not None and turnover is not None and turnover <= MOST_TURNOVER_TIMES * usual
    return factor if is_calm else None


def _find_turnover(bar: Bar) -> float | None:
    """Return the turnover, in the market's currency; None if it is not known."""
    if bar.turnover is not None or bar.volume is None:
        return bar.turnover
    return bar.volume * bar.close


def _find_declared_actions(
    bar: Bar, last: Bar, declared: Mapping[dt.date, Fraction]
) -> list[CorporateAction]:
    """Return the declared actions since the instrument's `last` bar."""
    price = bar.previous_close or bar.open or bar.close
    return [
        CorporateAction(bar.symbol, day, factor, last.date, last.close, price, is_declared=True)
        for day, factor in declared.items()
        if last.date < day <= bar.date
    ]
