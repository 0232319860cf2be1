"""What travels between the stages of a tick: frozen values without behaviour of their own.

What a source gives are dataclasses; what is made of it are tuples, which are cheaper to define.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date, datetime, timedelta

    from heatmap.session import Phase, Verdict


@dataclass(frozen=True, slots=True)
class Change:
    """A percent change over a longer period. None: the source does not know."""

    percent: float | None
    since: date | None


@dataclass(frozen=True, slots=True)
class Quote:
    """One instrument's figures. None means that the source does not know; it never stands for 0."""

    symbol: str
    percent_change: float | None  # 1.5 means +1.5 %; the source's own figure, as given
    name: str | None = None
    sector: str | None = None
    last_price: float | None = None
    previous_close: float | None = None
    open: float | None = None
    high: float | None = None
    low: float | None = None
    volume: float | None = None  # shares
    turnover: float | None = None  # money traded, in the market's currency
    free_float_market_cap: float | None = None  # in the market's currency
    year_high: float | None = None
    year_low: float | None = None
    changes: Mapping[str, Change] = field(default_factory=dict)  # by period: "1mo", "1y"
    # By period, "1d" too: a sentence on why the percent change is unknown although the source gave figures.
    doubts: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A whole market at one moment, in the order the source gave it."""

    source: str  # the plugin's name; of a relayed snapshot, the name of its origin
    as_of: datetime  # when the figures were true at the source; aware
    quotes: tuple[Quote, ...]  # at least one; symbols are unique
    currency: str | None = None  # ISO 4217
    is_open: bool | None = None  # what the body says of itself; None where it says nothing
    dropped: int = 0  # rows left out: duplicates, no usable percent change or symbol
    recording: bool = False  # True for a recorded day replayed: never to be taken for live figures
    relayed: Phase | None = None  # the phase in which another installation drew it; None: it is first-hand
    unadjusted: bool = False  # whether previous closes may be on the terms of the session before
    # By how much the source's clock was ahead of this machine's when it answered; None: it did not tell.
    clock_offset: timedelta | None = field(default=None, compare=False)


class Breadth(NamedTuple):
    """How many instruments rose, fell and stood still."""

    advances: int
    declines: int
    unchanged: int


class Scale(NamedTuple):
    """One way to shade a reading. Shades are places in a ramp of `colours`, in the reading's order."""

    name: str  # "rank", "percentile", or how many times the usual clamp: "0.5", "1", "2"
    shades: tuple[int, ...]  # of the known values only
    clamp: float | None = None  # how far from the centre the strongest shades begin; None: never clipped
    clipped: tuple[int, int] = (0, 0)  # how many values lie beyond the clamp, above and below


class Reading(NamedTuple):
    """A market read in one mode over one period, in that reading's own order.

    `order` are positions in the snapshot's quotes: value descending, ties by symbol, unknown last.
    `values`, `percentiles` (0 to 100), `scores` (σ) and the scales' shades follow it, of the known
    values only; where fewer than three are known, there are no percentiles and scores.
    """

    mode: str
    period: str
    order: tuple[int, ...]
    values: tuple[float, ...]
    percentiles: tuple[float, ...]
    scores: tuple[float, ...]
    scales: tuple[Scale, ...]


class Cell(NamedTuple):
    """One instrument as it is drawn: its value in the mode, its fill and an ink readable on it (#rrggbb)."""

    quote: Quote
    value: float | None
    fill: str
    ink: str


class LegendStop(NamedTuple):
    """One swatch of the legend and the value it stands for; None where only the side counts."""

    fill: str
    value: float | None


class Table(NamedTuple):
    """A market set in rows in a reading's order, left to right, then down."""

    rows: tuple[tuple[Cell, ...], ...]
    columns: int
    breadth: Breadth  # of the day
    legend: tuple[LegendStop, ...]  # from the lowest value to the highest

    @property
    def cells(self) -> tuple[Cell, ...]:
        """All cells in drawing order."""
        return tuple(cell for row in self.rows for cell in row)


class Group(NamedTuple):
    """One sector of a reading. `members` are places in the reading's order; the sector None has no name."""

    sector: str | None
    members: tuple[int, ...]
    median: float | None  # of the known values, in the mode's unit
    breadth: Breadth  # of the reading's period


class Rectangle(NamedTuple):
    """A place on a picture, from its top left corner; in the unit that the picture says."""

    x: float
    y: float
    width: float
    height: float


class Treemap(NamedTuple):
    """Rectangles in a picture of `width` by `height` pixels.

    `tiles` are positions in the snapshot's quotes, `places` their rectangles; `headings` are the strips
    that name a sector, where there is room for one.
    """

    width: float
    height: float
    tiles: tuple[int, ...]
    places: tuple[Rectangle, ...]
    headings: tuple[tuple[str, Rectangle], ...]


class Day(NamedTuple):
    """A session as it ended. What is None or empty is only known of sessions whose final map was drawn."""

    date: date
    breadth: Breadth
    page: str | None = None  # when its map was made, as ISO text; None: it has no map of its own
    strongest: tuple[str, float] | None = None  # symbol, percent change
    weakest: tuple[str, float] | None = None


class Days(NamedTuple):
    """The way from a page to other days' maps."""

    before: date | None  # the newest day before this page's that has a map; None: there is none
    of: date | None = None  # the day that the page is the lasting map of; None: it is the live page
    feed: bool = False  # whether there is a feed


@dataclass(frozen=True, slots=True)
class Occasion:
    """The circumstances of one drawing: what a page must know beyond the figures."""

    market: str  # its name in the configuration, which is also its folder
    title: str
    time_zone: str  # IANA name
    generated_at: datetime  # aware
    verdict: Verdict
    interval_minutes: int  # how often a new page is to be expected
    markets: tuple[str, ...] = ()  # the names of all markets there are pages of, this one among them
    public_url: str | None = None  # where visitors find the pages, with a slash at the end; None: not known
    days: Days | None = None  # None: there is no archive
    calendar_end: datetime | None = None  # from when on the calendar knows nothing; None: it has no end


@dataclass(frozen=True, slots=True)
class Page:
    """One file to be published, by its path relative to the target's folder ("nse-fno/index.html").

    `part` is the part that it belongs to (see `parts`), "" for the page and the files that it shows. A file
    of a part may fail without failing the target; then the rest of that market's part is left out, too.
    `needs` is a part of the same market that the file links to: it is not put where that part failed.
    """

    path: str
    content: bytes
    part: str = ""
    needs: str = ""

    @property
    def market(self) -> str:
        """The market whose folder the file goes into; "" for the page above all markets."""
        return self.path.rpartition("/")[0].partition("/")[0]
