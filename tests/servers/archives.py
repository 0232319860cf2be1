"""A stand-in for the exchange's archives on a free local port, and files in both of the exchange's forms.

    with Archives({day: figures}) as archives:
        heatmap history backfill --archive-url {archives.url}

- A browser's User-Agent must be sent, or the answer is 403; with `needs_cookie` a page must be visited first, too.
- `lots` are the stocks in the list of those with futures and options; without any, that is not there.
- `changes` are rows of the list of symbols that changed (`symbol_list`); without any, that is not there.
- A day in `days` is there in the forms that `forms` names ("full", "udiff"); any other is 404 with a page.
- `faults[part of a path]` is one of FAULTS, or bytes to be the body; `faulty_times` how often it shows, then all is well.
- `seen`: the requests that came, as (time.monotonic(), path). `hold_after`: how many archives are served before
  the next waits until `held` is set; `reached` tells that it waits.

As a process: `python -m tests.servers.archives FOLDER [--port N]` serves a folder's archives by their names.
"""

from __future__ import annotations

import argparse
import io
import sys
import threading
import time
import zipfile
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime
from email.utils import format_datetime
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

DENIED = b"<HTML><HEAD><TITLE>Access Denied</TITLE></HEAD><BODY><H1>Access Denied</H1></BODY></HTML>"
NOT_FOUND = b"<html><body>Resource not found</body></html>"
FULL = "/products/content/sec_bhavdata_full_"
UDIFF = "/content/cm/BhavCopy_NSE_CM_0_0_0_"
LOTS = "/content/fo/fo_mktlots.csv"
CHANGES = "/content/equities/symbolchange.csv"
FAULTS = ("403", "429", "500", "html", "hang", "short")
FULL_HEADER = (
    "SYMBOL, SERIES, DATE1, PREV_CLOSE, OPEN_PRICE, HIGH_PRICE, LOW_PRICE, LAST_PRICE, CLOSE_PRICE, "
    "AVG_PRICE, TTL_TRD_QNTY, TURNOVER_LACS, NO_OF_TRADES, DELIV_QTY, DELIV_PER"
)
UDIFF_HEADER = (
    "TradDt,BizDt,Sgmt,Src,FinInstrmTp,FinInstrmId,ISIN,TckrSymb,SctySrs,XpryDt,FininstrmActlXpryDt,StrkPric,"
    "OptnTp,FinInstrmNm,OpnPric,HghPric,LwPric,ClsPric,LastPric,PrvsClsgPric,UndrlygPric,SttlmPric,OpnIntrst,"
    "ChngInOpnIntrst,TtlTradgVol,TtlTrfVal,TtlNbOfTxsExctd,SsnId,NewBrdLotQty,Rmks,Rsvd1,Rsvd2,Rsvd3,Rsvd4"
)


class Share(NamedTuple):
    """One share's session, as a test wants it to be."""

    symbol: str
    previous_close: float
    open: float
    high: float
    low: float
    close: float
    volume: int = 1000
    turnover_lakhs: float = 12.5
    series: str = "EQ"


def share(symbol: str, previous_close: float, close: float, **more: Any) -> Share:
    """A share that opened at its previous close, or where `open` says, and closed at `close`."""
    opened = more.pop("open", previous_close)
    return Share(symbol, previous_close, opened, max(opened, close), min(opened, close), close, **more)


def full(day: date, shares: Sequence[Share]) -> bytes:
    """The full form: a space before each value but the first, delivery columns, turnover in lakhs."""
    rows = [
        f"{s.symbol}, {s.series}, {day:%d-%b-%Y}, {s.previous_close}, {s.open}, {s.high}, {s.low}, {s.close}, "
        f"{s.close}, {s.close}, {s.volume}, {s.turnover_lakhs}, 10, {s.volume // 2}, 50.00"
        for s in shares
    ]
    return "".join(f"{row}\n" for row in (FULL_HEADER, *rows)).encode()


def udiff(day: date, shares: Sequence[Share]) -> bytes:
    """The UDiFF form, not packed: turnover in rupees, many columns that shares leave empty."""
    rows = [
        f"{day},{day},CM,NSE,STK,1,INE000A01000,{s.symbol},{s.series},,,,,{s.symbol} LIMITED,{s.open},{s.high},"
        f"{s.low},{s.close},{s.close},{s.previous_close},,{s.close},,,{s.volume},{s.turnover_lakhs * 100_000:.2f},10,F1,1,,,,,"
        for s in shares
    ]
    return "".join(f"{row}\n" for row in (UDIFF_HEADER, *rows)).encode()


def lot_list(stocks: Sequence[str]) -> bytes:
    """The list of lots: columns padded with spaces, indices first, then a heading of its own and the stocks."""

    def row(name: str, symbol: str, *lots: object) -> str:
        return ",".join([f"{name:36}", f"{symbol:10}", *(f"{lot:<11}" for lot in lots)]) + "\n"

    rows = [
        row("UNDERLYING", "SYMBOL", "NOV-26", "DEC-26", "JAN-27"),
        row("NIFTY BANK", "BANKNIFTY", 30, 30, 30),
        row("NIFTY 50", "NIFTY", 65, 65, 65),
        row("Derivatives on Individual Securities", "Symbol", "NOV-26", "DEC-26", "JAN-27"),
        *(row(f"{symbol} LIMITED", symbol, 500, 500, "") for symbol in stocks),
    ]
    return "".join(rows).encode()


