"""A server for pings and web hooks. It records each request, and answers correctly, wrongly or never."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self


@dataclass(frozen=True)
class Call:
    """One request, unchanged."""

    method: str
    path: str  # including the query
    body: bytes
    headers: dict[str, str] = field(compare=False, default_factory=dict)


class Hooks:
    """A server on a port of 127.0.0.1. `manner`: ok, error, refuse, throttle, redirect, hang, drip, rubbish.

    The manners in `first` are for the first calls, one for each; "throttle" asks for a wait of `retry_after`
    seconds.
    """

    def __init__(self, manner: str = "ok", *, first: tuple[str, ...] = (), retry_after: str = "1") -> None:
        self.manner = manner
        self._first = list(first)
        self._retry_after = retry_after
        self.times: list[float] = []  # the time of each call, on the monotonic clock
        self.calls: list[Call] = []
        self.released = threading.Event()  # set at the end, so that no thread hangs any longer
        hooks = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                hooks.times.append(time.monotonic())
                hooks.calls.append(Call(self.command, self.path, body, dict(self.headers)))
                hooks._answer(self)

            do_HEAD = do_PUT = do_POST = do_GET

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        """The URL of this server."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    @property
    def requests(self) -> list[tuple[str, str]]:
        """The method and the path of each call, in order."""
        return [(call.method, call.path) for call in self.calls]

    def _answer(self, handler: BaseHTTPRequestHandler) -> None:
        manner = self._first.pop(0) if self._first else self.manner
        if manner == "hang":
            self.released.wait()
        elif manner == "rubbish":
            handler.wfile.write(b"\0\xffnothing of the kind\r\n\r\n" * 100)
        elif manner == "drip":
            try:
                for letter in b"HTTP/1.1 200 OK\r\n" + b"X-Slow: yes\r\n" * 10_000:
                    handler.wfile.write(bytes([letter]))
                    if self.released.wait(0.05):
                        break
            except OSError:
                pass  # the client has closed the connection
        elif manner == "redirect":
            handler.send_response(302)
            handler.send_header("Location", f"{self.url}/elsewhere")
            handler.end_headers()
        else:
            handler.send_response({"error": 500, "refuse": 404, "throttle": 429}.get(manner, 200))
            if manner == "throttle":
                handler.send_header("Retry-After", self._retry_after)
            handler.end_headers()
            handler.wfile.write(b"OK")

    def stop(self) -> None:
        """End the hanging answers and the server."""
        self.released.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
