"""Reads secrets: from an environment variable, a file that only its owner can read, or a command's output.

A secret stays in memory. It is never shown, and never passed to a child process: children are started with
`child_environment()`. `get_all()` is for texts from which secrets are removed.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from heatmap.errors import ConfigError
from heatmap.system import files, processes, resource_errors

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

MAX_BYTES = 4096
COMMAND_SECONDS = 15.0  # the limit of a password_command, which may read a keyring
VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,99}")
OTHERS = 0o077  # the permission bits of group and others

_secrets: set[str] = set()  # all that this process has read
_variables: set[str] = set()  # their variables, which a child must not inherit


def problems(
    variable: str | None,
    file: Path | None,
    command: Sequence[str] | None = None,
    *,
    name: str = "password",
) -> list[str]:
    """Return the reasons why the secret cannot be read; none if no place is given. The command is not run.

    `name` is the start of the configuration's keys: `password_env`, `password_file`, `password_command`.
    """
    return _resolve(variable, file, command, name)[1]


def read(
    variable: str | None,
    file: Path | None,
    command: Sequence[str] | None = None,
    *,
    name: str = "password",
    seconds: float = COMMAND_SECONDS,
) -> str | None:
    """Return the secret; None if no place is given. Raises ConfigError.

    A command has `seconds` to print it as its first line.
    """
    secret, errors = _resolve(variable, file, command, name)
    if not errors and command:
        secret, errors = _run_command(command, name, seconds)
    if errors:
        raise ConfigError(errors)
    if secret:
        _secrets.add(secret)
    return secret


def get_all() -> frozenset[str]:
    """Return every secret that this process has read, for `redaction.redact`."""
    return frozenset(_secrets)


def child_environment() -> dict[str, str]:
    """Return this process's environment without the variables that secrets were read from."""
    return {variable: value for variable, value in os.environ.items() if variable not in _variables}


def _resolve(
    variable: str | None, file: Path | None, command: Sequence[str] | None, name: str
) -> tuple[str | None, list[str]]:
    if variable is not None and VARIABLE.fullmatch(variable):
        _variables.add(variable)
    keys = [
        f"{name}_{place}"
        for place, value in (("env", variable), ("file", file), ("command", command))
        if value is not None
    ]
    if len(keys) > 1:
        return None, [f"{' and '.join(keys)} are both given: keep one of them"]
    if variable is not None:
        if not VARIABLE.fullmatch(variable):  # it may be the secret itself, so it is not repeated
            return None, [f"{name}_env must be the NAME of an environment variable, never the {name} itself"]
        where = f"the environment variable {variable}, which {name}_env names,"
        secret = os.environ.get(variable)
        if not secret:
            return None, [f"{where} is not set: set it where the command runs, in the crontab too"]
        return _check(secret, where, name)
    if file is not None:
        return _from_file(file, name)
    if command is not None:
        return None, _command_problems(command, name)
    return None, []


def _from_file(file: Path, name: str) -> tuple[str | None, list[str]]:
    where = f"the {name}_file {file}"
    try:
        return _check(_content(file), where, name)
    except FileNotFoundError:
        return None, [f"{where} is not there: make it, with the {name} in it, and run: {_closing(file)}"]
    except OSError as error:
        resource_errors.refuse(error)
        return None, [f"{where} cannot be read ({error.strerror}): check its name and its owner"]
    except ValueError as error:
        return None, [f"{where} {error}"]


def _check(secret: str, where: str, name: str) -> tuple[str | None, list[str]]:
    if secret.isprintable():
        return secret, []
    return None, [f"{where} holds a line break or another control character: leave the {name} alone in it"]


def _command_problems(command: Sequence[str], name: str) -> list[str]:
    from shutil import which

    if not command:
        return [f'{name}_command is empty: name a command and its words, as in ["pass", "show", "web/ftp"]']
    if which(command[0]) is None:
        return [f"the {name}_command {command[0]} is not installed, or cannot be run: give its whole path"]
    return []


def _run_command(command: Sequence[str], name: str, seconds: float) -> tuple[str | None, list[str]]:
    """Return the first line of a command's output. No message repeats the output: it may have the secret."""
    where = f"the {name}_command {command[0]}"
    advice = "run it by hand to see why"
    try:
        ended = processes.run(command, seconds, environment=child_environment())
    except TimeoutError:
        return None, [f"{where} printed nothing within {seconds:.3g} seconds: {advice}"]
    except OSError as error:
        resource_errors.refuse(error)
        return None, [f"{where} cannot be run ({error.strerror}): give its whole path"]
    line = ended.stdout[: MAX_BYTES + 1].splitlines()[0] if ended.stdout.strip() else b""
    if ended.code:
        return None, [f"{where} ended with exit code {ended.code}: {advice}"]
    try:
        secret = line.decode("utf-8")
    except UnicodeDecodeError:
        return None, [f"{where} prints what is not UTF-8 text: {advice}"]
    if not secret or len(line) > MAX_BYTES:
        return None, [f"{where} prints no {name} on its first line: {advice}"]
    return _check(secret, where, name)


def _content(file: Path) -> str:
    """Return the secret in `file`. Raises OSError; ValueError with the end of a sentence on the file."""
    with files.open_regular(file) as stream:
        status = os.fstat(stream.fileno())
        if status.st_uid != os.geteuid():
            raise ValueError("belongs to another user: make it your own")
        if status.st_mode & OTHERS:
            raise ValueError(
                f"can be read by others: consider changing the password, and run: {_closing(file)}"
            )
        content = stream.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise ValueError("is too long for a password: name a file that holds nothing else")
    try:
        secret = content.decode("utf-8").rstrip("\r\n")
    except UnicodeDecodeError:
        secret = None
    if secret is None:  # raised here, so that no traceback has the bytes
        raise ValueError("is not UTF-8 text: write the password in UTF-8")
    if not secret:
        raise ValueError("is empty: write the password into it")
    return secret


def _closing(file: Path) -> str:
    """Return the shell command that closes a file to others."""
    from shlex import quote

    return f"chmod 600 {quote(str(file))}"
