"""The cache of compiled templates, in a folder of the state directory that belongs to this user alone.

The files are code, and Python runs it unchecked: a damaged file can crash the process, a forged file can do
anything. So a file is read only if no other user can have written it, and run only if it is whole. Any other
file is ignored: the template is compiled again, and the file is replaced.
"""

from __future__ import annotations

import marshal
import os
import stat
import sys
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from jinja2 import BytecodeCache, compiler

from heatmap import __version__
from heatmap.state import json_files
from heatmap.system import files

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from jinja2.bccache import Bucket

FOLDER = "compiled-templates"
MAX_BYTES = 4 * 1024 * 1024  # the largest size of a file; the largest template takes 100 kB


class CompiledTemplates(BytecodeCache):
    """Keeps compiled templates in `<directory>/compiled-templates`. It raises no fault of a file or folder.

    The files are opened relative to an open folder, after a check of its owner and mode. So the folders above
    may be writable for others: at most they put another folder of this user in its place.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def load_bytecode(self, bucket: Bucket) -> None:
        """Fill the bucket if a trusted file for it exists."""
        with suppress(OSError, ValueError, EOFError, TypeError), open_folder(self._directory) as folder:
            identity, _, code = (_read(folder, bucket.key) or b"").partition(b"\n")
            if identity == _identity(bucket):
                bucket.code = marshal.loads(code)  # noqa: S302 -- this user wrote the file, and it is whole

    def dump_bytecode(self, bucket: Bucket) -> None:
        """Write the file; if that fails, the next run compiles the template again."""
        content = json_files.seal(_identity(bucket) + b"\n" + marshal.dumps(bucket.code))
        with suppress(OSError):
            with suppress(FileExistsError):
                os.mkdir(self._directory / FOLDER, 0o700)
            with open_folder(self._directory, is_closed=True) as folder:
                _write(folder, bucket.key, content)


@contextmanager
def open_folder(directory: Path, *, is_closed: bool = False) -> Iterator[int]:
    """Yield a descriptor of the cache's folder. `is_closed`: first close a folder of this user to others.

    Raises OSError if there is no folder, and PermissionError if another user owns it or may write in it.
    """
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
    folder = os.open(directory / FOLDER, flags)
    try:
        if is_closed and os.fstat(folder).st_uid == os.geteuid():
            # Files that others wrote in it before belong to them, so they are not read.
            os.fchmod(folder, 0o700)
        _refuse_shared(folder)
        yield folder
    finally:
        os.close(folder)


def _read(folder: int, name: str) -> bytes | None:
    """Return a file's content without its checksum; None if it is damaged. Raises OSError."""
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC  # a named pipe must not block the run
    with open(os.open(name, flags, dir_fd=folder), "rb") as file:
        status = _refuse_shared(file.fileno())
        if not stat.S_ISREG(status.st_mode) or status.st_nlink != 1 or status.st_size > MAX_BYTES:
            return None
        return json_files.unseal(file.read(MAX_BYTES + 1))


def _write(folder: int, name: str, content: bytes) -> None:
    """Put a file in place, whole or not at all. Raises OSError."""
    files.write(name, content, mode=0o600, to_disk=False, folder=folder)


def _refuse_shared(descriptor: int) -> os.stat_result:
    """Return the status of an open file or folder. Raises PermissionError if others may change it."""
    status = os.fstat(descriptor)
    # The group's bits also show the rights by access control lists, as their mask.
    if status.st_uid != os.geteuid() or status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise PermissionError
    return status


def _identity(bucket: Bucket) -> bytes:
    """Return the versions on which the code depends: template, this program, Python and Jinja's compiler."""
    status = os.stat(compiler.__file__)
    parts = (bucket.checksum, __version__, sys.implementation.cache_tag, f"{sys.hexversion:x}")
    return " ".join([*map(str, parts), str(status.st_mtime_ns), str(status.st_size)]).encode()
