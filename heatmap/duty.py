"""Whether a market is due for a page, and whether what its source says is a veto. Pure."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from heatmap.session import Phase

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date, datetime
    from zoneinfo import ZoneInfo

    from heatmap.model import Snapshot
    from heatmap.session import Verdict
    from heatmap.state import Memory

ALWAYS_OPEN_TOLERANCE = timedelta(days=1)  # how old figures may be in a market that never closes


def is_due(verdict: Verdict, memory: Memory, *, interactive: bool) -> bool:
    """Whether to ask the source at all."""
    if verdict.phase in (Phase.OPEN, Phase.AUCTION):
        return True
    if verdict.phase is Phase.FINAL and verdict.session:
        return memory.final_date != verdict.session.date.isoformat()
    if verdict.phase is Phase.UNKNOWN and not verdict.past_calendar:
        return True
    return interactive and memory.published_at is None


def idle_until(verdicts: Sequence[Verdict]) -> datetime | None:
    """Return when the first of some markets may be due that are not now; None where that is not known."""
    ends = []
    for verdict in verdicts:
        if verdict.phase is Phase.SETTLING and verdict.session:
            ends.append(verdict.session.settles)
        elif verdict.phase in (Phase.CLOSED, Phase.FINAL):
            ends.append(verdict.next_open)
        else:
            return None
    known = [end for end in ends if end is not None]
    return min(known) if len(known) == len(verdicts) else None


def veto(verdict: Verdict, snapshot: Snapshot, now: datetime, zone: ZoneInfo) -> str | None:
    """Say why these figures do not belong to this phase; None where they do."""
    if verdict.phase not in (Phase.OPEN, Phase.AUCTION, Phase.FINAL, Phase.UNKNOWN) or verdict.past_calendar:
        return f"the market is {verdict.phase}"
    dated = snapshot.as_of.astimezone(zone).date()
    if verdict.session is None:
        if now - snapshot.as_of > ALWAYS_OPEN_TOLERANCE:
            return f"the figures are of {dated}, not of today"
    elif dated not in _dates(verdict, zone):
        return f"the figures are of {dated}, not of the session of {verdict.session.date}"
    if verdict.phase is Phase.FINAL and _is_early(verdict, snapshot):
        return "the other installation does not have the closing prices yet"
    # After the close every body says closed, so its status counts only where trading is continuous.
    if verdict.phase is Phase.OPEN and snapshot.is_open is False:
        return "the source says that the market is not open"
    if verdict.phase is Phase.UNKNOWN and not snapshot.is_open:
        return "the source does not confirm that the market is open"
    return None


def _is_early(verdict: Verdict, snapshot: Snapshot) -> bool:
    """Whether figures came from an installation that drew them before prices had settled."""
    if snapshot.relayed in (None, Phase.FINAL) or verdict.session is None:
        return False
    settles = verdict.session.settles
    return settles is not None and snapshot.as_of < settles


def _dates(verdict: Verdict, zone: ZoneInfo) -> set[date]:
    """Return the dates on which figures of this session may be stamped: two where it runs over midnight."""
    session = verdict.session
    if session is None:
        return set()
    return {session.date, *(window.closes.astimezone(zone).date() for window in session.windows)}
