"""Requests like a browser's, with its TLS, HTTP/2 and headers, by the library `curl_cffi`."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from heatmap.errors import SourceError, SourceImpossible, SourceNonsense
from heatmap.system.http import errors
from heatmap.system.http.responses import Limits, RawResponse

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Mapping, Sequence

    from curl_cffi import CurlError

    from heatmap.system.deadline import Deadline

MOST_HEADERS = 100  # as many as Python's own client takes
CODINGS = "gzip, deflate, br, zstd"  # a browser's; the library unpacks them as they come
ABORT = 0xFFFFFFFF  # what a callback returns to end the transfer
SCHEMES = "http,https"
HTTP_1_1, HTTP_2 = 2, 4  # the library's numbers; the latter is HTTP/2 where TLS agrees on it
# The variables that name the authorities to trust: the same as those of `requests`.
AUTHORITIES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE")

# The errors for the library's numbers (libcurl-errors(3)); for all others: `errors.unreachable`.
MEANINGS: Sequence[tuple[Container[int], Callable[[], SourceError]]] = (
    ((28,), errors.timed_out),
    ((35, 51, 53, 54, 58, 59, 60, 64, 66, 77, 80, 82, 83, 90, 91, 98), errors.untrusted),
    ((5, 97), errors.proxy_unreachable),
    ((3,), errors.invalid_address),
    ((1, 8), errors.not_http),  # 1: the server speaks another protocol
    ((18, 56, 92, 95), errors.truncated),
    ((61,), errors.damaged),
    ((63,), lambda: SourceNonsense("sends more bytes than any list of quotes has: correct the address")),
)


class CurlTransport:
    """Sends requests. Connections are used again."""

    def __init__(self, browser: str, timeouts_seconds: tuple[float, float]) -> None:
        """Prepare. The timeouts are for the connection, and between two pieces of a response.

        Raises SourceImpossible if the library is missing.
        """
        try:
            from curl_cffi import Curl
            from curl_cffi.requests import impersonate
        except ImportError as error:
            message = (
                "is asked as a browser would, which needs a package: "
                "`pip install 'market-heatmap[impersonate]'`"
            )
            raise SourceImpossible(message) from error
        self._browser = str(getattr(impersonate, f"DEFAULT_{browser.upper()}"))  # its newest version
        self._timeouts = timeouts_seconds
        self._curl = Curl()

    def send(
        self, url: str, headers: Mapping[str, str], proxy: str | None, limits: Limits, deadline: Deadline
    ) -> RawResponse:
        """Return the response. Raises DeadlineError, and SourceError whose messages lack their subject."""
        from curl_cffi import CurlError, CurlOpt

        curl, transfer = self._curl, _Transfer(limits)
        left = deadline.timeout(float("inf"))
        curl.reset()
        curl.impersonate(self._browser)
        options = {
            CurlOpt.URL: url,
            CurlOpt.PROTOCOLS_STR: SCHEMES,
            CurlOpt.FOLLOWLOCATION: 0,
            CurlOpt.HTTP_VERSION: HTTP_2 if url.startswith("https:") else HTTP_1_1,
            CurlOpt.NOSIGNAL: 1,
            CurlOpt.TIMEOUT_MS: max(1, int(left * 1000)),
            CurlOpt.CONNECTTIMEOUT_MS: int(self._timeouts[0] * 1000),
            CurlOpt.LOW_SPEED_LIMIT: 1,  # bytes a second
            CurlOpt.LOW_SPEED_TIME: max(1, int(self._timeouts[1])),
            CurlOpt.MAXFILESIZE_LARGE: limits.wire_bytes,
            CurlOpt.ACCEPT_ENCODING: CODINGS,
            CurlOpt.SUPPRESS_CONNECT_HEADERS: 1,
            CurlOpt.PROXY: proxy or "",
            CurlOpt.HEADERFUNCTION: transfer.take_header,
            CurlOpt.WRITEFUNCTION: transfer.take_body,
            CurlOpt.HTTPHEADER: [
                f"{name}: {value}".encode("latin-1", "replace") for name, value in headers.items()
            ],
        }
        authorities = next((os.environ[name] for name in AUTHORITIES if os.environ.get(name)), None)
        if authorities:
            options[CurlOpt.CAINFO] = authorities
        try:
            for option, value in options.items():
                curl.setopt(option, value)
            curl.perform()
        except CurlError as error:
            if not transfer.is_done:
                raise transfer.error or _explain(error) from error
        if transfer.error:
            raise transfer.error
        return RawResponse(transfer.status, transfer.headers, tuple(transfer.cookies), bytes(transfer.body))

    def abort(self) -> None:
        """Do nothing: a transfer of this library ends by itself in its time."""

    def close(self) -> None:
        """Close all connections."""
        self._curl.close()


class _Transfer:
    """One response, as far as it has arrived."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self.status = 0
        self._header_count = 0
        self.headers: dict[str, str] = {}
        self.cookies: list[str] = []
        self.body = bytearray()
        self.error: SourceError | None = None
        self.is_done = False  # whether the rest is not needed

    def take_header(self, line: bytes) -> int:
        text = line.decode("latin-1").strip()
        if text.startswith("HTTP/"):
            self.status = int(text.split()[1]) if text.split()[1:2] and text.split()[1].isdigit() else 0
            self._header_count = 0
            self.headers.clear()
            self.cookies.clear()
            return len(line)
        self._header_count += 1
        if self._header_count > MOST_HEADERS:
            self.error = errors.not_http()
            return ABORT
        name, _, value = text.partition(":")
        if name.lower() == "set-cookie":
            self.cookies.append(value.strip())
        elif name:
            self.headers[name.lower()] = value.strip()
        return len(line)

    def take_body(self, piece: bytes) -> int:
        if self.status != 200:
            self.is_done = True
            return ABORT
        self.body += piece
        if len(self.body) > self._limits.decoded_bytes:
            self.error = errors.too_large(self._limits.decoded_bytes, "unpacks to")
            return ABORT
        return len(piece)


def _explain(error: CurlError) -> SourceError:
    """Return the SourceError for an error of the library."""
    if errors.is_proxy_refusal(str(error)):
        return errors.proxy_refusal()
    code = int(error.code)
    return next((make_error() for codes, make_error in MEANINGS if code in codes), errors.unreachable())
