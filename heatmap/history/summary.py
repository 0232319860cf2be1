"""Summarizes all sessions before the running one: made once a session, used by each run. Pure."""

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

KEPT_SESSIONS = 60  # the closes of each instrument in a summary: for sparklines and bands
VOLUME_SESSIONS = 20  # a usual volume is their mean
# No action can be found across a missing session; a price that changed by more may have had one.
MOST_FALL, MOST_RISE = 0.75, 4 / 3

_Aligned = list["float | None"]


class _AdjustedCloses(NamedTuple):
    """One instrument's closes on the terms of today, one value for each session. None: not known."""

    closes: _Aligned
    factors: _Aligned  # multiply each session's prices
    terms_break: TermsBreak | None


def make(
    bars: Iterable[Bar],
    calendar: Calendar,
    quotes: Sequence[Quote],
    session: date,
    names: Sequence[str],
    quoted: corporate_actions.CloseLookup | None = None,
) -> EarlierSessions:
    """Return the summary of the bars before `session` for its quotes, with the periods `names`.

    Prices are on the terms of `session`: if a quote's previous close shows a split or bonus of this session,
    earlier closes are adjusted for that, too. `quoted` looks up previous closes of earlier sessions' ticks.
    """
    running = {quote.symbol: _make_bar(quote, session) for quote in quotes if quote.last_price is not None}
    sessions: dict[date, dict[str, Bar]] = {}
    for bar in symbol_changes.rename(bars, calendar.symbol_changes):
        if bar.symbol in running:
            sessions.setdefault(bar.date, {})[bar.symbol] = bar
    dates = period_starts.find_session_dates(calendar, sessions, running, session)
    number_of = {day: number for number, day in enumerate((*dates, session))}
    bars_by_session = [
        *(list(sessions[day].values()) for day in dates if day in sessions),
        list(running.values()),
    ]
    declared = corporate_actions.find_declared_splits(calendar)
    quoted_today = {
        quote.symbol: corporate_actions.derive_quoted_close(quote.last_price, quote.percent_change)
        for quote in quotes
        if DAY not in quote.doubts
    }

    def quoted_on(symbol: str, day: date) -> corporate_actions.QuotedClose | None:
        if day == session:
            return quoted_today.get(symbol)
        return quoted(symbol, day) if quoted else None

    detection = corporate_actions.detect(
        bars_by_session,
        lambda earlier, later: number_of[later] == number_of[earlier] + 1,
        declared,
        quoted_on,
    )
    terms: dict[str, dict[date, list[corporate_actions.CorporateAction]]] = {}
    all_dates = (*dates, session)
    for action in detection.actions:
        # A declared action may be dated to a day without a session: it counts from the next session.
        day = all_dates[bisect_left(all_dates, action.date)]
        terms.setdefault(action.symbol, {}).setdefault(day, []).append(action)
    adjusted = {
        symbol: _adjust_closes(
            [*(sessions[day].get(symbol) if day in sessions else None for day in dates), running_bar],
            all_dates,
            terms.get(symbol, {}),
            sessions,
        )
        for symbol, running_bar in running.items()
    }
    closes = {symbol: adjusted_closes.closes for symbol, adjusted_closes in adjusted.items()}
    factors = {symbol: adjusted_closes.factors for symbol, adjusted_closes in adjusted.items()}
    pending = pending_actions.select(detection.actions)
    starts = {
        name: _make_period_start(
            period_starts.find_start(name, dates, sessions, session), number_of, closes, factors
        )
        for name in names
    }
    gap = next((day for day in reversed(dates) if day not in sessions), None)
    return EarlierSessions(
        dates=dates[-KEPT_SESSIONS:],
        consecutive=len(dates) - (0 if gap is None else number_of[gap] + 1),
        gap=gap,
        closes={symbol: tuple(prices[-KEPT_SESSIONS:]) for symbol, prices in closes.items()},
        factors={
            symbol: tuple(values[-KEPT_SESSIONS:])
            for symbol, values in factors.items()
            if any(factor != 1 for factor in values[-KEPT_SESSIONS:])
        },
        breaks={
            symbol: adjusted_closes.terms_break
            for symbol, adjusted_closes in adjusted.items()
            if adjusted_closes.terms_break
        },
        guesses={action.symbol: action.date for action in pending if action.factor is not None},
        pending=pending,
        starts=starts,
        streaks={symbol: count_streak(prices) for symbol, prices in closes.items()},
        volumes=_mean_volumes(sessions, dates, factors),
    )


