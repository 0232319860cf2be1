"""Lets a tick leave before it has read anything: until when nothing can be due, as the last tick found.

Three of four ticks find the market closed, and reading the configuration and the calendar is all their
cost. A note in the state directory tells for how long that stays so and which files it follows from; if
one of them has changed, the note counts for nothing. It is only kept in the default place, `state` beside
the configuration, for no other can be found without reading.
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
MOST_BYTES = 64 * 1024  # of a note: each line is a path of this machine
OPTIONS = {"--config", "--now", "--log-format"}  # that a plain run may have


def is_idle(argv: Sequence[str]) -> bool:
    """Whether the command line asks for a plain run, at a time for which a note holds. Never raises."""
    options = dict(zip(argv[1::2], argv[2::2], strict=False))
    if argv[:1] != ["run"] or len(argv) % 2 == 0 or not options.keys() <= OPTIONS:
        return False
    if len(options) != len(argv) // 2 or sys.stdout is None or sys.stdout.isatty():
        return False  # a run on a terminal tells what it finds
    try:
        text = os.fsdecode(_read(_note(options.get("--config"))))
        version, path, since, until, *marks = text.splitlines()
        now = _seconds(options.get("--now"))
        return (
            version == __version__
            and path == _path(options.get("--config"))
            and float(since) <= now < float(until)
            and all(_mark(line.partition(" ")[2]) == line for line in marks)
        )
    except (OSError, ValueError):
        return False


def mark_idle(config: str | None, since: float, until: float, paths: Iterable[str]) -> None:
    """Note that nothing is due from `since` to `until` (seconds since 1970) while `paths` stay as they are.

    `config` is the path given on the command line; None where there was none. What cannot be noted is not,
    and another program's file of that name stays: the next tick then looks for itself.
    """
    path = _note(config)
    lines = [__version__, _path(config), repr(since), repr(until), *map(_mark, paths)]
    try:
        if is_note(path):
            files.write(path, os.fsencode("\n".join(lines)), to_disk=False, make_folder=False)
    except OSError:
        return


def is_place(config: str | None, state_directory: str) -> bool:
    """Whether a note of this configuration lies in the state directory: a folder `state` may be another's."""
    return os.path.abspath(state_directory) == os.path.dirname(_note(config))


def is_note(path: str) -> bool:
    """Whether a note may be put there: there is one, an empty file or nothing. Raises OSError."""
    try:
        lines = _read(path).strip(b"\0").split(b"\n")  # a power cut may leave zeros
    except FileNotFoundError:
        return True
    # A version, a path, two times.
    return lines == [b""] or (len(lines) > 3 and lines[0][:1].isdigit() and lines[1].startswith(b"/"))


def _read(path: str) -> bytes:
    """Return what a file holds, up to MOST_BYTES. Raises OSError, also for what is no file."""
    with files.open_regular(path) as file:
        return file.read(MOST_BYTES)


def _note(config: str | None) -> str:
    return os.path.join(os.path.dirname(_path(config)), STATE_DIRECTORY, FILE_NAME)


def _path(config: str | None) -> str:
    return os.path.abspath(config or CONFIGURATION)


def _mark(path: str) -> str:
    """Return what a file looks like from outside, before its path."""
    try:
        found = os.stat(path)
    except OSError:
        return f"- {path}"
    return f"{found.st_mtime_ns}:{found.st_size}:{found.st_ino} {path}"


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
