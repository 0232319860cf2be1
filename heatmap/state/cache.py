"""Results that are computed once and kept between runs, each in a file of the state directory.

Each of them can be computed again. A file that is missing, damaged or has another key reads as None.
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
FORMAT = 4  # raise it with any change of the content


def summary_name(market: str) -> str:
    """Return the file name of a market's summary of its history."""
    return f"digest-{_file_name(market)}"


def replay_track_name(market: str) -> str:
    """Return the file name of a market's replay track."""
    return f"tape-{_file_name(market)}"


def has_files(directory: Path) -> bool:
    """Whether this directory has any file of the cache."""
    return any(directory.glob(f"*{SUFFIX}"))


def read(path: Path, key: object) -> Any:  # noqa: ANN401 -- as JSON has it
    """Return the value at `path`, if this version of the program wrote it with this key; else None."""
    entry = _read(path)
    return entry[1] if entry and entry[0] == as_read(key) else None


def read_any(path: Path) -> Any:  # noqa: ANN401 -- as JSON has it
    """Return the value at `path`, if this version of the program wrote it, with any key; else None."""
    entry = _read(path)
    return entry[1] if entry else None


def write(path: Path, key: object, value: object) -> None:
    """Write a value that JSON can hold. If it cannot be written, a later run computes it again."""
    text = json.dumps([FORMAT, __version__, key, value], separators=(",", ":")).encode()
    with suppress(OSError):
        files.write(path, b"%d\n%s" % (crc32(text), text), to_disk=False, make_folder=False)


def _file_name(market: str) -> str:
    return f"{market.replace(':', '-')}{SUFFIX}"


def _read(path: Path) -> tuple[Any, Any] | None:
    """Return the key and the value of a file that is whole and of this version of the program; else None."""
    with suppress(OSError, ValueError, TypeError, RecursionError):
        checksum, _, text = files.read(path, limits.CACHE_BYTES).partition(b"\n")
        if int(checksum) == crc32(text):
            *kind, key, value = json.loads(text)
            return (key, value) if kind == [FORMAT, __version__] else None
    return None


def as_read(value: object) -> Any:  # noqa: ANN401 -- as JSON has it
    """Return a value as `read` returns it: with lists in place of tuples."""
    return json.loads(json.dumps(value))