def count_streak(prices: Sequence[float | None]) -> int:
    """Return in how many consecutive sessions, up to the last, a price rose; falls give a negative number.

    A change that rounds to 0.00 % and an unknown close end the streak.
    """
    count = 0
    for earlier, later in pairwise(reversed(prices)):  # the prices are reversed: `earlier` is the newer one
        if earlier is None or later is None:
            break
        change = round((earlier / later - 1) * 100, 2)
        if change == 0 or (count and (change > 0) != (count > 0)):
            break
        count += 1 if change > 0 else -1
    return count


def _make_bar(quote: Quote, session: date) -> Bar:
    """Return the bar of the running session so far."""
    return Bar(
        quote.symbol, session, quote.open, quote.high, quote.low, quote.last_price or 0.0,
        corporate_actions.find_previous_close(quote), quote.volume, quote.turnover,
    )  # fmt: skip


def _adjust_closes(
    bars: Sequence[Bar | None],
    dates: Sequence[date],
    terms: Mapping[date, Sequence[corporate_actions.CorporateAction]],
    stored: Mapping[date, object],
) -> _AdjustedCloses:
    """Return one instrument's closes on the terms of the last bar, which is left out.

    Closes are unknown before an unexplained action, and before a missing session across which the price
    changed so much that an action is possible. The close of a missing session is the previous close of the
    bar after it. `stored` are the sessions with bars.
    """
    closes: _Aligned = [None] * (len(dates) - 1)
    factors: _Aligned = [None] * (len(dates) - 1)
    factor = 1.0
    price_after_gap: float | None = (
        None  # the oldest price after missing sessions, until an older one is found
    )
    date_after_gap = dates[-1]  # the session of `price_after_gap`
    for number in range(len(dates) - 2, -1, -1):
        later, after = bars[number + 1], dates[number + 1]
        actions = terms.get(after, ())
        if any(action.factor is None for action in actions):
            return _AdjustedCloses(closes, factors, TermsBreak(after, is_gap=False))
        later_factor = factor
        for action in actions:
            factor *= float(action.factor or 1)
        bar = bars[number]
        if dates[number] not in stored:
            price = later.previous_close if later else None
            if price is not None:
                is_old = all(action.leaves_old(price) for action in actions)
                price_after_gap, date_after_gap = price * (factor if is_old else later_factor), after
                closes[number] = price_after_gap
        elif bar is not None:
            price = bar.close * factor
            if price_after_gap is not None and not MOST_FALL < price_after_gap / price < MOST_RISE:
                return _AdjustedCloses(closes, factors, TermsBreak(date_after_gap, is_gap=True))
            price_after_gap = None
            closes[number] = price
        factors[number] = factor
    return _AdjustedCloses(closes, factors, None)


def _make_period_start(
    start: period_starts.Start,
    number_of: Mapping[date, int],
    closes: Mapping[str, _Aligned],
    factors: Mapping[str, _Aligned],
) -> PeriodStart:
    if start.date is None:
        return PeriodStart(
            start.sessions, None, start.reason_missing, {}, frozenset(), {}, start.sessions_to_wait
        )
    first = number_of[start.date]
    closes_then = {symbol: price for symbol, prices in closes.items() if (price := prices[first]) is not None}
    return PeriodStart(
        start.sessions,
        start.date,
        "",
        closes_then,
        frozenset(symbol for symbol in closes_then if factors[symbol][first] != 1),
        {symbol: _measure_spread(closes[symbol][first:]) for symbol in closes_then},
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
    """Return the mean volume of the last sessions on known terms, in shares of today."""
    volumes_by_symbol: dict[str, list[float]] = {}
    for number in range(max(len(dates) - VOLUME_SESSIONS, 0), len(dates)):
        for symbol, bar in sessions.get(dates[number], {}).items():
            factor = factors[symbol][number]
            if bar.volume is not None and factor is not None:
                volumes_by_symbol.setdefault(symbol, []).append(bar.volume / factor)
    return {symbol: fsum(volumes) / len(volumes) for symbol, volumes in volumes_by_symbol.items()}
