"""Computes the phase of a market at one moment. Pure: the moment and the calendar are parameters."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, NamedTuple
from zoneinfo import ZoneInfo

from heatmap.market.calendar.session import MarketStatus, Phase, Session, Window

if TYPE_CHECKING:
    from collections.abc import Mapping

ONE_DAY = timedelta(days=1)
LONGEST_BREAK_DAYS = 60  # how far ahead a calendar without end is searched for its next session
SETTLE_MINUTES = 15  # default, from the last window's end until closing prices are final
LONGEST_SETTLE_MINUTES = 240
# The renewal of a calendar begins so long before its end. A year's list comes about 12 December before.
RENEWED_AHEAD = timedelta(days=31)


class SessionHours(NamedTuple):
    """The hours of one date, as wall times of the market's zone.

    `windows` are (opens, closes, phase) in time order; a window that does not close later than it opens runs
    over midnight. `settles` is the time when closing prices are final; None if the hours are not known.
    """

    windows: tuple[tuple[time, time, Phase], ...]
    settles: time | None
    name: str | None = None  # of a special session


class SymbolChange(NamedTuple):
    """A change of a symbol. `since` is the first date of the new one; None: it counts on any date."""

    old: str
    new: str
    since: date | None


class DeclaredSplit(NamedTuple):
    """A split, a bonus or the like: from `date` on, `new` shares are worth `old` shares of before.

    If both are the same, there was no corporate action, even if the figures look so.
    """

    symbol: str
    date: date
    old: int
    new: int


@dataclass(frozen=True, slots=True)
class Calendar:
    """The trading times of a market. `first` and `last` are its first and last known dates; None: no limit.

    `eras` are the regular hours from a date on, latest first. `special` are sessions that replace a regular
    one or are additional. `closed` are dates without a session, with their names. A market that is `always`
    open has none of these. `symbol_changes` are those of this market, `declared_splits` those that its user
    wrote into the overrides file.
    """

    name: str
    time_zone: str  # IANA
    first: date | None = None
    last: date | None = None
    weekdays: frozenset[int] = frozenset()  # of regular sessions; Monday is 0
    eras: tuple[tuple[date, SessionHours], ...] = ()
    closed: Mapping[date, str] = field(default_factory=dict)
    special: Mapping[date, SessionHours] = field(default_factory=dict)
    always: bool = False
    symbol_changes: tuple[SymbolChange, ...] = ()
    declared_splits: tuple[DeclaredSplit, ...] = ()


def phase_at(calendar: Calendar, now: datetime) -> MarketStatus:
    """Return the status of the market at `now`. Raises ValueError if `now` is not aware."""
    if now.utcoffset() is None:
        message = "now must be aware"
        raise ValueError(message)
    if calendar.always:
        return MarketStatus(Phase.OPEN, None, None, "This market never closes.")
    # In UTC: Python compares times of one zone by the wall clock, which shows one hour twice a year.
    now = now.astimezone(UTC)
    local = now.astimezone(ZoneInfo(calendar.time_zone))
    today = local.date()
    yesterday = session_on(calendar, today - ONE_DAY)
    session = session_on(calendar, today)
    if yesterday and _reaches_into(yesterday, today, now, session):
        session = yesterday
    elif _precedes(calendar, today):
        reason = (
            f"The calendar {calendar.name} begins on {calendar.first}: check this machine's clock, or --now."
        )
        return MarketStatus(Phase.UNKNOWN, None, None, reason)
    is_past = is_past_end(calendar, session.date if session else today)
    next_open, next_regular_open = _find_next_opens(calendar, now, today)

    def status(phase: Phase, reason: str) -> MarketStatus:
        if is_past:
            reason = f"{reason} {describe_presumed_calendar(calendar)}"
        return MarketStatus(phase, session, next_open, reason, is_past, next_regular_open)

    if session is None:
        name = calendar.closed.get(today)
        return status(Phase.CLOSED, f"Closed for {name}." if name else f"No session on a {today:%A}.")
    if session.settles is None:
        return status(Phase.UNKNOWN, f"{session.name}: the hours are not known.")
    phase, reason = _phase(session, now, ZoneInfo(calendar.time_zone))
    if is_presumed(calendar, session.date) and phase in (Phase.OPEN, Phase.AUCTION):
        phase = Phase.UNKNOWN
    return status(phase, reason)


def coverage_end(calendar: Calendar) -> datetime | None:
    """Return the first moment after the calendar's last date; None if it has no end."""
    if calendar.last in (None, date.max):
        return None
    return datetime.combine(calendar.last + ONE_DAY, time(0), ZoneInfo(calendar.time_zone))


