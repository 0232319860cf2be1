"""The figures of a market at one moment, as a source gives them. All values are frozen."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date, datetime, timedelta

    from heatmap.market.calendar.session import Phase


@dataclass(frozen=True, slots=True)
class Change:
    """A percent change over a longer period. None: the source does not know."""

    percent: float | None
    since: date | None


@dataclass(frozen=True, slots=True)
class Quote:
    """One instrument's figures. None means that the source does not know it. It is never 0."""

    symbol: str
    percent_change: float | None  # 1.5 means +1.5 %; the source's own figure, unchanged
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
    is_open: bool | None = None  # as the source's body says; None: it says nothing
    dropped: int = 0  # rows left out: duplicates, no usable percent change or symbol
    recording: bool = False  # True for a replayed recorded day: these are no live figures
    relayed_phase: Phase | None = (
        None  # the phase in which another installation drew it; None: it comes from the exchange
    )
    unadjusted: bool = False  # whether previous closes may be on the terms of the session before
    # By how much the source's clock was ahead of this machine's when it responded; None: not known.
    clock_offset: timedelta | None = field(default=None, compare=False)


class Breadth(NamedTuple):
    """The numbers of instruments that rose, fell and did not change."""

    advances: int
    declines: int
    unchanged: int
