"""Makes the quotes of a session's final its daily bars in the database."""

from __future__ import annotations

from typing import TYPE_CHECKING

from heatmap.history import sql

if TYPE_CHECKING:
    from collections.abc import Sequence

    from heatmap.history.database import Cursor


def replace(
    cursor: Cursor, market: str, session: str, as_of: str, bars: Sequence[tuple[object, ...]]
) -> bool:
    """Make these bars the session's, unless a final as new as `as_of` was there; return whether they are.

    Bars of an archive stay: only figures that they lack are filled in.
    """
    cursor.execute(sql.SESSION, (market, session))
    before, archived = next(iter(cursor.fetchall()), (None, 0))
    if before is not None and before >= as_of:
        return False
    cursor.execute(sql.ADD_FINAL, (market, session, as_of))
    cursor.executemany(sql.FILL_BAR if archived else sql.REPLACE_BAR, bars)
    return True
