"""What all targets share: their address taken apart, and the names files bear on their way."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from heatmap.errors import ConfigError
from heatmap.system.web_address import is_place

if TYPE_CHECKING:
    from collections.abc import Iterator

FILE_MODE = 0o644  # the web server must be able to read what another user wrote
FOLDER_MODE = 0o755
MAX_BYTES = 64 * 1024 * 1024  # of what a server sends back: it must not fill our memory
STALE_SECONDS = 3600  # no run takes that long, on whatever machine


class Address(NamedTuple):
    """scheme://user@host:port/folder. None: not given."""

    scheme: str
    user: str | None
    host: str
    port: int | None
    folder: str  # decoded; relative to the login folder unless it begins with "/"; "" is the login folder

    @property
    def name(self) -> str:
        """The address for messages; there is no secret in it."""
        user = f"{self.user}@" if self.user else ""
        host = f"[{self.host}]" if ":" in self.host else self.host
        port = f":{self.port}" if self.port else ""
        return f"{self.scheme}://{user}{host}{port}/{self.folder}"


def parse(url: str) -> Address:
    """Take apart the address of a server. `//` after the host makes the folder absolute.

    Raises ConfigError with every problem found; it never repeats the address, which may hold a secret.
    """
    from urllib.parse import unquote, urlsplit

    if not url.isprintable():  # before urlsplit, which would silently drop line breaks
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
    elif not is_place(parts.netloc) or (parts.hostname or "-").startswith("-"):
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
    """Return the path of a page below a folder. Raises ValueError for one that would leave it."""
    parts = path.split("/")
    if not path.isprintable() or any(part in ("", ".", "..") for part in parts):
        raise ValueError(f"{path!r} is no path below a target's folder")
    return f"{folder.rstrip('/')}/{path}" if folder else path


def parent(path: str) -> str:
    """Return the folder of a path; "" where it has none."""
    return path.rpartition("/")[0] or ("/" if path.startswith("/") else "")


def levels(folder: str) -> Iterator[str]:
    """Yield a folder's ancestors, highest first, and last the folder itself."""
    for end, letter in enumerate(folder):
        if letter == "/" and end:
            yield folder[:end]
    if folder.strip("/"):
        yield folder


def temporary(path: str) -> str:
    """Return a new name in the same folder, one that nothing else bears and that is known as ours."""
    folder, slash, _ = path.rpartition("/")
    return f"{folder}{slash}{_own_name()}.tmp"


def probe() -> str:
    """Return a name for a file that only tries whether a target works."""
    return f"{_own_name()}.probe"


def visible_probe() -> str:
    """Return a name for a file that is there for a moment, under which a web server would give it."""
    return f"{_own_name()}.probe.txt".removeprefix(".")


def is_stale(name: str, now: float) -> bool:
    """Whether a file of this bare name is one of ours that a run left behind. `now`: seconds since 1970.

    The age is told by the name, that is by the clocks of those who publish, for a server's own clock and its
    lists of files are not to be relied on. Some servers add `.1` to a name, or put `.in.` before it and a
    dot behind, while or after they store.
    """
    import re

    found = re.fullmatch(
        r"(?:\.in\.)?(?:\.heatmap-(?P<hidden>[0-9a-f]{8})-[0-9a-f]{16}\.(?:tmp|probe)"
        r"|heatmap-(?P<visible>[0-9a-f]{8})-[0-9a-f]{16}\.probe\.txt)(?:\.\d{0,3})?",
        name,
    )
    return found is not None and now - int(found["hidden"] or found["visible"], 16) > STALE_SECONDS


def is_way_to(path: str, folder: str) -> bool:
    """Whether a path is a folder, or one above it."""
    return f"{folder.rstrip('/')}/".startswith(f"{path.rstrip('/')}/")


def _own_name() -> str:
    import os
    import time

    return f".heatmap-{int(time.time()):08x}-{os.urandom(8).hex()}"
