"""What is worked out once and kept between ticks, in a file each of the state directory.

It holds nothing that could not be worked out again: what is missing, damaged or of something else is None.
"""

from __future__ import annotations

import json
from contextlib import suppress
from typing import TYPE_CHECKING, Any
from zlib import crc32

from heatmap import __version__
from heatmap.system import files, limits

if TYPE_CHECKING:
    from pathlib import Path

SUFFIX = ".kept"
FORMAT = 4  # to be raised with any change to what is kept


def summary_name(market: str) -> str:
    """Return the file name of a market's digest."""
    return f"digest-{_file_name(market)}"


def replay_track_name(market: str) -> str:
    """Return the file name of a market's tape."""
    return f"tape-{_file_name(market)}"


def is_cache_name(directory: Path) -> bool:
    """Whether anything is kept of a history in this directory."""
    return any(directory.glob(f"*{SUFFIX}"))


def read(path: Path, key: object) -> Any:  # noqa: ANN401 -- as JSON has it
    """Return what was kept at `path` under this key by this very version of the program; else None."""
    found = _read(path)
    return found[1] if found and found[0] == as_read(key) else None


def read_any(path: Path) -> Any:  # noqa: ANN401 -- as JSON has it
    """Return what was last kept at `path` by this version of the program, under whatever key; else None."""
    found = _read(path)
    return found[1] if found else None


def write(path: Path, key: object, kept: object) -> None:
    """Keep a value that JSON can hold; where that cannot be, whoever reads works it out again."""
    text = json.dumps([FORMAT, __version__, key, kept], separators=(",", ":")).encode()
    with suppress(OSError):
        files.write(path, b"%d\n%s" % (crc32(text), text), to_disk=False, make_folder=False)


def _file_name(market: str) -> str:
    return f"{market.replace(':', '-')}{SUFFIX}"


def _read(path: Path) -> tuple[Any, Any] | None:
    """Return key and value of a file that is whole and of this version of the program; else None."""
    with suppress(OSError, ValueError, TypeError, RecursionError):
        checksum, _, text = files.read(path, limits.CACHE_BYTES).partition(b"\n")
        if int(checksum) == crc32(text):
            *kind, key, kept = json.loads(text)
            return (key, kept) if kind == [FORMAT, __version__] else None
    return None


def as_read(value: object) -> Any:  # noqa: ANN401 -- as JSON has it
    """Return a value as it comes back: of lists where it had tuples."""
    return json.loads(json.dumps(value))
