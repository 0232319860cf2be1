"""One GET ends in time, within bounds, and says what kept it; by each library that carries it."""

from __future__ import annotations

import gzip
import socket
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from heatmap.errors import (
    SourceBlocked,
    SourceError,
    SourceNonsense,
    SourceOverloaded,
    SourceRenamed,
    SourceUntrusted,
)
from heatmap.system.http import client
from heatmap.system.http.client import Client, FetchBudget
from heatmap.system.http.responses import Limits, Response
from tests.servers import certificates
from tests.servers.exchange import Exchange
from tests.system.http.conftest import Serving


def get(
    url: str, likeness: str | None = None, seconds: float = 10, retries: int = 0, **options: Any
) -> Response:
    """Ask once, with a client of its own."""
    with Client(impersonate=likeness, **options) as asking:
        return asking.get(url, FetchBudget(seconds, retries))


def plain(body: bytes, **headers: str) -> Callable[[BaseHTTPRequestHandler], None]:
    """Response 200 with this body and these headers."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.end_headers()
        handler.wfile.write(body)

    return answer


def both(made: certificates.Certificate, folder: Path) -> Path:
    """Return certificate and key in one file."""
    file = folder / "both.pem"
    file.write_bytes(made.key.read_bytes() + made.certificate.read_bytes())
    return file


@pytest.mark.parametrize("coding", ["", "gzip"])
def test_answer(serving: Serving, likeness: str | None, coding: str) -> None:
    """The body comes unpacked, with its media type and address."""
    wire = gzip.compress(b"[1]") if coding else b"[1]"
    headers = {
        "Content_Type": "Application/JSON; charset=utf-8",
        **({"Content_Encoding": coding} if coding else {}),
    }
    with serving(plain(wire, **headers)) as url:
        assert get(url + "/x", likeness) == Response(b"[1]", "application/json", url + "/x")


def test_asks_only_for_what_it_can_unpack(serving: Serving) -> None:
    """No brotli is asked for: it would need a further package."""
    asked: list[str] = []

    def answer(handler: BaseHTTPRequestHandler) -> None:
        asked.append(handler.headers["Accept-Encoding"])
        plain(b"")(handler)

    with serving(answer) as url:
        get(url)
    assert asked == ["gzip, deflate"]


@pytest.mark.parametrize(
    ("fault", "kind", "words"),
    [
        ("401", SourceBlocked, "answered 401"),
        ("403", SourceBlocked, "answered 403"),
        ("421", SourceBlocked, "answered 421"),
        ("404", SourceRenamed, "answered 404"),
        ("429", SourceOverloaded, "asks to wait 120 seconds"),
        ("429 for 6 hours", SourceOverloaded, "asks to wait 21,600 seconds"),
        ("500", SourceOverloaded, "answered 500"),
        ("503", SourceOverloaded, "asks to wait 60 seconds"),
        ("redirect loop", SourceBlocked, "redirects more than 4 times"),
        ("redirect away", SourceBlocked, "redirects to another site"),
        ("redirect to ftp", SourceBlocked, "redirects to another site"),
        ("redirect to file", SourceBlocked, "redirects to another site"),
        ("redirect with bomb", SourceBlocked, "redirects to another site"),
        ("reset", SourceError, "cannot be reached|broke off"),
        ("no HTTP", SourceNonsense, "what is no HTTP"),
        ("300 headers", SourceNonsense, "too many headers"),
        ("short body", SourceError, "broke off"),
        ("chunk cut", SourceError, "broke off"),
        ("oversized", SourceNonsense, "sends more"),
        ("gzip bomb", SourceNonsense, "more"),
    ],
)
def test_faults(likeness: str | None, fault: str, kind: type[SourceError], words: str) -> None:
    """Each fault is an error of its own kind, told in one line that begins with the address asked."""
    with Exchange(fault=fault) as exchange:
        url = f"{exchange.url}/api/x"
        begun = time.monotonic()
        with pytest.raises(SourceError, match=words) as caught:
            get(url + "?key=secret", likeness)
    assert type(caught.value) is kind
    assert str(caught.value).startswith(url + " ")
    assert "secret" not in str(caught.value)
    assert "\n" not in str(caught.value)
    assert time.monotonic() - begun < 5


@pytest.mark.serial
@pytest.mark.parametrize("fault", ["hang", "header drip", "body drip"])
def test_deadline(likeness: str | None, fault: str) -> None:
    """Nothing outlives the budget: not silence, nor headers or a body that come a byte at a time."""
    with Exchange(fault=fault) as exchange:
        begun = time.monotonic()
        with pytest.raises(SourceBlocked):
            get(f"{exchange.url}/api/x", likeness, seconds=1, timeouts_seconds=(30, 30))
        assert 0.9 < time.monotonic() - begun < 3


@pytest.mark.serial
def test_slow_redirects(serving: Serving, likeness: str | None) -> None:
    """Redirects that each take their time do not outlive the budget together."""
    over = threading.Event()

    def answer(handler: BaseHTTPRequestHandler) -> None:
        over.wait(0.4)
        handler.send_response(302)
        handler.send_header("Location", handler.path + "x")
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    with serving(answer) as url:
        begun = time.monotonic()
        with pytest.raises(SourceBlocked, match="had not answered in full after 1 seconds|hangs"):
            get(f"{url}/x", likeness, seconds=1)
        assert 0.9 < time.monotonic() - begun < 2
        over.set()


def test_silence_is_not_waited_for_to_the_end(likeness: str | None) -> None:
    """A server that accepts and says nothing costs the read timeout, not the whole budget."""
    with Exchange(fault="hang") as exchange:
        begun = time.monotonic()
        with pytest.raises(SourceBlocked, match="hangs"):
            get(f"{exchange.url}/api/x", likeness, seconds=20, timeouts_seconds=(1, 1))
        assert time.monotonic() - begun < 5


@pytest.mark.serial
def test_black_hole(likeness: str | None) -> None:
    """An address where nothing takes connections, as those whom a firewall blocks see it: a block, in time."""
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        port = full.getsockname()[1]
        waiting = []
        for _ in range(8):  # until no more fit into its backlog, and the next ones are dropped
            one = socket.socket()
            one.setblocking(False)
            one.connect_ex(("127.0.0.1", port))
            waiting.append(one)
        begun = time.monotonic()
        with pytest.raises(SourceBlocked, match="hangs"):
            get(f"http://127.0.0.1:{port}/", likeness, seconds=20, timeouts_seconds=(1, 20))
        assert 0.9 < time.monotonic() - begun < 5
        for one in waiting:
            one.close()


@pytest.mark.serial
def test_name_server_that_is_silent(likeness: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    """The budget also holds while a name is looked up, and nobody is said to block."""
    over = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: over.wait(20))
    begun = time.monotonic()
    try:
        with pytest.raises(SourceError, match="for no name server answers") as caught:
            get("http://quotes.example/", likeness, seconds=0.5)
        assert SourceError is type(caught.value)
        assert time.monotonic() - begun < 3
    finally:
        over.set()


def test_name_that_is_unknown(likeness: str | None) -> None:
    """A name that does not exist is the network's or the configuration's trouble."""
    with pytest.raises(
        SourceError, match="cannot be reached, for (its name is not known|no name server)"
    ) as caught:
        get("http://quotes.invalid/", likeness, seconds=5)
    assert SourceError is type(caught.value)


def test_nobody_there(serving: Serving, likeness: str | None) -> None:
    """A refused connection is the network's trouble, not a block."""
    with serving(plain(b"")) as url:
        pass
    with pytest.raises(SourceError, match="cannot be reached") as caught:
        get(url, likeness)
    assert type(caught.value) is SourceError


