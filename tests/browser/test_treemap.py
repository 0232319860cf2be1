"""The treemap as the browser draws it: by the same rules as Python, for the size that the window really has."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page

from heatmap.views.treemap import WEIGHTS, TreemapView
from tests.browser.conftest import Site
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
        for index, place in zip(treemap.tiles, treemap.places, strict=True)
    }
    assert list(expected) == [symbol for symbol, _ in found["tiles"]]
    for symbol, place in found["tiles"]:
        area_found, area_expected = place[2] * place[3], expected[symbol].width * expected[symbol].height
        assert area_found == pytest.approx(area_expected, rel=0.05), symbol
