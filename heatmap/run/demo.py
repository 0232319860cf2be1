"""Draws the recorded trading day with whole runs: once into a folder, or live on localhost."""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread
from typing import TYPE_CHECKING
from urllib.parse import quote

from heatmap.config import loader
from heatmap.errors import PublishError, UsageError
from heatmap.market.calendar import phases
from heatmap.pages import embed
from heatmap.publishers import ownership
from heatmap.run import one_run
from heatmap.system import files, temporary

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from heatmap.config.loader import Config

MARKET = "nse-fno"
TITLE = "NSE F&O heatmap"
DATE = datetime.fromisoformat("2026-09-17").date()
STEP = timedelta(minutes=5)  # between two moments of the recorded day
FINAL = datetime.fromisoformat("2026-09-17T16:01:00+05:30")  # when the recorded closing figures were there


def settings(site: Path, state: Path, refresh_seconds: int) -> Config:
    """Return the configuration of a demo: the recording as its source, `site` as its only target.

    It replaces the files in `site`, even those of other programs.
    """
    config = loader.read(
        {
            "title": TITLE,
            "state_directory": str(state.absolute()),
            "market": [{"name": MARKET, "source": {"type": "recording"}}],
            "publish": [
                {"url": f"file:{quote(os.fsencode(site.absolute()))}", "overwrite": True, "create": True}
            ],
        },
        base=Path.cwd(),
    )
    return config._replace(page=replace(config.page, refresh_seconds=refresh_seconds))


def moments(config: Config) -> Iterator[datetime]:
    """Yield the moments of the recorded day that a run would publish, the final one last."""
    session = phases.session_on(config.markets[0].calendar, DATE)
    if session is not None:
        for window in session.windows:
            moment = window.opens
            while moment < window.closes:
                yield moment
                moment += STEP
    yield FINAL


def publish(config: Config, moment: datetime) -> None:
    """Do one run on the recorded day. Raises the first error in its report."""
    report = one_run.run(config, now=moment)
    for error in report.errors:
        raise error


def once(site: Path, *, overwrite: bool) -> Path:
    """Draw the day's final page into `site` and return it.

    Raises UsageError if a page there is not a recording, unless `overwrite` is set.
    """
    page = site / ownership.PAGE_NAME
    for path in () if overwrite else (page, site / MARKET / ownership.PAGE_NAME):
        _refuse_other_page(path)
    with temporary.make_folder() as state:
        publish(settings(site, Path(state), refresh_seconds=300), FINAL)
    return page


def _refuse_other_page(page: Path) -> None:
    try:
        with files.open_regular(page) as stream:
            head = stream.read(ownership.HEAD_BYTES)
    except FileNotFoundError:
        return  # nothing there that could be lost
    except OSError as error:
        raise PublishError(f"{page} cannot be read ({error.strerror}): give another --directory") from error
    if not ownership.is_recording(head):
        raise UsageError(
            f"{page} is not a recording: this would overwrite it; give another --directory, or --force"
        )


class _Handler(SimpleHTTPRequestHandler):
    """Serves as the shipped server snippets do, so that a sandboxed frame can refresh itself."""

    def end_headers(self) -> None:
        self.send_header("Access-Control-Allow-Origin", "*")
        self.send_header("Cache-Control", "no-cache")
        super().end_headers()

    def log_message(self, *_: object) -> None:
        """Log nothing: the terminal is for the demo's own sentences."""


def live(*, port: int, seconds: float, days: int | None, say: Callable[[str], None], stop: Event) -> None:
    """Serve the day on localhost, a moment every `seconds`, `days` times over (None: until `stop` is set).

    Raises UsageError if the port is taken.
    """
    with temporary.make_folder() as folder:
        site = Path(folder) / "site"
        (site / "blog").mkdir(parents=True)
        blog = embed.blog(f"../{MARKET}/", TITLE, market=MARKET)
        (site / "blog" / "index.html").write_text(blog, "utf-8")
        try:
            server = ThreadingHTTPServer(("127.0.0.1", port), partial(_Handler, directory=str(site)))
        except OSError as error:
            raise UsageError(
                f"port {port} cannot be used ({error.strerror}): choose another with --port"
            ) from error
        with server:
            day = 0
            while not stop.is_set() and day != days:
                day += 1
                # A day has one final page, so each day begins with an empty state.
                config = settings(site, Path(folder) / f"state-{day}", refresh_seconds=max(1, round(seconds)))
                for number, moment in enumerate(moments(config)):
                    publish(config, moment)
                    if day == 1 and number == 0:
                        Thread(target=server.serve_forever, daemon=True).start()
                        address = f"http://127.0.0.1:{server.server_address[1]}"
                        say(f"The sample blog with the heatmap in it: {address}/blog/")
                        say(f"The heatmap by itself:                  {address}/{MARKET}/")
                        say(f"A recorded day, five minutes every {seconds:g} s. Ctrl-C ends it.")
                    say(f"  {moment:%H:%M}")
                    if stop.wait(seconds):
                        break
            server.shutdown()
