"""Finds the session of figures, and the market's name in the history. Pure."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from heatmap.market.calendar import phases
from heatmap.market.calendar.session import Phase

if TYPE_CHECKING:
    from datetime import datetime

    from heatmap.market.calendar.phases import Calendar
    from heatmap.market.calendar.session import MarketStatus

RECORDED_PHASES = (Phase.OPEN, Phase.AUCTION, Phase.FINAL, Phase.UNKNOWN)


def name_in_history(market: str, *, is_recording: bool) -> str:
    """Return a market's name in the history, where a recording is never among the live figures."""
    return f"{market}:recording" if is_recording else market


def find_session_before(calendar: Calendar, session: date) -> date | None:
    """Return the date of the session before another one; None if the calendar has none."""
    days = (session - timedelta(days=back) for back in range(1, phases.LONGEST_BREAK_DAYS))
    return next((day for day in days if calendar.always or phases.session_on(calendar, day)), None)


def find_session(calendar: Calendar, as_of: datetime, status: MarketStatus) -> date:
    """Return the date of the figures' session."""
    if status.phase in RECORDED_PHASES and status.session:
        return status.session.date
    # The market is closed, and drawn despite that: the newest session that had begun by then.
    day = as_of.astimezone(ZoneInfo(calendar.time_zone)).date()
    for earlier in (day, day - timedelta(days=1)):
        session = phases.session_on(calendar, earlier)
        if session and session.windows and session.windows[0].opens <= as_of:
            return earlier
    return day
