"""The folder of git objects that this program keeps in a user's repository: `heatmap/objects` in its `.git`.

It is a cache: every object in it can be written or fetched again. If a file with the name of an object
exists, git does not write it again, and does not check its content. So one damaged file would make every
later push fail.
"""

from __future__ import annotations

import os
import re
import stat
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from heatmap.system import files

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

FOLDERS = ("heatmap", "heatmap/objects", "heatmap/objects/info")  # in the repository's own folder
ALTERNATES = b"../../objects\n"  # the path from here to the repository's objects
MIN_AGE_SECONDS = (
    3600  # the least age of an object that is deleted: runs at the same time may need younger ones
)
CHUNK_BYTES = 1 << 20
MOST_HEADER_BYTES = 32  # the kind and the size before an object's content
FAN_OUT = re.compile(r"[0-9a-f]{2}")
NAME = re.compile(r"[0-9a-f]{38}|[0-9a-f]{62}")  # together with the folder's name, a SHA-1 or SHA-256
HEADER = re.compile(rb"(?:blob|tree|commit|tag) (\d+)\0")


def make_store(repository: str) -> str:
    """Make the folder of objects in a repository's own folder, if it is missing, and return its path.

    If a file stands in place of a folder, or the list of alternates is wrong, it is replaced: only this
    program uses the folder. Raises OSError.
    """
    for name in FOLDERS:
        folder = os.path.join(repository, name)
        if not os.path.isdir(folder):
            with suppress(FileNotFoundError):
                os.unlink(folder)
            os.makedirs(folder, exist_ok=True)  # another run may make it at the same moment
    store = os.path.join(repository, FOLDERS[1])
    alternates = os.path.join(store, "info", "alternates")
    if _read_alternates(alternates) != ALTERNATES:
        _remove(alternates)
        files.write(alternates, ALTERNATES, to_disk=False)
    return store


def remove_damaged(store: str, may_go_on: Callable[[], bool]) -> bool:
    """Remove damaged objects, and return whether any was removed. An object that cannot be removed stays.

    An object is damaged if it is no file, if it is empty, or if its content does not have the hash that is
    its name. The first two are checked for all objects. Then the objects are read one by one, as long as
    `may_go_on()` is true.
    """
    paths = [*_list_objects(store)]
    damaged_paths = [path for path in paths if not _has_content(path)]
    for path in paths:
        if not may_go_on():
            break
        if path not in damaged_paths and not _is_object(path):
            damaged_paths.append(path)
    removals = [_remove(path) for path in damaged_paths]
    return any(removals)


def remove_unneeded(store: str, needed: Collection[str]) -> None:
    """Remove files older than KEPT_SECONDS, except objects whose names are in `needed`. Raises OSError."""
    for folder, _, names in os.walk(store):
        for name in names:
            path = os.path.join(folder, name)
            is_needed = os.path.basename(folder) + name in needed or os.path.basename(folder) == "info"
            if not is_needed and time.time() - os.stat(path).st_mtime > MIN_AGE_SECONDS:
                os.unlink(path)


def _list_objects(store: str) -> Iterator[str]:
    """Yield the paths of all objects, packs and indexes, and of files in place of the folders for objects.

    git is configured to unpack the objects that it fetches, so packs and indexes should not exist.
    """
    for folder in _list_names(store):
        path = os.path.join(store, folder)
        if not (FAN_OUT.fullmatch(folder) or folder in ("pack", "info")):
            continue
        if not os.path.isdir(path) or os.path.islink(path):
            yield path
            continue
        for name in _list_names(path):
            if (
                NAME.fullmatch(name)
                or folder == "pack"
                or (folder == "info" and not name.startswith("alternates"))
            ):
                yield os.path.join(path, name)


def _list_names(folder: str) -> list[str]:
    try:
        return sorted(os.listdir(folder))
    except OSError:
        return []


def _has_content(path: str) -> bool:
    try:
        status = os.lstat(path)
    except OSError:
        return False
    return stat.S_ISREG(status.st_mode) and status.st_size > 0


def _is_object(path: str) -> bool:
    """Return whether a file contains the complete object whose hash is its name."""
    import hashlib
    import zlib

    folder, name = os.path.split(path)
    oid = os.path.basename(folder) + name
    if not NAME.fullmatch(name):
        return False
    digest = hashlib.sha256() if len(oid) == 64 else hashlib.sha1(usedforsecurity=False)
    decompressor, size, head = zlib.decompressobj(), 0, b""
    try:
        with open(path, "rb") as file:
            while chunk := decompressor.unconsumed_tail or file.read(CHUNK_BYTES):
                content = decompressor.decompress(chunk, CHUNK_BYTES)
                digest.update(content)
                size += len(content)
                head += content[: MOST_HEADER_BYTES - len(head)]
                if decompressor.unused_data:
                    return False
    except (OSError, zlib.error):
        return False
    header = HEADER.match(head)
    if not decompressor.eof or header is None:
        return False
    return int(header[1]) == size - header.end() and digest.hexdigest() == oid


def _read_alternates(path: str) -> bytes | None:
    """Return the beginning of a file, one byte more than ALTERNATES has; None if it cannot be read."""
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
