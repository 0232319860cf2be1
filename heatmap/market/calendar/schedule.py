"""When to run: the hours in which a tick may have something to do, and the next of those ticks."""

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
YEAR_DAYS = 370  # a calendar is looked at for a year from today: both sides of every clock change
HORIZON_DAYS = 14  # how far ahead the next ticks are searched


def run_hours(
    calendars: Iterable[Calendar], zone: tzinfo | None, today: date, spare: timedelta
) -> frozenset[int]:
    """Return the hours of the day in `zone` (None: this machine's) in which any session needs a tick.

    A session needs one from its first opening until `spare` after its settle time. Special sessions count,
    past ones too: the next evening session will come at an hour like that of the last.
    """
    found: set[int] = set()
    for calendar in calendars:
        if calendar.always:
            return frozenset(range(HOURS_A_DAY))
        first = calendar.first or today
        last = min(calendar.last or date.max, today + timedelta(days=YEAR_DAYS))  # one may say 9999
        for days in range((last - first).days + 1):
            session = phases.session_on(calendar, first + timedelta(days=days))
            if session is not None and session.settles is not None:
                found |= _hours_between(session.windows[0].opens, session.settles + spare, zone)
    return frozenset(found)


def run_minutes(interval_minutes: int, offset: int) -> tuple[int, ...]:
    """Return the minutes of an hour at which to run; once an hour where the interval is an hour or more."""
    return tuple(range(offset % min(interval_minutes, MINUTES_AN_HOUR), MINUTES_AN_HOUR, interval_minutes))


def cron_field(values: Iterable[int], everything: int) -> str:
    """Return values as cron writes them: 3-14, 0-4,22-23, or * for all there are."""
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
    """Yield the coming ticks that have something to do, in UTC, with the guard's verdict on each.

    Walked in UTC: dateutil's rules walk wall time, which skips or repeats an hour when clocks change.
    """
    from dateutil.rrule import MINUTELY, rrule

    chosen = frozenset(minutes)
    done: date | None = None
    start = now.astimezone(UTC).replace(second=0, microsecond=0) + timedelta(minutes=1)
    for moment in rrule(MINUTELY, dtstart=start, until=start + timedelta(days=HORIZON_DAYS)):
        here = moment.astimezone(zone)
        if here.minute not in chosen or here.hour not in hours:
            continue
        verdict = phases.phase_at(calendar, moment)
        if verdict.session is None and not calendar.always:
            continue
        if verdict.phase is Phase.FINAL and verdict.session:
            if verdict.session.date == done:
                continue
            done = verdict.session.date
        elif verdict.phase not in (Phase.OPEN, Phase.AUCTION, Phase.UNKNOWN):
            continue
        yield moment, verdict


def _hours_between(first: datetime, last: datetime, zone: tzinfo | None) -> set[int]:
    moment, found = first.astimezone(UTC), set()
    while moment < last:
        found.add(moment.astimezone(zone).hour)
        moment += timedelta(minutes=15)  # there are zones a quarter of an hour apart
    return found | {last.astimezone(zone).hour}
