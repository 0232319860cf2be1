"""The picture as PNG, by Pillow (the extra `png`): exact fills, few colours, a small file."""

from __future__ import annotations

from math import ceil
from typing import TYPE_CHECKING

from heatmap.pictures import wording
from heatmap.pictures.market_map.image import (
    GROUND,
    HEIGHT,
    NOTICE_GROUND,
    NOTICE_TEXT,
    WIDTH,
    Box,
    lay_out,
    printable,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from PIL.ImageDraw import ImageDraw

    from heatmap.market.quotes import Snapshot
    from heatmap.pictures.context import PageContext
    from heatmap.pictures.market_map.image import ImageLayout, TextLine
    from heatmap.pictures.shapes import Table

PALETTE_COLOURS = 256
GROUND_COLOURS = 224  # of the palette; the rest is for text and its smooth edges
EDGES = 4  # steps from the ground to the ink: they look as good as 255 and make the file a fifth smaller
ANCHORS = {"start": 0, "middle": 0.5, "end": 1}  # how much of a line lies left of its place
EMBOLDENING = 0.06  # of a line's size, by which a bold line's strokes are wider


def is_possible() -> bool:
    """Whether Pillow, the extra `png`, is installed."""
    from importlib.util import find_spec

    return find_spec("PIL") is not None


def draw(table: Table, snapshot: Snapshot, context: PageContext) -> bytes:
    """Return the picture with a palette. Raises ModuleNotFoundError where `is_possible` is False.

    Fills are exact where there are no more than GROUND_COLOURS, else off by as little as that allows.
    The font is Pillow's own, which knows ASCII alone: accents are dropped, and so are other scripts; a title
    of which nothing would be left gives way to the market's name.
    """
    from io import BytesIO

    from PIL import Image, ImageChops, ImageDraw

    title = context.title if _ascii(printable(context.title)).strip() else context.market
    picture = lay_out(table, snapshot, context, title)
    boxes = [Box(0, 0, WIDTH, HEIGHT, GROUND), *picture.boxes, *(tile.box for tile in picture.tiles)]
    lines = [*picture.lines, *(line for tile in picture.tiles for line in tile.lines)]
    inks = {tile.box.fill: line.colour for tile in picture.tiles for line in tile.lines}
    merged = _merge([box.fill for box in boxes], inks, GROUND_COLOURS)
    palette = _palette(picture, merged)
    places = {colour: place for place, colour in enumerate(palette)}

    # Grounds are drawn as places in the palette, and thus exact. Text is blended with the grounds' colours,
    # and what it touches is looked up in the palette.
    grounds, touched = Image.new("L", (WIDTH, HEIGHT)), Image.new("L", (WIDTH, HEIGHT))
    colours = Image.new("RGB", (WIDTH, HEIGHT))
    on_grounds, on_colours = ImageDraw.Draw(grounds), ImageDraw.Draw(colours)
    for box in boxes:
        corners = (box.x, box.y, box.x + box.width - 1, box.y + box.height - 1)
        on_grounds.rectangle(corners, places[merged[box.fill]])
        on_colours.rectangle(corners, box.fill)
    for ink in dict.fromkeys(line.colour for line in lines):
        coverage = Image.new("L", (WIDTH, HEIGHT))
        _write(ImageDraw.Draw(coverage), [line for line in lines if line.colour == ink])
        coverage = coverage.point([round(round(level / 255 * EDGES) * 255 / EDGES) for level in range(256)])
        colours.paste(ink, mask=coverage)
        touched = ImageChops.lighter(touched, coverage)
    guide = Image.new("P", (1, 1))
    guide.putpalette([channel for colour in palette for channel in _channels(colour)])
    image = colours.quantize(palette=guide, dither=Image.Dither.NONE)
    image.paste(grounds, mask=touched.point([255, *[0] * 255]))
    file = BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


def _merge(fills: Iterable[str], inks: Mapping[str, str], most: int) -> dict[str, str]:
    """Return what each fill becomes so that at most `most` are left: itself, or one before it.

    Fills come in the order of a ramp, so that one near in the order is near in colour. `inks` are those of
    the fills with text: a fill never becomes one with another ink, on which its own may be hard to read.
    """
    distinct = {fill: _channels(fill) for fill in fills}
    tolerance = 0
    while True:
        merged: dict[str, str] = {}
        kept, last = 0, None
        for fill, channels in distinct.items():
            if (
                last is None
                or inks.get(fill) != inks.get(last)
                or max(abs(a - b) for a, b in zip(channels, distinct[last], strict=True)) > tolerance
            ):
                kept, last = kept + 1, fill
            merged[fill] = last
        if kept <= most:
            return merged
        tolerance = tolerance * 2 or 1


def _palette(picture: ImageLayout, merged: dict[str, str]) -> list[str]:
    """Return the grounds, the inks, and the steps between as many pairs of the two as there is room for."""
    inks = dict.fromkeys(line.colour for line in picture.lines)
    pairs = list(
        dict.fromkeys((merged[tile.box.fill], line.colour) for tile in picture.tiles for line in tile.lines)
    )
    palette = dict.fromkeys([*merged.values(), *inks, *(ink for _, ink in pairs)])
    for ink in inks:
        palette |= _steps(NOTICE_GROUND if ink == NOTICE_TEXT else GROUND, ink)
    room = max((PALETTE_COLOURS - len(palette)) // (EDGES - 1), 1)
    for pair in pairs[:: max(ceil(len(pairs) / room), 1)]:
        palette |= _steps(*pair)
    return list(palette)[:PALETTE_COLOURS]


def _steps(ground: str, ink: str) -> dict[str, None]:
    """Return the colours between two, without them."""
    ends = list(zip(_channels(ground), _channels(ink), strict=True))
    return dict.fromkeys(
        "#" + bytes(round(start + (end - start) * step / EDGES) for start, end in ends).hex()
        for step in range(1, EDGES)
    )


def _channels(colour: str) -> bytes:
    """Return red, green and blue of #rrggbb."""
    return bytes.fromhex(colour[1:])


def _write(draw: ImageDraw, lines: Iterable[TextLine]) -> None:
    """Draw lines of text, the bold ones smeared a little to the right: the font has no bold of its own."""
    from PIL import ImageFont

    fonts = {}
    for line in lines:
        if line.size not in fonts:
            fonts[line.size] = ImageFont.load_default(line.size)
        font, text = fonts[line.size], _ascii(line.text)
        left = line.x - ANCHORS[line.anchor] * font.getlength(text)
        stroke = line.size * EMBOLDENING if line.bold else 0
        left -= stroke / 2
        # From behind to the front, the last of them as it is. The font's hinting keeps to whole pixels.
        for shift in range(ceil(stroke), -1, -1):
            strength = min(stroke - shift + 1, 1.0) if shift else 1.0
            draw.text((round(left) + shift, line.y), text, round(255 * strength), font, "ls")


def _ascii(text: str) -> str:
    """Return what the font can draw of a text."""
    from unicodedata import normalize

    return normalize("NFKD", text.replace(wording.MINUS, "-")).encode("ascii", "ignore").decode()
