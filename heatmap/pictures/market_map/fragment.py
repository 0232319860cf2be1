"""The map as a piece of HTML for other pages to include: no script, no style sheet, no frame."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from heatmap.analysis.modes import MODES
from heatmap.pictures import wording
from heatmap.pictures.letters import text_width
from heatmap.pictures.market_map.sectors import SectorsView
from heatmap.pictures.market_map.table import TableView
from heatmap.pictures.market_map.treemap import TreemapView
from heatmap.pictures.templates import render_template

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from heatmap.analysis.rankings import Ranking
    from heatmap.market.quotes import Snapshot
    from heatmap.pictures.context import PageContext
    from heatmap.pictures.options import Fragment, PageOptions
    from heatmap.pictures.shapes import Cell, Rectangle

TEMPLATE = "fragment.html.j2"
TREEMAP_WIDTH = 600.0  # pixels: of a column; elsewhere it grows and shrinks as a whole
LEAST_TREEMAP_HEIGHT = 300.0
NAMEABLE = 4400.0  # square pixels a stock, on average: enough for a name on nearly every tile
LEAST_LETTER_PIXELS, LARGEST_LETTER_PIXELS = 8.0, 18.0
LINE_HEIGHT = 1.2  # of a letter's size
FREE = 0.9  # of a width, for words: some fonts are wider than the usual ones
MOST_LINES = 3  # that a symbol is split into


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
    room: float = 100.0  # how wide its symbol may be, in percent of its width: one that is split is narrower
    has_text: bool = True  # whether there is room for more than the symbol


class Section(NamedTuple):
    """Tiles that stand together, under a heading or none."""

    heading: str
    tiles: Sequence[Tile]


def fragment(
    wanted: Fragment,
    snapshot: Snapshot,
    reading: Ranking,
    context: PageContext,
    options: PageOptions,
    cache: Path | None = None,
) -> bytes:
    """Return the fragment as UTF-8. `reading` is of its mode over a day."""
    from zoneinfo import ZoneInfo

    mode = MODES[wanted.mode]
    # By rank, a small loss in a large tile looks like a crash: a treemap shades by value, as on the page.
    heat = "1" if wanted.layout == "treemap" else options.heat
    view = TableView(options.columns, options.gradient, options.up, heat)
    cells = view.draw(snapshot, reading).cells
    tiles = [_tile(cell, wanted.mode, snapshot.currency, options.chart_url) for cell in cells]
    sections = [Section("", tiles)]
    headings: list[tuple[str, tuple[float, ...]]] = []
    height = max(LEAST_TREEMAP_HEIGHT, round(len(tiles) * NAMEABLE / TREEMAP_WIDTH))
    if wanted.layout == "sectors":
        sections = [
            Section(group.sector or "Without a sector", [tiles[place] for place in group.members])
            for group in SectorsView().draw(snapshot, reading)
        ]
    elif wanted.layout == "treemap":
        treemap = TreemapView(width=TREEMAP_WIDTH, height=height).draw(snapshot, reading)
        by_index = dict(zip(reading.order, tiles, strict=True))
        places = zip(treemap.tiles, treemap.places, strict=True)
        sections = [Section("", [_placed(by_index[index], place, height) for index, place in places])]
        headings = [(name, _sides(place, height)) for name, place in treemap.headings]
    return render_template(
        TEMPLATE,
        cache,
        title=context.title,
        caption=", ".join(filter(None, (mode.label, wording.unit_of(mode, snapshot.currency)))),
        as_of=snapshot.as_of.astimezone(ZoneInfo(context.time_zone)),
        layout=wanted.layout,
        aspect=round(TREEMAP_WIDTH / height, 4),
        theme=wanted.theme,
        headings=headings,
        sections=sections,
        recording=snapshot.recording,
    ).encode()


def _tile(cell: Cell, mode: str, currency: str | None, chart_url: str) -> Tile:
    quote = cell.quote
    text = (
        wording.NOT_KNOWN if cell.value is None else wording.format_value(cell.value, MODES[mode], currency)
    )
    return Tile(
        quote.symbol,
        quote.name or quote.symbol,
        text,
        wording.chart_link(chart_url, quote.symbol),
        cell.fill,
        cell.ink,
    )


def _placed(tile: Tile, place: Rectangle, height: float) -> Tile:
    """Return a tile with its place in a treemap of that height, and its words as large as there is room for.

    Symbol and text, or the symbol alone, in one line or in as many as MOST_LINES.
    """
    tile = tile._replace(place=_sides(place, height))
    wide, high = (place.width - 2) * FREE, place.height - 3
    for texts in ((tile.text,), ()):
        for count in range(1, MOST_LINES + 1):
            length = -(-len(tile.symbol) // count)
            lines = [tile.symbol[start : start + length] for start in range(0, len(tile.symbol), length)]
            longest = max(map(text_width, lines))
            by_width = wide / max(longest, *map(text_width, texts), 0.1)
            by_height = high / (len(lines) + len(texts)) / LINE_HEIGHT
            size = min(by_width, by_height, LARGEST_LETTER_PIXELS)
            if size >= LEAST_LETTER_PIXELS:
                room = round(longest * size / FREE / place.width * 100, 2) if count > 1 else 100.0
                return tile._replace(
                    letter=round(size / place.width * 100, 2), room=room, has_text=bool(texts)
                )
    return tile


def _sides(place: Rectangle, height: float) -> tuple[float, ...]:
    """Return left, top, width and height in percent of a treemap of that height."""
    across, down = 100 / TREEMAP_WIDTH, 100 / height
    x, y, width, high = place
    return tuple(round(side, 2) for side in (x * across, y * down, width * across, high * down))
