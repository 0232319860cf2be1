"""The treemap as the browser draws it: by the same rules as Python, for the size that the window really has."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from heatmap.pages import embed
from heatmap.pictures.market_map.treemap import WEIGHTS, TreemapView
from tests.browser.conftest import Site, at
from tests.drawings import recorded
from tests.treemaps import FIXTURE

PLACES = """() => { const map = document.querySelector(".treemap").getBoundingClientRect();
  return { width: map.width, height: map.height, tiles: [...document.querySelectorAll(".treemap [data-symbol]")].map((tile) => {
    const { x, y, width, height } = tile.getBoundingClientRect();
    return [tile.dataset.symbol, [x - map.x, y - map.y, width, height]]; }) }; }"""


def test_the_script_and_python_agree(market: Site, visit: Callable[..., Page]) -> None:
    """Floors, rectangles and pictures of the vectors, to a hundred-thousandth of a pixel."""
    page = visit("/map/")
    vectors = json.loads(FIXTURE.read_text("utf-8"))

    for case in vectors["floored"]:
        weights = "(weights) => floored(weights.map((weight) => weight ?? undefined))"
        assert case["floored"] == pytest.approx(page.evaluate(weights, case["weights"]))
    for case in vectors["squarify"]:
        found = page.evaluate("({ weights, room }) => squarify(weights, room)", case)
        assert case["places"] == [pytest.approx(place, abs=1e-5) for place in found]
    for case in vectors["arrange"]:
        found = page.evaluate(
            "({ weights, sectors, width, height }) => arrange(weights, sectors, width, height)", case
        )
        assert case["tiles"] == found["tiles"]
        assert case["places"] == [pytest.approx(place, abs=1e-5) for place in found["places"]]
        assert [name for name, _ in case["headings"]] == [name for name, _ in found["headings"]]
        assert [place for _, place in case["headings"]] == [
            pytest.approx(place, abs=1e-5) for _, place in found["headings"]
        ]


@pytest.mark.parametrize("width", [1280, 600, 360])
@pytest.mark.parametrize("area", WEIGHTS)
def test_areas_are_those_of_the_market(
    market: Site, visit: Callable[..., Page], area: str, width: int
) -> None:
    """Each stock where Python's view puts it in a picture of that size: weights of three digits are enough."""
    page = visit(f"/map/?layout=treemap&area={area}", viewport={"width": width, "height": 800})
    found: dict[str, Any] = page.evaluate(PLACES)
    snapshot = recorded()
    treemap = TreemapView(area, found["width"], found["height"]).draw(snapshot)

    assert width - 16 == found["width"]
    expected = {
        snapshot.quotes[index].symbol: place
        for index, place in zip(treemap.tiles, treemap.rectangles, strict=True)
    }
    assert list(expected) == [symbol for symbol, _ in found["tiles"]]
    for symbol, place in found["tiles"]:
        area_found, area_expected = place[2] * place[3], expected[symbol].width * expected[symbol].height
        assert area_found == pytest.approx(area_expected, rel=0.05), symbol


# What is painted of each tile's name and figure: their size, and whether they leave the tile; cut is what an ellipsis ends.
LABELS = """() => [...document.querySelectorAll(".treemap [data-symbol]")].map((tile) => {
  const box = tile.getBoundingClientRect();
  const [name, figure] = ["b", "span"].map((tag) => {
    const part = tile.querySelector(tag), style = getComputedStyle(part), range = document.createRange();
    if (style.opacity === "0") return null;
    range.selectNodeContents(part);
    const cut = style.textOverflow === "ellipsis" && part.scrollWidth > part.clientWidth;
    const { left, right, top, bottom } = (cut ? part : range).getBoundingClientRect();
    return { size: parseFloat(style.fontSize), cut, inside: left >= box.left && right <= box.right && top >= box.top && bottom <= box.bottom };
  });
  return { symbol: tile.dataset.symbol, words: tile.textContent, name, figure }; })"""


@pytest.mark.parametrize("width", [1280, 600, 390, 360])
@pytest.mark.parametrize("area", WEIGHTS)
def test_nearly_every_tile_has_its_name(
    market: Site, visit: Callable[..., Page], area: str, width: int
) -> None:
    """At any width, in letters of 8 pixels at least, cut on a few tiles only; nothing leaves its tile."""
    page = visit(f"/map/?layout=treemap&area={area}", viewport={"width": width, "height": 800})
    found = page.evaluate(LABELS)
    named = [tile for tile in found if tile["name"]]

    assert 210 == len(found)
    assert len(named) >= 206
    assert sum(tile["name"]["cut"] for tile in named) <= 4
    assert sum(tile["figure"] is not None for tile in found) >= 175
    for tile in named:
        for part in filter(None, (tile["name"], tile["figure"])):
            assert part["inside"] and part["size"] >= 7.99, tile
    # What has no room on the screen is there for those who listen: whole, and each name as one word.
    nodes = page.context.new_cdp_session(page).send("Accessibility.getFullAXTree")["nodes"]
    heard = {node["name"]["value"] for node in nodes if node.get("role", {}).get("value") == "link"}
    changes = {quote.symbol: f"{quote.percent_change:+.2f}" for quote in recorded().quotes}
    for tile in found:
        change = changes[tile["symbol"]].replace("-", "\N{MINUS SIGN}").replace("+0.00", "0.00")
        assert tile["symbol"] + change == tile["words"]
        assert f"{tile['symbol']} {change}" in heard
    assert page.evaluate("() => document.documentElement.scrollWidth <= innerWidth")


