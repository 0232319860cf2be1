"""A stand-in for the exchange on a free local port, which behaves as the real one was seen to.

    with Exchange(now=moment) as exchange:
        Nse(base_url=exchange.url).fetch(now=moment)

- A page must be visited for its cookies and a browser's User-Agent sent, or the answer is 401 or 403.
- Today's endpoint answers `exchange.rows` (the recorded day's by default), stamped with `exchange.now`
  and `exchange.status`; every other endpoint answers 404, unless `exchange.alternatives` is True.
- `now`: an aware time, a function returning one, or None for the recorded day's own time.
- `status`: "Open", "Closed", or None to go by the time of day (open from 09:15 to 15:15).
- `rows`: the stocks in the exchange's own spelling; set it, or use `moved(rows, ...)`, for a second tick.
- `fault`: one of `FAULTS` for every endpoint, or `faults[part of a path]` for some ("market-data" is
  the page, "marketWatchApi" today's endpoint). None is well.
- `seen`: the requests that came, as (path, headers). `held` is released when the server stops.

As a process: `python -m tests.servers.exchange [--port N] [--now ISO]` prints its address and serves
until it is ended; without --now it goes by the clock.
"""

from __future__ import annotations

import argparse
import gzip
import json
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, time, timedelta
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from zoneinfo import ZoneInfo

ZONE = ZoneInfo("Asia/Kolkata")
RECORDING = Path(__file__).parents[2] / "heatmap/data/recordings/nse-fno-2026-09-17.json"
RECORDED_AT = datetime(2026, 9, 17, 16, 0, 28, tzinfo=ZONE)
TODAY = "/api/NextApi/apiClient/marketWatchApi"
ALTERNATIVES = ("/api/equity-stockIndex", "/api/equity-stock-indices")
DENIED = b"<HTML><HEAD><TITLE>Access Denied</TITLE></HEAD><BODY><H1>Access Denied</H1></BODY></HTML>"
DRIP_SECONDS = 0.05

Row = dict[str, Any]


def recorded_rows() -> list[Row]:
    """Return the recorded day's stocks as the exchange writes them, best first."""
    return [_wire(quote) for quote in json.loads(RECORDING.read_text("utf-8"))["quotes"]]


def moved(rows: Sequence[Row], changes: Mapping[str, float]) -> list[Row]:
    """Return the rows with other percent changes, by symbol, and last prices to match; best first."""
    result = []
    for row in rows:
        percent = changes.get(row["symbol"], row["pChange"])
        last = row["lastPrice"]
        if row["symbol"] in changes:
            last = round(row["previousClose"] * (1 + percent / 100), 2)
        high, low = max(row["dayHigh"], last), min(row["dayLow"], last)
        result.append({**row, "pChange": percent, "lastPrice": last, "dayHigh": high, "dayLow": low})
    return sorted(result, key=lambda row: (-row["pChange"], row["symbol"]))


