"""Where a target's secret comes from: an environment variable, or a file that only its owner can read."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from heatmap.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

MAX_BYTES = 4096
VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,99}")
OTHERS = 0o077  # the permission bits of group and others


def problems(variable: str | None, file: Path | None) -> list[str]:
    """Say what keeps the secret from being read; nothing where none is asked for."""
    return _resolve(variable, file)[1]


def read(variable: str | None, file: Path | None) -> str | None:
    """Return the secret; None where neither a variable nor a file is named. Raises ConfigError."""
    secret, found = _resolve(variable, file)
    if found:
        raise ConfigError(found)
    return secret


def _resolve(variable: str | None, file: Path | None) -> tuple[str | None, list[str]]:
    if variable is not None and file is not None:
        return None, ["password_env and password_file are both given: keep one of them"]
    if variable is not None:
        if not VARIABLE.fullmatch(variable):  # it may be the secret itself, so it is not repeated
            return None, [
                "password_env must be the NAME of an environment variable, never the password itself"
            ]
        where = f"the environment variable {variable}, which password_env names,"
        secret = os.environ.get(variable)
        if not secret:
            return None, [f"{where} is not set: set it where the command runs, in the crontab too"]
    elif file is not None:
        where = f"the password_file {file}"
        try:
            secret = _content(file)
        except OSError as error:
            return None, [f"{where} cannot be read ({error.strerror}): check its name and its owner"]
        except ValueError as error:
            return None, [f"{where} {error}"]
    else:
        return None, []
    if not secret.isprintable():
        return None, [
            f"{where} holds a line break or another control character: leave the password alone in it"
        ]
    return secret, []


def _content(file: Path) -> str:
    """Return the secret in `file`. Raises OSError, or ValueError saying what is wrong with the file."""
    import stat

    descriptor = os.open(file, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)  # a pipe must not keep us waiting
    with os.fdopen(descriptor, "rb") as stream:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            raise ValueError("is no ordinary file: name a file that holds the password")
        if found.st_uid != os.geteuid():
            raise ValueError("belongs to another user: make it your own")
        if found.st_mode & OTHERS:
            raise ValueError("can be read by others: run chmod 600 on it, and consider changing the password")
        content = stream.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise ValueError("is too long for a password: name a file that holds nothing else")
    try:
        secret = content.decode("utf-8").rstrip("\r\n")
    except UnicodeDecodeError:
        secret = None
    if secret is None:  # raised out here, so that no traceback carries the bytes
        raise ValueError("is not UTF-8 text: write the password in UTF-8")
    if not secret:
        raise ValueError("is empty: write the password into it")
    return secret
