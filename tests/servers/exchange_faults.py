"""The faults of the stand-in exchange, by name."""

from __future__ import annotations

import gzip
import socket
import struct
import zlib
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.servers.exchange import Handler

DENIED = b"<HTML><HEAD><TITLE>Access Denied</TITLE></HEAD><BODY><H1>Access Denied</H1></BODY></HTML>"


def _hang(handler: Handler) -> None:
    handler.exchange.held.wait()
    handler.close_connection = True


def _redirect_loop(handler: Handler) -> None:
    handler.start(302, {"Location": handler.path, "Content-Length": "0"})


def _redirect_away(handler: Handler) -> None:
    handler.start(302, {"Location": "http://localhost.invalid/", "Content-Length": "0"})


def _redirect_scheme(scheme: str) -> Callable[[Handler], None]:
    """Send to the same host and path by another scheme."""

    def answer(handler: Handler) -> None:
        handler.start(
            302, {"Location": f"{scheme}://{handler.headers['Host']}{handler.path}", "Content-Length": "0"}
        )

    return answer


def _redirect_with_bomb(handler: Handler) -> None:
    """Send elsewhere, with a body that only fills the memory of who unpacks it."""
    packed = _bomb()
    headers = {
        "Location": "http://localhost.invalid/",
        "Content-Encoding": "gzip",
        "Content-Length": str(len(packed)),
    }
    handler.start(302, headers)
    handler.wfile.write(packed)


def _reset(handler: Handler) -> None:
    """Cut the connection instead of answering."""
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    handler.close_connection = True
    handler.connection.close()


def _no_http(handler: Handler) -> None:
    handler.wfile.write(b"SSH-2.0-OpenSSH_9.9\r\n")
    handler.close_connection = True


def _many_headers(handler: Handler) -> None:
    body = handler.exchange.body()
    handler.start(200, {f"X-{number}": "x" for number in range(300)} | {"Content-Length": str(len(body))})
    handler.wfile.write(body)


