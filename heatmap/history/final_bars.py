"""Stores the quotes of a session's final tick as its daily bars."""

from __future__ import annotations

from typing import TYPE_CHECKING

from heatmap.history import sql

if TYPE_CHECKING:
    from collections.abc import Sequence

    from heatmap.history.database import Cursor


def replace(
    cursor: Cursor, market: str, session: str, as_of: str, bars: Sequence[tuple[object, ...]]
) -> bool:
    """Store these bars of a session, unless a final of `as_of` or newer is stored; return whether they were.

    Bars of an archive stay: only their previous close is replaced, and missing bars are added.
    """
    cursor.execute(sql.SESSION, (market, session))
    stored_as_of, is_archived = next(iter(cursor.fetchall()), (None, 0))
    if stored_as_of is not None and stored_as_of >= as_of:
        return False
    cursor.execute(sql.ADD_FINAL, (market, session, as_of))
    cursor.executemany(sql.FILL_BAR if is_archived else sql.REPLACE_BAR, bars)
    return True
