"""The idle marker: until when nothing is due. A run that finds it valid ends before it reads anything else.

Three of four runs find the market closed. Nearly all their cost is reading the configuration and the
calendar. The marker is a file in the state directory. It has the time until which nothing is due, and the
files that this depends on. If one of these files has changed, the marker is not valid. It is only in the
default state directory, `state` beside the configuration: no other is known without reading that.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from heatmap import __version__
from heatmap.system import files

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

STATE_DIRECTORY = "state"
CONFIGURATION = "heatmap.toml"
FILE_NAME = "nap"
MOST_BYTES = 64 * 1024  # of a marker: each line is a path of this machine
OPTIONS = {"--config", "--now", "--log-format"}  # a run with others reads the configuration


def is_idle(argv: Sequence[str]) -> bool:
    """Whether this is a plain run, and a valid marker says that nothing is due. Never raises."""
    options = dict(zip(argv[1::2], argv[2::2], strict=False))
    if argv[:1] != ["run"] or len(argv) % 2 == 0 or not options.keys() <= OPTIONS:
        return False
    if len(options) != len(argv) // 2 or sys.stdout is None or sys.stdout.isatty():
        return False  # a run on a terminal prints what it finds
    try:
        text = os.fsdecode(_read(_marker_path(options.get("--config"))))
        version, path, since, until, *stamps = text.splitlines()
        now = _seconds(options.get("--now"))
        return (
            version == __version__
            and path == _path(options.get("--config"))
            and float(since) <= now < float(until)
            and all(_stamp(line.partition(" ")[2]) == line for line in stamps)
        )
    except (OSError, ValueError):
        return False


def mark_idle(config: str | None, since: float, until: float, paths: Iterable[str]) -> None:
    """Write a marker: nothing is due from `since` to `until` (seconds since 1970), if `paths` stay unchanged.

    `config` is the path on the command line; None: there was none. If the marker cannot be written, or
    another program's file has its name, there is none, and the next run reads everything.
    """
    path = _marker_path(config)
    lines = [__version__, _path(config), repr(since), repr(until), *map(_stamp, paths)]
    try:
        if is_marker(path):
            files.write(path, os.fsencode("\n".join(lines)), to_disk=False, make_folder=False)
    except OSError:
        return


def is_default_directory(config: str | None, state_directory: str) -> bool:
    """Whether a state directory is the default one of this configuration. Only there a marker is written."""
    return os.path.abspath(state_directory) == os.path.dirname(_marker_path(config))


def is_marker(path: str) -> bool:
    """Whether a marker may be written to `path`: it is a marker, an empty file or missing. Raises OSError."""
    try:
        lines = _read(path).strip(b"\0").split(b"\n")  # a power cut may leave zeros
    except FileNotFoundError:
        return True
    # A version, a path, two times.
    return lines == [b""] or (len(lines) > 3 and lines[0][:1].isdigit() and lines[1].startswith(b"/"))


def _read(path: str) -> bytes:
    """Return the content of a file, up to MOST_BYTES. Raises OSError, also for a folder or a pipe."""
    with files.open_regular(path) as file:
        return file.read(MOST_BYTES)


def _marker_path(config: str | None) -> str:
    return os.path.join(os.path.dirname(_path(config)), STATE_DIRECTORY, FILE_NAME)


def _path(config: str | None) -> str:
    return os.path.abspath(config or CONFIGURATION)


def _stamp(path: str) -> str:
    """Return the time, size and inode of a file, and its path. They change when the file changes."""
    try:
        status = os.stat(path)
    except OSError:
        return f"- {path}"
    return f"{status.st_mtime_ns}:{status.st_size}:{status.st_ino} {path}"


def _seconds(now: str | None) -> float:
    """Return the time in seconds since 1970. Raises ValueError for one without an offset."""
    if now is None:
        import time

        return time.time()
    from datetime import datetime

    moment = datetime.fromisoformat(now)
    if moment.utcoffset() is None:
        raise ValueError(now)
    return moment.timestamp()
