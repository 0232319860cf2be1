"""When to run: the hours in which a run can have work, and the next of those runs."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import TYPE_CHECKING

from heatmap.market.calendar import phases
from heatmap.market.calendar.session import Phase

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from heatmap.market.calendar.phases import Calendar
    from heatmap.market.calendar.session import MarketStatus

MINUTES_AN_HOUR = 60
HOURS_A_DAY = 24
YEAR_DAYS = 370  # the days from today that are searched: they include every change of the clocks
HORIZON_DAYS = 14  # how far ahead the next runs are searched


def run_hours(
    calendars: Iterable[Calendar], zone: tzinfo | None, today: date, spare: timedelta
) -> frozenset[int]:
    """Return the hours of the day in `zone` (None: this machine's) in which any session needs a run.

    A session needs runs from its first opening until `spare` after its settle time. Special sessions count,
    past ones too: the next evening session will probably have the hours of the last.
    """
    hours: set[int] = set()
    for calendar in calendars:
        if calendar.always:
            return frozenset(range(HOURS_A_DAY))
        first = calendar.first or today
        last = min(calendar.last or date.max, today + timedelta(days=YEAR_DAYS))  # a calendar may end in 9999
        for days in range((last - first).days + 1):
            session = phases.session_on(calendar, first + timedelta(days=days))
            if session is not None and session.settles is not None:
                hours |= _hours_between(session.windows[0].opens, session.settles + spare, zone)
    return frozenset(hours)


def run_minutes(interval_minutes: int, offset: int) -> tuple[int, ...]:
    """Return the minutes of the hour at which to run; one minute if the interval is an hour or more."""
    return tuple(range(offset % min(interval_minutes, MINUTES_AN_HOUR), MINUTES_AN_HOUR, interval_minutes))


def cron_field(values: Iterable[int], everything: int) -> str:
    """Return values as a cron field: 3-14, 0-4,22-23, or * if there are `everything` values."""
    ordered = sorted(values)
    if len(ordered) == everything:
        return "*"
    runs: list[list[int]] = []
    for value in ordered:
        if runs and runs[-1][1] == value - 1:
            runs[-1][1] = value
        else:
            runs.append([value, value])
    return ",".join(str(low) if low == high else f"{low}-{high}" for low, high in runs)


def next_runs(
    calendar: Calendar,
    now: datetime,
    hours: frozenset[int],
    minutes: Iterable[int],
    zone: tzinfo | None = None,
) -> Iterator[tuple[datetime, MarketStatus]]:
    """Yield the next runs that have work: the time in UTC, and the market's status.

    The loop is in UTC, because dateutil's rules use wall time, which skips or repeats an hour when clocks
    change.
    """
    from dateutil.rrule import MINUTELY, rrule

    chosen = frozenset(minutes)
    finished_date: date | None = None
    start = now.astimezone(UTC).replace(second=0, microsecond=0) + timedelta(minutes=1)
    for moment in rrule(MINUTELY, dtstart=start, until=start + timedelta(days=HORIZON_DAYS)):
        local = moment.astimezone(zone)
        if local.minute not in chosen or local.hour not in hours:
            continue
        status = phases.phase_at(calendar, moment)
        if status.session is None and not calendar.always:
            continue
        if status.phase is Phase.FINAL and status.session:
            if status.session.date == finished_date:
                continue
            finished_date = status.session.date
        elif status.phase not in (Phase.OPEN, Phase.AUCTION, Phase.UNKNOWN):
            continue
        yield moment, status


def _hours_between(first: datetime, last: datetime, zone: tzinfo | None) -> set[int]:
    moment, hours = first.astimezone(UTC), set()
    while moment < last:
        hours.add(moment.astimezone(zone).hour)
        moment += timedelta(minutes=15)  # some zones differ by a quarter of an hour
    return hours | {last.astimezone(zone).hour}
