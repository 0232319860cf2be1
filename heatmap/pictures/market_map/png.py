"""The preview image as PNG, by Pillow (the extra `png`): exact fills, few colours, a small file."""

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
GROUND_COLOURS = 224  # the part of the palette for fills; the others are for text and its smooth edges
EDGES = 4  # steps from the ground to the ink: they look as good as 255, and the file is a fifth smaller
ANCHORS = {"start": 0, "middle": 0.5, "end": 1}  # the share of a line left of its x
EMBOLDENING = 0.06  # the extra width of a bold line's strokes, in units of its size


def is_possible() -> bool:
    """Whether Pillow, the extra `png`, is installed."""
    from importlib.util import find_spec

    return find_spec("PIL") is not None


def draw(table: Table, snapshot: Snapshot, context: PageContext) -> bytes:
    """Return the image with a palette. Raises ModuleNotFoundError if `is_possible` is False.

    Up to GROUND_COLOURS different fills are exact; more fills differ as little as possible. The font is
    Pillow's own, which has ASCII alone: accents and other scripts are dropped. A title of which nothing would
    remain is replaced by the market's name.
    """
    from io import BytesIO

    from PIL import Image, ImageChops, ImageDraw

    title = context.title if _ascii(printable(context.title)).strip() else context.market
    picture = lay_out(table, snapshot.as_of, context, title, is_recording=snapshot.recording)
    boxes = [Box(0, 0, WIDTH, HEIGHT, GROUND), *picture.boxes, *(tile.box for tile in picture.tiles)]
    lines = [*picture.lines, *(line for tile in picture.tiles for line in tile.lines)]
    inks = {tile.box.fill: line.colour for tile in picture.tiles for line in tile.lines}
    merged = _merge([box.fill for box in boxes], inks, GROUND_COLOURS)
    palette = _palette(picture, merged)
    palette_index = {colour: index for index, colour in enumerate(palette)}

    # Grounds are drawn as indexes in the palette, so they are exact. Text is blended with the grounds'
    # colours, and the pixels under text get the nearest colour of the palette.
    grounds, touched = Image.new("L", (WIDTH, HEIGHT)), Image.new("L", (WIDTH, HEIGHT))
    colours = Image.new("RGB", (WIDTH, HEIGHT))
    on_grounds, on_colours = ImageDraw.Draw(grounds), ImageDraw.Draw(colours)
    for box in boxes:
        corners = (box.x, box.y, box.x + box.width - 1, box.y + box.height - 1)
        on_grounds.rectangle(corners, palette_index[merged[box.fill]])
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
    """Return a replacement for each fill, itself or an earlier one, with at most `most` different ones.

    Fills are in the order of a palette: neighbours in the order are near in colour. `inks` has the inks of
    fills with text. A fill is never replaced by one with another ink, on which its own may be hard to read.
    """
    distinct = {fill: _channels(fill) for fill in fills}
    tolerance = 0
    while True:
        merged: dict[str, str] = {}
        count, last = 0, None
        for fill, channels in distinct.items():
            if (
                last is None
                or inks.get(fill) != inks.get(last)
                or max(abs(a - b) for a, b in zip(channels, distinct[last], strict=True)) > tolerance
            ):
                count, last = count + 1, fill
            merged[fill] = last
        if count <= most:
            return merged
        tolerance = tolerance * 2 or 1


def _palette(picture: ImageLayout, merged: dict[str, str]) -> list[str]:
    """Return the grounds, the inks, and the steps between as many pairs of them as fit in the palette."""
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
    """Return the colours between `ground` and `ink`."""
    ends = list(zip(_channels(ground), _channels(ink), strict=True))
    return dict.fromkeys(
        "#" + bytes(round(start + (end - start) * step / EDGES) for start, end in ends).hex()
        for step in range(1, EDGES)
    )


def _channels(colour: str) -> bytes:
    """Return red, green and blue of #rrggbb."""
    return bytes.fromhex(colour[1:])


def _write(draw: ImageDraw, lines: Iterable[TextLine]) -> None:
    """Draw lines of text. A bold line is drawn several times, shifted right: the font has no bold."""
    from PIL import ImageFont

    fonts = {}
    for line in lines:
        if line.size not in fonts:
            fonts[line.size] = ImageFont.load_default(line.size)
        font, text = fonts[line.size], _ascii(line.text)
        left = line.x - ANCHORS[line.anchor] * font.getlength(text)
        stroke = line.size * EMBOLDENING if line.bold else 0
        left -= stroke / 2
        # The last copy has no shift and full strength. The font's hinting allows only whole pixels.
        for shift in range(ceil(stroke), -1, -1):
            strength = min(stroke - shift + 1, 1.0) if shift else 1.0
            draw.text((round(left) + shift, line.y), text, round(255 * strength), font, "ls")


def _ascii(text: str) -> str:
    """Return a text without characters that the font lacks."""
    from unicodedata import normalize

    return normalize("NFKD", text.replace(wording.MINUS, "-")).encode("ascii", "ignore").decode()
