"""What the archive remembers of a market: each session's breadth, and which have a map of their own.

It is kept in the state directory, apart from the history: what is on the web server is the archive's own
knowledge, and a lost history must not make it forget.
"""

from __future__ import annotations

import json
import os
from contextlib import suppress
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

from heatmap.model import Breadth, Day

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

VERSION = 1


def path(directory: Path, market: str) -> Path:
    """Return where the record of a market is kept."""
    return directory / f"archive-{market}.json"


def load(directory: Path, market: str, warn: Callable[[str], None]) -> dict[date, Day]:
    """Return every session that is known of. A damaged file is set aside, and told of by `warn`."""
    file = path(directory, market)
    try:
        return parse(file.read_bytes())
    except FileNotFoundError:
        return {}
    except OSError as error:
        warn(f"the archive's record {file} cannot be read ({error.strerror}): let this user read it")
    except (ValueError, KeyError, TypeError, AttributeError):
        aside = file.with_suffix(".damaged.json")
        with suppress(OSError):
            file.replace(aside)
        warn(f"the archive's record {file} was damaged and is now {aside.name}: days before are not listed")
    return {}


def parse(content: bytes) -> dict[date, Day]:
    """Return the sessions in a record. Raises ValueError, KeyError, TypeError or AttributeError."""
    days = json.loads(content)["days"]
    return {date.fromisoformat(name): _day(date.fromisoformat(name), *kept) for name, kept in days.items()}


def save(directory: Path, market: str, days: Iterable[Day]) -> None:
    """Write it down, whole or not at all. Raises OSError."""
    document = {"version": VERSION, "days": {day.date.isoformat(): _plain(day) for day in sorted(days)}}
    write(path(directory, market), json.dumps(document, separators=(",", ":")).encode())


def write(file: Path, content: bytes) -> None:
    """Put a file in place, whole or not at all. Raises OSError."""
    temporary = file.with_name(f"{file.name}.{os.getpid()}.tmp")
    with temporary.open("wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())
    temporary.replace(file)


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
    return None if kept is None else (str(kept[0]), float(kept[1]))
