"""The page in the three engines that readers have: Chromium, WebKit (Safari) and Firefox.

Each browser starts once for this file. The page stands in a frame of the size that a test asks for, as in a blog.
"""

from __future__ import annotations

import re
import time
import zlib
from base64 import b64decode
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import timedelta
from typing import Any

import pytest

from heatmap.pages import embed
from tests.browser.conftest import OPEN, Site
from tests.conftest import started

ENGINES = ["Chromium", "WebKit", "Firefox"]
WAIT_SECONDS = 10
LAYOUTS = ["table", "sectors", "treemap", "bars"]
FILL = re.compile(rb"(?<![\d.])([01]?\.?\d*) ([01]?\.?\d*) ([01]?\.?\d*) rg\b")


class Window:
    """A window of a browser. Statements run in it find the page in the frame as `page`, its elements by `$`."""

    HEAD = "const page = frames[0], $ = (one) => page.document.querySelector(one);"

    def __init__(self, name: str, browser: Any, server: Any = None) -> None:
        self.name = name
        self.browser = browser
        self.server = server

    def open(self, site: Site, query: str = "", width: int = 1280, height: int = 800) -> None:
        """Open the page of a site in a frame of this size, and wait until its script has run."""
        frame = f'<iframe src="/map/{query}" style="border:0;width:{width}px;height:{height}px"></iframe>'
        site.other["/frame/"] = (
            f"<!DOCTYPE html><link rel=icon href=data:,><body style='margin:0'>{frame}".encode()
        )
        self.go(site.url("/frame/"))
        self.wait("page.document.readyState === 'complete'")

    def go(self, url: str) -> None:
        self.browser.get(url)

    def run(self, body: str) -> Any:
        """Run statements, and return their result."""
        return self.browser.execute_script(self.HEAD + body)

    def wait(self, condition: str) -> None:
        """Wait until an expression is true. Raises AssertionError when it never is."""
        until = time.monotonic() + WAIT_SECONDS
        while not self.run(f"return Boolean({condition})"):
            assert time.monotonic() < until, condition
            time.sleep(0.05)

    def choose(self, control: str, value: str) -> None:
        """Choose from a list."""
        self.run(
            f"$('#{control}').value = '{value}'; $('#{control}').dispatchEvent(new page.Event('change'));"
        )

    def print_pdf(self, site: Site) -> bytes | None:
        """The page as PDF, printed as browsers do by default; None where a driver cannot print."""
        self.go(site.url())
        return b64decode(self.browser.print_page()) if self.name == "Firefox" else None

    def force_colours(self, *, active: bool) -> bool:
        """Give the reader colours of their own, or take them back. False where the engine has no such mode, as WebKit."""
        if self.name == "Firefox":
            self.server.prefer("browser.display.document_color_use", 2 if active else 0)
        return self.name == "Firefox"


class Chromium(Window):
    """The same by Playwright."""

    def go(self, url: str) -> None:
        self.browser.goto(url)

    def run(self, body: str) -> Any:
        return self.browser.evaluate(f"() => {{ {self.HEAD} {body} }}")

    def print_pdf(self, site: Site) -> bytes:
        self.go(site.url())
        return self.browser.pdf(print_background=False)

    def force_colours(self, *, active: bool) -> bool:
        self.browser.emulate_media(forced_colors="active" if active else "none")
        return True


@pytest.fixture(scope="module", params=ENGINES)
def engine(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Window]:
    """A browser of each engine, in turn."""
    with ExitStack() as stack:
        if request.param == "Chromium":
            page = request.getfixturevalue("browser").new_page(viewport={"width": 1280, "height": 3000})
            stack.callback(page.close)
            yield Chromium("Chromium", page)
            return
        from tests.servers import engines

        kind = getattr(engines, request.param)
        folder = tmp_path_factory.mktemp("engine") / "browser"
        server = stack.enter_context(started(lambda: kind(folder)))
        server.driver.set_window_rect(0, 0, 1300, 3000)
        yield Window(request.param, server.driver, server)


