"""Days that are over, in a browser: from the live page to yesterday, through the list, and by address."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from heatmap.publishers.folder import FolderPublisher
from heatmap.run import one_run
from tests.browser.conftest import at, quotes
from tests.browser.test_accessibility import violations
from tests.browser.test_page import CONTRASTS
from tests.doubles import MemorySource, configuration

OPEN = at("2026-11-20T11:00:00")  # a Friday
DAY = timedelta(days=1)
NAMED = "W017"  # a stock of the market


class Archive:
    """A web server with three days' maps, 17 to 19 November 2026, and the live page of the 20th."""

    def __init__(self, tmp_path: Path) -> None:
        self.folder = tmp_path / "site"
        source = MemorySource(is_open=None)
        self.config = configuration(tmp_path, source, FolderPublisher(f"file:{self.folder}"))  # type: ignore[arg-type]
        for days, shift in ((3, -3.0), (2, 3.0), (1, 0.01)):
            if days == 2:
                source.quotes = quotes(shift=1.0)
                self.run(OPEN - days * DAY)
            source.quotes = quotes(shift=shift)
            self.run(at("2026-11-20T15:45:00") - days * DAY)
        source.quotes = quotes()
        self.run(OPEN)

        class Handler(SimpleHTTPRequestHandler):
            def log_message(self, *_: object) -> None:
                pass

        handler = partial(Handler, directory=str(self.folder))
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    def run(self, now: object) -> None:
        report = one_run.run(self.config, now=now)  # type: ignore[arg-type]
        assert not report.errors
        assert not report.warnings

    def url(self, path: str = "nse-fno/") -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}/{path}"

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Archive]:
    server = Archive(tmp_path_factory.mktemp("archive"))
    yield server
    server.stop()


@pytest.fixture
def open_page(browser: Browser, archive: Archive) -> Iterator[Callable[..., Page]]:
    """Open an address in a window of its own; the browser must not complain."""
    complaints: list[str] = []
    contexts = []

    def visit(path: str = "nse-fno/", **options: object) -> Page:
        context = browser.new_context(**options)  # type: ignore[arg-type]
        contexts.append(context)
        page = context.new_page()
        page.clock.install(time=OPEN + timedelta(seconds=1))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on(
            "console",
            lambda message: complaints.append(message.text) if message.type in ("error", "warning") else None,
        )
        page.goto(path if ":" in path else archive.url(path))
        return page

    yield visit
    for context in contexts:
        context.close()
    assert [] == complaints


@pytest.mark.parametrize("start", ["nse-fno/", ""])
def test_yesterday_is_one_click_away(archive: Archive, open_page: Callable[..., Page], start: str) -> None:
    """From the market's page and from the one above it; what the reader chose goes along."""
    page = open_page(f"{start}?mode=rs&theme=dark")

    page.get_by_role("link", name="‹ 19 Nov 2026").click()

    assert archive.url("nse-fno/2026/11/19/?mode=rs&theme=dark") == page.url
    assert "nse-fno, 19 Nov 2026" == page.title()
    expect(page.locator("#mode")).to_have_value("rs")


def test_from_day_to_day(archive: Archive, open_page: Callable[..., Page]) -> None:
    """Back, on, to the list and to the live map, each by a link that a keyboard reaches."""
    page = open_page("nse-fno/2026/11/18/")

    page.get_by_role("link", name="‹ 17 Nov 2026").click()
    assert archive.url("nse-fno/2026/11/17/") == page.url
    page.get_by_role("link", name="18 Nov 2026 ›").focus()
    page.keyboard.press("Enter")
    page.wait_for_url(archive.url("nse-fno/2026/11/18/"))
    page.get_by_role("link", name="19 Nov 2026 ›").click()
    page.get_by_role("link", name="Live map ›").click()
    assert archive.url("nse-fno/") == page.url
    page.get_by_role("link", name="All days").click()
    page.get_by_role("link", name="18").click()
    assert archive.url("nse-fno/2026/11/18/") == page.url


