"""The rules of treemaps: tests/fixtures/treemaps.json, which Python's view and the page's script both must match.

The rectangles are computed here, in fractions, by the algorithm as the paper of Bruls, Huizing and van Wijk
states it: neither the view nor the script has a part in them. `python -m tests.treemaps` writes the file anew.
"""

from __future__ import annotations

import json
from fractions import Fraction
from random import Random
from typing import Any, NamedTuple

from tests.checkout import CHECKOUT

FIXTURE = CHECKOUT / "tests" / "fixtures/treemaps.json"
HEADING, LEAST_UNDER_HEADING = Fraction(15), Fraction(39)  # pixels
FLOOR = Fraction(4, 10)


class Room(NamedTuple):
    """A rectangle, exactly."""

    x: Fraction
    y: Fraction
    width: Fraction
    height: Fraction


def worst(row: list[Fraction], side: Fraction) -> Fraction:
    """The paper's `worst`: the highest aspect ratio of the rectangles of a row along a side."""
    depth = sum(row, Fraction(0)) / side
    return max(max(area / depth / depth, depth * depth / area) for area in row)


def layout_row(row: list[Fraction], room: Room) -> tuple[list[Room], Room]:
    """The paper's `layoutrow`: the rectangles of a row along the shorter side, and the remaining room."""
    x, y, width, height = room
    places = []
    if width >= height:
        depth = sum(row, Fraction(0)) / height
        for area in row:
            places.append(Room(x, y, depth, area / depth))
            y += area / depth
        return places, Room(x + depth, room.y, width - depth, height)
    depth = sum(row, Fraction(0)) / width
    for area in row:
        places.append(Room(x, y, area / depth, depth))
        x += area / depth
    return places, Room(room.x, room.y + depth, width, height - depth)


def squarify(weights: list[Fraction], room: Room) -> list[Room]:
    """The paper's `squarify`."""
    total = sum(weights, Fraction(0))
    left = [weight * room.width * room.height / total for weight in weights]
    row: list[Fraction] = []
    places: list[Room] = []
    while left:
        side = min(room.width, room.height)
        if not row or worst([*row, left[0]], side) <= worst(row, side):
            row.append(left.pop(0))
        else:
            done, room = layout_row(row, room)
            places += done
            row = []
    done, _ = layout_row(row, room)
    return places + done


def with_floor(weights: list[Fraction | None]) -> list[Fraction]:
    """The weights, with a floor of FLOOR times the mean of the known ones."""
    known_weights = [weight for weight in weights if weight]
    if not known_weights:
        return [Fraction(1)] * len(weights)
    return [max(weight or Fraction(0), FLOOR * sum(known_weights) / len(known_weights)) for weight in weights]


def arrange(weights: list[Fraction], sectors: list[str], width: int, height: int) -> dict[str, Any]:
    """A picture of sectors."""
    names = sorted(
        set(sectors),
        key=lambda name: (
            not name,
            -sum(weight for weight, sector in zip(weights, sectors, strict=True) if sector == name),
            name,
        ),
    )
    totals = [
        sum((weight for weight, sector in zip(weights, sectors, strict=True) if sector == name), Fraction(0))
        for name in names
    ]
    tiles, places, headings = [], [], []
    areas = squarify(totals, Room(Fraction(0), Fraction(0), Fraction(width), Fraction(height)))
    for name, area in zip(names, areas, strict=True):
        room = area
        if name and len(names) > 1 and area.height >= LEAST_UNDER_HEADING:
            headings.append([name, floats(area._replace(height=HEADING))])
            room = area._replace(y=area.y + HEADING, height=area.height - HEADING)
        members = [place for place, sector in enumerate(sectors) if sector == name]
        tiles += members
        places += squarify([weights[place] for place in members], room)
    return {"tiles": tiles, "places": [floats(place) for place in places], "headings": headings}


def floats(room: Room) -> list[float]:
    """A rectangle for JSON, to a millionth of a pixel."""
    return [round(float(side), 6) for side in room]


def vectors() -> dict[str, Any]:
    """Weights and rooms of many kinds, and the results."""
    rooms = [
        ([6, 6, 4, 3, 2, 2, 1], [0, 0, 6, 4]),  # the paper's own
        ([1], [3, 5, 100, 7]),
        ([5, 5, 5, 5, 5, 5, 5], [0, 0, 370, 210]),
        ([1000, 1, 1, 1], [0, 0, 300, 500]),
        ([40, 30, 20, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1], [10, 20, 90, 1200]),
        ([40, 30, 20, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1], [10, 20, 1200, 90]),
        ([1, 9, 2], [0, 0, 100, 60]),  # not falling, as where what has no sector weighs most
    ]
    random = Random(7)  # noqa: S311 -- the same every time
    floors: list[list[float | None]] = [
        [],
        [None, None],
        [0, None],
        [100, 20, None, 0],
        [9, 8, 7, 7, 7],
        [1.5e7, 3.25e6, 1e-3, None],
    ]
    pictures = []
    for count, width, height in (
        (24, 1264, 700),
        (24, 374, 1600),
        (3, 300, 30),
        (60, 700, 700),
        (5, 500, 300),
    ):
        weights = sorted((random.randint(1, 10_000) for _ in range(count)), reverse=True)
        names = ["Banks", "Energy", "IT", "Metals", "Pharma", ""][: count if count < 6 else 6]
        pictures.append((weights, [random.choice(names) for _ in weights], width, height))
    pictures.append(([1] * 6, ["B", "A", "B", "A", "", ""], 400, 300))  # equal weights: by name
    pictures.append(([3, 2, 1], ["Only", "Only", "Only"], 320, 240))  # one sector: no heading
    return {
        "squarify": [
            {
                "weights": weights,
                "room": room,
                "places": [
                    floats(place)
                    for place in squarify(list(map(Fraction, weights)), Room(*map(Fraction, room)))
                ],
            }
            for weights, room in rooms
        ],
        "floored": [
            {
                "weights": weights,
                "floored": [
                    round(float(weight), 9)
                    for weight in with_floor(
                        [None if weight is None else Fraction(weight) for weight in weights]
                    )
                ],
            }
            for weights in floors
        ],
        "arrange": [
            {
                "weights": weights,
                "sectors": sectors,
                "width": width,
                "height": height,
                **arrange(list(map(Fraction, weights)), sectors, width, height),
            }
            for weights, sectors, width, height in pictures
        ],
    }


if __name__ == "__main__":
    FIXTURE.write_text(json.dumps(vectors(), separators=(",", ":")) + "\n", "utf-8")