def is_past_end(calendar: Calendar, day: date) -> bool:
    """Whether `day` is after the calendar's last date."""
    return calendar.last is not None and calendar.last < day


def is_presumed(calendar: Calendar, day: date) -> bool:
    """Whether a session on `day` is only presumed: after the calendar's end, and not a listed special one."""
    return is_past_end(calendar, day) and day not in calendar.special


def is_ending_soon(calendar: Calendar, now: datetime) -> bool:
    """Whether the calendar ends within 31 days (from 1 December on for the end of a year) or has ended."""
    end = coverage_end(calendar)
    return end is not None and end - RENEWED_AHEAD <= now


def describe_presumed_calendar(calendar: Calendar) -> str:
    """Return a sentence on the presumed calendar that applies after the calendar's end."""
    return (
        f"This is a presumed trading calendar: {calendar.name} ended on {calendar.last}, so each weekday "
        "counts as a session in the last known hours, and the source's own date and status decide."
    )


def session_on(calendar: Calendar, day: date) -> Session | None:
    """Return the session that opens on `day`; None if there is none, and before the calendar begins.

    After the calendar's end each weekday has one in the last known hours, unless it is listed as closed.
    """
    if calendar.always or _precedes(calendar, day):
        return None
    hours = calendar.special.get(day)
    if hours is None:
        if day.weekday() not in calendar.weekdays or day in calendar.closed:
            return None
        hours = next((hours for since, hours in calendar.eras if since <= day), None)
        if hours is None:
            return None
    zone = ZoneInfo(calendar.time_zone)
    windows = []
    previous = datetime.combine(day, time(0), zone)
    for opens, closes, phase in hours.windows:
        start = _at_or_after(previous, opens)
        previous = _at_or_after(start, closes, later=True)
        windows.append(Window(start, previous, phase))
    settles = _at_or_after(previous, hours.settles) if hours.settles and windows else None
    return Session(day, tuple(windows), settles, hours.name)


def _at_or_after(moment: datetime, wall: time, *, later: bool = False) -> datetime:
    """Return the first time from `moment` on when the wall clock shows `wall`; `later`: after `moment`."""
    time_of_day = moment.replace(hour=wall.hour, minute=wall.minute, second=wall.second, microsecond=0)
    return time_of_day + ONE_DAY if time_of_day < moment or (later and time_of_day == moment) else time_of_day


def _phase(session: Session, now: datetime, zone: ZoneInfo) -> tuple[Phase, str]:
    for window in session.windows:
        if now < window.opens:
            return Phase.CLOSED, f"Opens at {window.opens.astimezone(zone):%H:%M}."
        if now < window.closes:
            until = f"until {window.closes.astimezone(zone):%H:%M}."
            name = "Closing auction" if window.phase is Phase.AUCTION else session.name or "Trading"
            return window.phase, f"{name} {until}"
    if session.settles and now < session.settles:
        return Phase.SETTLING, f"Closing prices settle until {session.settles.astimezone(zone):%H:%M}."
    return Phase.FINAL, f"The session of {session.date:%d %b %Y} is over."


def _reaches_into(session: Session, today: date, now: datetime, todays: Session | None) -> bool:
    """Whether yesterday's session is the one of `now`: it ran over midnight, and no newer one began."""
    if session.settles is None or session.settles.date() < today:
        return False
    return not (todays and todays.windows and now >= todays.windows[0].opens)


def _precedes(calendar: Calendar, day: date) -> bool:
    return calendar.first is not None and day < calendar.first


def _find_next_opens(
    calendar: Calendar, now: datetime, today: date
) -> tuple[datetime | None, datetime | None]:
    """Return `next_open` and `next_regular_open` of MarketStatus."""
    is_sure = True
    for days in range(-1, LONGEST_BREAK_DAYS):
        day = today + timedelta(days=days)
        is_sure = is_sure and not (day >= today and is_past_end(calendar, day))
        session = session_on(calendar, day)
        if session is None:
            continue
        if not session.windows and day >= today:
            is_sure = False
        for number, window in enumerate(session.windows):
            # An auction that follows without a gap is no new start.
            if window.opens > now and (number == 0 or session.windows[number - 1].closes < window.opens):
                return window.opens if is_sure else None, window.opens
    return None, None
