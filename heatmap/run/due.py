"""Decides whether a market is due for a page, and whether its source vetoes one. Pure."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from heatmap.market.calendar.session import Phase
from heatmap.run import final_parts

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from datetime import date

    from heatmap.config.loader import Config, Market
    from heatmap.market.calendar.phases import Calendar
    from heatmap.market.calendar.session import MarketStatus
    from heatmap.market.quotes import Snapshot
    from heatmap.state.memory import Memory, State

LATE_FIGURES = timedelta(minutes=15)  # the longest delay of a source's closing prices
ALWAYS_OPEN_TOLERANCE = timedelta(days=1)  # the greatest age of figures in a market that never closes


def is_due(status: MarketStatus, memory: Memory, *, interactive: bool) -> bool:
    """Whether the run fetches figures of this market."""
    if status.phase in (Phase.OPEN, Phase.AUCTION):
        return True
    if status.phase is Phase.FINAL and status.session:
        return not has_final(status, memory) or memory.early_final is not None
    if status.phase is Phase.UNKNOWN and status.session:
        return True
    return interactive and memory.published_at is None


def find_owing(
    config: Config,
    state: State,
    statuses: Sequence[tuple[Market, MarketStatus]],
    now: datetime,
    published: Collection[str] = (),
) -> list[Market]:
    """Return the markets of whose last final this run tries missing parts (see `parts`) again.

    All runs of the final's evening do so, and later the first run of each hour that publishes a page of the
    market. `published` names the markets whose page this run has published.
    """
    markets = []
    for market, status in statuses:
        memory = state[market.name]
        if not final_parts.find_missing(config, memory):
            continue
        session = status.session
        if status.phase is Phase.FINAL and session and session.date.isoformat() == memory.closed_date:
            # A run that draws the whole final again makes all its parts.
            if has_final(status, memory) and market.name not in published:
                markets.append(market)
        elif market.name in published:
            hour = now.astimezone(ZoneInfo(market.calendar.time_zone)).isoformat()[:13]
            if hour != (memory.published_at or "")[:13]:
                markets.append(market)
    return markets


def has_final(status: MarketStatus, memory: Memory) -> bool:
    """Whether the session's closing page is at every target."""
    return status.session is not None and memory.final_date == status.session.date.isoformat()


def find_final(status: MarketStatus, memory: Memory, snapshot: Snapshot) -> str | None:
    """Return why these figures do not replace a published closing page; None if they may be drawn."""
    if status.phase is not Phase.FINAL or not has_final(status, memory):
        return None
    if is_later_final(status, memory, snapshot.as_of, is_adjusted=not snapshot.unadjusted):
        return None
    return "the closing page has these figures, or newer ones"


def is_later_final(status: MarketStatus, memory: Memory, as_of: datetime, *, is_adjusted: bool) -> bool:
    """Whether the closing page has early figures, and those of `as_of` replace them.

    Figures that are not adjusted for corporate actions (`is_adjusted` False) do not.
    """
    from heatmap.system import parsing

    early = parsing.aware_datetime(memory.early_final)
    is_later = early is not None and as_of > early and is_adjusted
    return is_later and status.phase is Phase.FINAL and has_final(status, memory)


def find_early_final(status: MarketStatus, as_of: datetime) -> str | None:
    """Return the time of a closing page's figures, as ISO text, if prices had not settled yet.

    Then later figures may come, and the page is drawn again. None means that these figures are the last ones.
    """
    settles = status.session.settles if status.session else None
    is_early = status.phase is Phase.FINAL and settles is not None and as_of < settles
    return as_of.isoformat() if is_early else None


def is_settled(status: MarketStatus, memory: Memory, now: datetime) -> bool:
    """Whether prices have settled since a closing page with early figures was published.

    Only the time since then counts, so this holds even if this machine's clock is wrong.
    """
    from heatmap.system import parsing

    settles = status.session.settles if status.session else None
    as_of, published_at = (
        parsing.aware_datetime(memory.early_final),
        parsing.aware_datetime(memory.published_at),
    )
    if settles is None or as_of is None or published_at is None:
        return True
    return now - published_at >= settles - as_of + LATE_FIGURES


def is_uncovered(status: MarketStatus) -> bool:
    """Whether the calendar begins after this moment, so that nothing is known or presumed of it."""
    return status.phase is Phase.UNKNOWN and status.session is None


def idle_until(statuses: Sequence[tuple[Calendar, MarketStatus]], now: datetime) -> datetime | None:
    """Return until when none of these markets, which are not due at `now`, can be due; None: not known.

    If the next opening is not known, the next date in the market's zone may have a session of unknown hours,
    or may be the first date for which the holiday list of the exchange is needed.
    """
    ends = []
    for calendar, status in statuses:
        if status.phase is Phase.SETTLING and status.session:
            ends.append(status.session.settles)
        elif status.phase not in (Phase.CLOSED, Phase.FINAL):
            return None
        elif status.next_open:
            ends.append(status.next_open)
        else:
            today = now.astimezone(ZoneInfo(calendar.time_zone))
            tomorrow = datetime.combine(today.date() + timedelta(days=1), time(0), today.tzinfo)
            ends.append(min(tomorrow, status.next_regular_open or tomorrow))
    known_ends = [end for end in ends if end is not None]
    return min(known_ends) if len(known_ends) == len(statuses) else None


def veto(status: MarketStatus, snapshot: Snapshot, now: datetime, zone: ZoneInfo) -> str | None:
    """Return why these figures do not belong to this phase; None if they do."""
    if status.phase not in (Phase.OPEN, Phase.AUCTION, Phase.FINAL, Phase.UNKNOWN) or is_uncovered(status):
        return f"the market is {status.phase}"
    dated = snapshot.as_of.astimezone(zone).date()
    if status.session is None:
        if now - snapshot.as_of > ALWAYS_OPEN_TOLERANCE:
            return f"the figures are of {dated}, not of today"
    elif dated not in _dates(status, zone):
        return f"the figures are of {dated}, not of the session of {status.session.date}"
    if status.phase is Phase.FINAL and _is_early(status, snapshot):
        return "the other installation does not have the closing prices yet"
    # After the close every source says closed, so its status counts only during continuous trading.
    if status.phase is Phase.OPEN and snapshot.is_open is False:
        return "the source says that the market is not open"
    if status.phase is Phase.UNKNOWN and not snapshot.is_open and not _is_auction(status, now):
        return "the source does not confirm that the market is open"
    return None


def _is_auction(status: MarketStatus, now: datetime) -> bool:
    """Whether a presumed session is in its closing auction: then, too, only the date counts."""
    windows = status.session.windows if status.session else ()
    return any(window.opens <= now < window.closes and window.phase is Phase.AUCTION for window in windows)


def _is_early(status: MarketStatus, snapshot: Snapshot) -> bool:
    """Whether figures are from another installation, which drew them before prices had settled."""
    if snapshot.relayed_phase in (None, Phase.FINAL) or status.session is None:
        return False
    settles = status.session.settles
    return settles is not None and snapshot.as_of < settles


def _dates(status: MarketStatus, zone: ZoneInfo) -> set[date]:
    """Return the possible dates of this session's figures: two if it runs over midnight."""
    session = status.session
    if session is None:
        return set()
    return {session.date, *(window.closes.astimezone(zone).date() for window in session.windows)}
