"""The values of a market's day: its identity, phases, windows, sessions and status.

A run in a closed market imports this module only, so it is separate from `quotes`. The values are tuples,
because defining a dataclass takes five times as long.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from datetime import date, datetime


class MarketIdentity(NamedTuple):
    """A market's name, its title and its time zone."""

    name: str  # as in the configuration; also the name of its folder
    title: str  # of its page
    time_zone: str  # IANA


class Phase(StrEnum):
    """The state of a market at one moment.

    CLOSED: before the open, between two windows of a day, on closed days.
    OPEN: continuous trading. AUCTION: the closing auction; its one price comes at its end.
    SETTLING: trading is over, but prices may still be corrected.
    FINAL: from the session's settle time to midnight in the market's zone.
    UNKNOWN: in the usual hours of a weekday past the calendar's end, or in a listed session whose hours
    are not known.
    """

    CLOSED = "closed"
    OPEN = "open"
    AUCTION = "auction"
    SETTLING = "settling"
    FINAL = "final"
    UNKNOWN = "unknown"


class Window(NamedTuple):
    """One time of trading. `opens` belongs to it, `closes` does not. Both are aware."""

    opens: datetime
    closes: datetime
    phase: Phase  # OPEN or AUCTION


class Session(NamedTuple):
    """One trading session. `date` is the day on which it opens, in the market's zone.

    `windows` are in time order and do not overlap. If the session is announced but its hours are not known,
    there are no windows and `settles` is None.
    """

    date: date
    windows: tuple[Window, ...]
    settles: datetime | None
    name: str | None = None  # of a special session; None for an ordinary day


class MarketStatus(NamedTuple):
    """The status of a market at one moment, by its calendar.

    `session` is the session of the phase: today's in the market's zone, or one that still runs overnight.
    None on a day without a session.
    `next_open` is the next start of trading, later than the moment. None if the calendar does not know it,
    and in a market that never closes.
    `reason` is a sentence for people. `past_calendar` is True after the calendar's end: then each weekday is
    presumed to have a session in the last known hours.
    `next_regular_open` is `next_open` if that is known. Else it is the next start with known or presumed
    hours: newer figures come at that time or before.
    """

    phase: Phase
    session: Session | None
    next_open: datetime | None
    reason: str
    past_calendar: bool = False
    next_regular_open: datetime | None = None