def test_a_day_that_is_over_is_a_whole_page(archive: Archive, open_page: Callable[..., Page]) -> None:
    """It shows that day's figures, in any mode and layout; it is not old, and asks for nothing, however long it is open."""
    page = open_page("nse-fno/2026/11/18/")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))

    assert "+8.00" in page.locator("td[data-symbol]").first.inner_text()
    assert "Closing prices" == page.locator(".phase").inner_text()
    page.select_option("#layout", "treemap")
    assert 210 == page.locator(".treemap li").count() or page.locator(".treemap a").count() == 210
    page.clock.run_for(3 * 24 * 3600_000)
    assert page.locator("#old").is_hidden()
    assert page.locator("#pause").is_hidden()
    assert page.locator("#refresh").is_hidden()
    assert [] == asked


def test_a_day_that_is_over_can_be_replayed(archive: Archive, open_page: Callable[..., Page]) -> None:
    """Its moments and its history lie beside it, as they were at that final, not today's."""
    page = open_page("nse-fno/2026/11/18/")
    asked: list[str] = []
    page.on(
        "request", lambda request: asked.append(request.url.removeprefix(archive.url("nse-fno/2026/11/18/")))
    )

    page.locator("#replay-button").click()
    page.locator("#replay").wait_for()
    page.keyboard.press("Home")
    assert "11:00" in page.locator(".times").inner_text()
    assert "+6.00" in page.locator("main [data-symbol]").first.inner_text()
    assert {"later.js", "replay.json"} <= {*asked} <= {"later.js", "replay.json", "history.json"}


@pytest.mark.parametrize("start", ["nse-fno/", "", "nse-fno/2026/11/19/", "nse-fno/archive.html"])
def test_a_day_by_address(archive: Archive, open_page: Callable[..., Page], start: str) -> None:
    """`?date=` leads to that day, from wherever it stands, with the rest of the address; and goes from it."""
    page = open_page(f"{start}?date=2026-11-18&mode=rs")

    page.wait_for_url(archive.url("nse-fno/2026/11/18/?mode=rs"))
    assert "rs" == page.locator("#mode").input_value()


@pytest.mark.parametrize(
    "day", ["2026-11-15", "1999-01-01", "yesterday", "", "../../evil", "2026/11/18", '"><b>x', "x" * 5000]
)
def test_a_day_that_there_is_no_map_of(archive: Archive, open_page: Callable[..., Page], day: str) -> None:
    """The list says so, in words; it stands there as it always does."""
    page = open_page("about:blank")
    page.goto(archive.url("nse-fno/"))
    page.evaluate("day => { location.search = '?' + new URLSearchParams({ date: day }) }", day)
    page.wait_for_url("**/archive.html?**")

    notice = page.locator("#notice")
    assert notice.is_visible()
    assert f"There is no map of “{day[:40]}”: these are the days there are." == notice.inner_text()
    assert 3 == page.locator("td a").count()


def test_where_there_is_no_archive(site: object, visit: Callable[..., Page]) -> None:
    """A page without days says that there is none, and shows the live map."""
    page = visit("/map/?date=2026-11-18")

    assert "There is no map of “2026-11-18” here." in page.locator("#notice").inner_text()
    assert 210 == page.locator("td[data-symbol]").count()


def test_the_list_works_without_script(archive: Archive, open_page: Callable[..., Page]) -> None:
    """Every day is a link of plain HTML; so are the ways there and back."""
    page = open_page(java_script_enabled=False)

    page.get_by_role("link", name="All days").click()
    assert page.locator("#notice").is_hidden()
    page.get_by_role("link", name="17").click()
    assert archive.url("nse-fno/2026/11/17/") == page.url
    assert "+2.00" in page.locator("td[data-symbol]").first.inner_text()
    page.get_by_role("link", name="18 Nov 2026 ›").click()
    assert archive.url("nse-fno/2026/11/18/") == page.url


