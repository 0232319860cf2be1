"""The preview image as SVG."""

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
    """Return the image as a whole document, without script, style sheet and references.

    If `cache`, the state directory, is given, it caches the compiled template.
    """
    picture = lay_out(table, snapshot.as_of, context, context.title, is_recording=snapshot.recording)
    text = render_template(TEMPLATE, cache, picture=picture, width=WIDTH, height=HEIGHT, ground=GROUND)
    return text.encode()
