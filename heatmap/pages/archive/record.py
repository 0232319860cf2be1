"""The archive's record of a market: each session's breadth and page, and the days that a target lacks.

It is a file of the state directory, apart from the history: the loss of the history must not lose the record
of the files on the web server.
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
    is_listed: bool = True  # whether its list of days is up to date
    has_feed: bool = True  # whether its feed is as new as its newest day; without a feed it means nothing
    is_searched: bool = True  # whether a search has looked for the days in `lacks` at the target
    failed_at: str | None = None  # the last time when a day failed although the page arrived, as ISO text


class Record(NamedTuple):
    """The record of one market. It is never changed in place."""

    days: Mapping[date, ArchivedDay] = {}
    targets: Mapping[str, Target] = {}  # by the target's name; versions before 0.3 have none

    @property
    def pages(self) -> list[date]:
        """The days that have a page of their own, the oldest first."""
        return sorted(day.date for day in self.days.values() if day.page)


def path(directory: Path, market: str) -> Path:
    """Return the path of a market's record."""
    return directory / f"archive-{market}.json"


def load(directory: Path, market: str, warn: Callable[[str], None]) -> Record:
    """Return the record; an empty one if the file is unusable. Then `warn` gets a sentence."""
    file = path(directory, market)
    try:
        return json_files.load(file, VERSION, _decode, warn) or Record()
    except OSError as error:
        warn(f"the archive's record {file} cannot be read ({error.strerror}): let this user read it")
        return Record()


def parse(content: bytes) -> Record:
    """Return the record from a file's content. Raises ValueError, KeyError, TypeError or AttributeError."""
    return _decode(json_files.refuse_changed(json.loads(content)))


def save(directory: Path, market: str, record: Record) -> None:
    """Write the record, whole or not at all. Raises OSError."""
    content = {
        "days": {day.date.isoformat(): _encode_day(day) for day in sorted(record.days.values())},
        "targets": {name: _encode_target(target) for name, target in sorted(record.targets.items())},
    }
    json_files.save(path(directory, market), VERSION, content, checked=True)


def _decode(document: Mapping[str, Any]) -> Record:
    days = {date.fromisoformat(text): fields for text, fields in document["days"].items()}
    return Record(
        {day: _decode_day(day, *fields) for day, fields in days.items()},
        {str(name): _decode_target(fields) for name, fields in document.get("targets", {}).items()},
    )


def _encode_target(target: Target) -> dict[str, Any]:
    return target._asdict() | {"lacks": [day.isoformat() for day in sorted(target.lacks)]}


def _decode_target(fields: Mapping[str, Any]) -> Target:
    """Return the target of these fields. Raises ValueError, KeyError, TypeError or AttributeError."""
    failed_at = fields["failed_at"]
    if failed_at is not None and datetime.fromisoformat(failed_at).utcoffset() is None:
        raise ValueError(failed_at)
    lacks = frozenset(map(date.fromisoformat, fields["lacks"]))
    flags = {name: bool(fields[name]) for name in ("is_listed", "has_feed", "is_searched")}
    return Target(lacks, failed_at=failed_at, **flags)


def _encode_day(day: ArchivedDay) -> list[Any]:
    fields = [list(day.breadth), day.page, day.strongest, day.weakest]
    return fields if day.page else fields[:1]


def _decode_day(
    day: date, breadth: list[int], page: str | None = None, *ends: list[Any] | None
) -> ArchivedDay:
    """Return the day of these fields. Raises ValueError or TypeError."""
    if page is not None and datetime.fromisoformat(page).utcoffset() is None:
        raise ValueError(page)
    counts = Breadth(*map(int, breadth))
    strongest, weakest = ends or (None, None)
    return ArchivedDay(day, counts, page, _decode_end(strongest), _decode_end(weakest))


def _decode_end(fields: list[Any] | None) -> tuple[str, float] | None:
    if fields is None:
        return None
    symbol, percent = str(fields[0]), float(fields[1])
    if not isfinite(percent):
        raise ValueError(fields)
    return symbol, percent
