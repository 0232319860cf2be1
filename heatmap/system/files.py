"""Reads regular files, without waiting and within a limit. Writes files whole.

A pipe without a writer would block a run before its deadline starts. Opening a device may have any effect.
Each error is an OSError whose `strerror` says what is wrong, like the errors of the system.
"""

from __future__ import annotations

import errno
import os
import stat
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import BinaryIO

KINDS = {
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFLNK: "a symbolic link",
    stat.S_IFDIR: "a folder",
}

# The errors of file systems that do not support an operation.
UNSUPPORTED = (errno.EPERM, errno.EINVAL, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP)


def open_regular(path: str | os.PathLike[str]) -> BinaryIO:
    """Open a regular file for reading. Raises OSError; for a folder: IsADirectoryError."""
    _refuse_irregular(os.stat(path), path)  # before it is opened: opening a device may have an effect
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        _refuse_irregular(os.fstat(descriptor), path)  # it may be another one by now
    except OSError:
        os.close(descriptor)
        raise
    return os.fdopen(descriptor, "rb")


def read(path: str | os.PathLike[str], most_bytes: int) -> bytes:
    """Return the content of a regular file. Raises OSError, with errno EFBIG for more than `most_bytes`."""
    with open_regular(path) as stream:
        content = stream.read(most_bytes + 1)
    if len(content) > most_bytes:
        raise OSError(errno.EFBIG, f"it has more than {most_bytes:,} bytes", os.fspath(path))
    return content


def read_text(path: str | os.PathLike[str], most_bytes: int) -> str:
    """Return the text of a file in UTF-8, with newlines as line ends. Raises OSError, UnicodeDecodeError."""
    return read(path, most_bytes).decode("utf-8-sig").replace("\r\n", "\n").replace("\r", "\n")


def set_mode(target: int | str | os.PathLike[str], mode: int) -> None:
    """Set the mode of a file or folder, if its file system has modes. Raises OSError."""
    try:
        os.chmod(target, mode)
    except OSError as error:  # exFAT and CIFS have one mode for all files
        if error.errno not in UNSUPPORTED:
            raise


def sync(descriptor: int) -> None:
    """Write a file's content to the disk, if its file system supports that. Raises OSError."""
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in UNSUPPORTED:
            raise


def describe_kind(mode: int) -> str | None:
    """Return the kind that a `st_mode` stands for, such as "a pipe"; None: a regular file."""
    return None if stat.S_ISREG(mode) else KINDS.get(stat.S_IFMT(mode), "no ordinary file")


def is_printable(path: str | os.PathLike[str]) -> bool:
    """Whether a path has no control characters. Bytes that are not UTF-8 are allowed."""
    return os.fsencode(path).decode("utf-8", "ignore").isprintable()


def temporary_name(name: str) -> str:
    """Return the name of the temporary file beside a file: each process has its own."""
    return f".heatmap-{name}.{os.getpid()}.tmp"


def write(
    path: str | os.PathLike[str],
    content: bytes,
    *,
    mode: int | None = None,
    to_disk: bool = True,
    make_folder: bool = True,
    temporary: str | None = None,
    folder: int | None = None,
) -> None:
    """Put a file in place, whole or not at all. The parameters are those of `open_replacement`.

    Raises OSError.
    """
    with open_replacement(
        path, mode=mode, to_disk=to_disk, make_folder=make_folder, temporary=temporary, folder=folder
    ) as file:
        file.write(content)


@contextmanager
def open_replacement(
    path: str | os.PathLike[str],
    *,
    mode: int | None = None,
    to_disk: bool = True,
    make_folder: bool = True,
    temporary: str | None = None,
    folder: int | None = None,
) -> Iterator[BinaryIO]:
    """Yield a new file, which takes the place of the one at `path` at the end of the block.

    If the block or the disk fails, the new file is removed and the old one stays. `mode` None: as the umask
    says. `to_disk`: wait until the content is on the disk, so that a power cut cannot leave an empty file.
    `make_folder`: make the file's folder if it is missing. `temporary` is the new file's name during the
    block; None: `temporary_name`. `folder` is the descriptor of an open folder, in which `path` is a bare
    name; None: `path` is a path. Raises OSError.
    """
    parent, name = os.path.split(path)
    temporary = os.path.join(parent, temporary or temporary_name(name))
    if make_folder and folder is None:
        os.makedirs(parent or os.curdir, exist_ok=True)
    try:
        with suppress(FileNotFoundError):  # of a killed process, or another user's symbolic link
            os.unlink(temporary, dir_fd=folder)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        descriptor = os.open(temporary, flags, 0o666 if mode is None else mode & 0o600, dir_fd=folder)
        with os.fdopen(descriptor, "wb") as file:
            yield file
            file.flush()
            if mode is not None:
                set_mode(descriptor, mode)
            if to_disk:
                sync(descriptor)
        os.replace(temporary, path, src_dir_fd=folder, dst_dir_fd=folder)
    except BaseException:  # a full disk would collect one file with each run
        with suppress(OSError):
            os.unlink(temporary, dir_fd=folder)
        raise


def _refuse_irregular(status: os.stat_result, path: str | os.PathLike[str]) -> None:
    kind = describe_kind(status.st_mode)
    if kind is not None:
        number = errno.EISDIR if stat.S_ISDIR(status.st_mode) else errno.EINVAL
        raise OSError(number, f"it is {kind}, not a file", os.fspath(path))