def _chunk_cut(handler: Handler) -> None:
    """Announce a chunk, send half of it and close."""
    body = handler.exchange.body()
    handler.start(200, {"Content-Type": "application/json", "Transfer-Encoding": "chunked"})
    handler.wfile.write(b"%x\r\n" % len(body) + body[: len(body) // 2])
    handler.close_connection = True


def _double_gzip(named: str) -> Callable[[Handler], None]:
    """Pack twice, and name that as `named`."""

    def answer(handler: Handler) -> None:
        packed = gzip.compress(gzip.compress(handler.exchange.body()))
        handler.start(200, {"Content-Encoding": named, "Content-Length": str(len(packed))})
        handler.wfile.write(packed)

    return answer


def _header_drip(handler: Handler) -> None:
    handler.drip(b"HTTP/1.1 200 OK\r\n" + b"X-Slow: yes\r\n" * 10_000)


def _body_drip(handler: Handler) -> None:
    body = handler.exchange.body()
    handler.start(200, {"Content-Type": "application/json", "Content-Length": str(len(body))})
    handler.drip(body)


def _short(handler: Handler) -> None:
    body = handler.exchange.body()
    handler.start(200, {"Content-Type": "application/json", "Content-Length": str(len(body))})
    handler.wfile.write(body[: len(body) // 2])
    handler.close_connection = True


def _oversized(handler: Handler) -> None:
    handler.start(200, {"Content-Type": "application/json", "Content-Length": str(64 * 1024 * 1024)})
    for _ in range(64):
        handler.wfile.write(b" " * 1024 * 1024)


def _bomb() -> bytes:
    """Return 200 MB packed by gzip: two of them, the second of which is repeated, for no client waits long."""
    packer = zlib.compressobj(wbits=31)
    megabyte = b"0" * 1024 * 1024
    first, again = (packer.compress(megabyte) + packer.flush(zlib.Z_FULL_FLUSH) for _ in range(2))
    return first + again * 199


def _gzip_bomb(handler: Handler) -> None:
    packed = _bomb()
    headers = {
        "Content-Type": "application/json",
        "Content-Encoding": "gzip",
        "Content-Length": str(len(packed)),
    }
    handler.start(200, headers)
    handler.wfile.write(packed)


def _status(status: int, headers: Mapping[str, str] | None = None) -> Callable[[Handler], None]:
    return lambda handler: handler.answer(DENIED, status, "text/html", headers)


def _text(body: bytes) -> Callable[[Handler], None]:
    return lambda handler: handler.answer(body)


def _stamped(shift: timedelta) -> Callable[[Handler], None]:
    def answer(handler: Handler) -> None:
        handler.answer(handler.exchange.body(at=handler.exchange.moment + shift))

    return answer


def _replaced(old: bytes, new: bytes) -> Callable[[Handler], None]:
    return lambda handler: handler.answer(handler.exchange.body().replace(old, new, 1))


def _priced(value: object) -> Callable[[list[dict[str, Any]]], list[dict[str, Any]]]:
    """Give every row this in place of each figure that a percent change can come from."""
    return lambda rows: [{**r, "pChange": value, "lastPrice": value, "previousClose": value} for r in rows]


FAULTS: dict[str, Callable[[Handler], None]] = {
    "html": lambda handler: handler.answer(DENIED, 200, "text/html"),
    "401": _status(401),
    "403": _status(403),
    "404": _status(404),
    "421": _status(421),
    "429": _status(429, {"Retry-After": "120"}),
    "429 for 3 seconds": _status(429, {"Retry-After": "3"}),
    "429 for 6 hours": _status(429, {"Retry-After": "21600"}),
    "429 for good": _status(429),
    "500": _status(500),
    "503": _status(503, {"Retry-After": "60"}),
    "redirect loop": _redirect_loop,
    "redirect away": _redirect_away,
    "redirect to ftp": _redirect_scheme("ftp"),
    "redirect to file": _redirect_scheme("file"),
    "redirect with bomb": _redirect_with_bomb,
    "reset": _reset,
    "no HTTP": _no_http,
    "300 headers": _many_headers,
    "hang": _hang,
    "header drip": _header_drip,
    "body drip": _body_drip,
    "short body": _short,
    "chunk cut": _chunk_cut,
    "truncated JSON": lambda handler: handler.answer(handler.exchange.body()[:-1000]),
    "not JSON": _text(b"Service temporarily in maintenance"),
    "empty": _text(b""),
    "oversized": _oversized,
    "gzip bomb": _gzip_bomb,
    "double gzip": _double_gzip("gzip"),
    "double gzip, named": _double_gzip("gzip, gzip"),
    "deep nesting": _text(b'{"data":' * 100_000),
    "5,000 digits": _replaced(b'"pChange": ', b'"pChange": ' + b"7" * 5000 + b', "was": '),
    "duplicate keys": _replaced(b'"pChange": ', b'"pChange": 99.9, "pChange": '),
    "lone surrogate": _replaced(b'"companyName": "', b'"companyName": "\\ud800'),
    "NaN": _replaced(b'"pChange": ', b'"pChange": NaN, "was": '),
    "1e999": _replaced(b'"pChange": ', b'"pChange": 1e999, "was": '),
    "no data": _text(b'{"data": {}}'),
    "zero rows": lambda handler: handler.changed(lambda _: []),
    "wrong rows": lambda handler: handler.changed(lambda _: [7, "x", None, [], {}]),
    "missing fields": lambda handler: handler.changed(lambda rows: [{"symbol": r["symbol"]} for r in rows]),
    "wrong types": lambda handler: handler.changed(
        lambda rows: [{**r, "pChange": [1], "lastPrice": {}} for r in rows]
    ),
    "one bad row": lambda handler: handler.changed(
        lambda rows: [{**rows[0], "pChange": "-", "lastPrice": "-"}, *rows[1:]]
    ),
    "booleans": lambda handler: handler.changed(_priced(True)),
    "words": lambda handler: handler.changed(_priced("n/a")),
    "nulls": lambda handler: handler.changed(_priced(None)),
    "zero previous close": lambda handler: handler.changed(
        lambda rows: [{**rows[0], "previousClose": 0, "pChange": None}, *rows[1:]]
    ),
    "control characters": lambda handler: handler.changed(
        lambda rows: [
            {**rows[0], "symbol": f"{rows[0]['symbol']}\0"},
            {**rows[1], "symbol": f"\u202e{rows[1]['symbol']}"},
            {**rows[2], "symbol": f"{rows[2]['symbol']}\r\nSet-Cookie: x=1"},
            {**rows[3], "companyName": "A\u202eB\0C\r\nD"},
            *rows[4:],
        ]
    ),
    "hostile symbols": lambda handler: handler.changed(
        lambda rows: [
            {**rows[0], "symbol": "<script>alert(1)</script>"},
            {**rows[1], "symbol": "../../etc"},
            {**rows[2], "companyName": "<img src=x onerror=alert(1)></script><script>alert(1)</script>"},
            *rows[3:],
        ]
    ),
    "31 % missing": lambda handler: handler.changed(lambda rows: rows[: round(0.69 * len(rows))]),
    "contradictions": lambda handler: handler.changed(
        lambda rows: [{**row, "pChange": round(row["pChange"] + 1, 4)} for row in rows]
    ),
    "one contradiction": lambda handler: handler.changed(
        lambda rows: [{**rows[0], "pChange": -rows[0]["pChange"]}, *rows[1:]]
    ),
    "10 minutes old": _stamped(timedelta(minutes=-10)),
    "6 minutes ahead": _stamped(timedelta(minutes=6)),
    "tomorrow": _stamped(timedelta(days=1)),
    "another day": _stamped(timedelta(days=-1)),
    "no timestamp": _replaced(b'"timestamp"', b'"somewhen"'),
}
