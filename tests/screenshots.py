"""Draws docs/screenshots from the recorded day: `make screenshots`, then look at them.

The sessions before it are made up, so its longer periods, lines of 60 sessions and archive mean nothing.
"""

from __future__ import annotations

import sys
from datetime import timedelta
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from threading import Thread
from typing import NamedTuple

from PIL import Image

from heatmap.history.store import open_store
from heatmap.market.calendar import phases
from heatmap.market.quotes import Quote
from heatmap.pages import embed
from heatmap.publishers.folder import FolderPublisher
from heatmap.run import demo, one_run
from tests.doubles import MemorySource, configuration
from tests.drawings import FINAL, bars_before, recorded
from tests.servers.chromium import chromium

TARGET = Path(__file__).resolve().parents[1] / "docs/screenshots"
COLOURS = 256  # of a picture's palette: a third of the size, and hardly a difference to the eye
LAYOUTS = ("table", "sectors", "treemap", "bars")
SIZES = {"1280": (1280, 880), "600": (600, 900), "360": (360, 740)}
REPLAY = "?at=2026-09-17T11:35"
ARCHIVE = "archive/nse-fno/archive.html"
BLOG = "blog/index.html"


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


class Shot(NamedTuple):
    """A window, what the address asks for, and how its reader sees."""

    size: tuple[int, int]
    query: str = ""
    scheme: str = "light"
    blindness: str = "none"
    panel: str = ""  # the symbol whose panel is open
    ready: str = "main [data-symbol]"  # what there must be by then
    path: str = ""  # of the page


SHOTS = {
    **{
        f"{layout}-{size}": Shot(window, f"?layout={layout}")
        for layout in LAYOUTS
        for size, window in SIZES.items()
    },
    "treemap-strength-dark": Shot(SIZES["1280"], "?layout=treemap&mode=rs", "dark", panel="RELIANCE"),
    "sectors-amount": Shot(SIZES["1280"], "?layout=sectors&mode=amount"),
    "treemap-liquidity": Shot(SIZES["1280"], "?layout=treemap&mode=liquidity&area=amount"),
    "bars-sector-dark": Shot(SIZES["600"], "?layout=bars&mode=sector", "dark"),
    "range-classic": Shot(SIZES["1280"], "?mode=range&palette=classic"),
    "muted": Shot(SIZES["1280"], "?palette=muted"),
    "muted-dark": Shot(SIZES["600"], "?layout=treemap&palette=muted", "dark"),
    "replay-1280": Shot(SIZES["1280"], REPLAY, panel="RELIANCE", ready=".spark"),
    "replay-600": Shot(SIZES["600"], f"{REPLAY}&layout=treemap", ready="#replay"),
    "replay-360-dark": Shot(SIZES["360"], REPLAY, "dark", ready="#replay"),
    "replay-sectors-dark": Shot(SIZES["1280"], f"{REPLAY}&layout=sectors", "dark", ready="#replay"),
    "bands-dark": Shot(SIZES["1280"], "?mode=bands", "dark", panel="RELIANCE", ready=".spark"),
    "archive-1280": Shot((1280, 620), ready="table a", path=ARCHIVE),
    "archive-360-dark": Shot(SIZES["360"], "", "dark", ready="table a", path=ARCHIVE),
    "blog-1280": Shot((1280, 1380), ready="iframe", path=BLOG),
    "deuteranopia": Shot(SIZES["1280"], blindness="deuteranopia"),
    "deuteranopia-colour-blind": Shot(SIZES["1280"], "?palette=colour-blind", blindness="deuteranopia"),
}


def publish(folder: Path) -> None:
    """Publish the recorded day, moment by moment, with 90 sessions before it."""
    config = demo.settings(folder / "site", folder / "state", refresh_seconds=300)
    store = open_store(config.history, config.state_directory, print)
    store.add_bars(f"{demo.MARKET}:recording", bars_before(recorded(), config.markets[0].calendar, 90))
    store.close()
    for moment in demo.moments(config):
        demo.publish(config, moment)
    blog = folder / "site" / BLOG
    blog.parent.mkdir()
    blog.write_text(embed.blog(f"../{demo.MARKET}/", demo.TITLE, market=demo.MARKET), "utf-8")


def publish_days(folder: Path, count: int = 80) -> None:
    """Publish a final page for each session of `count` days; the recorded stocks walk by chance, all together."""
    source = MemorySource(is_open=None)
    config = configuration(folder, source, FolderPublisher(f"file:{folder / 'site/archive'}"))  # type: ignore[arg-type]
    (market,) = config.markets
    config = config._replace(markets=(market._replace(title=demo.TITLE),))
    chance = Random(7)
    stocks = recorded().quotes
    for days in range(count, -1, -1):
        now = FINAL - timedelta(days)
        if phases.session_on(market.calendar, now.date()) is None:
            continue
        shift = chance.gauss(0, 1)
        stocks = tuple(_next_session(stock, shift + chance.gauss(0, 1.2)) for stock in stocks)
        source.quotes = stocks
        report = one_run.run(config, now=now)
        if report.errors:
            raise report.errors[0]


def _next_session(stock: Quote, percent: float) -> Quote:
    """Return a stock at the close of the session after, so many percent from its last price."""
    previous = stock.last_price or 100.0
    last = round(previous * (1 + percent / 100), 2)
    return Quote(
        stock.symbol,
        round((last / previous - 1) * 100, 2),
        name=stock.name,
        sector=stock.sector,
        last_price=last,
        previous_close=previous,
        open=previous,
        high=max(previous, last),
        low=min(previous, last),
        volume=stock.volume,
        turnover=stock.turnover,
        free_float_market_cap=stock.free_float_market_cap,
    )


def main(wanted: list[str]) -> None:
    """Draw the pictures `wanted` anew, or all where none is named."""
    TARGET.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory() as name, chromium() as browser:
        folder = Path(name)
        publish(folder)
        publish_days(folder)
        server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(folder / "site")))
        Thread(target=server.serve_forever, daemon=True).start()
        for picture, shot in SHOTS.items():
            if wanted and picture not in wanted:
                continue
            width, height = shot.size
            page = browser.new_page(viewport={"width": width, "height": height}, color_scheme=shot.scheme)
            page.goto(f"http://127.0.0.1:{server.server_address[1]}/{shot.path}{shot.query}")
            session = page.context.new_cdp_session(page)
            session.send("Emulation.setEmulatedVisionDeficiency", {"type": shot.blindness})
            if shot.panel:
                page.locator(f'a:has(b:text-is("{shot.panel}"))').hover()
            page.locator(shot.ready).first.wait_for()
            page.wait_for_load_state("networkidle")
            image = (
                Image.open(BytesIO(page.screenshot()))
                .convert("RGB")
                .quantize(COLOURS, kmeans=2, dither=Image.Dither.NONE)
            )
            image.save(TARGET / f"{picture}.png", optimize=True)
            page.close()
            print(TARGET / f"{picture}.png")
        server.shutdown()
        server.server_close()


if __name__ == "__main__":
    main(sys.argv[1:])
