"""The context of a drawing beside the figures: its market, its phase, other pages and other days."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from datetime import date, datetime

    from heatmap.market.calendar.session import MarketStatus
    from heatmap.market.quotes import Breadth


class ArchivedDay(NamedTuple):
    """A session as it ended. A session without a final map has only its date and its breadth."""

    date: date
    breadth: Breadth
    page: str | None = None  # when its final map was made, as ISO text; None: it has no map of its own
    strongest: tuple[str, float] | None = None  # symbol, percent change
    weakest: tuple[str, float] | None = None


class DayLinks(NamedTuple):
    """The links from a page to other days' maps."""

    previous: date | None  # the newest earlier day that has a map; None: there is none
    permanent: date | None = None  # the day if the page is its permanent map; None: it is the live page
    has_feed: bool = False


@dataclass(frozen=True, slots=True)
class PageContext:
    """The context of one drawing beside the figures."""

    market: str  # its name in the configuration, which is also its folder
    title: str
    time_zone: str  # IANA name
    generated_at: datetime  # aware
    status: MarketStatus
    interval_minutes: int  # the time between two pages
    markets: tuple[str, ...] = ()  # the names of all markets that have pages, with this one
    public_url: str | None = None  # the pages' public address, with a slash at the end; None: unknown
    days: DayLinks | None = None  # None: there is no archive
    calendar_end: datetime | None = None  # from then on the calendar has no dates; None: it has no end
