"""What makes prices of two sessions incomparable: splits, bonuses and new symbols. Pure."""

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

ONE_TICK = 0.05  # rupees: by how much a previous close may differ from the close before, rounded elsewhere
SAME_SHARE = 0.01  # no action is so small; a last price differs from the official close by less
# A split leaves the money that is traded about as it was. A crash or a demerger draws a crowd.
MOST_TURNOVER_TIMES = 3
TURNOVER_SESSIONS = 20  # that the usual money is the median of


class Certainty(StrEnum):
    """How sure it is which terms the prices of a session are on."""

    EXACT = "exact"  # the exchange's own adjusted previous close gives the factor, or the user does
    PROBABLE = "probable"  # only the open gives it
    NONE = "none"  # the terms are those of the session before
    UNEXPLAINED = "unexplained"  # they are others, and no split or bonus explains it


class TermsChange(NamedTuple):
    """What happened to the terms of an instrument's prices before a session."""

    certainty: Certainty
    factor: Fraction | None  # what earlier prices are multiplied by; 1 for NONE, None for UNEXPLAINED
    previous_close: float | None  # on the session's own terms; None: not known


class QuotedClose(NamedTuple):
    """A previous close as the exchange's live quotes of the day have it, so adjusted for that day."""

    price: float
    tolerance: float  # by how much it may be off, for it is computed from rounded figures


class CorporateAction(NamedTuple):
    """Prices before `date` and those from it on are of different terms.

    `factor` is what earlier prices are multiplied by: 1/5 where one share became five. None: it is
    none that splits and bonuses have, so it may be a demerger, a relisting or an error.
    """

    symbol: str
    date: dt.date
    factor: Fraction | None
    earlier_date: dt.date | None  # the last session in which it was seen before; None: that one is missing
    earlier_close: float
    price: float  # what met it: the previous close the exchange gave, or where trading opened
    is_likely: bool = False  # True where the open tells it, not the exchange's own previous close
    is_declared: bool = False  # True where the user tells it, whatever the figures look like

    def leaves_old(self, previous_close: float) -> bool:
        """Whether the previous close of the session of `date` is still of the old terms."""
        old, new = self.earlier_close, self.earlier_close * float(self.factor or 1)
        return abs(previous_close - old) < abs(previous_close - new)


DeclaredSplits: TypeAlias = "Mapping[str, Mapping[dt.date, Fraction]]"  # factors by today's symbol and date
CloseLookup: TypeAlias = "Callable[[str, dt.date], QuotedClose | None]"  # by today's symbol and date


class Detection(NamedTuple):
    """What a look at sessions found: previous closes compared, those that met, and actions by date."""

    compared: int
    matches: int  # of them, those that equal the close before, to within a tick
    actions: tuple[CorporateAction, ...]


def find_declared_splits(calendar: Calendar) -> DeclaredSplits:
    """Return what the market's user knows, by the symbols that `renamed` gives."""
    found: dict[str, dict[dt.date, Fraction]] = {}
    for symbol, day, old, new in calendar.declared_splits:
        found.setdefault(symbol_changes.newest_symbol(symbol, day, calendar.symbol_changes), {})[day] = (
            Fraction(old, new)
        )
    return found


def derive_quoted_close(last_price: float | None, percent_change: float | None) -> QuotedClose | None:
    """Return the previous close that a quote's percent change counts from; None where that is not known.

    last price / (1 + percent change / 100); the change is rounded to 0.01, the price to 0.01.
    """
    if last_price is None or percent_change is None or last_price <= 0 or percent_change <= -100:
        return None
    grown = 1 + percent_change / 100
    price = last_price / grown
    return QuotedClose(price, price * 0.00005 / grown + 0.005 / grown)


