"""The map as a picture of its own, SVG and PNG, for previews, mails and chat: one geometry, drawn twice."""

from __future__ import annotations

from math import ceil, log
from typing import TYPE_CHECKING, NamedTuple

from heatmap.render import words
from heatmap.render.templates import render_template

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from heatmap.model import Cell, Occasion, Snapshot, Table

TEMPLATE = "heatmap.svg.j2"
WIDTH, HEIGHT = 1200, 630  # pixels: what previews of links ask for
MARGIN = 24
MAP_TOP = 104
GROUND, TEXT, QUIET, FLAT = "#ffffff", "#1b1f23", "#57606a", "#d8dee4"
NOTICE_GROUND, NOTICE_TEXT = "#fff3cd", "#5c4400"  # of the word "recording"

TITLE_SIZES = range(36, 19, -1)  # pixels, the first that fits; a title too long for the last is cut
CAPTION_SIZE, BREADTH_SIZE, NOTICE_SIZE = 20, 24, 18
TILE_SHAPE = 2.0  # width / height at which a symbol and a percent change sit well
LARGEST, SMALLEST = 96, 7  # pixels: sizes of text on tiles; what would have to be smaller is left out
SIDE_ROOM = 0.07  # of a tile's width, kept free at either side: fonts are not all equally wide
USUAL_LETTERS = 8  # of a symbol
LINE_HEIGHT = 1.2  # of its size

# How wide characters are, in their size: those of Arial Bold, and a little more. A picture's reader has
# whatever font he has, so text is fitted without asking one.
NARROW, WIDE = frozenset(" .,:;|!'`-()[]fijlrtI·"), frozenset("@%MWmw…")
NARROW_WIDTH, CAPITAL_WIDTH, WIDE_WIDTH, OTHER_WIDTH, FOREIGN_WIDTH = 0.36, 0.72, 0.93, 0.6, 1.0

PHASES = {
    "open": "Open",
    "auction": "Closing auction",
    "settling": "Settling",
    "final": "Closing prices",
    "closed": "Closed",
    "unknown": "Open",  # drawn only because the source itself says so
}


class Text(NamedTuple):
    """One line: `x` is its start, middle or end, as `anchor` says, `y` its baseline; all in pixels."""

    x: int
    y: int
    size: int
    anchor: str
    bold: bool
    colour: str
    words: str


class Box(NamedTuple):
    """A filled rectangle, in pixels."""

    x: int
    y: int
    width: int
    height: int
    fill: str


class Tile(NamedTuple):
    """One instrument: its box, and of its symbol and its percent change what has room."""

    box: Box
    lines: tuple[Text, ...]


class Picture(NamedTuple):
    """Everything to be drawn, in drawing order, on GROUND. `title` and `description` are for ears."""

    title: str
    description: str
    boxes: tuple[Box, ...]
    lines: tuple[Text, ...]
    tiles: tuple[Tile, ...]


# --- The two pictures ------------------------------------------------------------------------------


def svg(table: Table, snapshot: Snapshot, occasion: Occasion, cache: Path | None = None) -> bytes:
    """Return the picture as a document of its own: no script, no style sheet, nothing to fetch.

    In the folder `cache`, if given, the compiled template is kept for the next tick.
    """
    picture = compose(table, snapshot, occasion)
    return render_template(
        TEMPLATE, cache, picture=picture, width=WIDTH, height=HEIGHT, ground=GROUND
    ).encode()


def png_is_possible() -> bool:
    """Whether Pillow, the extra `png`, is installed."""
    from importlib.util import find_spec

    return find_spec("PIL") is not None


def png(table: Table, snapshot: Snapshot, occasion: Occasion) -> bytes:
    from io import BytesIO

    from PIL import Image, ImageDraw, ImageFont

    picture = compose(table, snapshot, occasion)
    image = Image.new("RGB", (WIDTH, HEIGHT), GROUND)
    draw = ImageDraw.Draw(image)
    fonts = {}
    for x, y, width, height, fill in [*picture.boxes, *(tile.box for tile in picture.tiles)]:
        draw.rectangle((x, y, x + width - 1, y + height - 1), fill)
    for line in [*picture.lines, *(line for tile in picture.tiles for line in tile.lines)]:
        font = fonts.get(line.size) or fonts.setdefault(line.size, ImageFont.load_default(line.size))
        where = {"start": "ls", "middle": "ms", "end": "rs"}[line.anchor]
        text = line.words.replace(words.MINUS, "-")
        for shift in (-0.02, 0.02) if line.bold else (0,):
            draw.text((line.x + shift * line.size, line.y), text, line.colour, font, where)
    out = BytesIO()
    image.save(out, "PNG")
    return out.getvalue()


# --- What they draw --------------------------------------------------------------------------------


def compose(table: Table, snapshot: Snapshot, occasion: Occasion) -> Picture:
    """Return where everything stands, of what size and in which colour."""
    from zoneinfo import ZoneInfo

    breadth = table.breadth
    title = _printable(occasion.title)
    moment = words.moment(snapshot.as_of.astimezone(ZoneInfo(occasion.time_zone)))
    caption = f"{PHASES[occasion.verdict.phase]}, as of {moment}"
    counts = f"{breadth.advances} up, {breadth.declines} down, {breadth.unchanged} flat"
    boxes, lines = _head(title, caption, counts, snapshot, table)
    cells = table.cells
    places = grid(len(cells))
    size = _usual_size(places[0]) if places else 0
    return Picture(
        title=title,
        description=" ".join(
            filter(None, [f"{caption}: {counts}.", "A recording." if snapshot.recording else ""])
        ),
        boxes=boxes,
        lines=lines,
        tiles=tuple(_tile(cell, place, size) for cell, place in zip(cells, places, strict=True)),
    )


