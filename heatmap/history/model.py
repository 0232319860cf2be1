"""What the history keeps and gives back: ticks, and what became of them. Tuples without behaviour."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date, datetime

    from heatmap.market.calendar.session import Phase


class TickRow(NamedTuple):
    """One instrument at one moment of a session. None: unknown.

    The highest and lowest price of the session so far are kept too: with only the last prices of every
    fifth minute, the range of the first quarter of an hour would come out too narrow.
    """

    last_price: float | None
    percent_change: float | None  # 1.5 means +1.5 %
    high: float | None
    low: float | None
    volume: float | None  # shares, since the session began
    turnover: float | None  # money traded, since the session began


class Tick(NamedTuple):
    """What one tick left behind."""

    as_of: datetime  # when the figures were true at the source; in UTC
    phase: Phase
    rows: Mapping[str, TickRow]  # by symbol, in the source's order


class EncodedTick(NamedTuple):
    """What one tick left behind, as it is kept: `packing` makes a Moment's rows of its figures."""

    as_of: datetime  # in UTC
    phase: Phase
    figures: bytes


class Series(NamedTuple):
    """One figure of every instrument over some sessions."""

    dates: tuple[date, ...]  # oldest first
    values: Mapping[str, tuple[float | None, ...]]  # by symbol, one a date; None: not known of that session


class AddResult(NamedTuple):
    """What became of a tick that was handed to the store."""

    is_new: bool  # False: a tick of the same `as_of` was there already
    bars: int  # how many daily bars it made; 0 unless it is a session's newest final
    newer_as_of: datetime | None = None  # a newer tick of the same session that was there already, in UTC


class MarketStats(NamedTuple):
    """What the store holds of one market. None: nothing."""

    market: str
    sessions: int  # with daily bars
    first: date | None
    last: date | None
    ticks: int
    first_tick: datetime | None  # in UTC
    last_tick: datetime | None


class PruneResult(NamedTuple):
    """How much was forgotten."""

    ticks: int
    sessions: int  # with their daily bars


class PeriodStart(NamedTuple):
    """Where a period starts: the close that changes over it are counted from."""

    sessions: int  # how many the period has, this one included
    date: date | None  # the session of that close; None: not in the history
    reason_missing: str  # a sentence for the operator on why `date` is None; else ""
    closes: Mapping[str, float]  # by symbol, on the terms of the last session before this one
    adjusted_symbols: frozenset[str]  # whose close was adjusted for a later split or bonus
    # By symbol: count, mean and sum of squared deviations of the daily changes in %, this session's left out.
    spreads: Mapping[str, Sequence[float]]
    sessions_to_wait: int | None = None  # until `date` is known; None: it is known, or not before next year


class TermsBreak(NamedTuple):
    """Before which session an instrument's prices are not comparable with today's."""

    date: date  # of the first session that is on known terms
    is_gap: bool  # True: sessions before it are missing, and its price changed much; False: other terms


class PendingAction(NamedTuple):
    """An action that waits for its user's word: unexplained, or probable."""

    symbol: str
    date: date  # the first session on the new terms
    factor: str | None  # "1/5"; None: unexplained
    sentence: str  # on what was seen and what follows


class EarlierSessions(NamedTuple):
    """What the sessions before one come down to, on the terms of the last of them. The same all day long."""

    dates: tuple[date, ...]  # the last sessions there were, oldest first; not all need be in the history
    consecutive: int  # how many sessions in a row, up to the last, have bars
    gap: date | None  # the newest session that there are none of, though there are of older ones
    closes: Mapping[str, Sequence[float | None]]  # by symbol, one a date
    # By symbol, one a date: what its prices were multiplied by, None where that is not known. Missing where
    # it is 1 on all of them.
    factors: Mapping[str, Sequence[float | None]]
    breaks: Mapping[str, TermsBreak]  # by symbol
    guesses: Mapping[str, date]  # by symbol: when the newest action took effect that is only probable
    pending: Sequence[PendingAction]  # by symbol and date
    starts: Mapping[str, PeriodStart]  # by the period's name
    streaks: Mapping[str, int]  # sessions in a row with the same sign, negative for losses
    volumes: Mapping[str, float]  # shares a session, the mean


class UsualVolumes(NamedTuple):
    """What was traded by this time of day as a rule."""

    volumes: Mapping[str, float]  # shares, by symbol
    by_time: int  # of how many it is the median of earlier sessions; of others, a share of a whole day's
    sessions: int  # how many sessions with ticks by this time there were


class OpeningRange(NamedTuple):
    """The range of a session's first minutes."""

    ranges: Mapping[str, tuple[float, float]]  # low and high, by symbol
    reason_missing: str = ""  # a sentence on why the range is not known; "" where it is known
