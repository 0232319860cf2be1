"""Checks addresses before they are used or published: their scheme, host and port."""

from __future__ import annotations

import re

LONGEST_HOST = 253  # characters, as DNS has it
LONGEST_LABEL = 63
MOST_PORT = 65535
WEB = ("https", "http")
LOOPBACK = ("localhost", "127.0.0.1", "::1")  # this machine, as addresses name it
_PLACE = re.compile(
    r"(?:.*@)?(?:\[(?P<ip>[^\[\]@]+)\]|(?P<name>[^\[\]:@]+))(?::(?P<port>[0-9]{0,5}))?", re.ASCII
)
_NOT_IN_HOST = re.compile(r"[\x00-\x20\x7f\s<>\"\\^`{|}%/?#]")
_NOT_IN_ADDRESS = re.compile(r"[\s\\]")  # a browser reads a backslash as a slash


def is_web_address(
    url: str, *, schemes: tuple[str, ...] = WEB, may_login: bool = False, may_query: bool = True
) -> bool:
    """Whether `url` has one of the schemes, a valid host, and a port of 1 to 65535 or none.

    A user and a password are allowed with `may_login`; ? and # with `may_query`.
    """
    from urllib.parse import urlsplit

    if not url.isprintable() or _NOT_IN_ADDRESS.search(url):
        return False
    try:
        parts = urlsplit(url)
        login = parts.username is not None
    except ValueError:
        return False
    return (
        parts.scheme in schemes
        and is_netloc(parts.netloc)
        and not _is_wrong_number(parts.hostname or "")
        and (may_login or not login)
        and (may_query or not re.search("[?#]", url))
    )


def is_protected(scheme: str, host: str | None) -> bool:
    """Whether nobody on the way can read or change what is sent: by https, or by http to this machine."""
    return scheme == "https" or (scheme == "http" and host in LOOPBACK)


def is_netloc(netloc: str) -> bool:
    """Whether `user@host:port` has a valid host and port. User and port may be missing."""
    match = _PLACE.fullmatch(netloc)
    if match is None or (match["port"] and not 1 <= int(match["port"]) <= MOST_PORT):
        return False
    return _is_ip(match["ip"], 6) if match["ip"] else _is_name(match["name"])


def _is_name(name: str) -> bool:
    if _NOT_IN_HOST.search(name) or not name.isprintable():
        return False
    try:
        ascii_name = name if name.isascii() else name.encode("idna").decode("ascii")
    except UnicodeError:
        return False
    labels = ascii_name.removesuffix(".").split(".")
    return len(ascii_name) <= LONGEST_HOST and all(1 <= len(label) <= LONGEST_LABEL for label in labels)


def _is_wrong_number(host: str) -> bool:
    """Whether a browser would read a host as a number, because its last part is one, and refuse it."""
    last = host.removesuffix(".").rpartition(".")[2]
    return last.isascii() and last.isdigit() and not _is_ip(host, 4)


def _is_ip(text: str, version: int) -> bool:
    from ipaddress import ip_address

    try:
        return ip_address(text).version == version
    except ValueError:
        return False
