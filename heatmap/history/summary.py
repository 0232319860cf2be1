"""What all sessions before the running one come down to: made once a session, read by each tick. Pure."""

from __future__ import annotations

from bisect import bisect_left
from itertools import pairwise
from math import fsum
from typing import TYPE_CHECKING, NamedTuple

from heatmap.history import corporate_actions, pending_actions, period_starts, symbol_changes
from heatmap.history.model import EarlierSessions, PeriodStart, TermsBreak
from heatmap.market.bars import Bar
from heatmap.market.periods import DAY

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import date

    from heatmap.market.calendar.phases import Calendar
    from heatmap.market.quotes import Quote

KEPT_SESSIONS = 60  # closes a digest has of each instrument: what a line and the bands are drawn of
VOLUME_SESSIONS = 20  # that a usual volume is the mean of
# Across a session that is missing no action can be told; a price that changed by more may have had one.
MOST_FALL, MOST_RISE = 0.75, 4 / 3

_Aligned = list["float | None"]


class _AdjustedCloses(NamedTuple):
    """One instrument's closes on the terms of today, a value a session. None: not known."""

    closes: _Aligned
    factors: _Aligned  # what each session's prices are multiplied by
    broken: TermsBreak | None


def make(
    bars: Iterable[Bar],
    calendar: Calendar,
    quotes: Sequence[Quote],
    session: date,
    names: Sequence[str],
    quoted: corporate_actions.CloseLookup | None = None,
) -> EarlierSessions:
    """Return the digest of the bars before `session` for its quotes, with these periods.

    Prices are on the terms of `session`: where a quote's previous close tells of a split or a bonus that
    counts from it on, earlier closes are adjusted for that, too. `quoted` gives the previous closes that
    ticks of earlier sessions had.
    """
    running = {quote.symbol: _make_bar(quote, session) for quote in quotes if quote.last_price is not None}
    sessions: dict[date, dict[str, Bar]] = {}
    for bar in symbol_changes.rename(bars, calendar.symbol_changes):
        if bar.symbol in running:
            sessions.setdefault(bar.date, {})[bar.symbol] = bar
    dates = period_starts.find_session_dates(calendar, sessions, running, session)
    place = {day: number for number, day in enumerate((*dates, session))}
    every = [*(list(sessions[day].values()) for day in dates if day in sessions), list(running.values())]
    known = corporate_actions.find_declared_splits(calendar)
    quoted_today = {
        quote.symbol: corporate_actions.derive_quoted_close(quote.last_price, quote.percent_change)
        for quote in quotes
        if DAY not in quote.doubts
    }

    def quoted_on(symbol: str, day: date) -> corporate_actions.QuotedClose | None:
        if day == session:
            return quoted_today.get(symbol)
        return quoted(symbol, day) if quoted else None

    found = corporate_actions.detect(
        every, lambda earlier, later: place[later] == place[earlier] + 1, known, quoted_on
    )
    terms: dict[str, dict[date, list[corporate_actions.CorporateAction]]] = {}
    every_date = (*dates, session)
    for action in found.actions:
        # What the user knows of may be dated to a day without a session: it counts from the next one on.
        day = every_date[bisect_left(every_date, action.date)]
        terms.setdefault(action.symbol, {}).setdefault(day, []).append(action)
    based = {
        symbol: _adjust_closes(
            [*(sessions[day].get(symbol) if day in sessions else None for day in dates), running_bar],
            every_date,
            terms.get(symbol, {}),
            sessions,
        )
        for symbol, running_bar in running.items()
    }
    closes = {symbol: basis.closes for symbol, basis in based.items()}
    factors = {symbol: basis.factors for symbol, basis in based.items()}
    waiting = pending_actions.select(found.actions)
    starts = {
        name: _make_period_start(
            period_starts.find_start(name, dates, sessions, session), place, closes, factors
        )
        for name in names
    }
    gap = next((day for day in reversed(dates) if day not in sessions), None)
    return EarlierSessions(
        dates=dates[-KEPT_SESSIONS:],
        consecutive=len(dates) - (0 if gap is None else place[gap] + 1),
        gap=gap,
        closes={symbol: tuple(prices[-KEPT_SESSIONS:]) for symbol, prices in closes.items()},
        factors={
            symbol: tuple(own[-KEPT_SESSIONS:])
            for symbol, own in factors.items()
            if any(factor != 1 for factor in own[-KEPT_SESSIONS:])
        },
        breaks={symbol: basis.broken for symbol, basis in based.items() if basis.broken},
        guesses={each.symbol: each.date for each in waiting if each.factor is not None},
        pending=waiting,
        starts=starts,
        streaks={symbol: count_streak(prices) for symbol, prices in closes.items()},
        volumes=_mean_volumes(sessions, dates, factors),
    )


