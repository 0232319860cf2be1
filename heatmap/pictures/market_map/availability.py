"""The history's periods and modes that a reader can choose, and from when the others have values. Pure."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from heatmap.analysis import modes
from heatmap.history.period_starts import YEAR_TO_DATE
from heatmap.market import periods
from heatmap.market.calendar import phases
from heatmap.pictures import wording
from heatmap.pictures.market_map.history_data import SHORTEST_MOMENTUM, periods_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from heatmap.market.calendar.phases import Calendar
    from heatmap.pictures.market_map.past import HistoryView

LONGEST_WAIT_DAYS = 500  # how far ahead the calendar is searched for sessions


def describe_missing(
    past: HistoryView, document: Mapping[str, Any], calendar: Calendar
) -> dict[str, list[tuple[str, str, str]]]:
    """Return the page's choices before history.json is loaded: periods and modes as (name, label, reason).

    The reason is "" if `document`, which becomes history.json, has the period or mode. Else it says from
    when there are enough sessions, by the market's calendar. An empty history gives an empty result.
    """
    if not (past.earlier_sessions.dates or len(past.replay_track.minutes) > 1):
        return {}
    waits = _count_waits(past)

    def reason(kind: str, name: str) -> str:
        return "" if name in document[kind] else _describe_wait(past, calendar, name, waits.get(name))

    return {
        "periods": [
            (name, period.label, reason("periods", name)) for name, period in periods_of(past).items()
        ],
        "modes": [
            (mode.name, mode.label, reason("modes", mode.name)) for mode in modes.HISTORY_MODES.values()
        ],
    }


def _count_waits(past: HistoryView) -> dict[str, int | None]:
    """Return after how many sessions each period and mode has values; None: waiting alone is not enough."""
    earlier = past.earlier_sessions
    bases = {name: base.sessions_to_wait for name, base in earlier.starts.items()}
    lengths = {name: period.sessions for name, period in periods_of(past).items()}
    long = [wait for name, wait in bases.items() if wait and lengths.get(name, 0) >= SHORTEST_MOMENTUM]
    return bases | {
        "bands": max(periods.BAND_SESSIONS - 1 - earlier.consecutive, 1),
        "momentum": min(long, default=None),
        "volume": None if earlier.dates else 1,
        "streak": None if earlier.dates else 1,
    }


def _describe_wait(past: HistoryView, calendar: Calendar, name: str, wait: int | None) -> str:
    """Return from when a period or mode has values, in a reader's words."""
    if wait is None:
        if name == YEAR_TO_DATE:
            return f"from {past.session.year + 1}"
        mode = modes.HISTORY_MODES.get(name)
        return f"it takes {mode.required_data}" if mode else "the closes that it needs are unknown"
    day, left = past.session, wait
    for _ in range(LONGEST_WAIT_DAYS):
        day += timedelta(days=1)
        if phases.is_presumed(calendar, day):
            break  # after the calendar's end holidays are unknown
        left -= calendar.always or phases.session_on(calendar, day) is not None
        if not left:
            return f"from {wording.format_day(day)}"
    return f"after {wait} more sessions"
