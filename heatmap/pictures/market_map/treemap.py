"""The market as a treemap: area by weight, grouped by sector; a tile's size does not show its change."""

from __future__ import annotations

from dataclasses import dataclass
from math import fsum
from typing import TYPE_CHECKING

from heatmap.analysis import measures
from heatmap.pictures.shapes import Rectangle, Treemap

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from heatmap.analysis.rankings import Ranking
    from heatmap.market.quotes import Quote, Snapshot

SMALLEST = 0.4  # the smallest weight, in units of the mean: a smaller tile would disappear
HEADING_PIXELS = 15.0
FEWEST_IN_HEADING = 2.6  # the least height of a sector with a heading, in heights of a heading

WEIGHTS: dict[str, Callable[[Quote], float | None]] = {
    "market-cap": lambda quote: quote.free_float_market_cap,
    "amount": lambda quote: quote.turnover,
    "equal": lambda _: 1.0,
}


@dataclass(frozen=True, slots=True)
class TreemapView:
    """Draws squarified rectangles in `width` by `height` pixels; `weight`, a key of WEIGHTS, gives areas."""

    weight: str = "market-cap"
    width: float = 1000.0
    height: float = 500.0

    def draw(self, snapshot: Snapshot, _: Ranking | None = None) -> Treemap:
        """Return a rectangle for every quote. A quote without a weight gets the smallest."""
        order = tile_order(snapshot, self.weight)
        measure = WEIGHTS[self.weight]
        weights = with_minimum([measure(snapshot.quotes[index]) for index in order])
        sectors = [snapshot.quotes[index].sector or "" for index in order]
        treemap = arrange(weights, sectors, self.width, self.height)
        return treemap._replace(tiles=tuple(order[index] for index in treemap.tiles))


def arrange(weights: Sequence[float], sectors: Sequence[str], width: float, height: float) -> Treemap:
    """Divide a picture of `width` by `height` pixels among sectors, and each sector among its members.

    `weights` are positive and fall; `sectors` are the members' sectors, "" for none. The heaviest sector is
    first, ties are by name, "" is last. The tiles of the result are indexes in `weights`. A sector that is
    high enough has a heading, unless it is the only one.
    """
    members: dict[str, list[int]] = {}
    for index, sector in enumerate(sectors):
        members.setdefault(sector, []).append(index)
    totals = {name: fsum(weights[index] for index in own) for name, own in members.items()}
    names = sorted(members, key=lambda name: (name == "", -totals[name], name))
    tiles: list[int] = []
    rectangles: list[Rectangle] = []
    headings: list[tuple[str, Rectangle]] = []
    areas = squarify([totals[name] for name in names], Rectangle(0.0, 0.0, width, height))
    for name, area in zip(names, areas, strict=True):
        room = area
        if name and len(names) > 1 and area.height >= FEWEST_IN_HEADING * HEADING_PIXELS:
            headings.append((name, area._replace(height=HEADING_PIXELS)))
            room = area._replace(y=area.y + HEADING_PIXELS, height=area.height - HEADING_PIXELS)
        tiles += members[name]
        rectangles += squarify([weights[index] for index in members[name]], room)
    return Treemap(width, height, tuple(tiles), tuple(rectangles), tuple(headings))


def tile_order(snapshot: Snapshot, weight: str) -> list[int]:
    """Return the quotes' indexes by weight, heaviest first; for equal weights, by market cap."""
    measure = WEIGHTS["market-cap" if weight == "equal" else weight]
    return measures.rank(snapshot.quotes, [measure(quote) for quote in snapshot.quotes])


def with_minimum(weights: Sequence[float | None]) -> list[float]:
    """Return the weights with a floor of SMALLEST times the mean of the known; all 1 if none is known."""
    known_weights = [weight for weight in weights if weight is not None and weight > 0]
    if not known_weights:
        return [1.0] * len(weights)
    floor = SMALLEST * fsum(known_weights) / len(known_weights)
    return [max(weight or 0.0, floor) for weight in weights]


def squarify(weights: Sequence[float], room: Rectangle) -> list[Rectangle]:
    """Divide a rectangle among positive weights, in strips, in their order; tiles are nearly square.

    Bruls, Huizing and van Wijk, "Squarified Treemaps", 2000: a strip along the shorter side takes the next
    weight as long as this does not make its worst aspect ratio worse. Falling weights give the best tiles.
    """
    total = fsum(weights)
    if not weights or total <= 0:
        return []
    areas = [weight * room.width * room.height / total for weight in weights]
    rectangles: list[Rectangle] = []
    x, y, width, height = room
    start = 0
    while start < len(areas):
        side = min(width, height)
        end, strip = _find_strip(areas, start, side)
        depth = strip / side if side > 0 else 0.0
        along = y if width >= height else x
        for area in areas[start:end]:
            length = area / depth if depth > 0 else 0.0
            if width >= height:
                rectangles.append(Rectangle(x, along, depth, length))
            else:
                rectangles.append(Rectangle(along, y, length, depth))
            along += length
        if width >= height:
            x, width = x + depth, max(width - depth, 0.0)
        else:
            y, height = y + depth, max(height - depth, 0.0)
        start = end
    return rectangles


def _find_strip(areas: Sequence[float], start: int, side: float) -> tuple[int, float]:
    """Return the end of the strip that begins at `start`, and its area."""
    end, strip = start + 1, areas[start]
    largest = smallest = strip
    while end < len(areas):
        area = areas[end]
        wider = max(largest, area), min(smallest, area), strip + area
        if _worst_ratio(*wider, side) > _worst_ratio(largest, smallest, strip, side):
            break
        largest, smallest, strip = wider
        end += 1
    return end, strip


def _worst_ratio(largest: float, smallest: float, strip: float, side: float) -> float:
    """Return the worst aspect ratio in a strip along `side`; at least 1."""
    square = (strip / side) ** 2 if side > 0 else 0.0
    return max(largest / square, square / smallest) if square > 0 and smallest > 0 else float("inf")
