"""Parses replies of FTP servers, by RFC 959, 1123, 2389, 2428 and 3659. Pure.

Replies are as the control connection gives them: with their code, the lines joined by line feeds.
"""

from __future__ import annotations

import re

MAX_WORDS = 12  # of a reply, that may be a part of the folder's name
QUOTED = re.compile(r'257[ -][^"]*"((?:[^"]|"")+)"(?!")')
UNQUOTED = re.compile(r"257 +(/.*)")
SIZE = re.compile(r"213 +([0-9]{1,18})\s*")
BYTE = "([0-9]{1,3})"
PORT = re.compile("227.*?(?<![0-9])" + r"\s*,\s*".join([BYTE] * 6) + "(?![0-9])", re.DOTALL)
# The protocol and the address should be empty; servers that name them mean the same port.
EXTENDED_PORT = re.compile(r"229.*?\(([!-/:-~])[12]?\1[0-9A-Fa-f.:]*\1([0-9]{1,5})\1\)", re.DOTALL)


def parse_quoted_folder(reply: str) -> str | None:
    """Return the folder in a reply to PWD, which RFC 959 puts in quotation marks; None if there are none.

    A quotation mark in the folder's name is doubled. Some servers send words before the name.
    """
    match = QUOTED.match(reply)
    return match[1].replace('""', '"') if match and "\n" not in match[1] else None


def parse_unquoted_folders(reply: str) -> list[str]:
    """Return the folders that a reply to PWD without quotation marks may mean, the longest first.

    A folder's name may hold spaces, and words may follow it.
    """
    match = UNQUOTED.match(reply)
    words = match[1].rstrip().split(" ")[:MAX_WORDS] if match else []
    return [" ".join(words[:count]) for count in range(len(words), 0, -1)]


def parse_size(reply: str) -> int | None:
    """Return the bytes in a reply to SIZE; None if it holds no such number."""
    match = SIZE.fullmatch(reply)
    return int(match[1]) if match else None


def parse_features(reply: str) -> dict[str, str]:
    """Return the features in a reply to FEAT: the parameters by the feature's name, both in capitals."""
    lines = (re.sub(r"^(?:211-)?\s*", "", line).upper() for line in reply.split("\n")[1:-1])
    parts = (line.partition(" ") for line in lines)
    return {name.rstrip(): parameters.strip() for name, _, parameters in parts if name.strip()}


def parse_passive_port(reply: str) -> int | None:
    """Return the port in a reply to PASV; None if there is none. Parentheses may be missing."""
    match = PORT.match(reply)
    if match is None or any(int(byte) > 0xFF for byte in match.groups()):
        return None
    return int(match[5]) * 256 + int(match[6]) or None


def parse_extended_passive_port(reply: str) -> int | None:
    """Return the port in a reply to EPSV; None if there is none."""
    match = EXTENDED_PORT.match(reply)
    port = int(match[2]) if match else 0
    return port if 0 < port <= 0xFFFF else None
