"""Whether a market is due for a page, and whether what its source says is a veto. Pure."""

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

LATE_FIGURES = timedelta(minutes=15)  # by which a source may be late with the closing prices
ALWAYS_OPEN_TOLERANCE = timedelta(days=1)  # how old figures may be in a market that never closes


def is_due(status: MarketStatus, memory: Memory, *, interactive: bool) -> bool:
    """Whether to ask the source at all."""
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
    """Return the markets whose last final owes parts (see `parts`) that this run is to try again.

    That is so in the rest of the final's evening, and later in the first run of each hour that publishes a
    page of the market. `published` names the markets whose page this run has published.
    """
    found = []
    for market, status in statuses:
        memory = state[market.name]
        if not final_parts.find_missing(config, memory):
            continue
        session = status.session
        if status.phase is Phase.FINAL and session and session.date.isoformat() == memory.closed_date:
            # A run that makes the whole final again does all of it.
            if has_final(status, memory) and market.name not in published:
                found.append(market)
        elif market.name in published:
            hour = now.astimezone(ZoneInfo(market.calendar.time_zone)).isoformat()[:13]
            if hour != (memory.published_at or "")[:13]:
                found.append(market)
    return found


def has_final(status: MarketStatus, memory: Memory) -> bool:
    """Whether the session's closing page is at every target."""
    return status.session is not None and memory.final_date == status.session.date.isoformat()


def find_final(status: MarketStatus, memory: Memory, snapshot: Snapshot) -> str | None:
    """Say that the closing page is out and that these figures do not take its place; None where they do."""
    if status.phase is not Phase.FINAL or not has_final(status, memory):
        return None
    if is_later_final(status, memory, snapshot):
        return None
    return "the closing page has these figures, or newer ones"


def is_later_final(status: MarketStatus, memory: Memory, snapshot: Snapshot) -> bool:
    """Whether the closing page is out, of early figures, and is to be made again of these."""
    from heatmap.system import parsing

    early = parsing.aware_datetime(memory.early_final)
    is_later = early is not None and snapshot.as_of > early and not snapshot.unadjusted
    return is_later and status.phase is Phase.FINAL and has_final(status, memory)


def find_early_final(status: MarketStatus, as_of: datetime) -> str | None:
    """Return the time of a closing page's figures, as ISO text, where it lies before prices had settled.

    Then later figures may follow, and the page is made again of them. None where they are the last ones.
    """
    settles = status.session.settles if status.session else None
    is_early = status.phase is Phase.FINAL and settles is not None and as_of < settles
    return as_of.isoformat() if is_early else None


def is_settled(status: MarketStatus, memory: Memory, now: datetime) -> bool:
    """Whether a closing page of early figures has been out for so long that prices have settled since.

    However wrong this machine's clock is: what counts is the time since the page was published.
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
    """Whether the moment lies before the calendar begins, of which nothing is known or presumed."""
    return status.phase is Phase.UNKNOWN and status.session is None


def idle_until(judged: Sequence[tuple[Calendar, MarketStatus]], now: datetime) -> datetime | None:
    """Return when the first of some markets may be due that are not due at `now`; None: not known.

    Where the next opening is not known, the next date of the market's zone may have a session of unknown
    hours, or may be the first one for which the exchange's holiday list is to be asked.
    """
    ends = []
    for calendar, status in judged:
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
    known = [end for end in ends if end is not None]
    return min(known) if len(known) == len(judged) else None


def veto(status: MarketStatus, snapshot: Snapshot, now: datetime, zone: ZoneInfo) -> str | None:
    """Say why these figures do not belong to this phase; None where they do."""
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
    # After the close every body says closed, so its status counts only where trading is continuous.
    if status.phase is Phase.OPEN and snapshot.is_open is False:
        return "the source says that the market is not open"
    if status.phase is Phase.UNKNOWN and not snapshot.is_open and not _is_auction(status, now):
        return "the source does not confirm that the market is open"
    return None


def _is_auction(status: MarketStatus, now: datetime) -> bool:
    """Whether the closing auction of a presumed session is on: then, too, the date alone counts."""
    windows = status.session.windows if status.session else ()
    return any(window.opens <= now < window.closes and window.phase is Phase.AUCTION for window in windows)


def _is_early(status: MarketStatus, snapshot: Snapshot) -> bool:
    """Whether figures came from an installation that drew them before prices had settled."""
    if snapshot.relayed_phase in (None, Phase.FINAL) or status.session is None:
        return False
    settles = status.session.settles
    return settles is not None and snapshot.as_of < settles


def _dates(status: MarketStatus, zone: ZoneInfo) -> set[date]:
    """Return the dates on which figures of this session may be stamped: two where it runs over midnight."""
    session = status.session
    if session is None:
        return set()
    return {session.date, *(window.closes.astimezone(zone).date() for window in session.windows)}