@pytest.mark.parametrize("width", [1280, 600, 360])
def test_every_layout_is_whole(remembered: Site, engine: Window, width: int) -> None:
    """All stocks in each, nothing wider than the window, every word within its tile."""
    engine.open(remembered, width=width)
    for layout in LAYOUTS:
        engine.choose("layout", layout)
        found = engine.run("""
            const tiles = [...page.document.querySelectorAll("main [data-symbol]")];
            const outside = tiles.filter((tile) => {
              const cell = tile.getBoundingClientRect();
              return [...tile.querySelectorAll("b, span")].some((word) => {
                const { opacity, overflowX } = page.getComputedStyle(word);
                if (opacity === "0") return false;
                const range = page.document.createRange(); range.selectNodeContents(word);
                const text = (overflowX === "hidden" ? word : range).getBoundingClientRect(); // which is cut by an ellipsis
                return text.left < cell.left - 1 || text.right > cell.right + 1 || text.top < cell.top - 1 || text.bottom > cell.bottom + 1;
              });
            }).map((tile) => tile.dataset.symbol);
            return [tiles.length, outside, page.document.documentElement.scrollWidth <= page.innerWidth, $("#tools").hidden, $("#notice").hidden];
        """)
        assert [210, [], True, False, True] == found, layout


@pytest.mark.parametrize(("width", "height"), [(1280, 2800), (360, 2800), (1280, 240)])
def test_the_menu_is_as_tall_as_its_rows(remembered: Site, engine: Window, width: int, height: int) -> None:
    """However tall the frame is; in a low one it scrolls."""
    engine.open(remembered, width=width, height=height)
    engine.run("$('#menu-button').click()")
    top, bottom, left, right, *rows = engine.run("""
        const box = $("#menu").getBoundingClientRect();
        const rows = [...$("#menu").children].filter((row) => !row.hidden).map((row) => row.getBoundingClientRect());
        return [box.top, box.bottom, box.left, box.right, ...rows.flatMap((row) => [row.top, row.bottom])];
    """)

    assert 0 < left < right <= width - 16
    assert bottom <= height - 16
    assert 14 == len(rows)
    assert max(after - before for before, after in zip(rows[1:-1:2], rows[2::2], strict=False)) <= 9
    if height > 1000:
        assert bottom - top < 400
        assert rows[-1] < bottom
    else:
        engine.run("$('#menu').scrollTop = 10_000")
        assert engine.run("return $('#print').getBoundingClientRect().bottom") < bottom


def test_the_help_opens_at_the_top(remembered: Site, engine: Window) -> None:
    """In a frame as tall as its page the middle may be far from what the reader sees."""
    engine.open(remembered, height=2800)
    engine.run("$('#help-button').click()")

    assert 0 <= engine.run("return $('#help').getBoundingClientRect().top") <= 16


def test_the_panel_and_the_replay_open(remembered: Site, engine: Window) -> None:
    """The panel beside its tile, with what the page knows of it; the replay at its newest moment."""
    engine.open(remembered)
    engine.run("$('td a').focus()")
    assert "HDFC LIFE INSURANCE" in engine.run("return $('#panel').textContent")
    engine.run("$('#replay-button').click()")
    engine.wait("$('#clock')")
    assert "16:00" == engine.run("return $('#clock').textContent")


@pytest.mark.parametrize("refuses", [False, True])
def test_the_slider_leads_the_map_however_fast_it_is_drawn(
    remembered: Site, engine: Window, refuses: bool
) -> None:
    """More moments than Safari lets a page write addresses, and a browser that refuses the address: map and figures follow, the address when it rests."""
    engine.open(remembered)
    if refuses:
        engine.run("page.history.replaceState = () => { throw new page.DOMException('', 'SecurityError'); }")
    engine.run(
        "page.failures = []; page.addEventListener('error', (event) => page.failures.push(event.message))"
    )
    engine.run("$('#replay-button').click()")
    engine.wait("$('#clock')")
    engine.run("""
        const slider = $("#moment");
        for (let count = 0; count < 120; count++) {
          slider.value = count % 2 ? slider.max : 1;
          slider.dispatchEvent(new page.Event("input"));
        }
        slider.value = 2;
        slider.dispatchEvent(new page.Event("input"));
    """)

    shown = engine.run("return [$('#clock').textContent, $('#caption').textContent.slice(-5), page.failures]")
    assert ["11:35", "11:35", []] == shown
    if not refuses:
        engine.wait("page.location.search === '?at=2026-09-17T11%3A35'")


