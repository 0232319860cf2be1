"""What an FTP server's replies tell beside yes and no, by RFC 959, 1123, 2389, 2428 and 3659. Pure.

Replies are as the control connection gives them: with their code, the lines joined by line feeds.
"""

from __future__ import annotations

import re

MOST_WORDS = 12  # of a reply, that are tried
QUOTED = re.compile(r'257[ -][^"]*"((?:[^"]|"")+)"(?!")')
UNQUOTED = re.compile(r"257 +(/.*)")
SIZE = re.compile(r"213 +([0-9]{1,18})\s*")
BYTE = "([0-9]{1,3})"
PORT = re.compile("227.*?(?<![0-9])" + r"\s*,\s*".join([BYTE] * 6) + "(?![0-9])", re.DOTALL)
# The protocol and the address should be empty; servers that name them mean the same port.
EXTENDED_PORT = re.compile(r"229.*?\(([!-/:-~])[12]?\1[0-9A-Fa-f.:]*\1([0-9]{1,5})\1\)", re.DOTALL)


def quoted_folder(reply: str) -> str | None:
    """Return the folder that a reply to PWD names, in quotation marks as RFC 959 has it; None without any.

    A quotation mark in the folder's name is doubled. There are servers with words before the name.
    """
    found = QUOTED.match(reply)
    return found[1].replace('""', '"') if found and "\n" not in found[1] else None


def unquoted_folders(reply: str) -> list[str]:
    """Return the folders that a reply to PWD may name without quotation marks, the longest first.

    A folder's name may hold spaces, and words may follow it.
    """
    found = UNQUOTED.match(reply)
    words = found[1].rstrip().split(" ")[:MOST_WORDS] if found else []
    return [" ".join(words[:count]) for count in range(len(words), 0, -1)]


def size(reply: str) -> int | None:
    """Return the bytes that a reply to SIZE tells; None where it is no such number."""
    found = SIZE.fullmatch(reply)
    return int(found[1]) if found else None


def features(reply: str) -> dict[str, str]:
    """Return what a reply to FEAT lists: the parameters by the feature's name, both in capitals."""
    lines = (re.sub(r"^(?:211-)?\s*", "", line).upper() for line in reply.split("\n")[1:-1])
    words = (line.partition(" ") for line in lines)
    return {name.rstrip(): parameters.strip() for name, _, parameters in words if name.strip()}


def passive_port(reply: str) -> int | None:
    """Return the port that a reply to PASV names; None where it names none. Parentheses may be missing."""
    found = PORT.match(reply)
    if found is None or any(int(byte) > 0xFF for byte in found.groups()):
        return None
    return int(found[5]) * 256 + int(found[6]) or None


def extended_passive_port(reply: str) -> int | None:
    """Return the port that a reply to EPSV names; None where it names none."""
    found = EXTENDED_PORT.match(reply)
    port = int(found[2]) if found else 0
    return port if 0 < port <= 0xFFFF else None
