"""Which files in the state directory are this program's, by their names. Other files are never touched."""

from __future__ import annotations

import os
import re
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SOURCES = "sources"  # it has a folder for each source
FOLDERS = ("last", SOURCES, "compiled-templates")

_MARKET = r"[a-z0-9][a-z0-9-]*"
_OURS = re.compile(
    r"(?:state|alerts)\.(?:json|damaged.*|version-.*)|outcomes\.(?:jsonl|damaged.*)"
    r"|history\.(?:sqlite.*|damaged-.*)|lock|nap"
    rf"|(?:archive|digest|tape)-{_MARKET}\..*|holidays-[\w.-]+\.toml|\.heatmap-.*"
)
_TEMPORARY = re.compile(r"\.heatmap-.+\.(\d{1,9})\.tmp")
# Names of temporary files that versions before 0.3 wrote, by folder.
_FORMER = {
    "": re.compile(
        rf"(?:(?:state|alerts|archive-{_MARKET})\.json|archive-{_MARKET}\.html|outcomes\.jsonl|nap"
        r"|\.holidays-[\w.-]+\.toml)\.(\d{1,9})\.tmp"
        rf"|(?:digest|tape)-{_MARKET}\.tmp|__jinja2_[0-9a-f]{{40}}\.cache(?:\w+\.tmp)?"
        r"|alerts\.json\.room"
    ),
    "last": re.compile(rf"{_MARKET}\.json\.(\d{{1,9}})\.tmp"),
    SOURCES: re.compile(r"nse-symbols\.json\.(\d{1,9})\.tmp|cookies\.json\.part"),
}


def find_foreign(directory: Path) -> list[str]:
    """Return the names in the state directory that are not this program's, sorted. Raises OSError."""
    return sorted(
        name
        for name in os.listdir(directory)
        if name not in FOLDERS and not _OURS.fullmatch(name) and not _FORMER[""].fullmatch(name)
    )


def remove_temporary(directory: Path) -> None:
    """Remove the temporary files that killed runs left behind, and the caches of versions before 0.3.

    A file is removed if its name is one that this program gives in that folder, and if the process whose
    number is in the name has ended. Symbolic links are not followed. Files that cannot be removed stay.
    """
    for folder, former in _folders(directory):
        with suppress(OSError), os.scandir(folder) as entries:
            for entry in entries:
                match = _TEMPORARY.fullmatch(entry.name) or (former and former.fullmatch(entry.name))
                if (
                    match
                    and entry.is_file(follow_symlinks=False)
                    and not _is_running(match[match.lastindex or 0])
                ):
                    with suppress(OSError):
                        os.unlink(entry.path)


def _folders(directory: Path) -> Iterator[tuple[str, re.Pattern[str] | None]]:
    """Yield each folder of this program, and the pattern of earlier versions' temporary names in it."""
    yield str(directory), _FORMER[""]
    for name in FOLDERS:
        folder = os.path.join(directory, name)
        if os.path.islink(folder):
            continue
        yield folder, _FORMER.get(name)
        if name == SOURCES:
            with suppress(OSError), os.scandir(folder) as entries:
                yield from (
                    (entry.path, _FORMER[SOURCES]) for entry in entries if entry.is_dir(follow_symlinks=False)
                )


def _is_running(process: str) -> bool:
    """Whether another process has this number; False for a text that is no number."""
    if not process.isdigit() or int(process) == os.getpid():
        return False
    try:
        os.kill(int(process), 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        return True
    return True
