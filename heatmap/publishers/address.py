"""Parses the addresses of targets, joins paths, and makes the names of temporary files."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from heatmap.errors import ConfigError
from heatmap.system.web_address import is_netloc

if TYPE_CHECKING:
    from collections.abc import Iterator

FILE_MODE = 0o644  # the web server, another user, must be able to read the files
FOLDER_MODE = 0o755
MAX_BYTES = 64 * 1024 * 1024  # of one answer of a server: it must not fill our memory
STALE_SECONDS = 3600  # no run takes that long on any machine


class Address(NamedTuple):
    """scheme://user@host:port/folder. None: the address does not have this part."""

    scheme: str
    user: str | None
    host: str
    port: int | None
    folder: str  # decoded; relative to the login folder unless it begins with "/"; "" is the login folder

    @property
    def name(self) -> str:
        """The address for messages. It holds no secret."""
        user = f"{self.user}@" if self.user else ""
        host = f"[{self.host}]" if ":" in self.host else self.host
        port = f":{self.port}" if self.port else ""
        return f"{self.scheme}://{user}{host}{port}/{self.folder}"


def parse(url: str) -> Address:
    """Parse the address of a server. `//` after the host makes the folder absolute.

    Raises ConfigError with all problems. They never repeat the address, because it may hold a secret.
    """
    from urllib.parse import unquote, urlsplit

    if not url.isprintable():  # before urlsplit: it would silently drop line breaks
        raise ConfigError(["url holds a line break or another control character: remove it"])
    try:
        parts = urlsplit(url)
        port = parts.port
        user = unquote(parts.username, errors="strict") if parts.username else None
        folder = unquote(parts.path, errors="strict")
    except ValueError:
        advice = "write scheme://user@host:port/folder, with a port of 1 to 65535 and % only as in %20"
        raise ConfigError([f"url cannot be understood: {advice}"]) from None
    problems = []
    if parts.password is not None:
        problems.append("url holds a password: take it out, change it, and name a variable in password_env")
    if port == 0:
        problems.append("url has port 0: ports are 1 to 65535")
    elif not is_netloc(parts.netloc) or (parts.hostname or "-").startswith("-"):
        problems.append("url needs a host, as in scheme://user@www.example.org/folder")
    if parts.query or parts.fragment:
        problems.append(
            "url must not hold ? or #: write them as %3F and %23 where the folder's name has them"
        )
    if not (folder + (user or "")).isprintable():
        problems.append("url holds an encoded line break or another control character: remove it")
    if ".." in folder.split("/"):
        problems.append("url must not climb by ..: name the folder itself")
    if problems:
        raise ConfigError(problems)
    folder = folder.removeprefix("/")
    absolute = "/" if folder.startswith("/") else ""
    return Address(parts.scheme.lower(), user, parts.hostname or "", port, absolute + folder.strip("/"))


def join(folder: str, path: str) -> str:
    """Return the path of a page below a folder. Raises ValueError if the path leaves the folder."""
    parts = path.split("/")
    if not path.isprintable() or any(part in ("", ".", "..") for part in parts):
        raise ValueError(f"{path!r} is no path below a target's folder")
    return f"{folder.rstrip('/')}/{path}" if folder else path


def parent(path: str) -> str:
    """Return the folder of a path; "" if it has none."""
    return path.rpartition("/")[0] or ("/" if path.startswith("/") else "")


def list_levels(folder: str) -> Iterator[str]:
    """Yield the ancestors of a folder, the highest first, and then the folder itself."""
    for end, letter in enumerate(folder):
        if letter == "/" and end:
            yield folder[:end]
    if folder.strip("/"):
        yield folder


def make_temporary_name(path: str) -> str:
    """Return a new, unique path in the same folder. Its name shows that this program made the file."""
    folder, slash, _ = path.rpartition("/")
    return f"{folder}{slash}{_make_name()}.tmp"


def make_probe_name() -> str:
    """Return a name for a file that only tests whether a target works."""
    return f"{_make_name()}.probe"


def make_visible_probe_name() -> str:
    """Return a name for a test file that a web server would serve: the name does not begin with a dot."""
    return f"{_make_name()}.probe.txt".removeprefix(".")


def is_stale(name: str, now: float) -> bool:
    """Return whether an earlier run left the file of this bare name. `now`: seconds since 1970.

    The name holds the time of its making, by the clock of the publishing machine: the clocks and the lists of
    servers are not reliable. While or after they store a file, some servers add `.1` to its name, or put
    `.in.` before it and a dot behind it.
    """
    import re

    match = re.fullmatch(
        r"(?:\.in\.)?(?:\.heatmap-(?P<hidden>[0-9a-f]{8})-[0-9a-f]{16}\.(?:tmp|probe)"
        r"|heatmap-(?P<visible>[0-9a-f]{8})-[0-9a-f]{16}\.probe\.txt)(?:\.\d{0,3})?",
        name,
    )
    return match is not None and now - int(match["hidden"] or match["visible"], 16) > STALE_SECONDS


def is_same_or_parent(path: str, folder: str) -> bool:
    """Return whether `path` is `folder` or one of its ancestors."""
    return f"{folder.rstrip('/')}/".startswith(f"{path.rstrip('/')}/")


def _make_name() -> str:
    import os
    import time

    return f".heatmap-{int(time.time()):08x}-{os.urandom(8).hex()}"
