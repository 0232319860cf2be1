"""The market as a treemap: area by weight, grouped by sector; a tile's size says nothing of its change."""

from __future__ import annotations

from dataclasses import dataclass
from math import fsum
from typing import TYPE_CHECKING

from heatmap import measures
from heatmap.model import Rectangle, Treemap

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from heatmap.model import Quote, Reading, Snapshot

ASPECTS = (1.9, 1.0, 0.5)  # width / height: a wide screen, a narrow column, a phone held upright
SMALLEST = 0.4  # of the mean weight: no tile is smaller, so that none disappears
HEADING_PIXELS = 15.0
NOMINAL_WIDTHS = {1.9: 1000.0, 1.0: 600.0, 0.5: 360.0}  # pixels a picture of each aspect is drawn at, about
FEWEST_IN_HEADING = 2.6  # headings' heights that a sector must have for one

WEIGHTS: dict[str, Callable[[Quote], float | None]] = {
    "market-cap": lambda quote: quote.free_float_market_cap,
    "amount": lambda quote: quote.turnover,
    "equal": lambda _: 1.0,
}


@dataclass(frozen=True, slots=True)
class TreemapView:
    """Squarified rectangles of an `aspect` (width / height), their areas by a `weight` of WEIGHTS."""

    weight: str = "market-cap"
    aspect: float = ASPECTS[0]

    def draw(self, snapshot: Snapshot, _: Reading | None = None) -> Treemap:
        """Return a rectangle for every quote: sectors by total weight, tiles within in `tile_order`.

        What has no weight gets the smallest. The picture is 1 wide and 1 / aspect high.
        """
        weights = floored([WEIGHTS[self.weight](quote) for quote in snapshot.quotes])
        sectors: dict[str, list[int]] = {}
        for index in tile_order(snapshot, self.weight):
            sectors.setdefault(snapshot.quotes[index].sector or "", []).append(index)
        totals = {name: fsum(weights[index] for index in members) for name, members in sectors.items()}
        names = sorted(sectors, key=lambda name: (name == "", -totals[name], name))
        whole = Rectangle(0.0, 0.0, 1.0, 1 / self.aspect)
        heading = HEADING_PIXELS / NOMINAL_WIDTHS.get(self.aspect, 1000.0)
        tiles: list[int] = []
        places: list[Rectangle] = []
        headings: list[tuple[str, Rectangle]] = []
        for name, area in zip(names, squarify([totals[name] for name in names], whole), strict=True):
            room = area
            if name and len(sectors) > 1 and area.height >= FEWEST_IN_HEADING * heading:
                headings.append((name, area._replace(height=heading)))
                room = area._replace(y=area.y + heading, height=area.height - heading)
            tiles += sectors[name]
            places += squarify([weights[index] for index in sectors[name]], room)
        return Treemap(self.aspect, tuple(tiles), tuple(places), tuple(headings))


def tile_order(snapshot: Snapshot, weight: str) -> list[int]:
    """Return the quotes' positions by weight, heaviest first; where all weigh the same, by market cap."""
    measure = WEIGHTS["market-cap" if weight == "equal" else weight]
    return measures.in_order(snapshot.quotes, [measure(quote) for quote in snapshot.quotes])


def floored(weights: Sequence[float | None]) -> list[float]:
    """Return the weights with a floor of SMALLEST times the mean of the known; all 1 where none is known."""
    known = [weight for weight in weights if weight is not None and weight > 0]
    if not known:
        return [1.0] * len(weights)
    floor = SMALLEST * fsum(known) / len(known)
    return [max(weight or 0.0, floor) for weight in weights]


def squarify(weights: Sequence[float], room: Rectangle) -> list[Rectangle]:
    """Divide a rectangle among positive weights in descending order, in strips, tiles near to squares.

    Bruls, Huizing and van Wijk, "Squarified Treemaps", 2000: a strip along the shorter side takes the
    next weight as long as that does not make its worst aspect ratio worse.
    """
    total = fsum(weights)
    if not weights or total <= 0:
        return []
    areas = [weight * room.width * room.height / total for weight in weights]
    placed: list[Rectangle] = []
    x, y, width, height = room
    start = 0
    while start < len(areas):
        side = min(width, height)
        end, strip = _strip(areas, start, side)
        depth = strip / side if side > 0 else 0.0
        along = y if width >= height else x
        for area in areas[start:end]:
            length = area / depth if depth > 0 else 0.0
            if width >= height:
                placed.append(Rectangle(x, along, depth, length))
            else:
                placed.append(Rectangle(along, y, length, depth))
            along += length
        if width >= height:
            x, width = x + depth, max(width - depth, 0.0)
        else:
            y, height = y + depth, max(height - depth, 0.0)
        start = end
    return placed


def _strip(areas: Sequence[float], start: int, side: float) -> tuple[int, float]:
    """Return where the strip that begins at `start` ends, and its area."""
    end, strip = start + 1, areas[start]
    while end < len(areas):
        widened = strip + areas[end]
        # In descending order the worst ratio of a strip is that of its first or its last tile.
        if _worst(areas[start], areas[end], widened, side) > _worst(
            areas[start], areas[end - 1], strip, side
        ):
            break
        end, strip = end + 1, widened
    return end, strip


def _worst(largest: float, smallest: float, strip: float, side: float) -> float:
    """Return the worst aspect ratio in a strip along `side`; at least 1."""
    square = (strip / side) ** 2 if side > 0 else 0.0
    return max(largest / square, square / smallest) if square > 0 and smallest > 0 else float("inf")
