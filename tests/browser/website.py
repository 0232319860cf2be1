"""A small web server, and pages drawn for chosen moments."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

from heatmap import calendars, guard, render
from heatmap.model import Occasion, Quote, Snapshot
from heatmap.views.table import TableView

CALENDAR = calendars.load(calendars.SessionOptions(), Path())
QUOTES = tuple(
    Quote(
        f"STOCK{number:03}",
        5 - number / 20,
        f"Stock {number} Limited",
        "Testing",
        1234.5,
        1200.0,
        low=1190.0,
        high=1250.0,
    )
    for number in range(210)
)


@dataclass
class Site:
    """A folder on a web server of its own, whose manners a test can change."""

    folder: Path
    cors: bool = True
    url: str = ""
    asked: list[str] = field(default_factory=list)  # the paths asked for, in order

    def draw(
        self,
        moment: datetime,
        quotes: Sequence[Quote] = QUOTES,
        *,
        recording: bool = False,
        refresh_seconds: int = 60,
    ) -> None:
        """Publish the page that a tick at `moment` would make of these quotes."""
        occasion = Occasion("test", "Test market", "Asia/Kolkata", moment, guard.judge(CALENDAR, moment), 5)
        snapshot = Snapshot("memory", moment, tuple(quotes), "INR", recording=recording)
        options = render.PageOptions(refresh_seconds=refresh_seconds)
        page = render.render(TableView().draw(snapshot), snapshot, occasion, options, root=True)
        (self.folder / "index.html").write_bytes(page)


class _Handler(SimpleHTTPRequestHandler):
    """Serves a Site and remembers what was asked."""

    def __init__(self, *arguments: object, site: Site) -> None:
        self.site = site
        super().__init__(*arguments, directory=str(site.folder))  # type: ignore[arg-type]

    def do_GET(self) -> None:
        """Note the path, then answer."""
        self.site.asked.append(self.path)
        super().do_GET()

    def end_headers(self) -> None:
        """Let other origins read the page, or not."""
        if self.site.cors:
            self.send_header("Access-Control-Allow-Origin", "*")
        self.send_header("Cache-Control", "no-cache")
        super().end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def serve(folder: Path) -> Iterator[Site]:
    """Serve an empty site on a free port, until the block ends."""
    found = Site(folder)
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(_Handler, site=found)) as server:
        found.url = f"http://127.0.0.1:{server.server_address[1]}/"
        thread = Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield found
        finally:
            server.shutdown()
            thread.join()