def test_typing_fast_finds(remembered: Site, engine: Window) -> None:
    """Every letter counts, though the address is written when the reader rests."""
    engine.open(remembered)
    engine.run("""
        for (let count = 0; count <= 120; count++) {
          $("#search").value = count % 2 ? "tata" : "infy";
          $("#search").dispatchEvent(new page.Event("input"));
        }
    """)

    assert "1 found" == engine.run("return $('#found').textContent")
    engine.wait("page.location.search === '?q=infy'")


def test_what_cannot_be_drawn_is_taken_back(remembered: Site, engine: Window) -> None:
    """The layout before stays, whole, with its controls and its address."""
    engine.open(remembered, "?layout=bars")
    engine.run("""
        const create = page.document.createElement.bind(page.document);
        let rows = 0;
        page.document.createElement = (tag) => {
          if (tag === "tr" && ++rows > 3) throw new page.Error("broken");
          return create(tag);
        };
    """)
    engine.choose("layout", "table")

    found = "return ['#layout', 'main [data-symbol] b'].map((one) => $(one)?.value ?? page.document.querySelectorAll(one).length)"
    assert ["bars", 210] == engine.run(found)
    assert "?layout=bars" == engine.run("return page.location.search")


@pytest.mark.parametrize(
    ("damage", "query"),
    [
        ((b'"readings":', b'"nothing":'), ""),
        ((b'"sector":', b'"nothing":'), ""),
        ((b'"caps":', b'"nothing":'), "?layout=treemap"),
        ((b'id="search"', b'id="nothing"'), ""),
    ],
)
def test_a_script_that_fails_leaves_the_published_map(
    remembered: Site, engine: Window, damage: tuple[bytes, bytes], query: str
) -> None:
    """Before or within the first drawing: all tiles with their names, no dead controls, a word about it, and the age."""
    assert damage[0] in remembered.page
    remembered.page = remembered.page.replace(*damage)
    engine.open(remembered, query)

    found = engine.run("""
        const cells = [...page.document.querySelectorAll("td[data-symbol]")];
        return [cells.length, cells.every((cell) => cell.querySelector("b").textContent && cell.querySelector("a").title),
          $("#tools").hidden, $("#menu").hidden, $("#notice").hidden, $("#age").textContent.includes("old")];
    """)
    assert [210, True, True, True, False, True] == found


def test_printed_fills_keep_their_colours(remembered: Site, engine: Window) -> None:
    """Though browsers print no backgrounds unless asked; the driver of WebKit cannot print, so there it is the style."""
    engine.open(remembered)
    first = engine.run("return page.getComputedStyle($('td')).backgroundColor")
    for one in ("td", ".bar i", ".legend i"):
        assert "exact" == engine.run(f"return page.getComputedStyle($('{one}')).printColorAdjust"), one
    pdf = engine.print_pdf(remembered)
    if pdf is None:
        return
    streams = [
        zlib.decompressobj().decompress(body)
        for body in re.findall(rb"stream\r?\n(x.*?)endstream", pdf, re.DOTALL)
    ]
    fills = {
        tuple(round(float(part) * 255) for part in fill) for body in streams for fill in FILL.findall(body)
    }
    assert tuple(map(int, re.findall(r"\d+", first))) in fills
    assert len(fills) > 100


