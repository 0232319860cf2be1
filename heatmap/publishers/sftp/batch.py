"""Texts of the client `sftp` in batch mode: how it reads paths, and how it lists files. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

NO_SUCH_FILE = "No such file"  # the client's text for a file that does not exist
NOT_FOUND = "not found"  # the same, in the answers to `ls` and `get`
CANNOT_LIST = "Can't ls"
# Type and mode, owners (a group's name may hold spaces), size, the time if there is one, and the path.
LIST_LINE = re.compile(r"(.)([-rwxsStT]{9}).*? (\d+) (?:[A-Z][a-z]{2} [ \d]\d +[\d:]{4,5})? ?(\.?/.*)")


class ListedFile(NamedTuple):
    """A line of `ls -lna`. `kind` is "-" for an ordinary file, "d" for a folder, "l" for a symbolic link."""

    kind: str
    mode: str  # such as "rw-r--r--"
    size: int  # bytes
    path: str


def parse_list(lines: Iterable[str]) -> list[ListedFile]:
    """Return the files in the answer to `ls -lna`. Other lines are left out."""
    matches = map(LIST_LINE.fullmatch, lines)
    return [ListedFile(match[1], match[2], int(match[3]), match[4]) for match in matches if match]


def find_reason(lines: Sequence[str]) -> str:
    """Return the reason in an answer such as `remote open "/path": Permission denied`."""
    return lines[0].rpartition('": ')[2].strip() if lines else "no reason given"


def is_not_found(line: str) -> bool:
    """Return whether a line says that a file does not exist."""
    return NO_SUCH_FILE in line or NOT_FOUND in line


def make_explicit(path: str) -> str:
    """Return a path that the client cannot take for an option, or for a home folder."""
    return path if path.startswith("/") else f"./{path}"


def quote(path: str) -> str:
    """Return a path in quotation marks, so that the client takes each character as it is."""
    return '"' + make_explicit(path).replace("\\", "\\\\").replace('"', '\\"') + '"'


def quote_for_ls(path: str) -> str:
    """Return a path as `ls` reads it. Of all commands, only `ls` expands braces."""
    return quote(path).replace("{", "\\{")
