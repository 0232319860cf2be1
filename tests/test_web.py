"""One GET ends in time, within bounds, and says what kept it."""

from __future__ import annotations

import gzip
import ssl
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from heatmap import web
from heatmap.errors import (
    SourceBlocked,
    SourceError,
    SourceNonsense,
    SourceOverloaded,
    SourceRenamed,
    SourceUntrusted,
)
from tests.servers import certificates
from tests.servers.exchange import Exchange

PAGE = "/market-data/live-equity-market"


def self_signed(folder: Path) -> Path:
    """Write a key and a certificate for 127.0.0.1, signed by an authority nobody knows; return the file."""
    made = certificates.make(folder / "certificate")
    file = folder / "both.pem"
    file.write_bytes(made.key.read_bytes() + made.certificate.read_bytes())
    return file


@contextmanager
def serving(
    answer: Callable[[BaseHTTPRequestHandler], None], certificate: Path | None = None
) -> Iterator[str]:
    """Serve every GET so, and give the address."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answer(self)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield f"{'https' if certificate else 'http'}://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def plain(body: bytes, **headers: str) -> Callable[[BaseHTTPRequestHandler], None]:
    """Answer 200 with this body and these headers."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.end_headers()
        handler.wfile.write(body)

    return answer


def raw_deflate(body: bytes) -> bytes:
    """Deflate without a header, as some servers send it."""
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(body) + packer.flush()


@pytest.mark.parametrize(
    ("coding", "wire"),
    [
        ("", b"[1]"),
        ("identity", b"[1]"),
        ("gzip", gzip.compress(b"[1]")),
        ("deflate", zlib.compress(b"[1]")),
        ("deflate", raw_deflate(b"[1]")),
    ],
)
def test_body(coding: str, wire: bytes) -> None:
    """The body comes unpacked, with its media type and address."""
    headers = {
        "Content_Type": "Application/JSON; charset=utf-8",
        **({"Content_Encoding": coding} if coding else {}),
    }
    with serving(plain(wire, **headers)) as url:
        assert web.get(url + "/x") == web.Answer(b"[1]", "application/json", url + "/x")


def test_asks_only_for_what_it_can_unpack() -> None:
    """No brotli is asked for: it would need a further package."""
    asked: list[str] = []

    def answer(handler: BaseHTTPRequestHandler) -> None:
        asked.append(handler.headers["Accept-Encoding"])
        plain(b"")(handler)

    with serving(answer) as url:
        web.get(url)
    assert asked == ["gzip, deflate"]


@pytest.mark.parametrize(
    ("fault", "kind", "words"),
    [
        ("401", SourceBlocked, "answered 401"),
        ("403", SourceBlocked, "answered 403"),
        ("421", SourceBlocked, "answered 421"),
        ("404", SourceRenamed, "answered 404"),
        ("429", SourceOverloaded, "asks to wait 120 seconds"),
        ("500", SourceError, "answered 500"),
        ("503", SourceError, "asks to wait 60 seconds"),
        ("redirect loop", SourceError, "redirects more than 4 times"),
        ("redirect away", SourceError, "redirects to another site"),
        ("short body", SourceError, "broke off"),
        ("oversized", SourceNonsense, "more than 4,194,304 bytes"),
        ("gzip bomb", SourceNonsense, "more than 16,777,216 bytes"),
    ],
)
def test_faults(fault: str, kind: type[SourceError], words: str) -> None:
    """Each fault is an error of its own kind, told in one line that begins with the address asked."""
    with Exchange(fault=fault) as exchange:
        url = f"{exchange.url}/api/x"
        with pytest.raises(SourceError, match=words) as caught:
            web.get(url + "?key=secret", deadline_seconds=10)
    assert type(caught.value) is kind
    assert str(caught.value).startswith(url + " ")
    assert "secret" not in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("fault", ["hang", "header drip", "body drip"])
