"""Small JSON documents in the state directory, written whole or not at all. Damaged ones are set aside."""

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

LAST_VERSION = 999_999  # a higher number is damage; the number becomes part of a file's name
DIRECTORY_MODE = 0o700
HEAD_BYTES = 256  # the first keys of a document are in them
MOST_ASIDE = 9  # how many files of one name are set aside beside each other
CHECKSUM = "crc32"  # the key of a document's checksum, if it has one

_HEAD = re.compile(rb'\{\s*"version":\s*\d+,\s*"([a-z_]+)":')  # how `save` begins a document
_T = TypeVar("_T")


class ForeignError(OSError):
    """Another program's file has the name of a file of this program. It is neither read nor replaced."""

    def __init__(self, path: Path) -> None:
        super().__init__(errno.EEXIST, "it belongs to another program: move it away", str(path))


def load(
    path: Path,
    version: int,
    parse: Callable[[Any], _T],
    warn: Callable[[str], None],
    key: str | None = None,
) -> _T | None:
    """Return what `parse` returns for a document; None if there is no usable document.

    For a document of another shape, `parse` may raise ValueError, LookupError, TypeError, AttributeError or
    ArithmeticError. It must understand documents of earlier
    versions, and those without a version. A damaged document, and one of a version above `version`, is
    renamed, never deleted, and `warn` gets a sentence about it. `key` is a key that each document of this
    kind has. Raises OSError if the file cannot be read, and ForeignError for whole JSON without the key.
    """
    try:
        document = refuse_changed(json.loads(_read(path)))
        if key and _is_foreign(document, {key}):
            raise ForeignError(path)
        document_version = document.get("version", version)
        if not document_version > version:
            return parse(document)
        if document_version > LAST_VERSION:
            raise ValueError(document_version)
        number = int(document_version)
        aside = find_free_name(path, f"version-{number}")
        sentence = (
            f"{path} is of a newer version of this program (it says {number}, this one knows {version}) "
            f"and was set aside as {aside.name}: to have it back, install the newer one and rename the file"
        )
    except FileNotFoundError:
        return None
    except (ValueError, LookupError, TypeError, AttributeError, ArithmeticError, RecursionError):
        aside = find_free_name(path, "damaged")
        sentence = f"{path} was damaged and set aside as {aside.name}: what it remembered is forgotten"
    with suppress(FileNotFoundError):  # another run has renamed it
        path.replace(aside)
    warn(sentence)
    return None


def _read(path: Path) -> str:
    """Return a document's text. Raises OSError, and ValueError if it is longer than any of this program."""
    try:
        return files.read(path, limits.DOCUMENT_BYTES).decode("utf-8")
    except OSError as error:
        if error.errno == errno.EFBIG:
            raise ValueError(error.strerror) from error
        raise


def save(
    path: Path, version: int, content: Mapping[str, Any], *, indent: int | None = None, checked: bool = False
) -> None:
    """Write a document. Half a surrogate pair, which UTF-8 cannot encode, becomes "?".

    `checked` adds a checksum, by which `load` finds a single changed bit: for content that visitors see.
    Raises OSError, and ForeignError if the file is another program's: a document without any of these keys.
    """
    _refuse_foreign(path, content)
    document = {"version": version, **content}
    if checked:
        document[CHECKSUM] = _checksum(document)
    separators = None if indent else (",", ":")
    text = json.dumps(document, ensure_ascii=False, indent=indent, separators=separators)
    files.write(path, text.encode("utf-8", "replace"))


def refuse_changed(document: Any) -> Any:  # noqa: ANN401 -- as JSON has it
    """Return a document without its checksum. Raises ValueError if the checksum is wrong.

    A document without a checksum is believed: versions before 0.3 wrote none.
    """
    if isinstance(document, dict) and CHECKSUM in document:
        checksum = document.pop(CHECKSUM)
        if checksum != _checksum(document):
            raise ValueError(checksum)
    return document


def _checksum(document: Mapping[str, Any]) -> int:
    from zlib import crc32

    text = json.dumps(document, ensure_ascii=False, separators=(",", ":"))
    return crc32(text.encode("utf-8", "replace"))


def seal(content: bytes) -> bytes:
    """Return the checksum of a content (SHA-256, in hexadecimal), a line end, and the content."""
    from hashlib import sha256

    return sha256(content).hexdigest().encode() + b"\n" + content


def unseal(sealed: bytes) -> bytes | None:
    """Return the content that `seal` got; None if it is not whole."""
    content = sealed.partition(b"\n")[2]
    return content if seal(content) == sealed else None


def find_free_name(path: Path, why: str) -> Path:
    """Return the name to set a file aside under. The last of MOST_ASIDE names is used again and again."""
    aside = path.with_suffix(f".{why}{path.suffix}")
    for number in range(2, MOST_ASIDE + 1):
        if not os.path.lexists(aside):
            break
        aside = path.with_suffix(f".{why}-{number}{path.suffix}")
    return aside


def make_state_directory(directory: Path) -> None:
    """Make the state directory, for this user alone. An existing one keeps its mode. Raises OSError.

    Folders in it get the usual mode, so that a group can share a directory that is open to it. Folders above
    it get the usual mode, too: they may hold other things.
    """
    directory.mkdir(DIRECTORY_MODE, parents=True, exist_ok=True)


def _refuse_foreign(path: Path, keys: Collection[str]) -> None:
    """Raise ForeignError for whole JSON with none of these keys, and OSError if it cannot be read."""
    try:
        with files.open_regular(path) as file:
            head = file.read(HEAD_BYTES)
            first_key = _HEAD.match(head)
            if first_key and first_key[1].decode() in keys:  # the usual case, without reading the whole file
                return
            document = json.loads(head + file.read(limits.DOCUMENT_BYTES))
    except FileNotFoundError:
        return
    except (ValueError, RecursionError):  # damaged: `load` sets it aside
        return
    if _is_foreign(document, keys):
        raise ForeignError(path)


def _is_foreign(document: Any, keys: Collection[str]) -> bool:  # noqa: ANN401 -- whatever JSON holds
    """Whether a whole document is another program's. An empty one is not: it has nothing to lose."""
    if isinstance(document, dict):
        return bool(document) and document.keys().isdisjoint(keys)
    return bool(document)
