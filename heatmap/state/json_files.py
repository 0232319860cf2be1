"""Small JSON documents of the state directory: read whole or set aside, written whole or not at all."""

from __future__ import annotations

import errno
import json
import os
import re
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeVar

from heatmap.system import files, limits

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping
    from pathlib import Path

LAST_VERSION = 999_999  # that is believed: it becomes part of a file's name
DIRECTORY_MODE = 0o700
HEAD_BYTES = 256  # in which a document's first keys are
MOST_ASIDE = 9  # files of one name that are set aside beside each other
CHECKSUM = "crc32"  # the key of a document's checksum, where it has one

_HEAD = re.compile(rb'\{\s*"version":\s*\d+,\s*"([a-z_]+)":')  # how `save` begins a document
_T = TypeVar("_T")


class ForeignError(OSError):
    """Another program's file has the name of one of ours: it is neither read nor replaced."""

    def __init__(self, path: Path) -> None:
        super().__init__(errno.EEXIST, "it belongs to another program: move it away", str(path))


def load(
    path: Path,
    version: int,
    made: Callable[[Any], _T],
    warn: Callable[[str], None],
    key: str | None = None,
) -> _T | None:
    """Return what `made` makes of a document; None where there is none that can be used.

    `made` may raise whatever comes of reading a document of another shape. A damaged document, and one of
    a version above `version`, is renamed, never deleted, and `warn` is called with a sentence. A document
    of an earlier version, or of none, is `made`'s to understand. `key` is one that each document of this
    kind has. Raises OSError where it cannot be read, and ForeignError for whole JSON that lacks the key.
    """
    try:
        document = refuse_changed(json.loads(_content(path)))
        if key and _is_foreign(document, {key}):
            raise ForeignError(path)
        found = document.get("version", version)
        if not found > version:
            return made(document)
        if found > LAST_VERSION:
            raise ValueError(found)
        aside = find_free_name(path, f"version-{int(found)}")
        sentence = (
            f"{path} is of a newer version of this program (it says {int(found)}, this one knows {version}) "
            f"and was set aside as {aside.name}: to have it back, install the newer one and rename the file"
        )
    except FileNotFoundError:
        return None
    except (ValueError, LookupError, TypeError, AttributeError, ArithmeticError, RecursionError):
        aside = find_free_name(path, "damaged")
        sentence = f"{path} was damaged and set aside as {aside.name}: what it remembered is forgotten"
    with suppress(FileNotFoundError):  # another run has done it
        path.replace(aside)
    warn(sentence)
    return None


def _content(path: Path) -> str:
    """Return a document's text. Raises OSError, and ValueError for more than any document of ours has."""
    try:
        return files.read(path, limits.DOCUMENT_BYTES).decode("utf-8")
    except OSError as error:
        if error.errno == errno.EFBIG:
            raise ValueError(error.strerror) from error
        raise


def save(
    path: Path, version: int, content: Mapping[str, Any], *, indent: int | None = None, checked: bool = False
) -> None:
    """Write a document; half a letter, which UTF-8 lacks, becomes "?".

    `checked` adds a checksum, so that a later `load` finds one changed bit: for what comes before visitors.
    Raises OSError, and ForeignError if another program's document stands there: one without keys of ours.
    """
    _refuse_foreign(path, content)
    document = {"version": version, **content}
    if checked:
        document[CHECKSUM] = _checksum(document)
    separators = None if indent else (",", ":")
    text = json.dumps(document, ensure_ascii=False, indent=indent, separators=separators)
    files.write(path, text.encode("utf-8", "replace"))


def refuse_changed(document: Any) -> Any:  # noqa: ANN401 -- as JSON has it
    """Return a document as it was given to `save`. Raises ValueError where its checksum is of another text.

    One without a checksum, as versions before 0.3 wrote all of them, is believed.
    """
    if isinstance(document, dict) and CHECKSUM in document:
        noted = document.pop(CHECKSUM)
        if noted != _checksum(document):
            raise ValueError(noted)
    return document


def _checksum(document: Mapping[str, Any]) -> int:
    from zlib import crc32

    text = json.dumps(document, ensure_ascii=False, separators=(",", ":"))
    return crc32(text.encode("utf-8", "replace"))


def seal(content: bytes) -> bytes:
    """Return content behind a checksum of it (SHA-256, in hexadecimal, and a line end)."""
    from hashlib import sha256

    return sha256(content).hexdigest().encode() + b"\n" + content


def unseal(sealed: bytes) -> bytes | None:
    """Return the content that `seal` was given; None if it is not whole."""
    content = sealed.partition(b"\n")[2]
    return content if seal(content) == sealed else None


def find_free_name(path: Path, why: str) -> Path:
    """Return where to set a file aside. After MOST_ASIDE files the last one is replaced."""
    aside = path.with_suffix(f".{why}{path.suffix}")
    for number in range(2, MOST_ASIDE + 1):
        if not os.path.lexists(aside):
            break
        aside = path.with_suffix(f".{why}-{number}{path.suffix}")
    return aside


def make_state_directory(directory: Path) -> None:
    """Make the state directory, for this user alone. One that is there keeps its mode. Raises OSError.

    Folders in it get the usual mode, so that a group may share a directory that is open to it; folders above
    it, too, for other things may stand there.
    """
    directory.mkdir(DIRECTORY_MODE, parents=True, exist_ok=True)


def _refuse_foreign(path: Path, keys: Collection[str]) -> None:
    """Raise ForeignError for whole JSON with none of these keys, OSError where it cannot be read."""
    try:
        with files.open_regular(path) as file:
            head = file.read(HEAD_BYTES)
            found = _HEAD.match(head)
            if found and found[1].decode() in keys:  # the usual case, without reading it all
                return
            document = json.loads(head + file.read(limits.DOCUMENT_BYTES))
    except FileNotFoundError:
        return
    except (ValueError, RecursionError):  # damaged: `load` sets it aside
        return
    if _is_foreign(document, keys):
        raise ForeignError(path)


def _is_foreign(document: Any, keys: Collection[str]) -> bool:  # noqa: ANN401 -- whatever JSON holds
    """Whether a whole document is of another program. An empty one is not: nothing in it can be lost."""
    if isinstance(document, dict):
        return bool(document) and document.keys().isdisjoint(keys)
    return bool(document)
