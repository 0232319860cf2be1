"""The layout of the preview image: the place, size and colour of each part. Pure."""

from __future__ import annotations

from math import ceil, log
from typing import TYPE_CHECKING, NamedTuple

from heatmap.pictures import wording
from heatmap.pictures.letters import text_width
from heatmap.system.texts import make_printable

if TYPE_CHECKING:
    from datetime import datetime

    from heatmap.market.quotes import Breadth
    from heatmap.pictures.context import PageContext
    from heatmap.pictures.shapes import Cell, Table

GROUND, TEXT, QUIET, LINE = "#ffffff", "#1b1f23", "#57606a", "#d8dee4"
NOTICE, NOTICE_GROUND, NOTICE_TEXT = "recording", "#fff3cd", "#5c4400"

# All lengths are pixels of the image.
WIDTH, HEIGHT = 1200, 630  # the size that previews of links need
MARGIN = 24
MAP_TOP = 104
FIRST_LINE, SECOND_LINE = 54, 86  # baselines
TITLE_SIZES = range(36, 19, -1)  # the first size that fits; a title that is too long for the last is cut
CAPTION_SIZE, COUNTS_SIZE, NOTICE_SIZE = 20, 24, 18
BAR_WIDTH, BAR_HEIGHT = 300, 12
NOTICE_WIDTH, NOTICE_HEIGHT = 112, 28
TILE_SHAPE = 1.9  # width / height of a tile on which a symbol above a percent change looks good
LARGEST, SMALLEST = 96, 6  # sizes of text on tiles; smaller text is left out
USUAL_LETTERS_WIDTH = 8 * 0.72  # symbols up to this width, in units of their size, have the same size
LINE_HEIGHT = 1.2  # in units of the line's size
ROOM = 0.9  # the share of a width or height for text


class TextLine(NamedTuple):
    """A line of text: `x` is its start, middle or end, as in `anchor`; `y` is its baseline."""

    x: int
    y: int
    size: float
    anchor: str
    bold: bool
    colour: str
    text: str


class Box(NamedTuple):
    """A filled rectangle."""

    x: int
    y: int
    width: int
    height: int
    fill: str


class Tile(NamedTuple):
    """One instrument: its box, and its symbol and percent change, as far as they fit."""

    box: Box
    lines: tuple[TextLine, ...]


class ImageLayout(NamedTuple):
    """All parts on GROUND, in drawing order. Screen readers read `title` and `description`."""

    title: str
    description: str
    boxes: tuple[Box, ...]
    lines: tuple[TextLine, ...]
    tiles: tuple[Tile, ...]


def lay_out(
    table: Table, as_of: datetime, context: PageContext, title: str, *, is_recording: bool = False
) -> ImageLayout:
    """Return the layout of the image with this title."""
    from zoneinfo import ZoneInfo

    breadth = table.breadth
    title = printable(title)
    moment = wording.format_moment(as_of.astimezone(ZoneInfo(context.time_zone)))
    caption = f"{wording.PHASES[context.status.phase]}, as of {moment}"
    counts = wording.format_breadth(breadth)
    lines = [
        _title(title, WIDTH - 2 * MARGIN - text_width(counts) * COUNTS_SIZE),
        TextLine(WIDTH - MARGIN, FIRST_LINE, COUNTS_SIZE, "end", bold=True, colour=TEXT, text=counts),
    ]
    boxes = _bar(breadth, fall=table.legend[0].fill, rise=table.legend[-1].fill)
    left = MARGIN
    cells = table.cells
    places = grid(len(cells))
    usual = _usual_size(places)
    if is_recording:
        boxes.append(Box(left, SECOND_LINE - 20, NOTICE_WIDTH, NOTICE_HEIGHT, NOTICE_GROUND))
        middle = left + NOTICE_WIDTH // 2
        lines.append(
            TextLine(middle, SECOND_LINE, NOTICE_SIZE, "middle", bold=True, colour=NOTICE_TEXT, text=NOTICE)
        )
        left += NOTICE_WIDTH + 12
    lines.append(TextLine(left, SECOND_LINE, CAPTION_SIZE, "start", bold=False, colour=QUIET, text=caption))
    return ImageLayout(
        title=title,
        description=f"{caption}{' (recording)' if is_recording else ''}: {counts}.",
        boxes=tuple(boxes),
        lines=tuple(lines),
        tiles=tuple(_tile(cell, place, usual) for cell, place in zip(cells, places, strict=True)),
    )


