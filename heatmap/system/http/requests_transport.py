"""Requests by the library `requests`: it follows no redirect, keeps no cookie and unpacks nothing."""

from __future__ import annotations

from http.client import HTTPException, IncompleteRead, RemoteDisconnected
from http.cookiejar import DefaultCookiePolicy
from typing import TYPE_CHECKING

import requests
from urllib3.exceptions import HTTPError
from urllib3.exceptions import TimeoutError as TimeoutError_

from heatmap.errors import SourceError, SourceImpossible
from heatmap.system.http import errors, responses, sessions
from heatmap.system.http.responses import Limits, RawResponse
from heatmap.system.http.sessions import Session

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from heatmap.system.deadline import Deadline

CHUNK_BYTES = 16 * 1024
# No brotli: requests could not unpack it without a further package.
BASE_HEADERS = {"Accept-Encoding": "gzip, deflate"}


class RequestsTransport:
    """Sends requests. Connections are used again."""

    def __init__(self, headers: Mapping[str, str], timeouts_seconds: tuple[float, float]) -> None:
        """Prepare. The timeouts are for the connection, and between two pieces of a response."""
        self._timeouts = timeouts_seconds
        self._session = Session()
        self._session.headers.update({**BASE_HEADERS, **headers})
        self._session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=()))  # `Client` keeps them
        self._response: requests.Response | None = None  # while it is being read

    def send(
        self, url: str, headers: Mapping[str, str], proxy: str | None, limits: Limits, deadline: Deadline
    ) -> RawResponse:
        """Return the response. Raises DeadlineError, and SourceError whose messages lack their subject."""
        timeouts = (deadline.timeout(self._timeouts[0]), deadline.timeout(self._timeouts[1]))
        try:
            response = self._response = self._session.get(
                url,
                headers=dict(headers),
                proxies={"http": proxy, "https": proxy} if proxy else None,
                timeout=timeouts,
            )
            with response:
                body = _read_body(response, limits, deadline) if response.status_code == 200 else b""
                cookies = tuple(response.raw.headers.getlist("Set-Cookie"))
                lower = {name.lower(): value for name, value in response.headers.items()}
                return RawResponse(response.status_code, lower, cookies, body)
        except (requests.exceptions.RequestException, HTTPError, OSError, ValueError) as error:
            raise _explain(error) from error
        finally:
            self._response = None

    def abort(self) -> None:
        """End the thread that still reads, soon: its next read fails as if the server had hung up."""
        sessions.abort(self._response)

    def close(self) -> None:
        """Close all connections."""
        self._session.close()


def _read_body(response: requests.Response, limits: Limits, deadline: Deadline) -> bytes:
    """Return the unpacked body. It never takes more memory than the limits allow."""
    wire = bytearray()
    for chunk in response.raw.stream(CHUNK_BYTES, decode_content=False):
        wire += chunk
        if len(wire) > limits.wire_bytes:
            raise errors.too_large(limits.wire_bytes)
        deadline.timeout(0)
    length = response.headers.get("Content-Length", "")
    if length.isascii() and length.isdigit() and len(wire) < int(length[:15]):
        raise errors.truncated(f"after {len(wire):,} of {int(length[:15]):,} bytes")
    return responses.decompress(
        bytes(wire), response.headers.get("Content-Encoding", ""), limits.decoded_bytes
    )


def _explain(error: Exception) -> SourceError:
    """Return the SourceError for an error of the library."""
    exceptions = requests.exceptions
    if isinstance(error, exceptions.ProxyError):
        if errors.is_proxy_refusal(str(error)):
            return errors.proxy_refusal()
        return errors.proxy_unreachable()
    if isinstance(error, exceptions.SSLError):
        return errors.untrusted()
    if isinstance(error, (exceptions.Timeout, TimeoutError_)):
        return errors.timed_out()
    if isinstance(error, exceptions.InvalidSchema) and "SOCKS" in str(error):
        return SourceImpossible(
            "is asked through a SOCKS proxy, which needs a package: `pip install 'market-heatmap[socks]'`"
        )
    if isinstance(
        error, (exceptions.InvalidURL, exceptions.InvalidSchema, exceptions.MissingSchema, UnicodeError)
    ):
        return errors.invalid_address()
    if any(
        isinstance(cause, HTTPException) and not isinstance(cause, (RemoteDisconnected, IncompleteRead))
        for cause in _causes(error)
    ):
        return errors.not_http()
    if isinstance(error, HTTPError):
        return errors.truncated()
    return errors.unreachable()


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield an error, and all its causes."""
    pending, visited = [error], set[int]()
    while pending:
        cause = pending.pop()
        if id(cause) in visited:
            continue
        visited.add(id(cause))
        yield cause
        arguments = [argument for argument in cause.args if isinstance(argument, BaseException)]
        pending += [each for each in (cause.__cause__, cause.__context__, *arguments) if each]
