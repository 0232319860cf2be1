"""The folder of git objects that this program keeps in a user's repository: `heatmap/objects` in its `.git`.

It is a cache. Every object in it can be written or fetched again. git does not write an object that is there
already, and does not look whether it is whole: one damaged file would make every later push fail.
"""

from __future__ import annotations

import os
import re
import stat
import time
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

FOLDERS = ("heatmap", "heatmap/objects", "heatmap/objects/info")  # in the repository's own folder
ALTERNATES = b"../../objects\n"  # the repository's objects, as seen from ours
KEPT_SECONDS = 3600  # an object that is not needed any more stays so long, for other runs at the same time
CHUNK_BYTES = 1 << 20
MOST_HEADER_BYTES = 32  # kind and size, in front of an object's content
FAN_OUT = re.compile(r"[0-9a-f]{2}")
NAME = re.compile(r"[0-9a-f]{38}|[0-9a-f]{62}")  # with the folder's name a SHA-1 or SHA-256
HEADER = re.compile(rb"(?:blob|tree|commit|tag) (\d+)\0")


def make(repository: str) -> str:
    """Make the folder in a repository's own folder, if need be, and return its path. Raises OSError.

    Whatever stands there in place of a folder, or of the file that names the repository's objects, is
    removed: nothing but this program has a use for it.
    """
    for name in FOLDERS:
        folder = os.path.join(repository, name)
        if not os.path.isdir(folder):
            with suppress(FileNotFoundError):
                os.unlink(folder)
            os.makedirs(folder, exist_ok=True)  # another run may make it at the same moment
    store = os.path.join(repository, FOLDERS[1])
    alternates = os.path.join(store, "info", "alternates")
    if _content(alternates) != ALTERNATES:
        _remove(alternates)
        temporary = f"{alternates}.{os.getpid()}"
        with open(temporary, "wb") as file:
            file.write(ALTERNATES)
        os.replace(temporary, alternates)
    return store


def remove_damaged(store: str, may_go_on: Callable[[], bool]) -> bool:
    """Remove what is damaged, and return whether there was anything. What cannot be removed stays.

    What is no file, or empty, is looked for first. Then every object is read and compared with its name,
    while `may_go_on()`: the time may be over.
    """
    paths = [*_files(store)]
    damaged = [path for path in paths if not _has_content(path)]
    for path in paths:
        if not may_go_on():
            break
        if path not in damaged and not _is_object(path):
            damaged.append(path)
    removed = [path for path in damaged if _remove(path)]
    return bool(removed)


def remove_unneeded(store: str, needed: Collection[str]) -> None:
    """Remove files older than KEPT_SECONDS, but for the objects with the names `needed`. Raises OSError."""
    for folder, _, names in os.walk(store):
        for name in names:
            path = os.path.join(folder, name)
            ours = os.path.basename(folder) + name in needed or os.path.basename(folder) == "info"
            if not ours and time.time() - os.stat(path).st_mtime > KEPT_SECONDS:
                os.unlink(path)


def _files(store: str) -> Iterator[str]:
    """Yield what stands where an object or a folder of objects is due, and all packs and indexes.

    git is told to unpack what it fetches, so there should be neither pack nor index.
    """
    for folder in _names(store):
        inside = os.path.join(store, folder)
        if not (FAN_OUT.fullmatch(folder) or folder in ("pack", "info")):
            continue
        if not os.path.isdir(inside) or os.path.islink(inside):
            yield inside
            continue
        for name in _names(inside):
            if (
                NAME.fullmatch(name)
                or folder == "pack"
                or (folder == "info" and not name.startswith("alternates"))
            ):
                yield os.path.join(inside, name)


def _names(folder: str) -> list[str]:
    try:
        return sorted(os.listdir(folder))
    except OSError:
        return []


def _has_content(path: str) -> bool:
    try:
        found = os.lstat(path)
    except OSError:
        return False
    return stat.S_ISREG(found.st_mode) and found.st_size > 0


def _is_object(path: str) -> bool:
    """Whether a file holds the object that its name says, whole."""
    import hashlib
    import zlib

    folder, name = os.path.split(path)
    oid = os.path.basename(folder) + name
    if not NAME.fullmatch(name):
        return False
    digest = hashlib.sha256() if len(oid) == 64 else hashlib.sha1(usedforsecurity=False)
    unpack, size, begin = zlib.decompressobj(), 0, b""
    try:
        with open(path, "rb") as file:
            while packed := unpack.unconsumed_tail or file.read(CHUNK_BYTES):
                content = unpack.decompress(packed, CHUNK_BYTES)
                digest.update(content)
                size += len(content)
                begin += content[: MOST_HEADER_BYTES - len(begin)]
                if unpack.unused_data:
                    return False
    except (OSError, zlib.error):
        return False
    header = HEADER.match(begin)
    return bool(unpack.eof and header and int(header[1]) == size - header.end() and digest.hexdigest() == oid)


def _content(path: str) -> bytes | None:
    """Return what the file of that path holds; None where there is none that can be read."""
    with suppress(OSError):
        if stat.S_ISREG(os.lstat(path).st_mode):
            with open(path, "rb") as file:
                return file.read(len(ALTERNATES) + 1)
    return None


def _remove(path: str) -> bool:
    """Remove a file or a folder; return whether it is gone."""
    from shutil import rmtree

    with suppress(OSError):
        if stat.S_ISDIR(os.lstat(path).st_mode):
            rmtree(path)
        else:
            os.unlink(path)
        return True
    return False
