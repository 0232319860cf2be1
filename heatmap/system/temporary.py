"""Temporary folders and files of this program, and the removal of those that killed runs left behind."""

from __future__ import annotations

import os
import re
import stat
import time
from contextlib import contextmanager, suppress
from errno import ENOENT
from tempfile import NamedTemporaryFile, TemporaryDirectory, TemporaryFile
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

SUFFIX = ".tmp"
FOLDERS = ("/tmp", "/var/tmp", "/usr/tmp")  # noqa: S108 -- where none is named
STALE_SECONDS = 3600
FORMER_STALE_SECONDS = 24 * 3600  # by the clock of the file system, for the names do not tell a time

_NAME = re.compile(r"heatmap-([0-9a-f]{8})-[a-z0-9_]{8}\.tmp")
# Versions before 0.3 made folders of such names, with nothing but these files in them.
_FORMER_NAME = re.compile(r"heatmap-[a-z0-9_]{8}")
_FORMER_FILES = {"index", "index.lock", "known_hosts", "known_hosts.old"}


@contextmanager
def make_folder() -> Iterator[str]:
    """Yield the path of a new folder, which is removed at the end of the block. Raises OSError."""
    remove_stale(time.time())
    with TemporaryDirectory(dir=find_folder(), prefix=_prefix(), suffix=SUFFIX) as folder:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            _mark_used(descriptor)
            yield folder
        finally:
            os.close(descriptor)


def make_file() -> IO[bytes]:
    """Return a new file with a name; it is removed when it is closed. Raises OSError."""
    remove_stale(time.time())
    file = NamedTemporaryFile(  # noqa: SIM115 -- the caller closes it
        dir=find_folder(), prefix=_prefix(), suffix=SUFFIX, buffering=0
    )
    _mark_used(file.fileno())
    return file


def make_unnamed_file() -> IO[bytes]:
    """Return a new file without a name: nothing is left of it however this process ends. Raises OSError."""
    return TemporaryFile(dir=find_folder(), buffering=0)


def find_folder() -> str:
    """Return the folder for temporary files, the one that Python's `tempfile` would choose.

    `tempfile` tries a folder by a file of its own, which stays if the process is killed meanwhile. Raises
    FileNotFoundError.
    """
    named = (os.environ.get(name) for name in ("TMPDIR", "TEMP", "TMP"))
    for folder in (*filter(None, named), *FOLDERS, os.curdir):
        if os.path.isdir(folder) and os.access(folder, os.W_OK | os.X_OK):
            return os.path.abspath(folder)
    raise FileNotFoundError(ENOENT, "there is no folder for temporary files")


def remove_stale(now: float) -> None:
    """Remove what killed runs left behind, `now` in seconds since 1970. What cannot be removed stays.

    That is: what has a name that this program gives, belongs to this user, was made an hour ago or earlier,
    and is not in use. No symbolic link is followed.
    """
    with suppress(OSError), os.scandir(find_folder()) as entries:
        for entry in entries:
            if entry.name.startswith("heatmap-"):
                with suppress(OSError):
                    _remove_if_stale(entry, now)


def _remove_if_stale(entry: os.DirEntry[str], now: float) -> None:
    found = entry.stat(follow_symlinks=False)
    name = _NAME.fullmatch(entry.name)
    if found.st_uid != os.geteuid():
        return
    if name and now - int(name[1], 16) > STALE_SECONDS and not _is_used(entry.path):
        if stat.S_ISDIR(found.st_mode):
            from shutil import rmtree

            rmtree(entry.path)
        elif stat.S_ISREG(found.st_mode):
            os.unlink(entry.path)
    elif _FORMER_NAME.fullmatch(entry.name) and now - found.st_mtime > FORMER_STALE_SECONDS:
        _remove_former(entry.path, found)


def _remove_former(path: str, found: os.stat_result) -> None:
    if stat.S_ISDIR(found.st_mode) and stat.S_IMODE(found.st_mode) == 0o700:
        names = os.listdir(path)
        if _FORMER_FILES.issuperset(names):
            for name in names:
                os.unlink(os.path.join(path, name))
            os.rmdir(path)


def _prefix() -> str:
    return f"heatmap-{int(time.time()):08x}-"


def _mark_used(descriptor: int) -> None:
    """Lock it until it is closed, at the latest when the process ends, where the file system can do so."""
    from fcntl import LOCK_EX, LOCK_NB, flock

    with suppress(OSError):
        flock(descriptor, LOCK_EX | LOCK_NB)


def _is_used(path: str) -> bool:
    """Whether the process that made a folder or file still has it open. Raises OSError."""
    from fcntl import LOCK_EX, LOCK_NB, flock

    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        flock(descriptor, LOCK_EX | LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False
