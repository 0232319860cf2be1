"""The cache of compiled templates, in a folder of the state directory that belongs to this user alone.

What it holds is code, and Python runs it unchecked: a damaged file can crash the process, a forged one can
do anything. So a file is read only if nobody else can have written it, and run only if it is whole. Anything
else counts as not there: the template is compiled anew, and the file is replaced.
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
MAX_BYTES = 4 * 1024 * 1024  # of a file; the largest template takes 100 kB


class CompiledTemplates(BytecodeCache):
    """Keeps compiled templates in `<directory>/compiled-templates`. No fault of a file or folder is raised.

    Folder and files are opened relative to an open folder whose owner and mode were checked. So it does not
    matter who may write the folders above: they can only put other folders of this user in its place.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def load_bytecode(self, bucket: Bucket) -> None:
        """Fill the bucket, if there is a file for it that can be trusted."""
        with suppress(OSError, ValueError, EOFError, TypeError), open_folder(self._directory) as folder:
            identity, _, code = (_read(folder, bucket.key) or b"").partition(b"\n")
            if identity == _identity(bucket):
                bucket.code = marshal.loads(code)  # noqa: S302 -- this user wrote it, and it is whole

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
    """Yield a descriptor of the cache's folder. `is_closed`: close it to other users first, if it is ours.

    Raises OSError if there is none, and PermissionError if another user owns it or may write in it.
    """
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
    folder = os.open(directory / FOLDER, flags)
    try:
        if is_closed and os.fstat(folder).st_uid == os.geteuid():
            # Files that others wrote in it meanwhile are theirs, and so not read.
            os.fchmod(folder, 0o700)
        _refuse_shared(folder)
        yield folder
    finally:
        os.close(folder)


def _read(folder: int, name: str) -> bytes | None:
    """Return a file's content without its checksum; None if it is damaged. Raises OSError."""
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC  # a named pipe must not block the run
    with open(os.open(name, flags, dir_fd=folder), "rb") as file:
        found = _refuse_shared(file.fileno())
        if not stat.S_ISREG(found.st_mode) or found.st_nlink != 1 or found.st_size > MAX_BYTES:
            return None
        return json_files.unseal(file.read(MAX_BYTES + 1))


def _write(folder: int, name: str, content: bytes) -> None:
    """Put a file in place, whole or not at all. Raises OSError."""
    files.write(name, content, mode=0o600, to_disk=False, folder=folder)


def _refuse_shared(descriptor: int) -> os.stat_result:
    """Return what is known of an open file or folder. Raises PermissionError if others may change it."""
    found = os.fstat(descriptor)
    # Rights by access control lists show in the group's bits, as the mask.
    if found.st_uid != os.geteuid() or found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise PermissionError
    return found


def _identity(bucket: Bucket) -> bytes:
    """Return what the code follows from: the template, this program, Python and Jinja's compiler."""
    found = os.stat(compiler.__file__)
    words = (bucket.checksum, __version__, sys.implementation.cache_tag, f"{sys.hexversion:x}")
    return " ".join([*map(str, words), str(found.st_mtime_ns), str(found.st_size)]).encode()
