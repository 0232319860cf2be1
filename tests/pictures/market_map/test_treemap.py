"""The treemap view: its areas, its floor, its stability, and the usual complaints about treemaps."""

from __future__ import annotations

import json
import statistics
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heatmap.market.quotes import Quote, Snapshot
from heatmap.pictures.market_map.treemap import WEIGHTS, TreemapView, arrange, squarify, with_minimum
from heatmap.pictures.shapes import Rectangle, Treemap
from tests.drawings import FINAL, recorded, snapshot_of
from tests.treemaps import FIXTURE, vectors

ROOMS = ((1264, 665), (600, 600), (374, 1500))  # pixels: a wide screen, a narrow column, a phone
WHOLE = Rectangle(0.0, 0.0, 1.0, 1.0)


def overlap(a: Rectangle, b: Rectangle) -> float:
    """The area that two rectangles share."""
    width = min(a.x + a.width, b.x + b.width) - max(a.x, b.x)
    height = min(a.y + a.height, b.y + b.height) - max(a.y, b.y)
    return max(width, 0.0) * max(height, 0.0)


@given(st.lists(st.floats(0.001, 1000.0), min_size=1, max_size=60), st.floats(0.2, 5.0))
def test_rectangles_fill_the_room_in_proportion(weights: list[float], height: float) -> None:
    """Each has its share of the area, none overlaps another, none leaves the room."""
    weights.sort(reverse=True)
    placed = squarify(weights, Rectangle(2.0, 3.0, 1.0, height))

    assert [height * weight / sum(weights) for weight in weights] == [
        pytest.approx(place.width * place.height, rel=1e-6) for place in placed
    ]
    for number, place in enumerate(placed):
        assert 2.0 - 1e-9 <= place.x <= place.x + place.width <= 3.0 + 1e-9
        assert 3.0 - 1e-9 <= place.y <= place.y + place.height <= 3.0 + height + 1e-9
        assert all(overlap(place, other) < 1e-9 for other in placed[:number])


def test_the_published_example() -> None:
    """6, 6, 4, 3, 2, 2, 1 in a room of 6 x 4, as in the paper of Bruls, Huizing and van Wijk."""
    placed = squarify([6, 6, 4, 3, 2, 2, 1], Rectangle(0, 0, 6, 4))

    expected = [(0, 0, 3, 2), (0, 2, 3, 2), (3, 0, 12 / 7, 7 / 3), (3 + 12 / 7, 0, 9 / 7, 7 / 3)]
    assert [pytest.approx(place) for place in expected] == [tuple(place) for place in placed[:4]]


@pytest.mark.parametrize("count", [1, 2, 2000, 10_000])
def test_any_number_of_stocks(count: int) -> None:
    """One stock fills the map; thousands need no recursion and little time."""
    placed = squarify([1.0 + 1.0 / (n + 1) for n in range(count)], WHOLE)

    assert count == len(placed)
    assert sum(place.width * place.height for place in placed) == pytest.approx(1.0)


def test_the_vectors_that_the_script_must_match() -> None:
    """Floors, rectangles and pictures by the paper's algorithm, computed in fractions."""
    fixture = json.loads(FIXTURE.read_text("utf-8"))

    assert fixture == json.loads(json.dumps(vectors())), "write it anew: python -m tests.treemaps"
    for case in fixture["floored"]:
        assert case["floored"] == pytest.approx(with_minimum(case["weights"]))
    for case in fixture["squarify"]:
        placed = squarify(case["weights"], Rectangle(*case["room"]))
        assert case["places"] == [pytest.approx(place, abs=1e-5) for place in placed]
    for case in fixture["arrange"]:
        treemap = arrange(case["weights"], case["sectors"], case["width"], case["height"])
        assert (case["width"], case["height"], case["tiles"]) == (*treemap[:2], list(treemap.tiles))
        assert case["places"] == [pytest.approx(place, abs=1e-5) for place in treemap.rectangles]
        assert [name for name, _ in case["headings"]] == [name for name, _ in treemap.headings]
        assert [place for _, place in case["headings"]] == [
            pytest.approx(place, abs=1e-5) for _, place in treemap.headings
        ]


