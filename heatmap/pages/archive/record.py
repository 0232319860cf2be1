"""The archive's record of a market: each session's breadth and page, and the days that a target lacks.

It is kept in the state directory, apart from the history: what is on the web server is the archive's own
knowledge, and a lost history must not make it forget.
"""

from __future__ import annotations

import json
from datetime import date, datetime
from math import isfinite
from typing import TYPE_CHECKING, Any, NamedTuple

from heatmap.market.quotes import Breadth
from heatmap.pictures.context import ArchivedDay
from heatmap.state import json_files

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

VERSION = 1


class Target(NamedTuple):
    """The part of a market's archive that one target has."""

    lacks: frozenset[date] = frozenset()  # the days with a page that it does not have, or not whole
    is_listed: bool = True  # whether its list of days is as it should be
    has_feed: bool = True  # whether its feed is as new as its newest day; of no meaning without a feed
    is_searched: bool = True  # whether it was asked which of the days that it may lack it has all the same
    failed_at: str | None = None  # when a day last failed there although the page arrived, as ISO text


class Record(NamedTuple):
    """All that is remembered of a market. Nothing in it is ever changed in place."""

    days: Mapping[date, ArchivedDay] = {}
    targets: Mapping[str, Target] = {}  # by the target's name; versions before 0.3 did not note them

    @property
    def pages(self) -> list[date]:
        """The days that have a page of their own, the oldest first."""
        return sorted(day.date for day in self.days.values() if day.page)


def path(directory: Path, market: str) -> Path:
    """Return where the record of a market is kept."""
    return directory / f"archive-{market}.json"


def load(directory: Path, market: str, warn: Callable[[str], None]) -> Record:
    """Return what is remembered; a file that cannot be used is forgotten, and `warn` told."""
    file = path(directory, market)
    try:
        return json_files.load(file, VERSION, _record, warn) or Record()
    except OSError as error:
        warn(f"the archive's record {file} cannot be read ({error.strerror}): let this user read it")
        return Record()


def parse(content: bytes) -> Record:
    """Return what a record holds. Raises ValueError, KeyError, TypeError or AttributeError."""
    return _record(json_files.refuse_changed(json.loads(content)))


def save(directory: Path, market: str, record: Record) -> None:
    """Write it down, whole or not at all. Raises OSError."""
    content = {
        "days": {day.date.isoformat(): _plain(day) for day in sorted(record.days.values())},
        "targets": {name: _plain_target(target) for name, target in sorted(record.targets.items())},
    }
    json_files.save(path(directory, market), VERSION, content, checked=True)


def _record(document: Mapping[str, Any]) -> Record:
    dates = {date.fromisoformat(name): kept for name, kept in document["days"].items()}
    return Record(
        {each: _day(each, *kept) for each, kept in dates.items()},
        {str(name): _target(kept) for name, kept in document.get("targets", {}).items()},
    )


def _plain_target(target: Target) -> dict[str, Any]:
    return target._asdict() | {"lacks": [day.isoformat() for day in sorted(target.lacks)]}


def _target(kept: Mapping[str, Any]) -> Target:
    """Return a target as it was kept. Raises ValueError, KeyError, TypeError or AttributeError."""
    failed_at = kept["failed_at"]
    if failed_at is not None and datetime.fromisoformat(failed_at).utcoffset() is None:
        raise ValueError(failed_at)
    lacks = frozenset(map(date.fromisoformat, kept["lacks"]))
    flags = {name: bool(kept[name]) for name in ("is_listed", "has_feed", "is_searched")}
    return Target(lacks, failed_at=failed_at, **flags)


def _plain(day: ArchivedDay) -> list[Any]:
    plain = [list(day.breadth), day.page, day.strongest, day.weakest]
    return plain if day.page else plain[:1]


def _day(day: date, breadth: list[int], page: str | None = None, *ends: list[Any] | None) -> ArchivedDay:
    """Return a day as it was kept. Raises ValueError or TypeError."""
    if page is not None and datetime.fromisoformat(page).utcoffset() is None:
        raise ValueError(page)
    counts = Breadth(*map(int, breadth))
    strongest, weakest = ends or (None, None)
    return ArchivedDay(day, counts, page, _end(strongest), _end(weakest))


def _end(kept: list[Any] | None) -> tuple[str, float] | None:
    if kept is None:
        return None
    symbol, percent = str(kept[0]), float(kept[1])
    if not isfinite(percent):
        raise ValueError(kept)
    return symbol, percent