def symbol_list(*changes: tuple[str, str, str]) -> bytes:
    """The list of symbols that changed: old, new, first day; many others first, a comma in each one's name."""
    others = [(f"OLD{n}", f"NEW{n}", f"{1 + n % 28:02}-JAN-2020") for n in range(60)]
    rows = [f" Some, Name & Co Limited,{old},{new},{day}" for old, new, day in (*others, *changes)]
    heading = "SYMB_COMPANY_NAME, SM_KEY_SYMBOL, SM_NEW_SYMBOL, SM_APPLICABLE_FROM"
    return "".join(f"{row}\r\n" for row in (heading, *rows)).encode()


def packed(content: bytes, name: str = "BhavCopy_NSE_CM_0_0_0_20260720_F_0000.csv") -> bytes:
    """A zip file of one file."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, content)
    return file.getvalue()


class Archives:
    """The server; a context manager. See the top of this file."""

    def __init__(
        self,
        days: Mapping[date, Sequence[Share]],
        *,
        forms: Sequence[str] = ("full", "udiff"),
        needs_cookie: bool = False,
        lots: Sequence[str] = (),
        changes: Sequence[tuple[str, str, str]] = (),
        port: int = 0,
    ) -> None:
        self.bodies: dict[str, bytes] = {}
        for day, shares in days.items():
            if "full" in forms:
                self.bodies[f"{FULL}{day:%d%m%Y}.csv"] = full(day, shares)
            if "udiff" in forms:
                self.bodies[f"{UDIFF}{day:%Y%m%d}_F_0000.csv.zip"] = packed(udiff(day, shares))
        if lots:
            self.bodies[LOTS] = lot_list(lots)
        if changes:
            self.bodies[CHANGES] = symbol_list(*changes)
        self.needs_cookie = needs_cookie
        self.faults: dict[str, str | bytes] = {}
        self.faulty_times = sys.maxsize
        self.hold_after = sys.maxsize
        self.date: Callable[[], datetime] | None = None  # what its own clock shows; None: this machine's
        self.seen: list[tuple[float, str]] = []
        self.served = 0
        self.reached = threading.Event()
        self.held = threading.Event()
        self._server = _Server(("127.0.0.1", port), partial(_Handler, self))
        self._thread = threading.Thread(target=partial(self._server.serve_forever, 0.05), daemon=True)

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    @property
    def paths(self) -> list[str]:
        """The paths asked for, in order."""
        return [path for _, path in self.seen]

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


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of clients that leave early."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def __init__(self, archives: Archives, *arguments: Any) -> None:
        self.archives: Archives = archives
        super().__init__(*arguments)

    def log_message(self, *_: object) -> None:
        """Stay silent: the tests read `seen`."""

    def do_GET(self) -> None:
        archives = self.archives
        archives.seen.append((time.monotonic(), self.path))
        fault = next((fault for part, fault in archives.faults.items() if part in self.path), None)
        if fault is not None and archives.faulty_times > 0:
            archives.faulty_times -= 1
            self._fail(fault)
        elif not self.headers.get("User-Agent", "").startswith("Mozilla/"):
            self._answer(DENIED, 403, "text/html")
        elif self.path == "/all-reports":
            self._answer(b"<html>Reports</html>", 200, "text/html", {"Set-Cookie": "nsit=1; Path=/"})
        elif archives.needs_cookie and "nsit=1" not in self.headers.get("Cookie", ""):
            self._answer(DENIED, 403, "text/html")
        elif self.path not in archives.bodies:
            self._answer(NOT_FOUND, 404, "text/html")
        else:
            if archives.served >= archives.hold_after:
                archives.reached.set()
                archives.held.wait()
            archives.served += 1
            kind = "application/zip" if self.path.endswith(".zip") else "text/csv"
            self._answer(archives.bodies[self.path], 200, kind)

    def _fail(self, fault: str | bytes) -> None:
        if isinstance(fault, bytes):
            self._answer(fault, 200, "text/csv")
        elif fault == "hang":
            self.archives.held.wait()
            self.close_connection = True
        elif fault == "html":
            self._answer(DENIED, 200, "text/html")
        elif fault == "short":
            body = self.archives.bodies[self.path]
            self._answer(body[: len(body) // 2], 200, "text/csv", {"Content-Length": str(len(body))})
            self.close_connection = True
        else:
            self._answer(DENIED, int(fault), "text/html")

    def _answer(self, body: bytes, status: int, kind: str, headers: Mapping[str, str] | None = None) -> None:
        self.send_response_only(status)
        moment = self.archives.date() if self.archives.date else datetime.now(UTC)
        dated = {"Date": format_datetime(moment.astimezone(UTC), usegmt=True)}
        for name, value in (
            dated | {"Content-Type": kind, "Content-Length": str(len(body))} | dict(headers or {})
        ).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)


def main() -> None:
    """Serve a folder until ended."""
    parser = argparse.ArgumentParser(description="A stand-in for the exchange's archives.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--port", type=int, default=0)
    arguments = parser.parse_args()
    with Archives({}, port=arguments.port) as archives:
        for file in arguments.folder.iterdir():
            prefix = "/products/content/" if file.name.startswith("sec") else "/content/cm/"
            archives.bodies[prefix + file.name] = file.read_bytes()
        print(archives.url, flush=True)
        try:
            threading.Event().wait()
        except KeyboardInterrupt:
            sys.exit(0)


if __name__ == "__main__":
    main()
