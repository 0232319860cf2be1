"""The keys of a configuration's tables: what each may hold, and which one was meant by another."""

from __future__ import annotations

import os
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from dataclasses import Field

LARGEST_WHOLE = 999_999_999  # more than any key means; what counts by it goes on to fit databases and clocks

# How the annotation of a field is spelt, what TOML may hold for it, and how a person would call that.
_KINDS: dict[str, tuple[tuple[type, ...], str]] = {
    "str": ((str,), "text"),
    "int": ((int,), "a whole number"),
    "float": ((int, float), "a number"),
    "bool": ((bool,), "true or false"),
    "Path": ((str,), "a path"),
    "tuple[str, ...]": ((list,), "a list of texts"),
    "Mapping[str, float]": ((dict,), "a table of numbers"),
}


def convert(field: Field[Any], value: Any) -> object:  # noqa: ANN401 -- whatever TOML holds
    """Return a TOML value as its field wants it. Raises TypeError saying what it must be."""
    kind = str(field.type).removesuffix(" | None")
    types, called = _KINDS[kind]
    fits = isinstance(value, types) and (bool in types or not isinstance(value, bool))
    if not fits:
        raise TypeError(called)
    if kind == "int" and abs(value) > LARGEST_WHOLE:
        raise TypeError(f"{called} of at most {len(str(LARGEST_WHOLE))} digits")
    if kind == "float":
        return _finite(value, called)
    if kind == "Path":
        return Path(os.path.expanduser(value))
    if kind == "Mapping[str, float]":
        if not all(isinstance(item, (int, float)) and not isinstance(item, bool) for item in value.values()):
            raise TypeError(called)
        return {name: _finite(item, called) for name, item in value.items()}
    if kind == "tuple[str, ...]":
        if not all(isinstance(item, str) for item in value):
            raise TypeError(called)
        return tuple(value)
    return value


def _finite(value: float, called: str) -> float:
    """Return a number to reckon with. Raises TypeError for inf and nan, which TOML has, and beyond."""
    try:
        found = float(value)
    except OverflowError:
        raise TypeError(called) from None
    if not isfinite(found):
        raise TypeError(called)
    return found


def intended_target(url: str, schemes: Sequence[str] | Mapping[str, object]) -> str:
    """Return, as the end of a sentence, which target was probably meant by an address without a known scheme.

    Nothing of the address is repeated but a path, for the rest may hold a password.
    """
    scheme, colon, rest = url.strip().partition(":")
    scheme = scheme.lower()
    if "@" in scheme:
        return '; did you mean "sftp://user@host/folder" or "ftps://user@host/folder"?'
    if not colon or "/" in scheme:
        if scheme.startswith(("ftp.", "www.")):
            return '; did you mean "ftps://user@host/folder"?'
        if scheme.partition("/")[0] in schemes and "//" in scheme:  # the colon is missing
            return f"; did you mean {scheme.partition('/')[0]}:?"
        if "@" in url:
            return '; did you mean "file:..."?'
        from urllib.parse import quote

        path = url.strip()
        if path.startswith("//"):  # what follows two would be a host
            path = "/" + path.lstrip("/")
        return f'; did you mean "file:{quote(path)}"?'
    if scheme in ("http", "https") and "git" in rest.split("/")[2 if rest.startswith("//") else 0]:
        return '; did you mean "git+file:", with a clone of that repository?'
    if scheme in _OF_WEB:
        return "; a web server takes pages by its account for files: ftps://user@host/folder or sftp://..."
    if scheme in _OTHER_SCHEMES:
        return f"; did you mean {_OTHER_SCHEMES[scheme]}?"
    from difflib import get_close_matches

    near = get_close_matches(scheme, list(schemes), n=1, cutoff=0.6)
    return f"; did you mean {near[0]}:?" if near else ""


# What people write for a target that bears another scheme here.
_OF_WEB = ("http", "https", "dav", "davs", "webdav", "webdavs")
_OTHER_SCHEMES = {
    **dict.fromkeys(("ftpes", "ftp+tls", "ftptls", "ftpssl", "ftp+ssl", "tls", "ssl"), "ftps:"),
    **dict.fromkeys(("ssh", "scp", "rsync", "ssh+sftp"), "sftp:"),
    **dict.fromkeys(("aws", "s3a", "s3n", "s3+https", "r2", "b2", "gs", "minio", "spaces"), "s3:"),
    **dict.fromkeys(("git", "github", "gitlab", "git+ssh", "git+https"), "git+file:, with a clone"),
    **dict.fromkeys(("path", "dir", "folder", "local", "localhost"), "file:"),
}
