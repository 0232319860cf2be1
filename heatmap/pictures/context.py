"""What a page must know beyond the figures: its market, its phase, other pages and other days."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from datetime import date, datetime

    from heatmap.market.calendar.session import MarketStatus
    from heatmap.market.quotes import Breadth


class ArchivedDay(NamedTuple):
    """A session as it ended. What is None or empty is only known of sessions whose final map was drawn."""

    date: date
    breadth: Breadth
    page: str | None = None  # when its map was made, as ISO text; None: it has no map of its own
    strongest: tuple[str, float] | None = None  # symbol, percent change
    weakest: tuple[str, float] | None = None


class DayLinks(NamedTuple):
    """The way from a page to other days' maps."""

    before: date | None  # the newest day before this page's that has a map; None: there is none
    of: date | None = None  # the day that the page is the lasting map of; None: it is the live page
    feed: bool = False  # whether there is a feed


@dataclass(frozen=True, slots=True)
class PageContext:
    """The circumstances of one drawing: what a page must know beyond the figures."""

    market: str  # its name in the configuration, which is also its folder
    title: str
    time_zone: str  # IANA name
    generated_at: datetime  # aware
    verdict: MarketStatus
    interval_minutes: int  # how often a new page is to be expected
    markets: tuple[str, ...] = ()  # the names of all markets there are pages of, this one among them
    public_url: str | None = None  # where visitors find the pages, with a slash at the end; None: not known
    days: DayLinks | None = None  # None: there is no archive
    calendar_end: datetime | None = None  # from when on the calendar knows nothing; None: it has no end
