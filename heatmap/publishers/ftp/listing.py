"""Reads the lists of files that an FTP server sends, in each form: MLSD, NLST, LIST."""

from __future__ import annotations

import re
from contextlib import suppress
from stat import S_IFREG, S_IMODE, filemode
from typing import TYPE_CHECKING

from heatmap.publishers.ftp.control import REFUSALS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from heatmap.publishers.ftp.control import Control
    from heatmap.publishers.ftp.data_connection import DataConnections

LISTED_FOLDER_TYPES = ("cdir", "pdir")  # the folder that is listed, and its parent
MODE = re.compile(r"[-l](?:[-r][-w][-xsStT]){3}")
FACT = re.compile(r"([^\s;=]+)=([^;]*);")
MODE_FACT = re.compile(r"(?:0o)?([0-7]{1,6})")


def list_names(data: DataConnections, *, has_mlsd: bool) -> Sequence[str] | None:
    """Return the bare names in the working folder; None if the server refuses to list them."""
    if has_mlsd:
        with suppress(*REFUSALS):
            return parse_mlsd_names(data.receive_lines("MLSD"))
    is_listed = False
    for command in ("NLST -a", "NLST"):  # some servers take -a for a name; without it some hide our files
        with suppress(*REFUSALS):
            names = parse_names(data.receive_lines(command))
            is_listed = True
            if names:
                return names
    return () if is_listed else None


def read_mode(control: Control, data: DataConnections, features: Mapping[str, str], name: str) -> str | None:
    """Return the mode of a file in the working folder, as in `-rw-r--r--`; None if the server shows none.

    `features` are those of the server, as `replies.parse_features` returns them.
    """
    mode = None
    if has_mlsd(features):
        if "UNIX.MODE" in features.get("MLST", "").split(";"):  # it can be listed, but only on request
            control.try_command("OPTS MLST type;UNIX.mode;")
        with suppress(*REFUSALS):
            mode = parse_mlsd_mode(data.receive_lines("MLSD"), name)
    if mode is None:
        with suppress(*REFUSALS):
            mode = parse_mode(data.receive_lines("LIST -a"), name)
    return mode


def has_mlsd(features: Mapping[str, str]) -> bool:
    """Return whether a server with these features lists files by MLSD."""
    return "MLSD" in features or "MLST" in features  # a server that has one has the other


def parse_names(lines: Iterable[str]) -> list[str]:
    """Return the bare names in the answer to NLST. Its lines are names or paths."""
    names = (line.rpartition("/")[2] for line in lines)
    return [name for name in names if name not in ("", ".", "..")]


def parse_mlsd_names(lines: Iterable[str]) -> list[str]:
    """Return the bare names in the answer to MLSD: `type=file;size=3; name`."""
    entries = map(parse_mlsd_line, lines)
    return parse_names(
        name for facts, name in entries if facts.get("type", "").lower() not in LISTED_FOLDER_TYPES
    )


def parse_mlsd_line(line: str) -> tuple[dict[str, str], str]:
    """Return the facts of a line of MLSD, by their names in lower case, and the file's name.

    Each fact ends with a semicolon, which no value may hold, and one space separates the facts from the name
    (RFC 3659, section 7.2). A name may hold anything, also "; ". A value may not hold a space either, but
    proftpd sends group names such as "domain users": so the facts do not end at the first space.
    """
    facts: dict[str, str] = {}
    end = 0
    while fact := FACT.match(line, end):
        facts.setdefault(fact[1].lower(), fact[2])
        end = fact.end()
    last_fact, _, name = line[end:].partition(" ")
    if "=" in last_fact:  # its semicolon is missing
        facts.setdefault(last_fact.partition("=")[0].lower(), last_fact.partition("=")[2])
    return facts, name


def parse_mode(lines: Iterable[str], name: str) -> str | None:
    """Return a file's mode from the answer to LIST, as in `-rw-r--r--`; None if it is not there."""
    for line in lines:
        if line.endswith(" " + name):
            match = MODE.match(line)
            return match and match[0]
    return None


def parse_mlsd_mode(lines: Iterable[str], name: str) -> str | None:
    """Return a file's mode from the answer to MLSD, as in `-rw-r--r--`; None if it is not there."""
    for line in lines:
        facts, path = parse_mlsd_line(line)
        if path.rpartition("/")[2] == name:
            match = MODE_FACT.fullmatch(facts.get("unix.mode", ""))
            return match and filemode(S_IFREG | S_IMODE(int(match[1], 8)))
    return None