@pytest.mark.parametrize("width", [1280, 390])
def test_headings_are_cut_and_do_not_vanish(market: Site, visit: Callable[..., Page], width: int) -> None:
    """Every sector that is high enough has one, which ends with an ellipsis where it is too long."""
    page = visit("/map/?layout=treemap", viewport={"width": width, "height": 800})
    found = page.evaluate("""() => [...document.querySelectorAll(".heading")].map((heading) => [heading.textContent, heading.title,
      getComputedStyle(heading).textOverflow, heading.scrollWidth > heading.clientWidth])""")
    sectors = {quote.sector for quote in recorded().quotes}

    assert len(found) >= len(sectors) - 1
    for words, title, overflow, _ in found:
        assert words in sectors
        assert (words, "ellipsis") == (title, overflow)
    if width == 390:
        assert any(cut for *_, cut in found)


def test_a_phone_gets_a_long_map_and_a_screen_one_that_fits(market: Site, visit: Callable[..., Page]) -> None:
    """Width and height of the map: the window's, where its tiles are large enough; few stocks take less."""
    size = "() => { const { width, height } = document.querySelector('.treemap').getBoundingClientRect(); return [width, height]; }"
    heights = {}
    for width, height in ((1920, 1080), (1280, 800), (390, 844)):
        page = visit("/map/?layout=treemap", viewport={"width": width, "height": height})
        found = page.evaluate(size)
        assert width - 16 == found[0]
        heights[width] = found[1]
    assert 900 < heights[1920] < 1080 - 100
    assert 700 < heights[1280] < 800
    assert 2000 < heights[390] < 3000
    page = visit("/map/?layout=treemap&sector=Realty", viewport={"width": 1280, "height": 800})
    assert 160 <= page.evaluate(size)[1] < 250
    places = page.evaluate(PLACES)
    covered = sum(width * height for _, (_, _, width, height) in places["tiles"])
    assert covered == pytest.approx(places["width"] * places["height"], rel=0.01)


def test_it_follows_the_window(market: Site, visit: Callable[..., Page]) -> None:
    """Once the window has its size the map is drawn for it; focus, and the panel a tap opened, stay."""
    page = visit("/map/?layout=treemap", viewport={"width": 1280, "height": 800}, has_touch=True)
    page.evaluate(
        "() => { window.drawings = 0; const before = drawTreemap; layouts.treemap = (...all) => { drawings++; return before(...all); }; }"
    )
    page.locator('[data-symbol="APOLLOHOSP"] a').tap()  # whose name is split
    expect(page.get_by_role("link", name="Open the chart", exact=True)).to_be_visible()
    page.locator('[data-symbol="RELIANCE"] a').tap()
    page.locator('[data-symbol="INFY"] a').evaluate("(link) => link.focus()")
    expect(page.locator("#panel b")).to_have_text("RELIANCE")
    for width in (1200, 900, 610, 600):
        page.set_viewport_size({"width": width, "height": 800})
    page.wait_for_function("() => drawings > 0")
    page.clock.run_for(1000)

    assert page.evaluate("() => drawings") <= 4
    found = page.evaluate(PLACES)
    assert 584 == found["width"]
    treemap = TreemapView("market-cap", found["width"], found["height"]).draw(recorded())
    assert found["tiles"][0][1] == [pytest.approx(side, abs=1.0) for side in treemap.rectangles[0]]
    assert "INFY" == page.evaluate("() => document.activeElement.closest('[data-symbol]').dataset.symbol")
    assert page.locator("#panel").is_visible()
    expect(page.locator("#panel b")).to_have_text("RELIANCE")
    drawings = page.evaluate("() => drawings")
    page.set_viewport_size({"width": 600, "height": 760})  # as where a phone's address bar goes away
    page.clock.run_for(1000)
    assert drawings == page.evaluate("() => drawings")


def test_a_frame_that_grows_with_its_page_ends_growing(market: Site, visit: Callable[..., Page]) -> None:
    """The height of a map in a frame follows from its width alone."""
    market.headers["Access-Control-Allow-Origin"] = "*"
    market.other["/blog/"] = embed.blog(
        "../map/?layout=treemap", "NSE F&O heatmap", market="nse-fno"
    ).encode()
    page = visit("/blog/", viewport={"width": 1200, "height": 800})
    frame = page.frames[1]
    frame.wait_for_selector(".treemap")
    height = "() => document.documentElement.offsetHeight"
    heights = []
    for _ in range(5):
        page.clock.run_for(500)
        heights.append(frame.evaluate(height))

    assert 1 == len(set(heights[1:]))


def test_tiles_stay_in_place_while_a_day_is_replayed(remembered: Site, visit: Callable[..., Page]) -> None:
    """Their areas are those of the page's own moment, whatever moment is shown."""
    page = visit(
        "/map/?layout=treemap&area=amount",
        viewport={"width": 1280, "height": 900},
        now=at("2026-09-17T16:05:00"),
    )
    live = page.evaluate(PLACES)
    page.goto(f"{page.url}&at=2026-09-17T10:00")
    expect(page.locator("#caption")).to_contain_text("at 10:00")
    first = page.evaluate(PLACES)
    figures = page.locator(".treemap span").all_text_contents()
    page.get_by_title("On one moment").click()
    expect(page.locator("#caption")).to_contain_text("at 11:35")

    assert figures != page.locator(".treemap span").all_text_contents()
    assert live == first == page.evaluate(PLACES)
