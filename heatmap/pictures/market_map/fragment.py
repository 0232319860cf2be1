"""A fragment: the map as a piece of HTML for other pages, without script, style sheet and frame."""

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
    from heatmap.pictures.shapes import Cell, Rectangle, Table

TEMPLATE = "fragment.html.j2"
TREEMAP_WIDTH = 600.0  # pixels, for a column of text; in other widths the treemap is scaled
LEAST_TREEMAP_HEIGHT = 300.0
NAMEABLE = 4400.0  # square pixels for each stock, on average: nearly every tile has room for a name
LEAST_LETTER_PIXELS, LARGEST_LETTER_PIXELS = 8.0, 18.0
LINE_HEIGHT = 1.2  # in units of the letters' size
FREE = 0.9  # the share of a width for text: some fonts are wider than the usual ones
MOST_LINES = 3  # a symbol is split into at most so many lines


class Tile(NamedTuple):
    """One stock's texts and colours. `place` is its left, top, width and height in a treemap, in percent."""

    symbol: str
    name: str
    text: str
    chart: str
    fill: str
    ink: str
    place: tuple[float, ...] = ()
    letter: float | None = None  # the size of its text in percent of its width; None: it has no room for text
    room: float = 100.0  # the largest width of its symbol, in percent of its width; less if it is split
    has_text: bool = True  # whether it has room for more than the symbol


class Section(NamedTuple):
    """Tiles under one heading; "": without a heading."""

    heading: str
    tiles: Sequence[Tile]


def table_view(settings: Fragment, options: PageOptions) -> TableView:
    """Return the view that draws a fragment's cells, in every layout."""
    # By rank, a small loss on a large tile looks like a crash. So a treemap shades by value, as on the page.
    heat = "1" if settings.layout == "treemap" else options.heat
    return TableView(options.columns, options.gradient, options.up, heat)


def fragment(
    settings: Fragment,
    snapshot: Snapshot,
    ranking: Ranking,
    table: Table,
    context: PageContext,
    options: PageOptions,
    cache: Path | None = None,
) -> bytes:
    """Return the fragment as UTF-8.

    `ranking` is the one of its mode over a day, and `table` is drawn by its `table_view`.
    """
    from zoneinfo import ZoneInfo

    mode = MODES[settings.mode]
    tiles = [_tile(cell, settings.mode, snapshot.currency, options.chart_url) for cell in table.cells]
    sections = [Section("", tiles)]
    headings: list[tuple[str, tuple[float, ...]]] = []
    height = max(LEAST_TREEMAP_HEIGHT, round(len(tiles) * NAMEABLE / TREEMAP_WIDTH))
    if settings.layout == "sectors":
        sections = [
            Section(group.sector or "Without a sector", [tiles[index] for index in group.members])
            for group in SectorsView().draw(snapshot, ranking)
        ]
    elif settings.layout == "treemap":
        treemap = TreemapView(width=TREEMAP_WIDTH, height=height).draw(snapshot, ranking)
        by_index = dict(zip(ranking.order, tiles, strict=True))
        places = zip(treemap.tiles, treemap.rectangles, strict=True)
        sections = [Section("", [_place_tile(by_index[index], place, height) for index, place in places])]
        headings = [(name, _as_percent(place, height)) for name, place in treemap.headings]
    return render_template(
        TEMPLATE,
        cache,
        title=context.title,
        caption=", ".join(filter(None, (mode.label, wording.unit_of(mode, snapshot.currency)))),
        as_of=snapshot.as_of.astimezone(ZoneInfo(context.time_zone)),
        layout=settings.layout,
        aspect=round(TREEMAP_WIDTH / height, 4),
        theme=settings.theme,
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


def _place_tile(tile: Tile, place: Rectangle, height: float) -> Tile:
    """Return a tile with its place in a treemap of that height, and with the largest text that fits.

    The text is the symbol and the value, or the symbol alone. The symbol has up to MOST_LINES lines.
    """
    tile = tile._replace(place=_as_percent(place, height))
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


def _as_percent(place: Rectangle, height: float) -> tuple[float, ...]:
    """Return left, top, width and height in percent of a treemap of that height."""
    across, down = 100 / TREEMAP_WIDTH, 100 / height
    x, y, width, high = place
    return tuple(round(side, 2) for side in (x * across, y * down, width * across, high * down))
