"""Converts the values of a configuration to the types of their fields, and suggests a target's URL."""

from __future__ import annotations

import os
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from dataclasses import Field

LARGEST_INTEGER = 999_999_999  # more than any key needs; databases and clocks can still hold sums of it

# By the text of a field's annotation: the Python types of TOML values that fit it, and their description.
_KINDS: dict[str, tuple[tuple[type, ...], str]] = {
    "str": ((str,), "text"),
    "int": ((int,), "a whole number"),
    "float": ((int, float), "a number"),
    "bool": ((bool,), "true or false"),
    "Path": ((str,), "a path"),
    "tuple[str, ...]": ((list,), "a list of texts"),
    "Mapping[str, float]": ((dict,), "a table of numbers"),
}


def convert(field: Field[Any], value: Any) -> object:  # noqa: ANN401 -- any TOML value
    """Return a TOML value as the type of its field. Raises TypeError; its text describes the valid values.

    `~` in a path becomes the home directory; a relative path stays relative.
    """
    kind = str(field.type).removesuffix(" | None")
    types, description = _KINDS[kind]
    fits = isinstance(value, types) and (bool in types or not isinstance(value, bool))
    if not fits:
        raise TypeError(description)
    if kind == "int" and abs(value) > LARGEST_INTEGER:
        raise TypeError(f"{description} of at most {len(str(LARGEST_INTEGER))} digits")
    if kind == "float":
        return _finite_float(value, description)
    if kind == "Path":
        return Path(os.path.expanduser(value))
    if kind == "Mapping[str, float]":
        if not all(isinstance(item, (int, float)) and not isinstance(item, bool) for item in value.values()):
            raise TypeError(description)
        return {name: _finite_float(item, description) for name, item in value.items()}
    if kind == "tuple[str, ...]":
        if not all(isinstance(item, str) for item in value):
            raise TypeError(description)
        return tuple(value)
    return value


def _finite_float(value: float, description: str) -> float:
    """Return a number as a finite float. Raises TypeError for inf, nan and integers too large for a float."""
    try:
        number = float(value)
    except OverflowError:
        raise TypeError(description) from None
    if not isfinite(number):
        raise TypeError(description)
    return number


def suggest_target(url: str, schemes: Sequence[str] | Mapping[str, object]) -> str:
    """Return a hint for a target's URL with an unknown scheme: the end of a sentence, or "".

    The hint repeats no part of the URL but a path, because the other parts may hold a password.
    """
    scheme, colon, after_scheme = url.strip().partition(":")
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
        if path.startswith("//"):  # after two slashes a host would follow
            path = "/" + path.lstrip("/")
        return f'; did you mean "file:{quote(path)}"?'
    if (
        scheme in ("http", "https")
        and "git" in after_scheme.split("/")[2 if after_scheme.startswith("//") else 0]
    ):
        return '; did you mean "git+file:", with a clone of that repository?'
    if scheme in _WEB_SCHEMES:
        return "; a web server takes pages by its account for files: ftps://user@host/folder or sftp://..."
    if scheme in _OTHER_SCHEMES:
        return f"; did you mean {_OTHER_SCHEMES[scheme]}?"
    from difflib import get_close_matches

    near = get_close_matches(scheme, list(schemes), n=1, cutoff=0.6)
    return f"; did you mean {near[0]}:?" if near else ""


# Schemes that people write, and the scheme of this program for the same kind of target.
_WEB_SCHEMES = ("http", "https", "dav", "davs", "webdav", "webdavs")
_OTHER_SCHEMES = {
    **dict.fromkeys(("ftpes", "ftp+tls", "ftptls", "ftpssl", "ftp+ssl", "tls", "ssl"), "ftps:"),
    **dict.fromkeys(("ssh", "scp", "rsync", "ssh+sftp"), "sftp:"),
    **dict.fromkeys(("aws", "s3a", "s3n", "s3+https", "r2", "b2", "gs", "minio", "spaces"), "s3:"),
    **dict.fromkeys(("git", "github", "gitlab", "git+ssh", "git+https"), "git+file:, with a clone"),
    **dict.fromkeys(("path", "dir", "folder", "local", "localhost"), "file:"),
}