def test_the_list_by_keyboard(archive: Archive, open_page: Callable[..., Page]) -> None:
    """Tab walks the days in order, and Enter opens one."""
    page = open_page("nse-fno/archive.html")
    focused = []
    for _ in range(4):
        page.keyboard.press("Tab")
        focused.append(page.evaluate("() => document.activeElement.textContent"))

    assert "Live map" == focused[0]
    assert ["17", "18", "19"] == [text[:2] for text in focused[1:]]
    page.keyboard.press("Enter")
    page.wait_for_url(archive.url("nse-fno/2026/11/19/"))


def test_the_list_to_a_screen_reader(archive: Archive, open_page: Callable[..., Page]) -> None:
    """Each month is a table with a name and named columns; a day is a link with its date and breadth."""
    page = open_page("nse-fno/archive.html")

    table = page.get_by_role("table", name="November")
    assert 7 == table.get_by_role("columnheader").count()
    assert "18 +53" == (page.get_by_role("link", name="18").text_content() or "")
    assert "160 up, 49 down, 1 flat" == page.get_by_role("link", name="18").get_attribute("title")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("path", ["nse-fno/archive.html", "nse-fno/2026/11/18/"])
def test_accessible(
    archive: Archive, open_page: Callable[..., Page], axe: Path, path: str, scheme: str
) -> None:
    """No violation of axe's, and every word contrasts by 4.5 : 1 or more."""
    page = open_page(path, color_scheme=scheme, bypass_csp=True)

    assert [] == violations(axe, page)
    assert [] == [(ratio, text) for ratio, text in page.evaluate(CONTRASTS) if ratio < 4.5]


@pytest.mark.parametrize("path", ["nse-fno/archive.html", "nse-fno/2026/11/18/", "nse-fno/"])
@pytest.mark.parametrize("width", [1280, 600, 360])
def test_it_fits(archive: Archive, open_page: Callable[..., Page], path: str, width: int) -> None:
    """Without scrolling sideways."""
    page = open_page(path, viewport={"width": width, "height": 800})

    assert page.evaluate("() => document.documentElement.scrollWidth <= innerWidth")


def test_it_works_from_a_folder(archive: Archive, open_page: Callable[..., Page]) -> None:
    """Where the pages were copied to a disk: links and `?date=` lead from file to file."""
    # A folder's address shows its index.html on a web server alone.
    page = open_page(f"{(archive.folder / 'nse-fno/archive.html').as_uri()}?date=1999-01-01")

    assert page.locator("#notice").is_visible()
    assert 3 == page.locator("td a").count()


def test_a_new_day_reaches_an_open_page(tmp_path: Path, open_page: Callable[..., Page]) -> None:
    """A refresh after the next session's first tick leads to the newest day, not to the one before it."""
    server = Archive(tmp_path)
    try:
        page = open_page(server.url())
        server.run(at("2026-11-20T15:45:00"))
        server.run(at("2026-11-23T09:20:00"))
        later = time.time() + 10  # this web server tells versions apart by the second
        os.utime(server.folder / "nse-fno/index.html", (later, later))
        page.locator("#refresh").click()
        page.get_by_role("link", name="‹ 20 Nov 2026").wait_for()
    finally:
        server.stop()


def test_the_list_keeps_its_colours_where_a_reader_has_their_own(archive: Archive, browser: Browser) -> None:
    """In forced colours, and on paper: there without a dark ground."""
    colours = "all => all.map((one) => [getComputedStyle(one).backgroundColor, getComputedStyle(one).color])"
    found = []
    for forced in ("none", "active"):
        page = browser.new_page(forced_colors=forced)  # type: ignore[arg-type]
        page.goto(archive.url("nse-fno/archive.html?theme=dark"))
        found.append(page.locator("td[class], .legend i").evaluate_all(colours))
        page.emulate_media(media="print")
        assert "rgb(255, 255, 255)" == page.locator("body").evaluate(
            "one => getComputedStyle(one).backgroundColor"
        )
        page.close()

    assert found[0] == found[1]
    assert len(found[0]) > 5
