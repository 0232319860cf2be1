"""The picture as SVG."""

from __future__ import annotations

from typing import TYPE_CHECKING

from heatmap.pictures.market_map.image import GROUND, HEIGHT, WIDTH, lay_out
from heatmap.pictures.templates import render_template

if TYPE_CHECKING:
    from pathlib import Path

    from heatmap.market.quotes import Snapshot
    from heatmap.pictures.context import PageContext
    from heatmap.pictures.shapes import Table

TEMPLATE = "heatmap.svg.j2"


def draw(table: Table, snapshot: Snapshot, context: PageContext, cache: Path | None = None) -> bytes:
    """Return the picture as a document of its own: no script, no style sheet, nothing to fetch.

    In the state directory `cache`, if given, the compiled template is kept for the next tick.
    """
    picture = lay_out(table, snapshot, context, context.title)
    text = render_template(TEMPLATE, cache, picture=picture, width=WIDTH, height=HEIGHT, ground=GROUND)
    return text.encode()