def test_deadline(fault: str) -> None:
    """Nothing outlives the deadline: not silence, nor headers or a body that come a byte at a time."""
    with Exchange(fault=fault) as exchange:
        started = time.monotonic()
        with pytest.raises(SourceBlocked):
            web.get(f"{exchange.url}/api/x", read_timeout_seconds=30, deadline_seconds=0.5)
        assert time.monotonic() - started < 5


def test_name_server_that_is_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    """The deadline also holds while a name is looked up, which no timeout of a socket covers."""
    import socket

    over = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: over.wait(20))
    started = time.monotonic()
    try:
        with pytest.raises(SourceBlocked):
            web.get("http://quotes.example/", deadline_seconds=0.5)
        assert time.monotonic() - started < 5
    finally:
        over.set()


def test_nobody_there() -> None:
    """A refused connection is the network's trouble, not a block."""
    with serving(plain(b"")) as url:
        pass
    with pytest.raises(SourceError, match="cannot be reached") as caught:
        web.get(url)
    assert type(caught.value) is SourceError


def test_certificate_of_nobody(tmp_path: Path) -> None:
    """A certificate that no authority has signed is not accepted: exit code 77."""
    with serving(plain(b"[1]"), certificate=self_signed(tmp_path)) as url:
        with pytest.raises(SourceUntrusted, match="certificate") as caught:
            web.get(url)
    assert caught.value.exit_code == 77


def test_redirect_within_the_site() -> None:
    """A redirect on the same host is followed, and the final address told."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        if handler.path == "/old":
            handler.send_response(301)
            handler.send_header("Location", "/new")
            handler.end_headers()
        else:
            plain(b"here")(handler)

    with serving(answer) as url:
        assert web.get(url + "/old") == web.Answer(b"here", "", url + "/new")


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("https://a.example/x", "https://a.example/y", True),
        ("https://a.example/x", "https://www.a.example/y", True),
        ("http://a.example/x", "https://a.example/x", True),
        ("https://a.example/x", "http://a.example/x", False),
        ("https://a.example/x", "https://b.example/x", False),
        ("https://a.example/x", "https://a.example.evil/x", False),
        ("https://a.example/x", "https://a.example:444/x", False),
        ("https://a.example/x", "file:///etc/passwd", False),
    ],
)
def test_same_site(old: str, new: str, expected: bool) -> None:
    """Redirects stay with the host and never leave TLS."""
    assert web._same_site(old, new) is expected


def test_shown() -> None:
    """An address in a message has no user, password, query or fragment."""
    assert web.shown("https://me:pw@a.example:8443/x/y?token=1#f") == "https://a.example:8443/x/y"
    assert web.shown("http://[::1") == "an address that cannot be read"


def test_truncated_gzip_and_other_codings() -> None:
    """A packed body that ends too early is trouble that may pass; an unknown packing makes no sense."""
    with serving(plain(gzip.compress(b"x" * 9999)[:-12], Content_Encoding="gzip")) as url:
        with pytest.raises(SourceError, match="broke off"):
            web.get(url)
    with serving(plain(b"not gzip", Content_Encoding="gzip")) as url:
        with pytest.raises(SourceError, match="damaged"):
            web.get(url)
    with serving(plain(b"?", Content_Encoding="br")) as url:
        with pytest.raises(SourceNonsense):
            web.get(url)


def test_never_asks_twice() -> None:
    """A failing server is asked once."""
    with Exchange(fault="503") as exchange:
        with pytest.raises(SourceError):
            web.get(f"{exchange.url}/api/x")
        assert exchange.paths == ["/api/x"]


@pytest.mark.parametrize("url", ["http://", "gopher://a.example/", "http://[::1", "http://a..example/", "x"])
def test_addresses_that_are_none(url: str) -> None:
    """An address that is none is refused as an error of ours."""
    with pytest.raises(SourceError):
        web.get(url, deadline_seconds=5)