@pytest.mark.parametrize("room", ROOMS)
@pytest.mark.parametrize("weight", WEIGHTS)
def test_every_stock_has_a_visible_tile(weight: str, room: tuple[float, float]) -> None:
    """No unmoved or small stock disappears: a tile is at least a quarter of the mean, and no mere line."""
    treemap = TreemapView(weight, *room).draw(recorded())

    assert sorted(treemap.tiles) == list(range(210))
    areas = [place.width * place.height for place in treemap.rectangles]
    assert 210 * min(areas) > 0.25 * room[0] * room[1]
    assert all(1 / 8 < place.width / place.height < 8 for place in treemap.rectangles)


def test_size_does_not_depend_on_the_change() -> None:
    """A stock that did not move keeps its tile, and one map has gainers and losers."""
    snapshot = recorded()
    still = replace(snapshot, quotes=tuple(replace(quote, percent_change=0.0) for quote in snapshot.quotes))

    for weight in WEIGHTS:
        assert TreemapView(weight).draw(snapshot) == TreemapView(weight).draw(still)
    assert {-1, 1} == {1 if quote.percent_change >= 0 else -1 for quote in snapshot.quotes}


def movements(first: Treemap, second: Treemap, one: Snapshot, two: Snapshot) -> list[float]:
    """The distance that each stock's tile movements, in pixels."""
    before = {one.quotes[n].symbol: place for n, place in zip(first.tiles, first.rectangles, strict=True)}
    after = {two.quotes[n].symbol: place for n, place in zip(second.tiles, second.rectangles, strict=True)}
    return [
        ((after[symbol].x - place.x) ** 2 + (after[symbol].y - place.y) ** 2) ** 0.5
        for symbol, place in before.items()
    ]


@pytest.mark.slow
@pytest.mark.parametrize("room", ROOMS)
@pytest.mark.parametrize("weight", WEIGHTS)
def test_the_map_is_calm(weight: str, room: tuple[float, float]) -> None:
    """Between two moments of the recorded day the median tile moves less than 5 % of the map's width."""
    view = TreemapView(weight, *room)
    start = FINAL.replace(hour=9, minute=16)
    moments = [recorded(start + timedelta(minutes=5 * step)) for step in range(73)]
    maps = [view.draw(moment) for moment in moments]

    pairs = zip(maps, maps[1:], moments, moments[1:], strict=False)
    assert max(statistics.median(movements(*pair)) for pair in pairs) < 0.05 * room[0]


def test_headings_are_above_their_sector() -> None:
    """Each is as wide as its sector, right above its first tile, and on no tile."""
    snapshot = recorded()
    treemap = TreemapView().draw(snapshot)

    assert len(treemap.headings) > 10
    for name, strip in treemap.headings:
        first = next(
            place
            for n, place in zip(treemap.tiles, treemap.rectangles, strict=True)
            if snapshot.quotes[n].sector == name
        )
        assert (strip.x, strip.y + strip.height) == (first.x, first.y)
        assert all(overlap(strip, place) < 1e-9 for place in treemap.rectangles)


def test_tiles_of_a_sector_are_together() -> None:
    """Sector by sector, the heaviest first in each; without weights, by symbol."""
    snapshot = recorded()
    sectors = [snapshot.quotes[n].sector for n in TreemapView("amount").draw(snapshot).tiles]
    banks = [
        snapshot.quotes[n].turnover or 0.0
        for n in TreemapView("amount").draw(snapshot).tiles
        if snapshot.quotes[n].sector == "Financial Services"
    ]
    bare = snapshot_of(Quote("B", 1.0), Quote("A", 2.0), Quote("C", -1.0))

    assert len(set(sectors)) == 1 + sum(a != b for a, b in zip(sectors, sectors[1:], strict=False))
    assert sorted(banks, reverse=True) == banks
    assert (1, 0, 2) == TreemapView().draw(bare).tiles
    assert () == TreemapView().draw(bare).headings


def test_unknown_weights_get_the_smallest_tile() -> None:
    """If none is known, all are equal."""
    assert [100.0, 20.16, 20.16] == pytest.approx(with_minimum([100.0, 0.8, None]))
    assert [1.0, 1.0] == with_minimum([None, 0.0])
