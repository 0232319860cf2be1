"""The end of a session for the list of days: from its last quotes, or from the history's bars."""

from __future__ import annotations

from typing import TYPE_CHECKING

from heatmap.analysis import measures
from heatmap.market.quotes import Breadth
from heatmap.pictures.context import ArchivedDay

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date, datetime

    from heatmap.market.bars import Bar
    from heatmap.market.quotes import Quote


def find_session_end(quotes: Sequence[Quote], session: date, now: datetime) -> ArchivedDay:
    """Return a session by its last quotes, with a page of now."""
    changes = measures.percent_changes(quotes)
    order = measures.rank(quotes, changes)
    ends = [(quotes[index].symbol, change) for index in order if (change := changes[index]) is not None]
    return ArchivedDay(
        session,
        measures.breadth(changes),
        now.isoformat(timespec="seconds"),
        ends[0] if ends else None,
        ends[-1] if ends else None,
    )


def read_breadths(bars: Sequence[Bar], sessions: set[date]) -> Mapping[date, ArchivedDay]:
    """Return the breadth of these sessions, without stocks whose previous close is on unknown terms."""
    from heatmap.history.corporate_actions import judge_terms

    changes: dict[date, list[float]] = {day: [] for day in sessions}
    for bar in bars:
        if bar.date not in changes:
            continue
        change = measures.percent_change(bar.close, judge_terms(bar).previous_close)
        if change is not None:
            changes[bar.date].append(change)
    return {day: ArchivedDay(day, Breadth(*measures.breadth(own))) for day, own in changes.items() if own}
