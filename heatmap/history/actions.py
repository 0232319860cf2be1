"""What makes prices of two sessions incomparable: splits, bonuses and new symbols. Pure."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from heatmap import ratios

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from heatmap.guard import Alias, Calendar
    from heatmap.history.model import Bar

ONE_TICK = 0.05  # rupees: to what an adjusted price is rounded at most
EXACT_SHARE = 0.005  # of the price: below it a tick says nothing
SAME_SHARE = 0.01  # no action is so small; a last price differs from the official close by less
BAND = 0.2  # how far a price may move in a session where no action explains it, as a share
NEAR_SHARE = 0.05  # how far from an action's price a session may open, to be taken for that action
CLEARER_TIMES = 2  # how much nearer it must be than the next action

# Where only the open tells, common actions alone are believed.
_COMMON = [factor for factor in ratios.EVERY if max(factor.numerator, factor.denominator) <= 5]
_COMMON += [Fraction(1, 10), Fraction(10)]


class Action(NamedTuple):
    """Prices before `date` and those from it on are of different terms.

    `factor` is what earlier prices are multiplied by: 1/5 where one share became five. None: it is
    none that splits and bonuses have, so it may be a demerger, a relisting or an error.
    """

    symbol: str
    date: dt.date
    factor: Fraction | None
    earlier_date: dt.date  # the last session in which it was seen before
    earlier_close: float
    price: float  # what met it: the previous close the exchange gave, or where trading opened
    is_likely: bool = False  # True where the open tells it, not the exchange's own previous close
    is_declared: bool = False  # True where the user tells it, whatever the figures look like

    @property
    def keeps_old_close(self) -> bool:
        """Whether the session's own previous close is still of the old terms."""
        return self.is_likely or (self.is_declared and abs(self.price - self.earlier_close) <= ONE_TICK)


Declared: TypeAlias = "Mapping[str, Mapping[dt.date, Fraction]]"  # factors by today's symbol and date


class Findings(NamedTuple):
    """What a look at sessions found: previous closes compared, those that met, and actions by date."""

    compared: int
    met: int  # to within a tick
    actions: tuple[Action, ...]


def declared(calendar: Calendar) -> Declared:
    """Return what the market's user knows, by the symbols that `renamed` gives."""
    found: dict[str, dict[dt.date, Fraction]] = {}
    for symbol, day, old, new in calendar.terms:
        found.setdefault(_newest(symbol, day, calendar.aliases), {})[day] = Fraction(old, new)
    return found


def find(
    sessions: Iterable[Sequence[Bar]],
    follows: Callable[[dt.date, dt.date], bool],
    known: Declared | None = None,
) -> Findings:
    """Compare each previous close with the close before it, in sessions given in time order.

    `follows(earlier, later)` tells whether no session lies between two dates: prices across a hole
    are not compared. An exchange's archives keep the old terms in the previous close on the very day
    of a split, so there an open beyond any price band tells. What is `known` is believed, also across a hole.
    """
    told_of = known or {}
    seen: dict[str, tuple[dt.date, float]] = {}  # of those alone
    closes: dict[str, tuple[dt.date, float]] = {}
    before: dt.date | None = None
    actions: list[Action] = []
    compared = met = 0
    for bars in sessions:
        if not bars:
            continue
        today = bars[0].date
        if before is not None and not follows(before, today):
            closes.clear()
        for bar in bars:
            day, close = closes.get(bar.symbol, (None, 0.0))
            closes[bar.symbol] = today, bar.close
            own = _declared(bar, told_of[bar.symbol], seen) if bar.symbol in told_of else []
            actions += [action for action in own if action.factor != 1]
            if day is None or bar.previous_close is None:
                continue
            compared += 1
            same = abs(bar.previous_close - close) <= ONE_TICK
            met += same
            if own:
                continue
            if not same and abs(bar.previous_close / close - 1) > SAME_SHARE:
                factor = _exact(close, bar.previous_close)
                actions.append(Action(bar.symbol, today, factor, day, close, bar.previous_close))
            elif day == before and (likely := _likely(bar, day, close)):
                actions.append(likely)
        before = today
    return Findings(compared, met, tuple(actions))


def adjusted(bars: Iterable[Bar], actions: Iterable[Action]) -> list[Bar]:
    """Return the bars on the terms of the last session: prices times, volumes by, each later factor.

    Actions without a factor change nothing.
    """
    known: dict[str, list[Action]] = {}
    for action in actions:
        if action.factor is not None:
            known.setdefault(action.symbol, []).append(action)
    return [_on_later_terms(bar, known[bar.symbol]) if bar.symbol in known else bar for bar in bars]


