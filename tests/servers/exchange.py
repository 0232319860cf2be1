"""A stand-in for the exchange on a free local port, which behaves as the real one was seen to.

    with Exchange(now=moment) as exchange:
        Nse(base_url=exchange.url).fetch(now=moment)

- A page must be visited for its cookies and a browser's User-Agent sent, or the answer is 401 or 403.
- Today's endpoint answers `exchange.rows` (the recorded day's by default), stamped with `exchange.now`
  and `exchange.status`; every other endpoint answers 404, unless `exchange.alternatives` is True.
- `now`: an aware time, a function returning one, or None for the recorded day's own time.
- `status`: "Open", "Closed", or None to go by the time of day (open from 09:15 to 15:15).
- `holidays`: what the list of holidays answers, that of 2026 by default (exchange_holidays.py).
- `rows`: the stocks in the exchange's own spelling; set it, or use `moved(rows, ...)`, for a second tick.
- `fault`: one of `FAULTS` (exchange_faults.py) for every endpoint, or `faults[part of a path]` for
  some: "market-data" is the page, "marketWatchApi" today's endpoint. None is well.
- `cookie`: the one the page sets and the figures want; `stale_fault`: what who sends another one meets,
  "401" by default; `cookies_refused`: so many visits yet get one that is good for nothing.
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
from datetime import UTC, datetime, time, timedelta
from email.utils import format_datetime
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from zoneinfo import ZoneInfo

from tests.servers import exchange_holidays
from tests.servers.exchange_faults import DENIED, FAULTS

ZONE = ZoneInfo("Asia/Kolkata")
RECORDING = Path(__file__).parents[2] / "heatmap/data/recordings/nse-fno-2026-09-17.json"
RECORDED_AT = datetime(2026, 9, 17, 16, 0, 28, tzinfo=ZONE)
TODAY = "/api/NextApi/apiClient/marketWatchApi"
ALTERNATIVES = ("/api/equity-stockIndex", "/api/equity-stock-indices")
DRIP_SECONDS = 0.05
DATE = "%d-%b-%Y"

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
        stale_fault: str = "401",
        port: int = 0,
    ) -> None:
        self.now = now
        self.status = status
        self.rows: Sequence[Any] = recorded_rows() if rows is None else rows
        self.fault = fault
        self.faults: dict[str, str] = {}
        self.stale_fault = stale_fault
        self.cookie = "nsit=1"
        self.cookies_refused = 0
        self.alternatives = False
        self.date: Callable[[], datetime] | None = None  # what its own clock shows; None: this machine's
        self.age: int | None = None  # seconds, as a cache adds them
        self.is_dated = True
        self.holidays = exchange_holidays.holiday_master()
        self.seen: list[tuple[str, Mapping[str, str]]] = []
        self.held = threading.Event()
        self._server = _Server(("127.0.0.1", port), partial(Handler, self))
        self._thread = threading.Thread(target=partial(self._server.serve_forever, 0.05), daemon=True)

    @property
    def url(self) -> str:
        """Its address, as `base_url` wants it."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    @property
    def moment(self) -> datetime:
        """The moment pretended."""
        return (self.now() if callable(self.now) else self.now) or RECORDED_AT

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
        moment = (at or self.moment).astimezone(ZONE)
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


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def __init__(self, exchange: Exchange, *arguments: Any) -> None:
        self.exchange: Exchange = exchange
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
                cookie = exchange.cookie if not exchange.cookies_refused else "nsit=0"
                exchange.cookies_refused -= bool(exchange.cookies_refused)
                self.answer(b"<html>A page</html>", 200, "text/html", {"Set-Cookie": f"{cookie}; Path=/"})
            elif exchange.cookie not in self.headers.get("Cookie", ""):
                FAULTS[exchange.stale_fault if "Cookie" in self.headers else "401"](self)
            elif path == TODAY or (exchange.alternatives and path in ALTERNATIVES):
                self.answer(exchange.body())
            elif path == exchange_holidays.ENDPOINT:
                self.answer(exchange.holidays)
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
        self.send_response_only(status)
        moment = self.exchange.date() if self.exchange.date else datetime.now(UTC)
        dated = (
            {"Date": format_datetime(moment.astimezone(UTC), usegmt=True)} if self.exchange.is_dated else {}
        )
        aged = {} if self.exchange.age is None else {"Age": str(self.exchange.age)}
        for name, value in {**dated, **aged, **headers}.items():
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
        "date30dAgo": _date(month["since"]),
        "perChange365d": year["percent"] or 0,
        "date365dAgo": _date(year["since"]),
        "lastUpdateTime": "",
    }


def _date(since: str | None) -> str | None:
    """Return a date as the exchange writes it."""
    return f"{datetime.fromisoformat(since):{DATE}}" if since else None


def _restamped(row: Any, stamp: str, shift: timedelta) -> Any:
    """Return a row with its own times moved, written as the exchange writes them."""
    if not isinstance(row, dict):
        return row
    moved_days = {}
    for name in ("date30dAgo", "date365dAgo"):
        if isinstance(row.get(name), str):
            moved_days[name] = f"{datetime.strptime(row[name], DATE) + shift:{DATE}}"
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