class Exchange:
    """The server; a context manager. See the top of this file."""

    def __init__(
        self,
        *,
        now: datetime | Callable[[], datetime] | None = None,
        status: str | None = None,
        rows: Sequence[Row] | None = None,
        fault: str | None = None,
        port: int = 0,
    ) -> None:
        self.now = now
        self.status = status
        self.rows: Sequence[Any] = recorded_rows() if rows is None else rows
        self.fault = fault
        self.faults: dict[str, str] = {}
        self.alternatives = False
        self.seen: list[tuple[str, Mapping[str, str]]] = []
        self.held = threading.Event()
        self._server = _Server(("127.0.0.1", port), partial(_Handler, self))
        self._thread = threading.Thread(target=partial(self._server.serve_forever, 0.05), daemon=True)

    @property
    def url(self) -> str:
        """Its address, as `base_url` wants it."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    @property
    def paths(self) -> list[str]:
        """The paths asked for, in order, without their queries."""
        return [path.partition("?")[0] for path, _ in self.seen]

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.held.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def body(self, *, rows: Sequence[Any] | None = None, at: datetime | None = None) -> bytes:
        """Return what today's endpoint would answer."""
        return json.dumps(self.document(rows=rows, at=at)).encode()

    def document(self, *, rows: Sequence[Any] | None = None, at: datetime | None = None) -> dict[str, Any]:
        """Return what today's endpoint would answer, decoded, restamped to the moment pretended."""
        moment = (at or (self.now() if callable(self.now) else self.now) or RECORDED_AT).astimezone(ZONE)
        is_open = time(9, 15) <= moment.time() < time(15, 15)
        status = self.status or ("Open" if is_open else "Closed")
        stamp = f"{moment:%d-%b-%Y %H:%M:%S}"
        shift = moment.date() - RECORDED_AT.date()
        chosen = self.rows if rows is None else rows
        percents = [
            row["pChange"] for row in chosen if isinstance(row, dict) and _is_number(row.get("pChange"))
        ]
        return {
            "data": {
                "aduCount": {
                    "declines": sum(percent < 0 for percent in percents),
                    "advances": sum(percent > 0 for percent in percents),
                    "unchange": sum(percent == 0 for percent in percents),
                },
                "data": [_restamped(row, stamp, shift) for row in chosen],
                "marketStatus": {
                    "market": "CM",
                    "marketStatus": status,
                    "marketStatusMessage": f"Normal Market is {status}",
                },
                "timestamp": stamp,
            }
        }


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of clients that leave early: that is what some faults are for."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def __init__(self, exchange: Exchange, *arguments: Any) -> None:
        self.exchange = exchange
        super().__init__(*arguments)

    def log_message(self, *_: object) -> None:
        """Stay silent: the tests read `seen`."""

    def do_GET(self) -> None:
        exchange = self.exchange
        exchange.seen.append((self.path, dict(self.headers)))
        path = self.path.partition("?")[0]
        fault = next((fault for part, fault in exchange.faults.items() if part in path), None)
        if fault is None and path.startswith("/api/"):
            fault = exchange.fault
        try:
            if fault is not None:
                FAULTS[fault](self)
            elif not self.headers.get("User-Agent", "").startswith("Mozilla/"):
                self.answer(DENIED, 403, "text/html")
            elif not path.startswith("/api/"):
                self.answer(b"<html>A page</html>", 200, "text/html", {"Set-Cookie": "nsit=1; Path=/"})
            elif "nsit=1" not in self.headers.get("Cookie", ""):
                self.answer(DENIED, 401, "text/html")
            elif path == TODAY or (exchange.alternatives and path in ALTERNATIVES):
                self.answer(exchange.body())
            else:
                self.answer(b"<html>Resource not found</html>", 404, "text/html")
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True  # the client had enough

    def answer(
        self,
        body: bytes,
        status: int = 200,
        kind: str = "application/json; charset=utf-8",
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """Send a whole answer, packed where the client takes that."""
        packed = kind.startswith("application/json") and "gzip" in self.headers.get("Accept-Encoding", "")
        body = gzip.compress(body) if packed else body
        more = {"Content-Encoding": "gzip"} if packed else {}
        self.start(
            status, {"Content-Type": kind, "Content-Length": str(len(body)), **more, **(headers or {})}
        )
        self.wfile.write(body)

    def start(self, status: int, headers: Mapping[str, str]) -> None:
        """Send a status and headers."""
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()

    def drip(self, data: bytes) -> None:
        """Send a byte at a time, more slowly than anybody should wait for, until the server stops."""
        for byte in data:
            if self.exchange.held.wait(DRIP_SECONDS):
                break
            self.wfile.write(bytes([byte]))
            self.wfile.flush()
        self.close_connection = True

    def changed(self, change: Callable[[list[Row]], Sequence[Any]]) -> None:
        """Answer with changed rows."""
        self.answer(self.exchange.body(rows=change([dict(row) for row in self.exchange.rows])))


def _hang(handler: _Handler) -> None:
    handler.exchange.held.wait()
    handler.close_connection = True


def _redirect_loop(handler: _Handler) -> None:
    handler.start(302, {"Location": handler.path, "Content-Length": "0"})


def _redirect_away(handler: _Handler) -> None:
    handler.start(302, {"Location": "http://localhost.invalid/", "Content-Length": "0"})


def _header_drip(handler: _Handler) -> None:
    handler.drip(b"HTTP/1.1 200 OK\r\n" + b"X-Slow: yes\r\n" * 10_000)


def _body_drip(handler: _Handler) -> None:
    body = handler.exchange.body()
    handler.start(200, {"Content-Type": "application/json", "Content-Length": str(len(body))})
    handler.drip(body)


def _short(handler: _Handler) -> None:
    body = handler.exchange.body()
    handler.start(200, {"Content-Type": "application/json", "Content-Length": str(len(body))})
    handler.wfile.write(body[: len(body) // 2])
    handler.close_connection = True


def _oversized(handler: _Handler) -> None:
    handler.start(200, {"Content-Type": "application/json", "Content-Length": str(64 * 1024 * 1024)})
    for _ in range(64):
        handler.wfile.write(b" " * 1024 * 1024)


def _gzip_bomb(handler: _Handler) -> None:
    packed = gzip.compress(b"0" * 200 * 1024 * 1024, 6)
    headers = {
        "Content-Type": "application/json",
        "Content-Encoding": "gzip",
        "Content-Length": str(len(packed)),
    }
    handler.start(200, headers)
    handler.wfile.write(packed)


def _status(status: int, headers: Mapping[str, str] | None = None) -> Callable[[_Handler], None]:
    return lambda handler: handler.answer(DENIED, status, "text/html", headers)


def _text(body: bytes) -> Callable[[_Handler], None]:
    return lambda handler: handler.answer(body)


def _stamped(shift: timedelta) -> Callable[[_Handler], None]:
    def answer(handler: _Handler) -> None:
        now = handler.exchange.now
        moment = (now() if callable(now) else now) or RECORDED_AT
        handler.answer(handler.exchange.body(at=moment + shift))

    return answer


def _replaced(old: bytes, new: bytes) -> Callable[[_Handler], None]:
    return lambda handler: handler.answer(handler.exchange.body().replace(old, new, 1))


FAULTS: dict[str, Callable[[_Handler], None]] = {
    "html": lambda handler: handler.answer(DENIED, 200, "text/html"),
    "401": _status(401),
    "403": _status(403),
    "404": _status(404),
    "421": _status(421),
    "429": _status(429, {"Retry-After": "120"}),
    "500": _status(500),
    "503": _status(503, {"Retry-After": "60"}),
    "redirect loop": _redirect_loop,
    "redirect away": _redirect_away,
    "hang": _hang,
    "header drip": _header_drip,
    "body drip": _body_drip,
    "short body": _short,
    "truncated JSON": lambda handler: handler.answer(handler.exchange.body()[:-1000]),
    "not JSON": _text(b"Service temporarily in maintenance"),
    "empty": _text(b""),
    "oversized": _oversized,
    "gzip bomb": _gzip_bomb,
    "deep nesting": _text(b'{"data":' * 100_000),
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
    "hostile symbols": lambda handler: handler.changed(
        lambda rows: [
            {**rows[0], "symbol": "<script>alert(1)</script>"},
            {**rows[1], "symbol": "../../etc"},
            {**rows[2], "companyName": "<img src=x onerror=alert(1)>"},
            *rows[3:],
        ]
    ),
    "tomorrow": _stamped(timedelta(days=1)),
    "another day": _stamped(timedelta(days=-1)),
    "no timestamp": _replaced(b'"timestamp"', b'"somewhen"'),
}


def _wire(quote: Mapping[str, Any]) -> Row:
    month, year = quote["changes"]["1mo"], quote["changes"]["1y"]
    return {
        "priority": 0,
        "symbol": quote["symbol"],
        "identifier": f"{quote['symbol']}EQN",
        "series": "EQ",
        "companyName": quote["name"],
        "lastPrice": quote["last_price"],
        "previousClose": quote["previous_close"],
        "pChange": quote["percent_change"],
        "open": quote["open"],
        "dayHigh": quote["high"],
        "dayLow": quote["low"],
        "totalTradedVolume": quote["volume"],
        "totalTradedValue": quote["turnover"],
        "ffmc": quote["free_float_market_cap"],
        "yearHigh": quote["year_high"],
        "yearLow": quote["year_low"],
        "perChange30d": month["percent"] or 0,
        "date30dAgo": month["since"],
        "perChange365d": year["percent"] or 0,
        "date365dAgo": year["since"],
        "lastUpdateTime": "",
    }


def _restamped(row: Any, stamp: str, shift: timedelta) -> Any:
    """Return a row with its own times moved, written as the exchange writes them."""
    if not isinstance(row, dict):
        return row
    moved_days = {}
    for name in ("date30dAgo", "date365dAgo"):
        if isinstance(row.get(name), str):
            moved_days[name] = f"{datetime.fromisoformat(row[name]) + shift:%d-%b-%Y}"
    return {**row, "lastUpdateTime": stamp, **moved_days}


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float))


def main() -> None:
    """Serve until ended."""
    parser = argparse.ArgumentParser(description="A stand-in for the exchange.")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--now", type=datetime.fromisoformat, help="the time to stamp, with its offset")
    arguments = parser.parse_args()
    now = arguments.now or (lambda: datetime.now(ZONE))
    with Exchange(now=now, port=arguments.port) as exchange:
        print(exchange.url, flush=True)
        try:
            threading.Event().wait()
        except KeyboardInterrupt:
            sys.exit(0)


if __name__ == "__main__":
    main()