def _head(
    title: str, caption: str, counts: str, snapshot: Snapshot, table: Table
) -> tuple[tuple[Box, ...], tuple[Text, ...]]:
    """Return the title above the time at the left, and at the right breadth above its bar."""
    right = WIDTH - MARGIN
    breadth = table.breadth
    bar = 300
    lines = [
        Text(MARGIN, 86, CAPTION_SIZE, "start", False, QUIET, caption),
        Text(right, 54, BREADTH_SIZE, "end", True, TEXT, counts),
    ]
    room = right - bar - 2 * MARGIN
    boxes = []
    if snapshot.recording:
        wide = 112
        room -= wide
    size = next((size for size in TITLE_SIZES if width(title) * size <= room), TITLE_SIZES[-1])
    title = _cut(title, room / size)
    lines.insert(0, Text(MARGIN, 54, size, "start", True, TEXT, title))
    if snapshot.recording:
        left = MARGIN + ceil(width(caption) * CAPTION_SIZE) + 4
        boxes.append(Box(left, 66, wide, 28, NOTICE_GROUND))
        lines.append(Text(left + wide // 2, 86, NOTICE_SIZE, "middle", True, NOTICE_TEXT, "recording"))
    total = max(breadth.advances + breadth.declines + breadth.unchanged, 1)
    rise, fall = round(breadth.advances / total * bar), round(breadth.declines / total * bar)
    stops = table.legend
    boxes += [
        Box(right - bar, 72, bar, 12, FLAT),
        Box(right - bar, 72, rise, 12, stops[-1].fill),
        Box(right - fall, 72, fall, 12, stops[0].fill),
    ]
    return tuple(box for box in boxes if box.width), tuple(lines)


def grid(count: int) -> list[tuple[int, int, int, int]]:
    """Return x, y, width and height of so many tiles, left to right, then down, in whole pixels.

    Of all numbers of columns the one whose tiles come nearest to TILE_SHAPE with the fewest places left
    over.
    """
    if not count:
        return []
    across, down = WIDTH - 2 * MARGIN, HEIGHT - MAP_TOP - MARGIN

    def badness(columns: int) -> float:
        rows = ceil(count / columns)
        shape = (across / columns) / (down / rows)
        return abs(log(shape / TILE_SHAPE)) + 3 * (columns * rows - count) / (columns * rows)

    columns = min(range(1, min(count, across // 2) + 1), key=badness)
    rows = ceil(count / columns)
    gap = 2 if across / columns >= 16 else 1
    xs = [MARGIN + round(place * (across + gap) / columns) for place in range(columns + 1)]
    ys = [MAP_TOP + round(place * (down + gap) / rows) for place in range(rows + 1)]
    return [
        (xs[column], ys[row], xs[column + 1] - xs[column] - gap, ys[row + 1] - ys[row] - gap)
        for row in range(rows)
        for column in range(min(columns, count - row * columns))
    ]


def _usual_size(place: tuple[int, int, int, int]) -> int:
    """Return the size at which two lines and a symbol of the usual length fit a tile."""
    _, _, wide, high = place
    return min(LARGEST, int(high * 0.8 / 2 / LINE_HEIGHT), int(_room(wide) / (USUAL_LETTERS * CAPITAL_WIDTH)))


def _tile(cell: Cell, place: tuple[int, int, int, int], usual: int) -> Tile:
    x, y, wide, high = place
    box = Box(x, y, wide, high, cell.fill)
    lines = []
    symbol, percent = _printable(cell.quote.symbol), words.signed(cell.quote.percent_change) + "%"
    middle = x + wide // 2
    centre = y + high / 2
    for text, bold, baseline in ((symbol, True, -0.16), (percent, False, 1.0)):
        size = min(usual, int(_room(wide) / max(width(text), 1)))
        if size >= SMALLEST and text:
            lines.append(
                Text(middle, round(centre + baseline * usual), size, "middle", bold, cell.ink, text)
            )
    return Tile(box, tuple(lines))


def _room(wide: int) -> float:
    return wide * (1 - 2 * SIDE_ROOM)


# --- Text ------------------------------------------------------------------------------------------


def width(text: str) -> float:
    """Return how wide a line is at most in the usual fonts, bold, in its size."""
    return sum(
        NARROW_WIDTH
        if letter in NARROW
        else WIDE_WIDTH
        if letter in WIDE
        else CAPITAL_WIDTH
        if letter.isupper() or letter == "&"
        else OTHER_WIDTH
        if letter.isascii() or letter == words.MINUS
        else FOREIGN_WIDTH
        for letter in text
    )


def _cut(text: str, room: float) -> str:
    if width(text) <= room:
        return text
    while text and width(text + "…") > room:
        text = text[:-1]
    return text.rstrip() + "…"


def _printable(text: str) -> str:
    """Return a text on one line, without characters that XML forbids or that turn others around."""
    return "".join(filter(str.isprintable, " ".join(text.split())))
