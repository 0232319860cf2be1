"""Deletes old rows by the options, and counts the rows of each market."""

from __future__ import annotations

from datetime import date, datetime
from typing import TYPE_CHECKING, Any

from heatmap.history import sql
from heatmap.history.model import MarketStats, PruneResult

if TYPE_CHECKING:
    from heatmap.history.database import Cursor
    from heatmap.history.options import HistoryOptions


def prune(cursor: Cursor, options: HistoryOptions) -> PruneResult:
    """Delete ticks and bars that are older than the options allow."""
    ticks = sessions = 0
    for market in _read_markets(cursor):
        oldest = _fetch_text(cursor, sql.NTH_NEWEST_TICK_SESSION, market, options.tick_sessions - 1)
        ticks += _count_changed(cursor, sql.THIN_TICKS, market, oldest)
        if options.bar_sessions is not None:
            oldest = _fetch_text(cursor, sql.NTH_NEWEST_SESSION, market, options.bar_sessions - 1)
            _count_changed(cursor, sql.DELETE_BARS, market, oldest)
            sessions += _count_changed(cursor, sql.DELETE_SESSIONS, market, oldest)
            ticks += _count_changed(cursor, sql.DELETE_TICKS, market, oldest)
    return PruneResult(ticks, sessions)


def read_status(cursor: Cursor) -> list[tuple[Any, ...]]:
    """Return a row for each market: the arguments of `parse_stats`."""
    rows = []
    for market in _read_markets(cursor):
        cursor.execute(sql.COUNT_SESSIONS, (market,))
        sessions = cursor.fetchall()[0]
        cursor.execute(sql.COUNT_TICKS, (market,))
        rows.append((market, *sessions, *cursor.fetchall()[0]))
    return rows


def parse_stats(
    market: str,
    sessions: int,
    first: str | None,
    last: str | None,
    ticks: int,
    first_tick: str | None,
    last_tick: str | None,
) -> MarketStats:
    """Return the values of a row of `read_status`. Raises ValueError."""
    return MarketStats(
        market,
        sessions,
        (first and date.fromisoformat(first)) or None,
        (last and date.fromisoformat(last)) or None,
        ticks,
        (first_tick and datetime.fromisoformat(first_tick)) or None,
        (last_tick and datetime.fromisoformat(last_tick)) or None,
    )


def _read_markets(cursor: Cursor) -> list[str]:
    cursor.execute(sql.MARKETS)
    return [row[0] for row in cursor.fetchall()]


def _fetch_text(cursor: Cursor, statement: str, *parameters: object) -> str:
    """Return the one text that a statement selects; if there is none, "", which is before every date."""
    cursor.execute(statement, parameters)
    return str(next((row[0] for row in cursor.fetchall()), ""))


def _count_changed(cursor: Cursor, statement: str, *parameters: object) -> int:
    cursor.execute(statement, parameters)
    return cursor.rowcount
