"""What a market is called, and what its day is made of: phases, windows, sessions, the guard's verdict.

Apart from `model`, because a tick in a closed market needs these and nothing else; and tuples, because
making a dataclass costs five times as much, which such a tick would feel.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from datetime import date, datetime


class MarketIdentity(NamedTuple):
    """What a market is called, and by which clock its days go."""

    name: str  # as the configuration has it; also the name of its folder
    title: str  # of its page
    time_zone: str  # IANA


class Phase(StrEnum):
    """What a market is doing at one moment.

    CLOSED: before the open, between two windows of a day, on closed days.
    OPEN: continuous trading. AUCTION: the closing auction, whose single price comes at its end.
    SETTLING: trading is over, prices may still be corrected.
    FINAL: from the session's settle time to midnight in the market's zone.
    UNKNOWN: in the usual hours of a weekday past the calendar's end, or a listed session whose hours are
    not known.
    """

    CLOSED = "closed"
    OPEN = "open"
    AUCTION = "auction"
    SETTLING = "settling"
    FINAL = "final"
    UNKNOWN = "unknown"


class Window(NamedTuple):
    """One stretch of trading, half-open: `opens` belongs to it, `closes` does not. Both aware."""

    opens: datetime
    closes: datetime
    phase: Phase  # OPEN or AUCTION


class Session(NamedTuple):
    """One trading session, known by the date on which it opens in the market's zone.

    `windows` stand in time order and do not overlap; none where the session is announced but its
    hours are not known, and then `settles` is None.
    """

    date: date
    windows: tuple[Window, ...]
    settles: datetime | None
    name: str | None = None  # what makes it special; None for an ordinary day


class MarketStatus(NamedTuple):
    """The guard's answer for one moment.

    `session` is the session the phase speaks of (that of today in the market's zone, or the
    overnight one still running); None on a day without one.
    `next_open` is when trading starts next, strictly later than the moment asked about; None where
    the calendar does not know, and in a market that never closes.
    `reason` is a sentence for a person. `past_calendar` is True where the calendar has run out: then
    weekdays are presumed to have a session in the last known hours.
    `next_regular_open` is `next_open` where that is known. Else it is the next opening of which the hours
    are known or presumed: newer figures are due then at the latest.
    """

    phase: Phase
    session: Session | None
    next_open: datetime | None
    reason: str
    past_calendar: bool = False
    next_regular_open: datetime | None = None
