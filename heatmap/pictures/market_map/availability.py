"""What of the history a reader can choose, and from when on what there is nothing of yet. Pure."""

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

LONGEST_WAIT_DAYS = 500  # that the calendar is searched for sessions to come


def describe_missing(
    past: HistoryView, document: Mapping[str, Any], calendar: Calendar
) -> dict[str, list[tuple[str, str, str]]]:
    """Return what the page offers before history.json is loaded: periods and modes as name, label, reason.

    The reason is "" for those that `document`, which becomes history.json, has. For the others it tells a
    reader from when on there are sessions enough, by the market's calendar. Nothing is offered as long as
    the history holds nothing.
    """
    if not (past.digest.dates or len(past.tape.minutes) > 1):
        return {}
    waits = _waits(past)

    def reason(what: str, name: str) -> str:
        return "" if name in document[what] else _available(past, calendar, name, waits.get(name))

    return {
        "periods": [(name, over.label, reason("periods", name)) for name, over in periods_of(past).items()],
        "modes": [
            (mode.name, mode.label, reason("modes", mode.name)) for mode in modes.HISTORY_MODES.values()
        ],
    }


def _waits(past: HistoryView) -> dict[str, int | None]:
    """Return after how many sessions each period and mode has values; None: not by waiting alone."""
    digest = past.digest
    bases = {name: base.sessions_to_wait for name, base in digest.starts.items()}
    lengths = {name: period.sessions for name, period in periods_of(past).items()}
    long = [wait for name, wait in bases.items() if wait and lengths.get(name, 0) >= SHORTEST_MOMENTUM]
    return bases | {
        "bands": max(periods.BAND_SESSIONS - 1 - digest.consecutive, 1),
        "momentum": min(long, default=None),
        "volume": None if digest.dates else 1,
        "streak": None if digest.dates else 1,
    }


def _available(past: HistoryView, calendar: Calendar, name: str, wait: int | None) -> str:
    """Tell a reader from when on a period or mode has values."""
    if wait is None:
        if name == YEAR_TO_DATE:
            return f"from {past.session.year + 1}"
        mode = modes.HISTORY_MODES.get(name)
        return f"it takes {mode.required_data}" if mode else "the closes that it takes are not known"
    day, left = past.session, wait
    for _ in range(LONGEST_WAIT_DAYS):
        day += timedelta(days=1)
        if phases.is_presumed(calendar, day):
            break  # past the calendar's end holidays are not known
        left -= calendar.always or phases.session_on(calendar, day) is not None
        if not left:
            return f"from {wording.format_day(day)}"
    return f"after {wait} more sessions"
