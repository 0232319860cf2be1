"""What phase is a market in at one moment? Pure: the moment and the calendar are passed in."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, NamedTuple
from zoneinfo import ZoneInfo

from heatmap.market.calendar.session import MarketStatus, Phase, Session, Window

if TYPE_CHECKING:
    from collections.abc import Mapping

ONE_DAY = timedelta(days=1)
LONGEST_BREAK_DAYS = 60  # how far ahead an endless calendar is searched for its next session
SETTLE_MINUTES = 15  # from the last window's end until closing prices are final, where nothing else is said
LONGEST_SETTLE_MINUTES = 240
RENEWED_AHEAD = timedelta(days=31)  # of a calendar's end: the list of a year appears about 12 December


class SessionHours(NamedTuple):
    """The hours of one date, as wall times of the market's zone.

    `windows` are (opens, closes, phase), half-open, in time order; one that does not close later than it
    opens runs over midnight. `settles` is when closing prices are final; None where hours are not known.
    """

    windows: tuple[tuple[time, time, Phase], ...]
    settles: time | None
    name: str | None = None  # of a special session


class SymbolChange(NamedTuple):
    """A symbol that became another. `since` is the new one's first date; None: it counts on any date."""

    old: str
    new: str
    since: date | None


class DeclaredSplit(NamedTuple):
    """A split, a bonus or the like: `new` shares of `date` and after are what `old` shares were before.

    Where both are the same there was none, whatever the figures look like.
    """

    symbol: str
    date: date
    old: int
    new: int


@dataclass(frozen=True, slots=True)
class Calendar:
    """When a market trades. `first` and `last` bound what is known; None means without end.

    `eras` hold the regular hours from a date on, latest first. `special` replaces or adds a session,
    `closed` names the dates without one. A calendar that is `always` open has nothing of these.
    `aliases` are the symbols that changed on this market, `terms` what its user knows of splits and the like.
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
    """Return the market's phase at `now`, which must be aware, or ValueError is raised."""
    if now.utcoffset() is None:
        message = "now must be aware"
        raise ValueError(message)
    if calendar.always:
        return MarketStatus(Phase.OPEN, None, None, "This market never closes.")
    now = now.astimezone(UTC)  # comparing within one zone would go by wall time, which repeats an hour a year
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

    def verdict(phase: Phase, reason: str) -> MarketStatus:
        if is_past:
            reason = f"{reason} {describe_presumed_calendar(calendar)}"
        return MarketStatus(phase, session, next_open, reason, is_past, next_regular_open)

    if session is None:
        name = calendar.closed.get(today)
        return verdict(Phase.CLOSED, f"Closed for {name}." if name else f"No session on a {today:%A}.")
    if session.settles is None:
        return verdict(Phase.UNKNOWN, f"{session.name}: the hours are not known.")
    phase, reason = _phase(session, now, ZoneInfo(calendar.time_zone))
    if is_presumed(calendar, session.date) and phase in (Phase.OPEN, Phase.AUCTION):
        phase = Phase.UNKNOWN
    return verdict(phase, reason)


def coverage_end(calendar: Calendar) -> datetime | None:
    """Return the first moment of which the calendar knows nothing; None where it has no end."""
    if calendar.last in (None, date.max):
        return None
    return datetime.combine(calendar.last + ONE_DAY, time(0), ZoneInfo(calendar.time_zone))


def is_past_end(calendar: Calendar, day: date) -> bool:
    """Whether `day` lies past the last date that the calendar covers."""
    return calendar.last is not None and calendar.last < day


def is_presumed(calendar: Calendar, day: date) -> bool:
    """Whether a session on `day` is only presumed: past the calendar's end, and not listed by itself."""
    return is_past_end(calendar, day) and day not in calendar.special


def is_ending_soon(calendar: Calendar, now: datetime) -> bool:
    """Whether the calendar ends soon (for the end of a year: from 1 December on) or has ended."""
    end = coverage_end(calendar)
    return end is not None and end - RENEWED_AHEAD <= now


def describe_presumed_calendar(calendar: Calendar) -> str:
    """Say what holds past the calendar's end."""
    return (
        f"This is a presumed trading calendar: {calendar.name} ended on {calendar.last}, so each weekday "
        "counts as a session in the last known hours, and the source's own date and status decide."
    )


def session_on(calendar: Calendar, day: date) -> Session | None:
    """Return the session that opens on `day`; None where there is none, or before the calendar begins.

    Past the calendar's end each weekday has one in the last known hours, unless it is listed as closed.
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
    """Return the first time the wall clock shows `wall` from `moment` on; strictly `later` if so asked."""
    found = moment.replace(hour=wall.hour, minute=wall.minute, second=wall.second, microsecond=0)
    return found + ONE_DAY if found < moment or (later and found == moment) else found


def _phase(session: Session, now: datetime, zone: ZoneInfo) -> tuple[Phase, str]:
    for window in session.windows:
        if now < window.opens:
            return Phase.CLOSED, f"Opens at {window.opens.astimezone(zone):%H:%M}."
        if now < window.closes:
            until = f"until {window.closes.astimezone(zone):%H:%M}."
            what = "Closing auction" if window.phase is Phase.AUCTION else session.name or "Trading"
            return window.phase, f"{what} {until}"
    if session.settles and now < session.settles:
        return Phase.SETTLING, f"Closing prices settle until {session.settles.astimezone(zone):%H:%M}."
    return Phase.FINAL, f"The session of {session.date:%d %b %Y} is over."


def _reaches_into(session: Session, today: date, now: datetime, todays: Session | None) -> bool:
    """Whether yesterday's session still speaks for `now`: it ran over midnight, and no newer one began."""
    if session.settles is None or session.settles.date() < today:
        return False
    return not (todays and todays.windows and now >= todays.windows[0].opens)


def _precedes(calendar: Calendar, day: date) -> bool:
    return calendar.first is not None and day < calendar.first


def _find_next_opens(
    calendar: Calendar, now: datetime, today: date
) -> tuple[datetime | None, datetime | None]:
    """Return when trading starts next, and when at the latest: see `next_open` and `next_regular_open`."""
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
            # An auction that follows without a gap opens nothing.
            if window.opens > now and (number == 0 or session.windows[number - 1].closes < window.opens):
                return window.opens if is_sure else None, window.opens
    return None, None