def _title(title: str, free: float) -> TextLine:
    """Return the title within the width `free`: a long title is smaller, a longer one is cut."""
    room = free * ROOM
    size = next((size for size in TITLE_SIZES if text_width(title) * size <= room), TITLE_SIZES[-1])
    if text_width(title) * size > room:
        while text_width(title + "…") * size > room:
            title = title[:-1]
        title = title.rstrip() + "…"
    return TextLine(MARGIN, FIRST_LINE, size, "start", bold=True, colour=TEXT, text=title)


def _bar(breadth: Breadth, fall: str, rise: str) -> list[Box]:
    """Return breadth as a bar: advances from the left, declines from the right, unchanged between."""
    total = max(breadth.advances + breadth.declines + breadth.unchanged, 1)
    rise_width = round(breadth.advances / total * BAR_WIDTH)
    fall_width = round(breadth.declines / total * BAR_WIDTH)
    right = WIDTH - MARGIN
    top = SECOND_LINE - BAR_HEIGHT - 2
    parts = (
        (right - BAR_WIDTH, BAR_WIDTH, LINE),
        (right - BAR_WIDTH, rise_width, rise),
        (right - fall_width, fall_width, fall),
    )
    return [Box(x, top, width, BAR_HEIGHT, fill) for x, width, fill in parts if width]


def grid(count: int) -> list[tuple[int, int, int, int]]:
    """Return x, y, width and height of `count` tiles, left to right, then down.

    The number of columns is the one whose tiles are nearest to TILE_SHAPE with the fewest empty places.
    """
    if not count:
        return []
    across, down = WIDTH - 2 * MARGIN, HEIGHT - MAP_TOP - MARGIN

    def badness(columns: int) -> float:
        rows = ceil(count / columns)
        shape = across * rows / (columns * down)
        return abs(log(shape / TILE_SHAPE)) + 3 * (1 - count / (columns * rows))

    columns = min(range(1, min(count, across // 2) + 1), key=badness)
    rows = ceil(count / columns)
    gap = 2 if across / columns >= 16 else 1
    xs = [MARGIN + round(column * (across + gap) / columns) for column in range(columns + 1)]
    ys = [MAP_TOP + round(row * (down + gap) / rows) for row in range(rows + 1)]
    return [
        (xs[column], ys[row], xs[column + 1] - xs[column] - gap, ys[row + 1] - ys[row] - gap)
        for row in range(rows)
        for column in range(min(columns, count - row * columns))
    ]


def _usual_size(places: list[tuple[int, int, int, int]]) -> float:
    """Return the size at which two lines fit every tile, and a symbol of the usual length."""
    width, height = (min(sizes, default=0) for sizes in list(zip(*places, strict=True))[2:] or [(), ()])
    by_width = max(width * ROOM / USUAL_LETTERS_WIDTH, SMALLEST)
    return _in_halves(min(LARGEST, height * ROOM / 2 / LINE_HEIGHT, by_width))


def _tile(cell: Cell, place: tuple[int, int, int, int], usual: float) -> Tile:
    x, y, width, height = place
    box = Box(x, y, width, height, cell.fill)
    if usual < SMALLEST:
        return Tile(box, ())
    middle, centre = x + width // 2, y + height / 2
    lines = []
    # Capitals and digits are 0.72 of their size high. These offsets center the two lines together.
    for text, bold, below in (
        (printable(cell.quote.symbol), True, -0.18),
        (_percent(cell.quote.percent_change), False, 0.9),
    ):
        size = _in_halves(min(usual, width * ROOM / (text_width(text) or 1)))
        if text and size >= SMALLEST:
            baseline = round(centre + below * usual)
            lines.append(TextLine(middle, baseline, size, "middle", bold, cell.ink, text))
    return Tile(box, tuple(lines))


def _percent(change: float | None) -> str:
    return wording.NOT_KNOWN if change is None else f"{wording.format_signed(change)}%"


def _in_halves(size: float) -> float:
    """Return a size, rounded down to a half: with fewer sizes, fewer fonts are loaded."""
    halves = int(size * 2)
    return halves / 2 if halves % 2 else halves // 2


def printable(text: str) -> str:
    """Return a text on one line, without characters that XML forbids or that change the text's direction."""
    return make_printable(" ".join(text.split()), "")