def count_streak(prices: Sequence[float | None]) -> int:
    """Return in how many sessions in a row, up to the last, a price rose; of falls, as a negative number.

    A change that rounds to 0.00 % is neither, and ends the row; so does a close that is not known.
    """
    count = 0
    for earlier, later in pairwise(reversed(prices)):  # time runs backwards: `earlier` is the newer one
        if earlier is None or later is None:
            break
        change = round((earlier / later - 1) * 100, 2)
        if change == 0 or (count and (change > 0) != (count > 0)):
            break
        count += 1 if change > 0 else -1
    return count


def _make_bar(quote: Quote, session: date) -> Bar:
    """Return a running session's bar so far."""
    return Bar(
        quote.symbol, session, quote.open, quote.high, quote.low, quote.last_price or 0.0,
        corporate_actions.find_previous_close(quote), quote.volume, quote.turnover,
    )  # fmt: skip


def _adjust_closes(
    bars: Sequence[Bar | None],
    dates: Sequence[date],
    terms: Mapping[date, Sequence[corporate_actions.CorporateAction]],
    held: Mapping[date, object],
) -> _AdjustedCloses:
    """Return one instrument's closes on the terms of the last bar, which is left out.

    Nothing is known before an action that no ratio explains, and before a missing session across which the
    price changed so much that there may have been one. The close of a missing session is the previous close
    of the bar after it.
    """
    closes: _Aligned = [None] * (len(dates) - 1)
    factors: _Aligned = [None] * (len(dates) - 1)
    factor = 1.0
    across: float | None = None  # the oldest price after a missing session, until one before it is known
    resumed = dates[-1]  # the session of that price
    for number in range(len(dates) - 2, -1, -1):
        later, after = bars[number + 1], dates[number + 1]
        taken = terms.get(after, ())
        if any(action.factor is None for action in taken):
            return _AdjustedCloses(closes, factors, TermsBreak(after, is_gap=False))
        later_factor = factor
        for action in taken:
            factor *= float(action.factor or 1)
        bar = bars[number]
        if dates[number] not in held:
            price = later.previous_close if later else None
            if price is not None:
                is_old = all(action.leaves_old(price) for action in taken)
                across, resumed = price * (factor if is_old else later_factor), after
                closes[number] = across
        elif bar is not None:
            price = bar.close * factor
            if across is not None and not MOST_FALL < across / price < MOST_RISE:
                return _AdjustedCloses(closes, factors, TermsBreak(resumed, is_gap=True))
            across = None
            closes[number] = price
        factors[number] = factor
    return _AdjustedCloses(closes, factors, None)


def _make_period_start(
    start: period_starts.Start,
    place: Mapping[date, int],
    closes: Mapping[str, _Aligned],
    factors: Mapping[str, _Aligned],
) -> PeriodStart:
    if start.date is None:
        return PeriodStart(
            start.sessions, None, start.reason_missing, {}, frozenset(), {}, start.sessions_to_wait
        )
    first = place[start.date]
    known = {symbol: price for symbol, prices in closes.items() if (price := prices[first]) is not None}
    return PeriodStart(
        start.sessions,
        start.date,
        "",
        known,
        frozenset(symbol for symbol in known if factors[symbol][first] != 1),
        {symbol: _measure_spread(closes[symbol][first:]) for symbol in known},
    )


def _measure_spread(prices: Sequence[float | None]) -> tuple[int, float, float]:
    """Return count, mean and sum of squared deviations of the daily changes in %."""
    changes = [
        (later / earlier - 1) * 100
        for earlier, later in pairwise(prices)
        if earlier is not None and later is not None
    ]
    mean = fsum(changes) / len(changes) if changes else 0.0
    return len(changes), mean, fsum((change - mean) ** 2 for change in changes)


def _mean_volumes(
    sessions: Mapping[date, Mapping[str, Bar]], dates: Sequence[date], factors: Mapping[str, _Aligned]
) -> dict[str, float]:
    """Return the mean volume of the last sessions, in shares of today: of those that are on known terms."""
    found: dict[str, list[float]] = {}
    for number in range(max(len(dates) - VOLUME_SESSIONS, 0), len(dates)):
        for symbol, bar in sessions.get(dates[number], {}).items():
            factor = factors[symbol][number]
            if bar.volume is not None and factor is not None:
                found.setdefault(symbol, []).append(bar.volume / factor)
    return {symbol: fsum(volumes) / len(volumes) for symbol, volumes in found.items()}
