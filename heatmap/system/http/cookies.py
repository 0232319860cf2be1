"""The cookies of one site: taken from its responses, sent with later requests, saved between runs.

Their age is measured by this machine's clock, not by the time of `--now`.
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
KEPT_SECONDS = 12 * 3600.0  # the longest that any cookie is kept, also a session cookie


class Cookies:
    """The cookies of a site. `file` has those of earlier runs; None: nothing is saved."""

    def __init__(self, file: Path | None = None) -> None:
        """Read the file. Cookies that are damaged, expired or too old are skipped."""
        self._file = file
        self._jar = CookieJar()
        if file is not None:
            for cookie in _read(file):
                self._jar.set_cookie(cookie)

    def __len__(self) -> int:
        """Return the number of cookies."""
        return len(self._jar)

    def header(self, url: str) -> str | None:
        """Return the Cookie header for a request; None if it has no cookie."""
        request = Request(url)  # noqa: S310 -- nothing is opened by it
        self._jar.add_cookie_header(request)
        return request.get_header("Cookie")

    def take(self, url: str, received: Iterable[str]) -> None:
        """Take the cookies that a response from `url` sets, except invalid, too long and too many ones."""
        message = Message()
        for text in received:
            if len(text) <= LONGEST_COOKIE and text.isprintable() and text.isascii():
                message["Set-Cookie"] = text
        with warnings.catch_warnings():
            # For a header that it cannot read, the library prints a warning with a traceback.
            warnings.simplefilter("ignore")
            self._jar.extract_cookies(cast("HTTPResponse", _Headers(message)), Request(url))  # noqa: S310 -- it is not opened
        for cookie in list(self._jar)[MOST_COOKIES:]:
            self._jar.clear(cookie.domain, cookie.path, cookie.name)

    def save(self) -> None:
        """Write the cookies to the file. If that fails, the next run needs one request more."""
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

    def clear(self) -> None:
        """Remove all cookies, and the file."""
        self._jar.clear()
        if self._file is not None:
            with suppress(OSError):
                self._file.unlink()


class _Headers:
    """The part of a response that a cookie jar uses."""

    def __init__(self, message: Message) -> None:
        self._message = message

    def info(self) -> Message:
        return self._message


def _read(file: Path) -> list[Cookie]:
    try:
        document = json.loads(files.read(file, MOST_BYTES))
        age = time.time() - document["kept_at"]
        rows = document["cookies"][:MOST_COOKIES]
        cookies = [_parse(row) for row in rows] if 0 <= age <= KEPT_SECONDS else []
    except (OSError, ValueError, TypeError, KeyError, OverflowError, RecursionError):
        return []
    return [cookie for cookie in cookies if not cookie.is_expired()]


def _parse(row: Any) -> Cookie:  # noqa: ANN401 -- as JSON has it
    """Return the cookie in a row. Raises ValueError, TypeError, KeyError, OverflowError."""
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
