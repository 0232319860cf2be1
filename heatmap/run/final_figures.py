"""Saves a final's figures in the state directory until all parts of the final are done.

A later run makes the missing parts from them and fetches nothing. The file `last/<market>.final` is the
market's snapshot.json behind a checksum.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

from heatmap.errors import SourceError
from heatmap.market import snapshot_json
from heatmap.state import json_files
from heatmap.system import files, limits, parsing, strict_json

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import date, datetime
    from pathlib import Path

    from heatmap.market.quotes import Snapshot
    from heatmap.system.web_file import WebFile

FOLDER = "last"
SUFFIX = ".final"  # no market's name has a dot


class Final(NamedTuple):
    """The figures of a session's final, and when its page was drawn."""

    snapshot: Snapshot
    drawn_at: datetime


def save(directory: Path, market: str, pages: Iterable[WebFile]) -> None:
    """Save the figures of a market, which are among its pages. Raises OSError."""
    name = f"{market}/snapshot.json"
    content = next(page.content for page in pages if page.path == name)
    files.write(_path(directory, market), json_files.seal(content))


def load(directory: Path, market: str, session: date, warn: Callable[[str], None]) -> Final | None:
    """Return the figures of a session's final; None if there are none, or the file cannot be used.

    Then `warn` is called with a sentence.
    """
    path = _path(directory, market)
    try:
        content = json_files.unseal(files.read(path, limits.DOCUMENT_BYTES))
        document = strict_json.decode(content) if content is not None else None
        snapshot = snapshot_json.from_json(document)
    except FileNotFoundError:
        return None
    except (OSError, SourceError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is damaged"
        warn(f"{path} cannot be used ({why})")
        return None
    head = document if isinstance(document, dict) else {}
    drawn_at = parsing.aware_datetime(head.get("generated_at"))
    head_session = head.get("session")
    is_of_session = isinstance(head_session, dict) and head_session.get("date") == session.isoformat()
    return Final(snapshot, drawn_at) if drawn_at and is_of_session else None


def remove(directory: Path, market: str) -> None:
    """Remove the figures if there are any. A file that cannot be removed stays and does no harm."""
    with suppress(OSError):
        _path(directory, market).unlink(missing_ok=True)


def _path(directory: Path, market: str) -> Path:
    return directory / FOLDER / f"{market}{SUFFIX}"
