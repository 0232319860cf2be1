"""The sessions of the year as the exchange held them, written down apart from the program's own calendar."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from itertools import pairwise
from typing import NamedTuple
from zoneinfo import ZoneInfo

ZONE = ZoneInfo("Asia/Kolkata")
FIRST, LAST = date(2026, 1, 1), date(2027, 1, 5)
OPEN, AUCTION = "open", "auction"
ERAS = (  # since when, the windows, when prices have settled
    (date(2026, 12, 7), (("09:15", "15:30", OPEN), ("15:30", "15:40", AUCTION)), "15:50"),
    (date(2026, 8, 3), (("09:15", "15:15", OPEN), ("15:15", "15:35", AUCTION)), "15:45"),
    (date(2010, 10, 18), (("09:15", "15:30", OPEN),), "15:45"),
)
HOLIDAYS = frozenset(
    map(
        date.fromisoformat,
        "2026-01-15 2026-01-26 2026-03-03 2026-03-26 2026-03-31 2026-04-03 2026-04-14 2026-05-01 2026-05-28 "
        "2026-06-26 2026-09-14 2026-10-02 2026-10-20 2026-11-10 2026-11-24 2026-12-25".split(),
    )
)
LATE_CLOSURE = date(2026, 8, 27)  # the packaged calendar does not know it
DRILL = date(2026, 9, 19)  # a Saturday of two blocks, which it does not know either
MUHURAT = date(2026, 11, 8)  # it knows the date, not the hours
LISTED_LATE = date(2027, 1, 4)  # when the exchange lists 2027, which has two sessions by then
SPECIAL = {
    date(2026, 2, 1): (ERAS[2][1], "15:45"),
    DRILL: ((("09:15", "10:00", OPEN), ("11:30", "12:30", OPEN)), "12:45"),
    MUHURAT: ((("18:00", "19:00", OPEN),), "19:15"),
}


class Window(NamedTuple):
    """One stretch of trading; `closes` does not belong to it."""

    opens: datetime
    closes: datetime
    phase: str


class Session(NamedTuple):
    """One day's trading."""

    date: date
    windows: tuple[Window, ...]
    settles: datetime

    @property
    def opens(self) -> datetime:
        """When trading begins."""
        return self.windows[0].opens

    @property
    def closes(self) -> datetime:
        """When the last price is made."""
        return self.windows[-1].closes

    def phase(self, moment: datetime) -> str | None:
        """Return "open" or "auction"; None outside of the windows."""
        found = (window.phase for window in self.windows if window.opens <= moment < window.closes)
        return next(found, None)


def at(day: date, clock: str) -> datetime:
    """Return a time of a day in the exchange's zone."""
    return datetime.combine(day, time.fromisoformat(clock), ZONE)


def session(day: date) -> Session | None:
    """Return what was traded on a day."""
    if day in SPECIAL:
        windows, settles = SPECIAL[day]
    elif day.weekday() > 4 or day in HOLIDAYS or day == LATE_CLOSURE:
        return None
    else:
        windows, settles = next((windows, settles) for since, windows, settles in ERAS if since <= day)
    made = tuple(Window(at(day, opens), at(day, closes), phase) for opens, closes, phase in windows)
    assert all(one.closes <= other.opens for one, other in pairwise(made))
    return Session(day, made, at(day, settles))


def days(first: date = FIRST, last: date = LAST) -> list[date]:
    """Return every date, both ends included."""
    return [first + timedelta(days=number) for number in range((last - first).days + 1)]


def sessions(first: date = FIRST, last: date = LAST) -> list[Session]:
    """Return every session in order."""
    return [found for day in days(first, last) if (found := session(day))]
