"""Makes temporary folders and files, and removes those that killed runs left behind."""

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
FOLDERS = ("/tmp", "/var/tmp", "/usr/tmp")  # noqa: S108 -- if no variable names one
STALE_SECONDS = 3600
FORMER_STALE_SECONDS = 24 * 3600  # by the clock of the file system: the names have no time

_NAME = re.compile(r"heatmap-([0-9a-f]{8})-[a-z0-9_]{8}\.tmp")
# The names of folders from versions before 0.3, and the only files in them.
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
    """Return a new file without a name: it vanishes however this process ends. Raises OSError."""
    return TemporaryFile(dir=find_folder(), buffering=0)


def find_folder() -> str:
    """Return the folder for temporary files, the one that Python's `tempfile` would choose.

    `tempfile` writes a test file into it, which stays if the process is killed at that moment. Raises
    FileNotFoundError.
    """
    folders = (os.environ.get(name) for name in ("TMPDIR", "TEMP", "TMP"))
    for folder in (*filter(None, folders), *FOLDERS, os.curdir):
        if os.path.isdir(folder) and os.access(folder, os.W_OK | os.X_OK):
            return os.path.abspath(folder)
    raise FileNotFoundError(ENOENT, "there is no folder for temporary files")


def remove_stale(now: float) -> None:
    """Remove the folders and files that killed runs left behind. `now` is in seconds since 1970.

    They have a name that this program gives, belong to this user, were made an hour ago or earlier, and are
    not in use. Symbolic links are not followed. Files that cannot be removed stay.
    """
    with suppress(OSError), os.scandir(find_folder()) as entries:
        for entry in entries:
            if entry.name.startswith("heatmap-"):
                with suppress(OSError):
                    _remove_if_stale(entry, now)


def _remove_if_stale(entry: os.DirEntry[str], now: float) -> None:
    status = entry.stat(follow_symlinks=False)
    name = _NAME.fullmatch(entry.name)
    if status.st_uid != os.geteuid():
        return
    if name and now - int(name[1], 16) > STALE_SECONDS and not _is_used(entry.path):
        if stat.S_ISDIR(status.st_mode):
            from shutil import rmtree

            rmtree(entry.path)
        elif stat.S_ISREG(status.st_mode):
            os.unlink(entry.path)
    elif _FORMER_NAME.fullmatch(entry.name) and now - status.st_mtime > FORMER_STALE_SECONDS:
        _remove_former(entry.path, status)


def _remove_former(path: str, status: os.stat_result) -> None:
    if stat.S_ISDIR(status.st_mode) and stat.S_IMODE(status.st_mode) == 0o700:
        names = os.listdir(path)
        if _FORMER_FILES.issuperset(names):
            for name in names:
                os.unlink(os.path.join(path, name))
            os.rmdir(path)


def _prefix() -> str:
    return f"heatmap-{int(time.time()):08x}-"


def _mark_used(descriptor: int) -> None:
    """Lock a file or folder until it is closed, if its file system has locks."""
    from fcntl import LOCK_EX, LOCK_NB, flock

    with suppress(OSError):
        flock(descriptor, LOCK_EX | LOCK_NB)


def _is_used(path: str) -> bool:
    """Whether the process that made a folder or file still holds it open. Raises OSError."""
    from fcntl import LOCK_EX, LOCK_NB, flock

    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        flock(descriptor, LOCK_EX | LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False
