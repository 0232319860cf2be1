"""Where periods start: counted in the sessions that a market had. Pure."""

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
YEAR_SESSIONS = 260  # more than any year to date has
FEWEST_INSTRUMENTS = 3  # instruments, to call a day no session
LEAST_SHARE = 0.9  # of the instruments whose previous close is still that of before the day


class Start(NamedTuple):
    """Where a period starts. `since` is None where the history does not reach there, and `lack` says so."""

    sessions: int  # of the period, the running one included
    date: date | None
    reason_missing: str  # a sentence for the operator; "" where `date` is known
    sessions_to_wait: int | None = None  # until `date` is known; None: it is known, or not before next year


def count_sessions_needed(names: Sequence[str]) -> int:
    """Return how many sessions before a running one these periods reach back."""
    return max((YEAR_SESSIONS if name == YEAR_TO_DATE else int(name[:-1]) for name in names), default=0)


def find_session_dates(
    calendar: Calendar, sessions: Mapping[date, Mapping[str, Bar]], running: Mapping[str, Bar], session: date
) -> tuple[date, ...]:
    """Return the dates of all sessions from the first of `sessions` to before the running one.

    Those of the calendar and those there are bars of. A date of the calendar is left out where the
    previous closes after it are the closes before it: nothing was traded, so there was no session.
    `running` are the bars of `session` so far.
    """
    known = sorted(sessions)
    found: list[date] = []
    for place, day in enumerate(known):
        found.append(day)
        following = known[place + 1] if place + 1 < len(known) else session
        missing = [
            between
            for number in range(1, (following - day).days)
            if phases.session_on(calendar, between := day + timedelta(days=number))
        ]
        if missing and not _are_adjacent(sessions[day], sessions.get(following, running)):
            found += missing
    return tuple(found)


def find_start(name: str, dates: Sequence[date], held: Mapping[date, object], session: date) -> Start:
    """Return where the period called `name` starts that ends in the running session.

    `dates` are all sessions before it since the history began, `held` those that there are bars of.
    """
    if name == YEAR_TO_DATE:
        earlier = [day for day in dates if day.year < session.year]
        count = len(dates) - len(earlier) + 1
        since = earlier[-1] if earlier else None
        if since is None:
            return Start(
                count, None, f"it takes the last session of {session.year - 1}; {_describe_reach(dates)}"
            )
    else:
        count = int(name[:-1])
        since = dates[-count] if len(dates) >= count else None
        if since is None:
            lack = f"it takes {count} sessions before this one; {_describe_reach(dates)}"
            return Start(count, None, lack, count - len(dates))
    if since not in held:
        # The start moves on by a session a day, until it comes to one that there are bars of.
        later = (*dates[dates.index(since) + 1 :], session)
        wait = next((place for place, day in enumerate(later, 1) if day in held or day == session), None)
        lack = f"it takes the closes of {_format_day(since)}, and {describe_missing(since)}"
        return Start(count, None, lack, None if name == YEAR_TO_DATE else wait)
    return Start(count, since, "")


def describe_missing(day: date) -> str:
    """Say that a session is missing, and what would bring it."""
    return (
        f"the history has none of that day: heatmap history backfill --from {day} --to {day} brings them, "
        "where the exchange's archives are known"
    )


def _describe_reach(dates: Sequence[date]) -> str:
    count = f"{len(dates)} session{'s' * (len(dates) != 1)}"
    since = f", since {_format_day(dates[0])}" if dates else ""
    return f"the history has {count}{since}: heatmap history backfill brings more"


def _format_day(day: date) -> str:
    return f"{day.day} {day:%b %Y}"


def _are_adjacent(before: Mapping[str, Bar], after: Mapping[str, Bar]) -> bool:
    """Whether the closes of one session are the previous closes of the other, so that none lies between."""
    from heatmap.history.corporate_actions import (
        ONE_TICK,  # late: a run that has its digest needs no fractions
    )

    pairs = [
        (before[symbol].close, bar.previous_close)
        for symbol, bar in after.items()
        if symbol in before and bar.previous_close is not None
    ]
    same = sum(abs(close - previous) <= ONE_TICK for close, previous in pairs)
    return len(pairs) >= FEWEST_INSTRUMENTS and same >= LEAST_SHARE * len(pairs)