def renamed(bars: Iterable[Bar], aliases: Sequence[Alias]) -> list[Bar]:
    """Return the bars under today's symbols; a session's own bar of that symbol stays the one it has."""
    given = list(bars)
    taken = {(bar.symbol, bar.date) for bar in given}
    result = []
    for bar in given:
        symbol = _newest(bar.symbol, bar.date, aliases)
        if symbol == bar.symbol:
            result.append(bar)
        elif (symbol, bar.date) not in taken:
            taken.add((symbol, bar.date))
            result.append(bar._replace(symbol=symbol))
    return result


def told(action: Action) -> str:
    """Return an action in words."""
    met = "opened at" if action.is_likely else "gives a previous close of"
    seen = (
        f"{action.symbol} closed at {action.earlier_close:,.2f} on {action.earlier_date:%d %b %Y}, "
        f"and {met} {action.price:,.2f} on {action.date:%d %b %Y}"
    )
    if action.factor is None:
        return f"{seen}: unexplained, so nothing is adjusted"
    new, old = action.factor.denominator, action.factor.numerator
    if action.is_declared:
        return f"{seen}: by your [[action]], so earlier prices count {action.factor}"
    kinds = [
        *(["a split"] if action.factor in ratios.SPLITS else []),
        *([f"a bonus of {_ratio(Fraction(new - old, old))}"] if action.factor in ratios.BONUSES else []),
        *(["a consolidation"] if action.factor in ratios.JOININGS else []),
    ]
    sure = "probably " if action.is_likely else ""
    return f"{seen}: {sure}{' or '.join(kinds)} ({old} became {new}), so earlier prices count {action.factor}"


def _ratio(fraction: Fraction) -> str:
    return f"{fraction.numerator}:{fraction.denominator}"


def _exact(earlier: float, later: float) -> Fraction | None:
    """Return the simplest factor that turns one price into the other, to within a tick."""
    most = min(ONE_TICK, EXACT_SHARE * later)
    return next((factor for factor in ratios.EVERY if abs(earlier * float(factor) - later) <= most), None)


def _declared(
    bar: Bar, known: Mapping[dt.date, Fraction], seen: dict[str, tuple[dt.date, float]]
) -> list[Action]:
    """Return what is known to have happened since the instrument's last bar, which is kept in `seen`."""
    before = seen.get(bar.symbol)
    seen[bar.symbol] = bar.date, bar.close
    if before is None:
        return []
    price = bar.previous_close or bar.open or bar.close
    return [
        Action(bar.symbol, day, factor, *before, price, is_declared=True)
        for day, factor in known.items()
        if before[0] < day <= bar.date
    ]


def _likely(bar: Bar, day: dt.date, close: float) -> Action | None:
    """Return what a whole session beyond any price band looks like; None for an ordinary session."""
    opened = bar.open or bar.close
    highest, lowest = bar.high or opened, bar.low or opened
    if (1 - BAND) * close <= highest and lowest <= (1 + BAND) * close:
        return None
    ratio = opened / close
    distances = sorted((abs(ratio / float(factor) - 1), factor) for factor in _COMMON)
    (nearest, factor), (next_one, _) = distances[:2]
    clear = nearest <= NEAR_SHARE and next_one >= CLEARER_TIMES * nearest
    return Action(bar.symbol, bar.date, factor if clear else None, day, close, opened, is_likely=True)


def _on_later_terms(bar: Bar, actions: Iterable[Action]) -> Bar:
    factor = previous = 1.0
    for action in actions:
        if bar.date < action.date:
            factor *= float(action.factor or 1)
        elif bar.date == action.date and action.keeps_old_close:
            previous *= float(action.factor or 1)
    return bar._replace(
        open=_times(bar.open, factor),
        high=_times(bar.high, factor),
        low=_times(bar.low, factor),
        close=bar.close * factor,
        previous_close=_times(bar.previous_close, factor * previous),
        volume=_times(bar.volume, 1 / factor),
    )


def _times(figure: float | None, factor: float) -> float | None:
    return None if figure is None else figure * factor


def _newest(symbol: str, day: dt.date, aliases: Sequence[Alias]) -> str:
    """Return what a symbol of that day became; the first alias that fits counts."""
    for _ in aliases:  # one may lead to another, but not for ever
        fits = (a.new for a in aliases if a.old == symbol and (a.since is None or day < a.since))
        later = next(fits, None)
        if later is None:
            break
        symbol = later
    return symbol
