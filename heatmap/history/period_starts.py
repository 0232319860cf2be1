"""Finds where periods start, counted in a market's sessions. Pure."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, NamedTuple

from heatmap.market.calendar import phases

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date

    from heatmap.market.bars import Bar
    from heatmap.market.calendar.phases import Calendar

YEAR_TO_DATE = "ytd"
YEAR_SESSIONS = 260  # more than a year to date can have
FEWEST_INSTRUMENTS = 3  # to conclude that a day had no session
LEAST_SHARE = 0.9  # of the instruments: their previous close is the close before the day


class Start(NamedTuple):
    """The start of a period. `date` is None if the history does not have it; `reason_missing` says why."""

    sessions: int  # the length of the period, the running session included
    date: date | None
    reason_missing: str  # a sentence for the operator; "" where `date` is known
    sessions_to_wait: int | None = None  # until `date` is known; None: it is known, or not before next year


def count_sessions_needed(names: Sequence[str]) -> int:
    """Return how many sessions before the running one these periods need."""
    return max((YEAR_SESSIONS if name == YEAR_TO_DATE else int(name[:-1]) for name in names), default=0)


def find_session_dates(
    calendar: Calendar, sessions: Mapping[date, Mapping[str, Bar]], running: Mapping[str, Bar], session: date
) -> tuple[date, ...]:
    """Return the dates of all sessions from the first of `sessions` to the one before `session`.

    These are the sessions with bars and the sessions of the calendar. A date of the calendar is left out if
    the previous closes after it equal the closes before it: nothing was traded, so there was no session.
    `running` are the bars of `session` so far.
    """
    stored_dates = sorted(sessions)
    dates: list[date] = []
    for index, day in enumerate(stored_dates):
        dates.append(day)
        following = stored_dates[index + 1] if index + 1 < len(stored_dates) else session
        missing = [
            between
            for number in range(1, (following - day).days)
            if phases.session_on(calendar, between := day + timedelta(days=number))
        ]
        if missing and not _are_adjacent(sessions[day], sessions.get(following, running)):
            dates += missing
    return tuple(dates)


def find_start(name: str, dates: Sequence[date], stored: Mapping[date, object], session: date) -> Start:
    """Return the start of the period `name` that ends with the running session, `session`.

    `dates` are all sessions before it since the history began, `stored` are the sessions with bars.
    """
    if name == YEAR_TO_DATE:
        earlier = [day for day in dates if day.year < session.year]
        count = len(dates) - len(earlier) + 1
        start = earlier[-1] if earlier else None
        if start is None:
            return Start(
                count, None, f"it takes the last session of {session.year - 1}; {_describe_reach(dates)}"
            )
    else:
        count = int(name[:-1])
        start = dates[-count] if len(dates) >= count else None
        if start is None:
            reason = f"it takes {count} sessions before this one; {_describe_reach(dates)}"
            return Start(count, None, reason, count - len(dates))
    if start not in stored:
        # The start moves by one session a day, until it reaches a session with bars.
        later = (*dates[dates.index(start) + 1 :], session)
        sessions_to_wait = next(
            (place for place, day in enumerate(later, 1) if day in stored or day == session), None
        )
        reason = f"it takes the closes of {_format_day(start)}, and {describe_missing(start)}"
        return Start(count, None, reason, None if name == YEAR_TO_DATE else sessions_to_wait)
    return Start(count, start, "")


def describe_missing(day: date) -> str:
    """Return a clause on a missing session and on the command that loads it."""
    return (
        f"the history has none of that day: heatmap history backfill --from {day} --to {day} brings them, "
        "where the exchange's archives are known"
    )


def _describe_reach(dates: Sequence[date]) -> str:
    count = f"{len(dates)} session{'s' * (len(dates) != 1)}"
    beginning = f", since {_format_day(dates[0])}" if dates else ""
    return f"the history has {count}{beginning}: heatmap history backfill brings more"


def _format_day(day: date) -> str:
    return f"{day.day} {day:%b %Y}"


def _are_adjacent(before: Mapping[str, Bar], after: Mapping[str, Bar]) -> bool:
    """Whether the closes of one session are the previous closes of another, so no session lies between."""
    from heatmap.history.corporate_actions import (
        ONE_TICK,  # imported late: a run with a cached summary needs no fractions
    )

    pairs = [
        (before[symbol].close, bar.previous_close)
        for symbol, bar in after.items()
        if symbol in before and bar.previous_close is not None
    ]
    same = sum(abs(close - previous) <= ONE_TICK for close, previous in pairs)
    return len(pairs) >= FEWEST_INSTRUMENTS and same >= LEAST_SHARE * len(pairs)
