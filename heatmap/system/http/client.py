"""A client for one site: it keeps to a rate and a time limit, stays on the site, and retries."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from heatmap.errors import (
    DeadlineError,
    SourceBlocked,
    SourceError,
    SourceOverloaded,
)
from heatmap.system import clocks
from heatmap.system.deadline import Deadline, run_with_timeout
from heatmap.system.http import errors, rate_limit, responses
from heatmap.system.http.responses import Limits, RawResponse, Response, redacted_url
from heatmap.system.retry import backoff_seconds
from heatmap.system.web_address import is_netloc

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import timedelta
    from pathlib import Path
    from typing import Protocol, Self

    class Transport(Protocol):
        """A library that sends a request and receives its response."""

        def send(
            self, url: str, headers: Mapping[str, str], proxy: str | None, limits: Limits, deadline: Deadline
        ) -> RawResponse:
            """Return the response. Raises DeadlineError, and SourceError whose message lacks its subject."""

        def abort(self) -> None:
            """End the request for which another thread still waits."""

        def close(self) -> None:
            """Close all connections."""


MAX_REDIRECTS = 4
RETRIES = 2  # for a whole fetch
LOOKUP_SECONDS = 10.0  # the longest wait for a name server
BACKOFF_SECONDS = (
    0.5  # before the first repeat; twice as long before the second; by chance half as much or more
)
LONGEST_WAIT_SECONDS = 10.0  # the longest Retry-After that one fetch waits for


class FetchBudget(Deadline):
    """The limits of a whole fetch: its time, and its number of retries."""

    def __init__(self, seconds: float, retries: int = RETRIES) -> None:
        """Start the clock."""
        super().__init__(seconds)
        self.retries = retries


class Client:
    """A context manager. `cookies` is the file that keeps cookies between runs; None: none are kept.

    `headers` are sent with every request. If `impersonate` is the name of a browser, that browser's headers
    are sent instead. `proxy` is an address with its login; None: HTTPS_PROXY and NO_PROXY of the environment
    hold.
    """

    def __init__(
        self,
        *,
        headers: Mapping[str, str] | None = None,
        timeouts_seconds: tuple[float, float] = (5, 10),
        proxy: str | None = None,
        impersonate: str | None = None,
        cookies: Path | None = None,
        limits: Limits | None = None,
    ) -> None:
        from heatmap.system.http.cookies import Cookies

        self.cookies = Cookies(cookies)
        self._headers = headers or {}
        self._timeouts = timeouts_seconds
        self._proxy = proxy
        self._browser = impersonate
        self._limits = limits or Limits()
        self._transport: Transport | None = None
        self._resolved_hosts: set[str] = set()
        # How far the server's clock is ahead of this machine's; None: unknown. Of several responses,
        # the one with the least difference counts: others may come from a cache.
        self.clock_offset: timedelta | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._transport is not None:
            self._transport.close()

    def get(
        self, url: str, budget: FetchBudget, *, share: float = 1.0, headers: Mapping[str, str] | None = None
    ) -> Response:
        """Return a response of status 200. Every message begins with the address from `redacted_url`.

        `share` is the part of the budget's time that this may take. Raises SourceBlocked (401, 403, 421, a
        hang, a redirect elsewhere), SourceOverloaded (429, 5xx), SourceRenamed (404, 410), SourceUntrusted
        (certificate, the proxy's login), SourceNonsense (other refusals, too large), SourceImpossible (a
        package is missing) and SourceError (network, a short body).
        """
        deadline = Deadline(budget.remaining() * share)
        attempts = 0
        while True:
            try:
                return self._follow(url, deadline, headers or {})
            except DeadlineError as error:
                late = f"had not answered in full after {deadline.seconds:.3g} seconds"
                message = f"{redacted_url(url)} {late}: this address may be blocked there"
                raise SourceBlocked(message) from error
            except SourceError as error:
                attempts += 1
                wait = _wait_seconds(error, attempts)
                if wait is None or wait >= deadline.remaining() or not budget.retries:
                    raise error.with_sentence(f"{redacted_url(url)} {error}") from error
            budget.retries -= 1
            time.sleep(wait)

    def _follow(self, url: str, deadline: Deadline, headers: Mapping[str, str]) -> Response:
        """Return the response after redirects within the site. Messages of errors lack their subject."""
        for _ in range(MAX_REDIRECTS + 1):
            response = self._request(url, deadline, headers)
            self._record_clock(response)
            self.cookies.take(url, response.cookies)
            target = responses.find_redirect(url, response)
            if target is None:
                responses.raise_for_status(response)
                content_type = response.headers.get("content-type", "").partition(";")[0].strip().lower()
                return Response(response.body, content_type, url)
            url = target
        raise SourceBlocked(
            f"redirects more than {MAX_REDIRECTS} times, in a circle: "
            "it may not let this address in; look at it in a browser"
        )

    def _record_clock(self, response: RawResponse) -> None:
        offset = clocks.read_offset(response.headers, datetime.now(UTC))
        if offset is not None and (self.clock_offset is None or abs(offset) < abs(self.clock_offset)):
            self.clock_offset = offset

    def _request(self, url: str, deadline: Deadline, headers: Mapping[str, str]) -> RawResponse:
        try:
            parts = urlsplit(url)
            host, port = parts.hostname or "", parts.port
        except ValueError as error:
            raise errors.invalid_address() from error
        proxy = self._proxy or _environment_proxy(parts.scheme, host)
        if not proxy:
            self._look_up(host, deadline)
        pause = rate_limit.reserve_slot(f"{host}:{port}", deadline.remaining())
        if pause is None:
            raise DeadlineError("its turn comes too late")
        time.sleep(pause)
        cookie = self.cookies.header(url)
        all_headers = {**headers, "Cookie": cookie} if cookie else headers
        transport = self._transport = self._transport or self._make_transport()
        try:
            return run_with_timeout(
                deadline.remaining(), lambda: transport.send(url, all_headers, proxy, self._limits, deadline)
            )
        except DeadlineError:
            self._transport = None  # a thread left behind may still use it
            transport.abort()
            raise

    def _look_up(self, host: str, deadline: Deadline) -> None:
        """Look a name up within its own limit: no socket timeout bounds it. Raises SourceError."""
        import socket

        if host in self._resolved_hosts:
            return
        try:
            run_with_timeout(
                deadline.timeout(LOOKUP_SECONDS),
                lambda: socket.getaddrinfo(host, None, type=socket.SOCK_STREAM),
            )
        except DeadlineError as error:
            message = "cannot be reached, for no name server answers: check this machine's network"
            raise SourceError(message) from error
        except OSError as error:
            message = "cannot be reached, for its name is not known: check the network and the address"
            raise SourceError(message) from error
        except UnicodeError as error:
            raise errors.invalid_address() from error
        self._resolved_hosts.add(host)

    def _make_transport(self) -> Transport:
        if self._browser is not None:
            from heatmap.system.http.curl_transport import CurlTransport

            return CurlTransport(self._browser, self._timeouts)
        from heatmap.system.http.requests_transport import RequestsTransport

        return RequestsTransport(self._headers, self._timeouts)


def _environment_proxy(scheme: str, host: str) -> str | None:
    """Return the proxy that the environment names for a host, or None. Raises SourceImpossible."""
    from urllib.request import getproxies, proxy_bypass

    if proxy_bypass(host):
        return None
    proxies = getproxies()
    proxy = proxies.get(scheme) or proxies.get("all")
    if proxy and "://" in proxy and not is_netloc(proxy.partition("://")[2].rstrip("/")):
        raise errors.invalid_proxy_address()
    return proxy


def _wait_seconds(error: SourceError, attempts: int) -> float | None:
    """Return how long to wait before another attempt; None if none would help, or would be rude."""
    wait = backoff_seconds(BACKOFF_SECONDS, attempts)
    if isinstance(error, SourceOverloaded):
        seconds = error.retry_after_seconds
        if seconds is not None:
            return seconds + wait if seconds <= LONGEST_WAIT_SECONDS else None
        return None if error.status == 429 else wait
    return wait if type(error) is SourceError else None
