"""The cookies of one site: taken from its answers, sent with what is asked next, kept in a file between runs.

They concern the server's clock, so their age goes by the system's, not by the one a run pretends.
"""

from __future__ import annotations

import json
import time
import warnings
from contextlib import suppress
from email.message import Message
from http.cookiejar import Cookie, CookieJar
from typing import TYPE_CHECKING, Any, cast
from urllib.request import Request

from heatmap.system import files

if TYPE_CHECKING:
    from collections.abc import Iterable
    from http.client import HTTPResponse
    from pathlib import Path

MOST_COOKIES = 50
LONGEST_COOKIE = 4096  # characters of name and value
MOST_BYTES = 256 * 1024  # of the file
KEPT_SECONDS = 12 * 3600.0  # the longest that any is kept, those of a browser's session among them


class Cookies:
    """A jar, which `file` fills; None: nothing is kept."""

    def __init__(self, file: Path | None = None) -> None:
        """Read the file; what is damaged, expired or too old in it is passed over."""
        self._file = file
        self._jar = CookieJar()
        if file is not None:
            for cookie in _read(file):
                self._jar.set_cookie(cookie)

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._jar)

    def header(self, url: str) -> str | None:
        """Return the Cookie header for a request; None where there is none to send."""
        request = Request(url)  # noqa: S310 -- nothing is opened by it
        self._jar.add_cookie_header(request)
        return request.get_header("Cookie")

    def take(self, url: str, received: Iterable[str]) -> None:
        """Take what an answer from `url` sets; what is no cookie, or too long, or too much, is not taken."""
        message = Message()
        for text in received:
            if len(text) <= LONGEST_COOKIE and text.isprintable() and text.isascii():
                message["Set-Cookie"] = text
        with warnings.catch_warnings():
            # The library warns, with a traceback, of a header that it cannot read, and takes no cookie.
            warnings.simplefilter("ignore")
            self._jar.extract_cookies(cast("HTTPResponse", _Headers(message)), Request(url))  # noqa: S310
        for cookie in list(self._jar)[MOST_COOKIES:]:
            self._jar.clear(cookie.domain, cookie.path, cookie.name)

    def keep(self) -> None:
        """Write them to the file; a disk that takes none costs the next run a request, and nothing else."""
        if self._file is None or not len(self._jar):
            return
        rows = [
            {
                "name": cookie.name,
                "value": cookie.value,
                "domain": cookie.domain,
                "path": cookie.path,
                "secure": cookie.secure,
                "expires": cookie.expires,
            }
            for cookie in self._jar
        ]
        body = json.dumps({"kept_at": int(time.time()), "cookies": rows}, indent=1).encode()
        with suppress(OSError):
            files.write(self._file, body, mode=0o600, to_disk=False)

    def forget(self) -> None:
        """Drop them all, the file too."""
        self._jar.clear()
        if self._file is not None:
            with suppress(OSError):
                self._file.unlink()


class _Headers:
    """All that a jar wants of an answer."""

    def __init__(self, message: Message) -> None:
        self._message = message

    def info(self) -> Message:
        return self._message


def _read(file: Path) -> list[Cookie]:
    try:
        document = json.loads(files.read(file, MOST_BYTES))
        age = time.time() - document["kept_at"]
        rows = document["cookies"][:MOST_COOKIES]
        found = [_cookie(row) for row in rows] if 0 <= age <= KEPT_SECONDS else []
    except (OSError, ValueError, TypeError, KeyError, OverflowError, RecursionError):
        return []
    return [cookie for cookie in found if not cookie.is_expired()]


def _cookie(row: Any) -> Cookie:  # noqa: ANN401 -- whatever stands in the file
    """Return the cookie that a row describes. Raises ValueError, TypeError, KeyError, OverflowError."""
    texts = [row[name] for name in ("name", "value", "domain", "path")]
    name, value, domain, path = texts
    for text in texts:
        if not isinstance(text, str) or len(text) > LONGEST_COOKIE:
            raise TypeError("no cookie of ours")
        if not text.isascii() or not text.isprintable():
            raise ValueError("no cookie of ours")
    expires = None if row["expires"] is None else int(row["expires"])
    return Cookie(
        version=0,
        name=name,
        value=value,
        port=None,
        port_specified=False,
        domain=domain,
        domain_specified=domain.startswith("."),
        domain_initial_dot=domain.startswith("."),
        path=path,
        path_specified=True,
        secure=bool(row["secure"]),
        expires=expires,
        discard=expires is None,
        comment=None,
        comment_url=None,
        rest={},
    )