@pytest.mark.process
@pytest.mark.parametrize("fault", ["nobody's", "expired", "another's", "none"])
def test_certificates(
    serving: Serving, likeness: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    """Signed by nobody, expired, of another host, or bytes that are no TLS: not accepted, exit code 77."""
    made = certificates.make(
        tmp_path,
        "DNS:b.example" if fault == "another's" else "IP:127.0.0.1",
        days=-1 if fault == "expired" else 30,
    )
    if fault != "nobody's":
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(made.ca_file))
    with serving(plain(b"[1]"), None if fault == "none" else both(made, tmp_path)) as url:
        with pytest.raises(SourceUntrusted, match="certificate") as caught:
            get(url.replace("http:", "https:"), likeness)
    assert caught.value.exit_code == 77


def test_authority_of_ones_own(
    serving: Serving,
    likeness: str | None,
    certificate: certificates.Certificate,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The variable by which requests is told of authorities holds for both libraries."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate.ca_file))
    with serving(plain(b"[1]", Content_Length="3"), both(certificate, tmp_path)) as url:
        assert get(url, likeness).body == b"[1]"


def test_redirect_within_the_site(serving: Serving, likeness: str | None) -> None:
    """A redirect on the same host is followed with the cookies it sets, and the final address told."""
    seen: list[str | None] = []

    def answer(handler: BaseHTTPRequestHandler) -> None:
        seen.append(handler.headers["Cookie"])
        if handler.path == "/old":
            handler.send_response(301)
            handler.send_header("Location", "/new")
            handler.send_header("Set-Cookie", "a=1; Path=/")
            handler.send_header("Set-Cookie", "b=2; Path=/")
            handler.send_header("Content-Length", "0")
            handler.end_headers()
        else:
            plain(b"here")(handler)

    with serving(answer) as url:
        assert get(url + "/old", likeness) == Response(b"here", "", url + "/new")
    assert seen[0] is None
    assert {"a=1", "b=2"} == set((seen[1] or "").split("; "))


@pytest.mark.parametrize(
    ("fault", "asked"),
    [
        ("500", 3),
        ("reset", 3),
        ("short body", 3),
        ("429", 1),
        ("429 for good", 1),
        ("503", 1),  # for it asks for a minute
        ("403", 1),
        ("404", 1),
        ("gzip bomb", 1),
        ("redirect away", 1),
    ],
)
def test_what_is_asked_again(monkeypatch: pytest.MonkeyPatch, fault: str, asked: int) -> None:
    """A fault that may pass is tried again, twice at most; a lasting one never."""
    monkeypatch.setattr(client, "BACKOFF_SECONDS", 0.01)
    with Exchange(fault=fault) as exchange, pytest.raises(SourceError):
        get(f"{exchange.url}/api/x", retries=2)
    assert asked == len(exchange.paths)


def test_trouble_that_passes(serving: Serving, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the second or third answer is good, nothing has happened."""
    monkeypatch.setattr(client, "BACKOFF_SECONDS", 0.01)
    count = iter(range(3))

    def answer(handler: BaseHTTPRequestHandler) -> None:
        if next(count) < 2:
            handler.send_error(500)
        else:
            plain(b"well")(handler)

    with serving(answer) as url:
        assert get(url, retries=2).body == b"well"


def test_one_budget_of_repeats(monkeypatch: pytest.MonkeyPatch) -> None:
    """All requests together are repeated no more often than the budget allows."""
    monkeypatch.setattr(client, "BACKOFF_SECONDS", 0.0)
    with Exchange(fault="500") as exchange, Client() as asking:
        budget = FetchBudget(10, 2)
        for path in ("x", "y", "z"):
            with pytest.raises(SourceOverloaded):
                asking.get(f"{exchange.url}/api/{path}", budget)
    assert exchange.paths == ["/api/x"] * 3 + ["/api/y", "/api/z"]


@pytest.mark.parametrize(("fault", "waits"), [("429 for 3 seconds", True), ("429 for 6 hours", False)])
def test_the_servers_wish(monkeypatch: pytest.MonkeyPatch, fault: str, waits: bool) -> None:
    """Three seconds are waited for, and no less; six hours are passed on to whom it may concern."""
    waited: list[float] = []
    monkeypatch.setattr(client.time, "sleep", waited.append)
    with Exchange(fault=fault) as exchange:
        with pytest.raises(SourceOverloaded) as caught:
            get(f"{exchange.url}/api/x", seconds=25, retries=1)
    long = [seconds for seconds in waited if seconds]
    assert len(exchange.paths) == 1 + waits == 1 + len(long)
    assert all(3 <= seconds <= 4 for seconds in long)
    assert caught.value.retry_after_seconds == (3 if waits else 21_600)


@pytest.mark.serial
def test_no_wait_beyond_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """A wait that would outlast the budget is not begun."""
    with Exchange(fault="429 for 3 seconds") as exchange:
        begun = time.monotonic()
        with pytest.raises(SourceOverloaded):
            get(f"{exchange.url}/api/x", seconds=2, retries=2)
        assert time.monotonic() - begun < 1
    assert len(exchange.paths) == 1


def test_waits_are_spread(monkeypatch: pytest.MonkeyPatch) -> None:
    """The waits before a repeat differ, and grow: half a second, more or less, then a second."""
    first = {client._wait_seconds(SourceError("x"), 1) for _ in range(200)}
    second = {client._wait_seconds(SourceError("x"), 2) for _ in range(200)}
    assert len(first) > 100 < len(second)
    assert 0.25 <= min(first) < 0.3 < 0.7 < max(first) <= 0.75  # type: ignore[operator, type-var]
    assert 1.3 < max(second) <= 1.5  # type: ignore[operator, type-var]


@pytest.mark.serial
@pytest.mark.paced
@pytest.mark.parametrize("fault", ["redirect loop", "404", "500"])
def test_three_requests_a_second(fault: str) -> None:
    """Redirects, repeats and clients count alike: no four requests to one site begin within a second."""
    with Exchange(fault=fault) as elsewhere, pytest.raises(SourceError):
        get(f"{elsewhere.url}/api/x", retries=0)  # the library's first request takes longer on its way
    with Exchange(fault=fault) as exchange:
        moments: list[float] = []
        answer = exchange.seen.append
        exchange.seen = _Noted(moments, answer)
        while len(moments) < 7:
            with pytest.raises(SourceError):
                get(f"{exchange.url}/api/x", retries=2)
    # The server notes when it read a request: on a busy machine up to a tenth of a second late.
    assert all(later - earlier > 0.9 for earlier, later in zip(moments, moments[3:], strict=False))


class _Noted(list[Any]):
    """Notes when something is added."""

    def __init__(self, moments: list[float], _: object) -> None:
        super().__init__()
        self._moments = moments

    def append(self, item: Any) -> None:
        self._moments.append(time.monotonic())
        super().append(item)


def test_limits_of_ones_own(serving: Serving, likeness: str | None) -> None:
    """An archive may be larger than a list of quotes, and a list of quotes smaller."""
    with serving(plain(b"x" * 101)) as url:
        assert len(get(url, likeness, limits=Limits(101, 101)).body) == 101
        with pytest.raises(SourceNonsense):
            get(url, likeness, limits=Limits(100, 100))


@pytest.mark.parametrize(
    "url", ["http://", "gopher://a.example/", "http://[::1", "http://a..example/", "x", "http://\udcff/"]
)
def test_addresses_that_are_none(likeness: str | None, url: str) -> None:
    """An address that is none is refused as an error of ours."""
    with pytest.raises(SourceError):
        get(url, likeness, seconds=5)
