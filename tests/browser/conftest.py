"""A page made by the whole program, a server that can misbehave, and a visitor."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from heatmap.history.store import open_store
from heatmap.market.quotes import Quote
from heatmap.run import demo, one_run
from tests.doubles import MemoryPublisher, MemorySource, configuration
from tests.drawings import bars_before, page_of, recorded

REFRESH_SECONDS = 60


def at(text: str) -> datetime:
    """A moment of the market's clock, in India."""
    return datetime.fromisoformat(f"{text}+05:30")


OPEN = at("2026-11-20T11:00:00")
REMEMBERED = [
    *(at(f"2026-09-17T{time}") for time in ("09:15", "10:00", "11:35", "13:00", "15:00")),
    demo.FINAL,
]


def quotes(count: int = 210, shift: float = 0.0) -> tuple[Quote, ...]:
    """A market of stocks with names of up to ten wide letters."""
    percents = [round(5 - number * 0.05 + shift, 2) for number in range(count)]
    return tuple(
        Quote(
            f"W{'MOTOCOWMO'[: number % 10]}"[:7] + f"{number:03}",
            percent,
            name=f"Stock {number} Limited",
            sector="Services",
            last_price=round(1200 * (1 + percent / 100), 2),
            previous_close=1200.0,
            high=1400.0,
            low=1000.0,
        )
        for number, percent in enumerate(percents)
    )


class Site:
    """A web server of one page. `headers` go with it, `status` is its answer, `hits` counts those who asked."""

    def __init__(self, tmp_path: Path) -> None:
        self.tmp_path = tmp_path
        self.page = b""
        self.other: dict[str, bytes] = {}
        self.headers: dict[str, str] = {}
        self.status = 200
        self.hits = 0
        site = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                path = self.path.partition("?")[0]
                found = site.other.get(path)
                if found is None and path == "/map/":
                    site.hits += 1
                    found = site.page
                self.send_response((site.status if path == "/map/" else 200) if found is not None else 404)
                for name, value in {"Content-Type": "text/html; charset=utf-8", **site.headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(found or b"")

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    def url(self, path: str = "/map/") -> str:
        """The address of a path."""
        return f"http://127.0.0.1:{self._server.server_address[1]}{path}"

    def stop(self) -> None:
        """End the server, if it has not been ended."""
        if self._thread.is_alive():
            self._server.shutdown()
            self._server.server_close()
            self._thread.join()

    def draw(
        self, now: datetime = OPEN, *, as_of: datetime | None = None, columns: int = 13, **market: object
    ) -> bytes:
        """Make the page of one tick, put it on the server, and return it."""
        source = MemorySource(as_of=as_of, quotes=quotes(**market))  # type: ignore[arg-type]
        target = MemoryPublisher()
        folder = self.tmp_path / f"state-{self.hits}-{now:%d%H%M%S}"
        config = configuration(folder, source, target)
        config = config._replace(page=replace(config.page, refresh_seconds=REFRESH_SECONDS, columns=columns))
        report = one_run.run(config, now=now, force=True)
        assert not report.errors
        self.page = target.pages["nse-fno/index.html"]
        return self.page


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """A server with the page of an open market at OPEN."""
    server = Site(tmp_path)
    server.draw()
    yield server
    server.stop()


@pytest.fixture
def market(tmp_path: Path) -> Iterator[Site]:
    """A server with the page of the bundled recorded day at its close."""
    server = Site(tmp_path)
    server.page = page_of(recorded()).encode()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def remembered_ticks(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, bytes]]:
    """The publications of each moment of the recorded day at REMEMBERED, after 90 sessions that are made up."""
    folder = tmp_path_factory.mktemp("remembered")
    config = demo.settings(folder / "site", folder / "state", refresh_seconds=REFRESH_SECONDS)
    store = open_store(config.history, config.state_directory, str)
    store.add_bars(f"{demo.MARKET}:recording", bars_before(recorded(), config.markets[0].calendar, 90))
    store.close()
    found = []
    for moment in REMEMBERED:
        demo.publish(config, moment)
        market = folder / "site" / demo.MARKET
        found.append({path.name: path.read_bytes() for path in market.iterdir() if path.is_file()})
    return found


@pytest.fixture
def remembered(tmp_path: Path, remembered_ticks: list[dict[str, bytes]]) -> Iterator[Site]:
    """A server with the page of the recorded day at its close, and with its history."""
    server = Site(tmp_path)
    put(server, remembered_ticks[-1])
    yield server
    server.stop()


def put(site: Site, files: dict[str, bytes]) -> None:
    """Have a server answer with what a tick published."""
    site.page = files["index.html"]
    site.other = {f"/map/{name}": content for name, content in files.items() if name != "index.html"}


@pytest.fixture
def visit(browser: Browser, request: pytest.FixtureRequest) -> Iterator[Callable[..., Page]]:
    """Open an address in a window of its own, with the browser's clock at `now`; it must not complain.

    The address is on the server of the test: `site`, or `market` or `remembered` where the test has that.
    """
    named = [name for name in ("remembered", "market") if name in request.fixturenames]
    site: Site = request.getfixturevalue(named[0] if named else "site")
    complaints: list[str] = []
    contexts = []

    def open_page(
        path: str = "/map/", *, now: datetime = OPEN, quiet: bool = True, **options: object
    ) -> Page:
        context = browser.new_context(**options)  # type: ignore[arg-type]
        contexts.append(context)
        page = context.new_page()
        page.clock.install(time=now + timedelta(seconds=1))
        if quiet:
            page.on(
                "console",
                lambda message: (
                    complaints.append(message.text) if message.type in ("error", "warning") else None
                ),
            )
            page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(site.url(path))
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert [] == complaints
