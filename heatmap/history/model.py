"""The values that the history stores and returns. Tuples without behaviour."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date, datetime

    from heatmap.market.calendar.session import Phase


class TickRow(NamedTuple):
    """One instrument at one tick of a session. None: unknown.

    The highest and lowest price of the session so far are stored too. Last prices of every fifth minute alone
    would give too narrow a range of the first quarter of an hour.
    """

    last_price: float | None
    percent_change: float | None  # 1.5 means +1.5 %
    high: float | None
    low: float | None
    volume: float | None  # shares, since the session began
    turnover: float | None  # money traded, since the session began


class Tick(NamedTuple):
    """One tick of a session."""

    as_of: datetime  # the time of the figures at the source, in UTC
    phase: Phase
    rows: Mapping[str, TickRow]  # by symbol, in the source's order


class EncodedTick(NamedTuple):
    """A tick as it is stored; `tick_codec.decode` returns the rows of its figures."""

    as_of: datetime  # in UTC
    phase: Phase
    figures: bytes


class Series(NamedTuple):
    """One figure of each instrument over some sessions."""

    dates: tuple[date, ...]  # oldest first
    values: Mapping[str, tuple[float | None, ...]]  # by symbol, one for each date; None: not known


class AddResult(NamedTuple):
    """The result of adding a tick to the store."""

    is_new: bool  # False: a tick of the same `as_of` was stored already
    bars: int  # the number of daily bars it made; 0 unless it is the session's newest final
    newer_as_of: datetime | None = None  # of a newer stored tick of the same session, in UTC; None: none


class MarketStats(NamedTuple):
    """How much the store has of one market. None: nothing."""

    market: str
    sessions: int  # with daily bars
    first: date | None
    last: date | None
    ticks: int
    first_tick: datetime | None  # in UTC
    last_tick: datetime | None


class PruneResult(NamedTuple):
    """How much was deleted."""

    ticks: int
    sessions: int  # with their daily bars


class PeriodStart(NamedTuple):
    """The start of a period: its changes count from the closes of a session."""

    sessions: int  # the length of the period, this session included
    date: date | None  # the session of these closes; None: not in the history
    reason_missing: str  # a sentence for the operator on why `date` is None; else ""
    closes: Mapping[str, float]  # by symbol, on the terms of the last session before this one
    adjusted_symbols: frozenset[str]  # whose close was adjusted for a later split or bonus
    # By symbol: count, mean and sum of squared deviations of the daily changes in %, without this session's.
    spreads: Mapping[str, Sequence[float]]
    sessions_to_wait: int | None = None  # until `date` is known; None: it is known, or not before next year


class TermsBreak(NamedTuple):
    """A session before which an instrument's prices are not comparable with today's."""

    date: date  # of the first session on known terms
    is_gap: bool  # True: sessions before it are missing, and the price changed much; False: the terms changed


class PendingAction(NamedTuple):
    """A corporate action that the user should confirm: an unexplained or a probable one."""

    symbol: str
    date: date  # the first session on the new terms
    factor: str | None  # "1/5"; None: unexplained
    sentence: str  # the evidence and its consequence


class EarlierSessions(NamedTuple):
    """A summary of the sessions before one, on the terms of the last of them. It stays the same all day."""

    dates: tuple[date, ...]  # the last sessions, oldest first; some may be missing in the history
    consecutive: int  # how many sessions in a row, up to the last, have bars
    gap: date | None  # the newest session without bars that follows sessions with bars
    closes: Mapping[str, Sequence[float | None]]  # by symbol, one for each date
    # By symbol, one for each date: the factor of its prices; None: not known. Without symbols whose factors
    # all are 1.
    factors: Mapping[str, Sequence[float | None]]
    breaks: Mapping[str, TermsBreak]  # by symbol
    guesses: Mapping[str, date]  # by symbol: the date of its newest action that is only probable
    pending: Sequence[PendingAction]  # by symbol and date
    starts: Mapping[str, PeriodStart]  # by the period's name
    streaks: Mapping[str, int]  # consecutive sessions of the same sign, negative for losses
    volumes: Mapping[str, float]  # shares a session, the mean


class UsualVolumes(NamedTuple):
    """The usual volumes by this time of day."""

    volumes: Mapping[str, float]  # shares, by symbol
    by_time: int  # how many are medians of earlier sessions; the others are shares of a whole day's volume
    sessions: int  # how many sessions have ticks by this time


class OpeningRange(NamedTuple):
    """The range of a session's first minutes."""

    ranges: Mapping[str, tuple[float, float]]  # low and high, by symbol
    reason_missing: str = ""  # a sentence on why the range is not known; "" where it is known
