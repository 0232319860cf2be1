"""The page as it stands: nothing clipped, nothing missing, in any window."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page

from tests.browser.conftest import Site, quotes

CLIPPED = """() => [...document.querySelectorAll("td a > *")].filter((part) => {
  const range = document.createRange(); range.selectNodeContents(part);
  const text = range.getBoundingClientRect(), cell = part.closest("td").getBoundingClientRect();
  return text.left < cell.left || text.right > cell.right || text.top < cell.top || text.bottom > cell.bottom;
}).map((part) => part.textContent)"""
CONTRASTS = """() => {
  const level = (colour) => { const [r, g, b] = colour.match(/[\\d.]+/g).map(Number).map((v) => v / 255)
    .map((v) => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4); return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
  const ground = (part) => { for (let p = part; p; p = p.parentElement) {
    const c = getComputedStyle(p).backgroundColor; if (!/^rgba.*, 0\\)$|transparent/.test(c)) return c; } return "rgb(255,255,255)"; };
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT), found = [];
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const part = node.parentElement;
    if (!node.textContent.trim() || !part.checkVisibility() || /SCRIPT|NOSCRIPT/.test(part.tagName)) continue;
    const [a, b] = [level(getComputedStyle(part).color), level(ground(part))].sort((x, y) => y - x);
    found.push([(a + 0.05) / (b + 0.05), node.textContent.trim()]);
  }
  return found; }"""


@pytest.mark.parametrize("width", [2000, 1280, 1180, 900, 600, 360])
def test_nothing_is_clipped(site: Site, visit: Callable[..., Page], width: int) -> None:
    """Every symbol and figure lies within its tile, and the page needs no sideways scrolling."""
    page = visit(viewport={"width": width, "height": 800})

    assert [] == page.evaluate(CLIPPED)
    assert page.evaluate("() => document.documentElement.scrollWidth <= innerWidth")


@pytest.mark.parametrize(
    ("columns", "width", "shown"),
    [(13, 1280, 13), (13, 2000, 13), (5, 1100, 5), (13, 600, 6), (13, 360, 4), (20, 1280, 14)],
)
def test_columns_are_as_many_as_asked_for_and_fit(
    site: Site, visit: Callable[..., Page], columns: int, width: int, shown: int
) -> None:
    """The configured number where tiles of a readable width fit; fewer in narrow frames, in the same order."""
    site.draw(columns=columns)
    page = visit(viewport={"width": width, "height": 800})

    tops = page.eval_on_selector_all(
        "td[data-symbol]", "cells => cells.map((cell) => Math.round(cell.getBoundingClientRect().top))"
    )
    assert shown == tops.count(tops[0])
    assert sorted(tops) == tops


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_all_text_meets_aa(site: Site, visit: Callable[..., Page], scheme: str) -> None:
    """4.5 : 1 or more for every word on the page, tiles and all, computed from what the browser paints."""
    page = visit(color_scheme=scheme)
    page.clock.run_for(20 * 60_000)  # so that the words on old figures are there too
    assert page.locator("#old").is_visible()
    found = page.evaluate(CONTRASTS)

    assert len(found) > 420
    assert [] == [(round(ratio, 2), text) for ratio, text in found if ratio < 4.5]


def test_the_page_is_complete_without_script(site: Site, visit: Callable[..., Page]) -> None:
    """All cells in order with sign, names to hover over, links to chart and data, a way to reload; no dead buttons."""
    page = visit(java_script_enabled=False)

    cells = page.locator("td[data-symbol]")
    assert 210 == cells.count()
    assert [quote.symbol for quote in quotes()][:3] == [
        cells.nth(n).get_attribute("data-symbol") for n in range(3)
    ]
    assert "+5.00" in (cells.first.text_content() or "")
    assert "\N{MINUS SIGN}5.45" in (cells.last.text_content() or "")
    link = cells.first.locator("a")
    assert "Stock 0 Limited" == link.get_attribute("title")
    assert "https://www.tradingview.com/chart/?symbol=NSE:W000" == link.get_attribute("href")
    assert page.get_by_role("link", name="Reload").is_visible()
    assert page.locator("#tools").is_hidden()


def test_the_table_is_a_table_to_a_screen_reader(site: Site, visit: Callable[..., Page]) -> None:
    """However it is laid out, its rows and cells keep their roles."""
    page = visit()

    assert (1, 17, 210) == tuple(page.get_by_role(role).count() for role in ("table", "row", "cell"))


def test_hover_focus_and_escape(site: Site, visit: Callable[..., Page]) -> None:
    """Pointing at a tile or reaching it by key opens one panel within the window; Escape closes it."""
    page = visit(viewport={"width": 600, "height": 500})
    panel = page.locator("#panel")

    page.locator("td").nth(5).hover()
    assert "Stock 5 Limited" in panel.inner_text()
    page.locator("td a").nth(17).focus()
    assert "Stock 17 Limited" in panel.inner_text()
    assert "₹1,249.80  +4.15 %" in panel.inner_text()
    box = panel.bounding_box()
    assert box is not None
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= 600
    page.keyboard.press("Escape")
    assert panel.is_hidden()


def test_a_tap_opens_the_panel_and_the_panel_leads_on(site: Site, visit: Callable[..., Page]) -> None:
    """A finger cannot hover: the first tap shows, and goes nowhere; the panel holds the way to the chart."""
    page = visit(viewport={"width": 360, "height": 700}, has_touch=True)

    page.locator("td").nth(2).tap()

    assert 1 == len(page.context.pages)
    assert "Stock 2 Limited" in page.locator("#panel").inner_text()
    assert "_blank" == page.locator("#panel a").get_attribute("target")
    page.locator("h1").tap()
    assert page.locator("#panel").is_hidden()


@pytest.mark.parametrize(
    ("address", "ground"),
    [
        ("/map/?theme=dark", "rgb(15, 18, 21)"),
        ("/map/?theme=light", "rgb(255, 255, 255)"),
        ("/map/?theme=x", "rgb(255, 255, 255)"),
    ],
)
def test_the_theme_can_be_asked_for(
    site: Site, visit: Callable[..., Page], address: str, ground: str
) -> None:
    """A host that is always dark says so in the frame's address; anything else changes nothing."""
    page = visit(address)

    assert ground == page.evaluate("() => getComputedStyle(document.body).backgroundColor")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_paper_is_light(site: Site, visit: Callable[..., Page], scheme: str) -> None:
    """A dark theme, by choice or by the device, is one of the screen: on paper its words would be light on white."""
    for address in ("/map/", "/map/?theme=dark"):
        page = visit(address, color_scheme=scheme)
        page.emulate_media(media="print", color_scheme=scheme)  # type: ignore[arg-type]

        colours = (
            "() => [getComputedStyle(document.body).backgroundColor, getComputedStyle(document.body).color]"
        )
        assert ["rgb(255, 255, 255)", "rgb(27, 31, 35)"] == page.evaluate(colours)
