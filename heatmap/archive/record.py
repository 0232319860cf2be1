"""What the archive remembers of a market: each session's breadth, and which have a map of their own.

It is kept in the state directory, apart from the history: what is on the web server is the archive's own
knowledge, and a lost history must not make it forget.
"""

from __future__ import annotations

import json
from datetime import date, datetime
from math import isfinite
from typing import TYPE_CHECKING, Any

from heatmap import documents
from heatmap.model import Breadth, Day

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

VERSION = 1


def path(directory: Path, market: str) -> Path:
    """Return where the record of a market is kept."""
    return directory / f"archive-{market}.json"


def load(directory: Path, market: str, warn: Callable[[str], None]) -> dict[date, Day]:
    """Return every session that is known of; a file that cannot be used is forgotten, and `warn` told."""
    file = path(directory, market)
    try:
        return documents.load(file, VERSION, _days, warn, "days") or {}
    except OSError as error:
        warn(f"the archive's record {file} cannot be read ({error.strerror}): let this user read it")
        return {}


def parse(content: bytes) -> dict[date, Day]:
    """Return the sessions in a record. Raises ValueError, KeyError, TypeError or AttributeError."""
    return _days(documents.refuse_changed(json.loads(content)))


def save(directory: Path, market: str, days: Iterable[Day]) -> None:
    """Write it down, whole or not at all. Raises OSError."""
    content = {"days": {day.date.isoformat(): _plain(day) for day in sorted(days)}}
    documents.save(path(directory, market), VERSION, content, checked=True)


def _days(document: Mapping[str, Any]) -> dict[date, Day]:
    dates = {date.fromisoformat(name): kept for name, kept in document["days"].items()}
    return {each: _day(each, *kept) for each, kept in dates.items()}


def _plain(day: Day) -> list[Any]:
    plain = [list(day.breadth), day.page, day.strongest, day.weakest]
    return plain if day.page else plain[:1]


def _day(day: date, breadth: list[int], page: str | None = None, *ends: list[Any] | None) -> Day:
    """Return a day as it was kept. Raises ValueError or TypeError."""
    if page is not None and datetime.fromisoformat(page).utcoffset() is None:
        raise ValueError(page)
    counts = Breadth(*map(int, breadth))
    strongest, weakest = ends or (None, None)
    return Day(day, counts, page, _end(strongest), _end(weakest))


def _end(kept: list[Any] | None) -> tuple[str, float] | None:
    if kept is None:
        return None
    symbol, percent = str(kept[0]), float(kept[1])
    if not isfinite(percent):
        raise ValueError(kept)
    return symbol, percent
