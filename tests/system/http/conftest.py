"""Fixtures of the tests of HTTP: a server of a few lines, and no pauses where they prove nothing."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

Answering = Callable[[BaseHTTPRequestHandler], None]
Serving = Callable[..., AbstractContextManager[str]]


@pytest.fixture(params=[None, pytest.param("chrome", marks=pytest.mark.real)], ids=["requests", "curl"])
def likeness(request: pytest.FixtureRequest) -> str | None:
    """Whom a client looks like: each library must keep what is promised."""
    if request.param:
        pytest.importorskip(
            "curl_cffi", reason="curl_cffi is not here: pip install market-heatmap[impersonate]"
        )
    likeness: str | None = request.param
    return likeness


@pytest.fixture
def serving() -> Serving:
    """Serve every GET so, over TLS where a key and a certificate in one file are given; gives the address."""
    return _serving


@contextmanager
def _serving(answer: Answering, certificate: Path | None = None) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answer(self)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.handle_error = lambda *_: None  # type: ignore[method-assign]  # clients leave early on purpose
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
