"""Proxies that a client is told to use: HTTP, with or without a login, and SOCKS 5.

    with HttpProxy(login="me:secret") as proxy:
        Client(proxy=f"http://me:secret@127.0.0.1:{proxy.port}")

- `asked`: what it was asked for: "GET http://host:port/path", "CONNECT host:port", "SOCKS host:port".
- `hosts`: names that it resolves itself, to this machine, whatever name servers say.
"""

from __future__ import annotations

import base64
import socket
import socketserver
import threading
from contextlib import suppress
from functools import partial
from typing import Any, Self
from urllib.parse import urlsplit

BYTES = 65536


class _Proxy:
    """The server; a context manager."""

    handler: type[socketserver.StreamRequestHandler]

    def __init__(self, *, login: str | None = None, hosts: tuple[str, ...] = ()) -> None:
        self.login = login
        self.hosts = hosts
        self.asked: list[str] = []
        self._server = _Server(("127.0.0.1", 0), partial(self.handler, self))  # type: ignore[arg-type]
        self._thread = threading.Thread(target=partial(self._server.serve_forever, 0.05), daemon=True)

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._server.server_address[1])

    def reach(self, host: str, port: int) -> socket.socket:
        """Connect to where a client wants to go."""
        return socket.create_connection(("127.0.0.1" if host in self.hosts else host, port), 5)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    block_on_close = False
    allow_reuse_address = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of clients that leave early."""


class _Handler(socketserver.StreamRequestHandler):
    def __init__(self, proxy: _Proxy, *arguments: Any) -> None:
        self.proxy = proxy
        super().__init__(*arguments)

    def join_with(self, other: socket.socket) -> None:
        """Carry bytes both ways until one side has had enough."""
        back = threading.Thread(target=_carry, args=(other, self.connection), daemon=True)
        back.start()
        _carry(self.connection, other)
        back.join(5)
        other.close()


def _carry(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(BYTES):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)


class _Http(_Handler):
    def handle(self) -> None:
        method, target, _ = self.rfile.readline().decode().split()
        headers: dict[str, str] = {}
        while line := self.rfile.readline().decode().strip():
            name, _, value = line.partition(":")
            headers[name.lower()] = value.strip()
        self.proxy.asked.append(f"{method} {target}")
        if self.proxy.login is not None:
            due = "Basic " + base64.b64encode(self.proxy.login.encode()).decode()
            if headers.get("proxy-authorization") != due:
                self.wfile.write(
                    b"HTTP/1.1 407 Proxy Authentication Required\r\n"
                    b'Proxy-Authenticate: Basic realm="x"\r\nContent-Length: 0\r\nConnection: close\r\n\r\n'
                )
                return
        if method == "CONNECT":
            host, _, port = target.rpartition(":")
            other = self.proxy.reach(host, int(port))
            self.wfile.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            self.join_with(other)
            return
        parts = urlsplit(target)
        other = self.proxy.reach(parts.hostname or "", parts.port or 80)
        path = parts._replace(scheme="", netloc="").geturl() or "/"
        # Kept alive, a connection would end by the server's timeout only.
        ours = ("proxy-", "connection")
        kept = {name: value for name, value in headers.items() if not name.startswith(ours)}
        lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in kept.items())]
        other.sendall("\r\n".join([*lines, "connection: close", "", ""]).encode())
        _carry(other, self.connection)
        other.close()


class _Socks(_Handler):
    def handle(self) -> None:
        _, count = self.rfile.read(2)
        self.rfile.read(count)
        if self.proxy.login is None:
            self.wfile.write(b"\x05\x00")
        else:
            self.wfile.write(b"\x05\x02")
            self.rfile.read(1)
            user = self.rfile.read(self.rfile.read(1)[0])
            secret = self.rfile.read(self.rfile.read(1)[0])
            good = f"{user.decode()}:{secret.decode()}" == self.proxy.login
            self.wfile.write(b"\x01\x00" if good else b"\x01\x01")
            if not good:
                return
        kind = self.rfile.read(4)[3]
        if kind == 3:
            host = self.rfile.read(self.rfile.read(1)[0]).decode()
        else:
            host = socket.inet_ntop(
                socket.AF_INET if kind == 1 else socket.AF_INET6, self.rfile.read(4 if kind == 1 else 16)
            )
        port = int.from_bytes(self.rfile.read(2))
        self.proxy.asked.append(f"SOCKS {host}:{port}")
        other = self.proxy.reach(host, port)
        self.wfile.write(b"\x05\x00\x00\x01\x7f\x00\x00\x01\x00\x00")
        self.join_with(other)


class HttpProxy(_Proxy):
    """Speaks HTTP: whole addresses for http, CONNECT for https."""

    handler = _Http


class SocksProxy(_Proxy):
    """Speaks SOCKS 5."""

    handler = _Socks
