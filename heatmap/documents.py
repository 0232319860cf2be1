"""Small JSON documents of the state directory: read whole or set aside, written whole or not at all."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

_T = TypeVar("_T")


def load(path: Path, version: int, made: Callable[[Any], _T], warn: Callable[[str], None]) -> _T | None:
    """Return what `made` makes of a document; None where there is none that can be used.

    `made` may raise whatever comes of reading a document of another shape. A damaged document, and one of
    a version above `version`, is renamed, never deleted, and `warn` is called with a sentence. A document
    of an earlier version, or of none, is `made`'s to understand. Raises OSError where it cannot be read.
    """
    try:
        document = json.loads(path.read_text("utf-8"))
        found = document.get("version", version)
        if not found > version:
            return made(document)
        aside = path.with_suffix(f".version-{int(found)}.json")
        sentence = (
            f"{path} is of a newer version of this program (it says {int(found)}, this one knows {version}) "
            f"and was set aside as {aside.name}: to have it back, install the newer one and rename the file"
        )
    except FileNotFoundError:
        return None
    except (ValueError, LookupError, TypeError, AttributeError, ArithmeticError, RecursionError):
        aside = path.with_suffix(".damaged.json")
        sentence = f"{path} was damaged and set aside as {aside.name}: what it remembered is forgotten"
    with suppress(FileNotFoundError):  # another run has done it
        path.replace(aside)
    warn(sentence)
    return None


def save(path: Path, version: int, content: Mapping[str, Any], *, indent: int | None = None) -> None:
    """Write a document down; its folder is made if need be. Raises OSError."""
    document = {"version": version, **content}
    # Two runs must not write into one file; what UTF-8 lacks, ASCII has an escape for.
    temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    path.parent.mkdir(parents=True, exist_ok=True)
    with temporary.open("w", encoding="ascii") as file:
        file.write(json.dumps(document, indent=indent, separators=None if indent else (",", ":")))
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
