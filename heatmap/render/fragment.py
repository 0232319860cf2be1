"""The map as a piece of HTML for other pages to include: no script, no style sheet, no frame."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from heatmap.modes import MODES
from heatmap.render import words
from heatmap.render.options import LAYOUTS, THEMES
from heatmap.render.templates import render_template
from heatmap.views.sectors import SectorsView
from heatmap.views.table import TableView
from heatmap.views.treemap import TreemapView

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from heatmap.model import Cell, Occasion, Reading, Rectangle, Snapshot
    from heatmap.render.options import PageOptions

TEMPLATE = "fragment.html.j2"
TREEMAP_PIXELS = 600.0  # width and height of a treemap: readable in a column and on a phone
LEAST_LETTER_PIXELS = 8.0
LETTER_WIDTH = 0.85  # of its size, at most: a wide capital in bold


class Fragment(NamedTuple):
    """A mode over a day, in a layout, on a ground; by name "rs-sectors" or "rs-sectors-dark"."""

    mode: str
    layout: str
    theme: str | None  # None: whatever stands behind it

    @property
    def name(self) -> str:
        """The name it is configured by, and published under as fragment-<name>.html."""
        return "-".join(filter(None, self))


def named(name: str) -> Fragment | None:
    """Return the fragment of that name; None for one that cannot be."""
    mode, _, rest = name.partition("-")
    layout, _, theme = rest.partition("-")
    known = mode in MODES and layout in LAYOUTS and theme in {"", *THEMES}
    return Fragment(mode, layout, theme or None) if known else None


class Tile(NamedTuple):
    """One stock's words and colours; in a treemap its left, top, width and height in percent."""

    symbol: str
    name: str
    text: str
    chart: str
    fill: str
    ink: str
    place: tuple[float, ...] = ()
    letter: float | None = None  # the size of its words in percent of its width; None: no room for them


class Section(NamedTuple):
    """Tiles that stand together, under a heading or none."""

    heading: str
    tiles: Sequence[Tile]


def fragment(
    wanted: Fragment,
    snapshot: Snapshot,
    reading: Reading,
    occasion: Occasion,
    options: PageOptions,
    cache: Path | None = None,
) -> bytes:
    """Return the fragment as UTF-8. `reading` is of its mode over a day."""
    from zoneinfo import ZoneInfo

    mode = MODES[wanted.mode]
    view = TableView(options.columns, options.gradient, options.up, options.heat)
    cells = view.draw(snapshot, reading).cells
    tiles = [_tile(cell, wanted.mode, snapshot.currency, options.chart_url) for cell in cells]
    sections = [Section("", tiles)]
    headings: list[tuple[str, tuple[float, ...]]] = []
    if wanted.layout == "sectors":
        sections = [
            Section(group.sector or "Without a sector", [tiles[place] for place in group.members])
            for group in SectorsView().draw(snapshot, reading)
        ]
    elif wanted.layout == "treemap":
        treemap = TreemapView(width=TREEMAP_PIXELS, height=TREEMAP_PIXELS).draw(snapshot, reading)
        by_index = dict(zip(reading.order, tiles, strict=True))
        places = zip(treemap.tiles, treemap.places, strict=True)
        sections = [Section("", [_placed(by_index[index], place) for index, place in places])]
        headings = [(name, _sides(place)) for name, place in treemap.headings]
    return render_template(
        TEMPLATE,
        cache,
        title=occasion.title,
        caption=", ".join(filter(None, (mode.label, words.unit_of(mode, snapshot.currency)))),
        as_of=snapshot.as_of.astimezone(ZoneInfo(occasion.time_zone)),
        layout=wanted.layout,
        theme=wanted.theme,
        headings=headings,
        sections=sections,
        recording=snapshot.recording,
    ).encode()


def _tile(cell: Cell, mode: str, currency: str | None, chart_url: str) -> Tile:
    quote = cell.quote
    text = words.NOT_KNOWN if cell.value is None else words.in_mode(cell.value, MODES[mode], currency)
    return Tile(
        quote.symbol,
        quote.name or quote.symbol,
        text,
        words.chart(chart_url, quote.symbol),
        cell.fill,
        cell.ink,
    )


def _placed(tile: Tile, place: Rectangle) -> Tile:
    size = 1 / (max(len(tile.symbol), len(tile.text)) * LETTER_WIDTH)
    fits = size * place.width >= LEAST_LETTER_PIXELS and place.height >= 3 * LEAST_LETTER_PIXELS
    return tile._replace(place=_sides(place), letter=round(size * 100, 2) if fits else None)


def _sides(place: Rectangle) -> tuple[float, ...]:
    """Return left, top, width and height in percent of the picture."""
    return tuple(round(side * 100 / TREEMAP_PIXELS, 2) for side in place)