def find_previous_close(quote: Quote) -> float | None:
    """Return a quote's previous close on the terms of its day; None where that is doubtful, so no evidence.

    It is what the percent change counts from, where a ratio of splits and bonuses lies between the two: then
    the source has kept the old price in that column.
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
    """Return what happened to the terms of a session's prices, by the evidence there is.

    `earlier` are the instrument's bars of the sessions before, oldest first; without any, the bar's own
    previous close stands for the close before. `is_next` tells whether the last of them is of the session
    just before: after a break of trading nothing is guessed. `quoted` comes from a tick of the day.

    A previous close that differs from the close before is the exchange's own adjusted one: EXACT where it is
    a ratio of splits and bonuses, to the rounding, else UNEXPLAINED. Where it does not differ, it may be an
    archive's, which keeps the old terms on the very day; so where there is none. Then a whole session beyond
    any price band shows that they changed: PROBABLE where it opens near a usual ratio, else UNEXPLAINED.
    With `quoted` the exchange itself adjusted nothing, so it is no split or bonus.
    """
    given = quoted.price if quoted else bar.previous_close
    close = earlier[-1].close if earlier else bar.previous_close
    if close is None:
        return TermsChange(Certainty.NONE, Fraction(1), given)
    if given is not None and abs(given / close - 1) > SAME_SHARE:
        factor = ratios.find_exact(close, given, quoted.tolerance if quoted else 0.0)
        if factor and quoted:
            given = round(close * float(factor), 2)
        return TermsChange(Certainty.EXACT if factor else Certainty.UNEXPLAINED, factor, given)
    if not is_beyond_band(bar, close):
        return TermsChange(Certainty.NONE, Fraction(1), given)
    factor = None if quoted or not is_next else _guess_factor(bar, close, earlier)
    if factor is None:
        return TermsChange(Certainty.UNEXPLAINED, None, None)
    return TermsChange(Certainty.PROBABLE, factor, round(close * float(factor), 2))


def is_beyond_band(bar: Bar, close: float) -> bool:
    """Whether all of a session lies farther from a close than prices move in one."""
    if (1 - BAND) * close <= bar.close <= (1 + BAND) * close:  # as nearly every session
        return False
    traded = [price for price in (bar.open, bar.high, bar.low, bar.close) if price]
    return max(traded) < (1 - BAND) * close or (1 + BAND) * close < min(traded)


def detect(
    sessions: Iterable[Sequence[Bar]],
    follows: Callable[[dt.date, dt.date], bool],
    known: DeclaredSplits | None = None,
    quoted: CloseLookup | None = None,
) -> Detection:
    """Judge the terms of each bar by those before it, in sessions given in time order.

    `follows(earlier, later)` tells whether no session lies between two dates: prices across a hole
    are not compared; there a bar is judged by its own previous close. What is `known` is believed, also
    across a hole. `quoted` is asked where a bar alone would give a guess.
    """
    told_of = known or {}
    seen: dict[str, deque[Bar]] = {}  # the last bars of each symbol
    since_hole: set[str] = set()  # symbols that were there since the last hole
    before: dt.date | None = None
    actions: list[CorporateAction] = []
    compared = met = 0
    for bars in sessions:
        if not bars:
            continue
        today = bars[0].date
        if before is not None and not follows(before, today):
            since_hole.clear()
        for bar in bars:
            earlier = seen.get(bar.symbol)
            if earlier is None:
                seen[bar.symbol] = deque((bar,), TURNOVER_SESSIONS)
                since_hole.add(bar.symbol)
                continue
            last, previous = earlier[-1], bar.previous_close
            is_compared = bar.symbol in since_hole
            own = _find_declared_actions(bar, last, told_of[bar.symbol]) if bar.symbol in told_of else []
            actions += [action for action in own if action.factor != 1]
            close = last.close if is_compared else previous
            if is_compared and previous is not None:
                compared += 1
                met += abs(previous - last.close) <= ONE_TICK
            if close is not None and not own:
                given = close if previous is None else previous
                if abs(given / close - 1) > SAME_SHARE or is_beyond_band(bar, close):
                    is_next = not is_compared or last.date == before
                    action = _find_action(bar, earlier, quoted, is_compared=is_compared, is_next=is_next)
                    actions += [action] if action else []
            earlier.append(bar)
            since_hole.add(bar.symbol)
        before = today
    return Detection(compared, met, tuple(actions))


def describe(action: CorporateAction) -> str:
    """Return an action in words."""
    met = "opened at" if action.is_likely else "gives a previous close of"
    then = f" on {action.earlier_date:%d %b %Y}" if action.earlier_date else " the session before"
    seen = (
        f"{action.symbol} closed at {action.earlier_close:,.2f}{then}, "
        f"and {met} {action.price:,.2f} on {action.date:%d %b %Y}"
    )
    if action.factor is None:
        return f"{seen}: no split or bonus explains it, so earlier prices are not compared with later ones"
    if action.is_declared:
        return f"{seen}: by your [[action]], so earlier prices count {action.factor}"
    sure = "probably " if action.is_likely else ""
    return f"{seen}: {sure}{ratios.describe(action.factor)}, so earlier prices count {action.factor}"


def _find_action(
    bar: Bar, earlier: Sequence[Bar], quoted: CloseLookup | None, *, is_compared: bool, is_next: bool
) -> CorporateAction | None:
    """Return the action before a bar; None where there was none. `earlier` are the instrument's last bars.

    Without `is_compared`, sessions between them and the bar are missing: its own previous close stands for
    the close before.
    """
    *others, last = earlier
    if not is_compared:
        last = last._replace(close=bar.previous_close or last.close)
    change = judge_terms(bar, (*others, last), is_next=is_next)
    if change.certainty is Certainty.NONE:
        return None
    is_own = change.certainty is not Certainty.PROBABLE and change.previous_close is not None
    tick = None if is_own or quoted is None else quoted(bar.symbol, bar.date)
    if tick is not None:
        change = judge_terms(bar, (*others, last), tick, is_next=is_next)
        is_own = change.previous_close is not None
    day = last.date if is_compared else None
    met = (change.previous_close if is_own else bar.open) or bar.close
    return CorporateAction(bar.symbol, bar.date, change.factor, day, last.close, met, is_likely=not is_own)


def _guess_factor(bar: Bar, close: float, earlier: Sequence[Bar]) -> Fraction | None:
    """Return the usual ratio that a session opened near to, unless its money speaks against it."""
    factor, is_clear = ratios.find_likely(close, bar.open or bar.close)
    if factor is None or is_clear:
        return factor
    usual = median([money for other in earlier if (money := _find_turnover(other)) is not None])
    money = _find_turnover(bar)
    is_calm = usual is not None and money is not None and money <= MOST_TURNOVER_TIMES * usual
    return factor if is_calm else None


def _find_turnover(bar: Bar) -> float | None:
    """Return the money traded, in the market's currency."""
    if bar.turnover is not None or bar.volume is None:
        return bar.turnover
    return bar.volume * bar.close


def _find_declared_actions(bar: Bar, last: Bar, known: Mapping[dt.date, Fraction]) -> list[CorporateAction]:
    """Return what is known to have happened since the instrument's `last` bar."""
    price = bar.previous_close or bar.open or bar.close
    return [
        CorporateAction(bar.symbol, day, factor, last.date, last.close, price, is_declared=True)
        for day, factor in known.items()
        if last.date < day <= bar.date
    ]
