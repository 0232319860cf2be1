"""An S3 store in a thread, over a dictionary or a folder, that does wrong at the requests told to."""

from __future__ import annotations

import os
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator, MutableMapping
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Self
from urllib.parse import unquote, urlsplit

from tests.servers.certificates import Certificate

Fault = Callable[["_Handler"], None]


class Files(MutableMapping[str, bytes]):
    """Objects as files below a folder, each replaced in one step."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def __getitem__(self, key: str) -> bytes:
        try:
            return (self.root / key).read_bytes()
        except OSError:
            raise KeyError(key) from None

    def __setitem__(self, key: str, content: bytes) -> None:
        (self.root / key).parent.mkdir(parents=True, exist_ok=True)
        arriving = self.root.with_name(f"arriving-{threading.get_ident()}")
        arriving.write_bytes(content)
        os.replace(arriving, self.root / key)

    def __delitem__(self, key: str) -> None:
        self[key]
        (self.root / key).unlink()

    def __iter__(self) -> Iterator[str]:
        return (str(path.relative_to(self.root)) for path in self.root.rglob("*") if path.is_file())

    def __len__(self) -> int:
        return len(list(iter(self)))


class ScriptedS3:
    """`objects` by key; `requests` as (method, key); each of `faults` meets one request of its method.

    With a `root` the objects are files there.
    """

    def __init__(self, certificate: Certificate | None = None, root: Path | None = None) -> None:
        self.objects: MutableMapping[str, bytes] = Files(root) if root else {}
        self.headers: dict[str, dict[str, str]] = {}
        self.requests: list[tuple[str, str]] = []
        self.logins: list[str] = []  # each request's Authorization
        self.faults: list[tuple[str, Fault]] = []
        self.ended = threading.Event()  # what a stalled answer waits for
        scripted = self

        class Handler(_Handler):
            store = scripted

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.port = self._server.server_port
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate.certificate, certificate.key)
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self.url = f"http{'s' if certificate else ''}://127.0.0.1:{self.port}"

    def fail(self, method: str, fault: Fault, times: int = 1) -> None:
        """Let the next requests of a method meet this fault, each once."""
        self.faults += [(method, fault)] * times

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.ended.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Handler(BaseHTTPRequestHandler):
    store: ScriptedS3
    protocol_version = "HTTP/1.1"
    body = b""

    def do(self) -> None:
        announced = int(self.headers.get("Content-Length", "0"))
        try:
            self.body = self.rfile.read(announced)
        except OSError:
            self.body = b""
        if len(self.body) < announced:  # then a store does nothing
            self.close_connection = True
            return
        self.key = unquote(urlsplit(self.path).path).removeprefix("/pages/")
        self.store.requests.append((self.command, self.key))
        self.store.logins.append(self.headers.get("Authorization", ""))
        for number, (method, fault) in enumerate(self.store.faults):
            if method == self.command:
                del self.store.faults[number]
                fault(self)
                return
        self.obey()

    do_GET = do_HEAD = do_PUT = do_DELETE = do

    def obey(self) -> None:
        """Do as a store does."""
        store = self.store
        if self.command == "PUT":
            store.objects[self.key] = self.body
            store.headers[self.key] = {name: self.headers[name] for name in ("Content-Type", "Cache-Control")}
            self.answer(200)
        elif self.command == "DELETE":
            store.objects.pop(self.key, None)
            self.answer(204)
        elif self.key in store.objects:
            self.answer(200, store.objects[self.key], store.headers.get(self.key, {}))
        else:
            refusal("NoSuchKey", 404)(self)

    def answer(self, status: int, body: bytes = b"", headers: dict[str, str] | None = None) -> None:
        """Send an answer; one to HEAD has no body."""
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        if status != 204:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def handle(self) -> None:
        """Talk until the client hangs up, however it does."""
        with suppress(OSError):
            super().handle()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def refusal(code: str, status: int, more: str = "", **headers: str) -> Fault:
    """An answer that refuses, as S3 words it."""
    body = f'<?xml version="1.0"?>\n<Error><Code>{code}</Code><Message>It is &quot;so&quot;</Message>{more}</Error>'
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda handler: handler.answer(status, body.encode(), named)


def reset(handler: _Handler) -> None:
    """Break off in the middle of an answer, by RST."""
    handler.send_response(200)
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    handler.wfile.write(b"x" * 10)
    handler.wfile.flush()
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    handler.connection.close()
    handler.close_connection = True


def lost(handler: _Handler) -> None:
    """Do it, and hang up without a word."""
    answer, handler.answer = handler.answer, lambda *_: None  # type: ignore[method-assign]
    handler.obey()
    handler.answer = answer  # type: ignore[method-assign]
    handler.connection.shutdown(socket.SHUT_RDWR)
    handler.close_connection = True


def stall(handler: _Handler) -> None:
    """Say nothing until the test is over."""
    handler.store.ended.wait()
    handler.close_connection = True


def drip(handler: _Handler) -> None:
    """Send an answer that does not end, ten bytes a second."""
    handler.send_response(200)
    handler.send_header("Content-Length", "1000000")
    handler.end_headers()
    while not handler.store.ended.wait(0.1):
        try:
            handler.wfile.write(b"x")
        except OSError:
            break
    handler.close_connection = True


def damage(handler: _Handler) -> None:
    """Store other bytes, as many, and say that all is well."""
    handler.body = bytes(len(handler.body))
    handler.obey()