def test_colours_of_the_readers_own_leave_the_fills(remembered: Site, engine: Window) -> None:
    """Tiles, bars, legend and breadth keep their fills and inks, all other words take the reader's colours."""
    marks = """
        const colours = (one) => page.getComputedStyle($(one));
        return [colours("td span").color, ...["td", ".bar i", ".legend i"].map((one) => colours(one).backgroundColor)];
    """
    engine.open(remembered)
    before = engine.run(marks)
    try:
        if not engine.force_colours(active=True):
            return
        engine.open(remembered)
        engine.wait("page.matchMedia('(forced-colors: active)').matches")
        assert before == engine.run(marks)
        for layout in LAYOUTS:
            engine.choose("layout", layout)
            assert [] == engine.run(CONTRASTS), layout
    finally:
        engine.force_colours(active=False)


def test_newer_figures_come_in_place(site: Site, engine: Window) -> None:
    """Without a reload, and what is chosen stays."""
    engine.open(site, "?layout=sectors")
    engine.run("page.sameDocument = true")
    assert "+5.00" == engine.run("return $('[data-symbol=W000] span').textContent")
    site.draw(OPEN + timedelta(minutes=1), shift=1.0)
    engine.run("$('#refresh').click()")

    engine.wait("$('[data-symbol=W000] span').textContent === '+6.00'")
    assert [True, 1] == engine.run(
        "return [page.sameDocument, page.document.querySelectorAll('main section').length]"
    )


@pytest.mark.parametrize("kind", ["csv", "json", "svg", "png"])
def test_the_map_can_be_saved(remembered: Site, engine: Window, kind: str) -> None:
    """As a file of each kind, with its name and more than a few bytes."""
    engine.open(remembered)
    engine.run("page.URL.createObjectURL = (blob) => { page.saved = blob; return 'about:blank'; }")
    engine.run("page.HTMLAnchorElement.prototype.click = function () { page.file = this.download; }")
    engine.run(f"$('[data-save={kind}]').click()")

    engine.wait("page.file")
    assert f"nse-fno-change-1d.{kind}" == engine.run("return page.file")
    assert engine.run("return page.saved.size") > 10_000


def test_a_frame_grows_with_the_page(remembered: Site, engine: Window) -> None:
    """By the snippet that `heatmap embed` prints: as tall as its page, when the layout changes, too."""
    snippet = embed.iframe("/map/", "map", market="nse-fno", auto_height=True)
    remembered.other["/blog/"] = f"<!DOCTYPE html><link rel=icon href=data:,>{snippet}".encode()
    # With the page's own origin, so that the test can look into it.
    remembered.other["/blog/"] = remembered.other["/blog/"].replace(
        b"allow-scripts", b"allow-scripts allow-same-origin"
    )
    engine.go(remembered.url("/blog/"))
    engine.run("document.querySelector('iframe').loading = 'eager'")
    fits = "Math.abs(page.innerHeight - page.document.documentElement.offsetHeight) < 2"
    engine.wait(f"$('#tools') && !$('#tools').hidden && {fits}")
    before = engine.run("return page.innerHeight")
    engine.choose("layout", "sectors")

    engine.wait(f"page.innerHeight > {before} + 100 && {fits}")


CONTRASTS = """
  const level = (colour) => { const [r, g, b] = colour.match(/[\\d.]+/g).map(Number).map((v) => v / 255)
    .map((v) => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4); return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
  const ground = (part) => { for (let p = part; p; p = p.parentElement) {
    const c = page.getComputedStyle(p).backgroundColor; if (!/^rgba.*, 0\\)$|transparent/.test(c)) return c; } return "rgb(255,255,255)"; };
  const walker = page.document.createTreeWalker(page.document.querySelector("main"), NodeFilter.SHOW_TEXT), found = [];
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const part = node.parentElement;
    if (!node.textContent.trim() || !part.getClientRects().length) continue;
    const [a, b] = [level(page.getComputedStyle(part).color), level(ground(part))].sort((x, y) => y - x);
    if ((a + 0.05) / (b + 0.05) < 4.5) found.push([node.textContent.trim(), page.getComputedStyle(part).color, ground(part)]);
  }
  return found;
"""
