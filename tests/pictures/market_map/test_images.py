"""The map as an image: layout, SVG and PNG."""

from __future__ import annotations

import io
import os
import re
import subprocess
import sys
from collections.abc import Iterable
from itertools import dropwhile, takewhile
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

import pytest

from heatmap.analysis import colours
from heatmap.market.quotes import Quote, Snapshot
from heatmap.pictures.market_map import image as picture
from heatmap.pictures.market_map import png, svg
from heatmap.pictures.market_map.table import TableView
from heatmap.pictures.shapes import Table
from tests.drawings import page_context, ranking_of, recorded, snapshot_of

if TYPE_CHECKING:
    from PIL.Image import Image
    from playwright.sync_api import Browser

COUNTS = [1, 2, 3, 7, 11, 50, 210, 211, 500, 2000, 10_000]
SVG = "{http://www.w3.org/2000/svg}"
HOSTILE = (
    "M&M",
    "<script>alert(1)</script>",
    "\"'>]]>",
    "&amp;&#0;",
    "A\0B\x0bC\ud800D\ufffeE",
    "\u202eRTL",
    "{{ 7*7 }}",
    "日本",
    "🚀🚀",
    "W" * 40,
    "",
)


def draw_table(snapshot: Snapshot) -> Table:
    """The snapshot's table as in a run."""
    return TableView().draw(snapshot, ranking_of(snapshot, "change"))


def market(count: int) -> Snapshot:
    """A market of so many instruments, from +8 % to -8 %."""
    return snapshot_of(
        *(Quote(f"SYM{place}", round(8 - 16 * place / max(count - 1, 1), 2)) for place in range(count))
    )


def parsed(snapshot: Snapshot, title: str = "A market") -> ET.Element:
    return ET.fromstring(svg.draw(draw_table(snapshot), snapshot, page_context(title)))


def tiles_of(drawing: ET.Element) -> list[ET.Element]:
    group = drawing.find(f"{SVG}g[@id='map']")
    assert group is not None
    return list(group)


def texts_of(drawing: ET.Element, part: str = "head") -> list[str]:
    group = drawing.find(f"{SVG}g[@id='{part}']")
    assert group is not None
    return [text.text or "" for text in group.iter(f"{SVG}text")]


def decode_png(snapshot: Snapshot, table: Table | None = None, title: str = "A market") -> Image:
    """The PNG, decoded."""
    image = pytest.importorskip("PIL.Image", reason="Pillow is not here: pip install market-heatmap[png]")
    decoded: Image = image.open(
        io.BytesIO(png.draw(table or draw_table(snapshot), snapshot, page_context(title)))
    )
    return decoded


# --- Geometry --------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", COUNTS)
def test_tiles_cover_the_map_without_overlap(count: int) -> None:
    """Every tile has pixels of its own, inside the margins, below the head, in reading order."""
    places = picture.grid(count)
    taken = [bytearray(picture.WIDTH) for _ in range(picture.HEIGHT)]
    for x, y, width, height in places:
        assert width > 0
        assert height > 0
        for row in taken[y : y + height]:
            assert not any(row[x : x + width])
            row[x : x + width] = b"\1" * width

    assert count == len(places)
    assert places == sorted(places, key=lambda place: (place[1], place[0]))
    assert 24 == min(x for x, _, _, _ in places) == places[0][0]
    assert 104 == min(y for _, y, _, _ in places) == places[0][1]
    assert 1176 == max(x + width for x, _, width, _ in places)
    assert 606 == max(y + height for _, y, _, height in places)


@pytest.mark.parametrize("count", COUNTS[2:])
def test_tiles_have_a_readable_shape(count: int) -> None:
    """From three tiles on none is a tower or a ribbon, and the last row has few empty places."""
    places = picture.grid(count)
    _, _, width, height = places[0]
    columns = sum(y == places[0][1] for _, y, _, _ in places)

    assert 0.7 < width / height < 3.5
    assert -count % columns <= max(count * 0.12, 2)


def test_a_market_of_nothing_has_no_tiles() -> None:
    """Without instruments there is no error."""
    assert [] == picture.grid(0)


# --- SVG -------------------------------------------------------------------------------------------


def test_the_recorded_day() -> None:
    """The recorded day's 210 tiles are in order, with the table's fills and inks, symbols and percents."""
    table = draw_table(recorded())
    drawing = parsed(recorded(), "NSE F&O heatmap")
    tiles = tiles_of(drawing)

    assert [cell.fill for cell in table.cells] == [tile[0].get("fill") for tile in tiles]
    assert [cell.ink for cell in table.cells] == [tile[1].get("fill") for tile in tiles]
    assert [cell.quote.symbol for cell in table.cells] == [tile[1].text for tile in tiles]
    assert ["+5.05%", "−3.40%"] == [tiles[0][2].text, tiles[-1][2].text]
    assert 210 == len(tiles) == sum(len(tile) == 3 for tile in tiles)
    assert [
        "NSE F&O heatmap",
        "162 up, 48 down, 0 flat",
        "recording",
        "Closing prices, as of 17 Sep 2026, 16:00:28 IST",
    ] == texts_of(drawing)


def test_screen_readers_get_a_title_and_a_description() -> None:
    """The SVG is one image with a title and a description, which labels a recording."""
    drawing = parsed(recorded(), "NSE F&O heatmap")

    assert "img" == drawing.get("role")
    assert "NSE F&O heatmap" == drawing.findtext(f"{SVG}title")
    assert (
        "Closing prices, as of 17 Sep 2026, 16:00:28 IST (recording): 162 up, 48 down, 0 flat."
        == drawing.findtext(f"{SVG}desc")
    )
    labels = (drawing.get("aria-labelledby") or "").split()
    assert [child.get("id") for child in drawing[:2]] == labels


def test_live_figures_are_not_called_a_recording() -> None:
    """Only recordings have the label."""
    assert b"recording" not in svg.draw(draw_table(market(5)), market(5), page_context())


def test_a_percent_change_that_is_unknown() -> None:
    """Its tile is the last one, has a dash, and counts for no side."""
    drawing = parsed(snapshot_of(Quote("A", 2.0), Quote("SPLIT", None), Quote("B", -1.0)))

    assert ["SPLIT", "\N{EN DASH}"] == texts_of(drawing, "map")[-2:]
    assert "1 up, 1 down, 0 flat" in texts_of(drawing)


def test_a_rise_and_a_fall_share_the_bar() -> None:
    """The bar under the counts is divided like the market: of 300 pixels, a half, a quarter and a quarter."""
    snapshot = snapshot_of(Quote("A", 2.0), Quote("B", 1.0), Quote("C", 0.0), Quote("D", -1.0))
    table = draw_table(snapshot)
    head = parsed(snapshot).find(f"{SVG}g[@id='head']")
    assert head is not None

    bars = [(box.get("x"), box.get("width"), box.get("fill")) for box in head.iter(f"{SVG}rect")]

    assert [
        ("876", "300", "#d8dee4"),
        ("876", "150", table.legend[-1].fill),
        ("1101", "75", table.legend[0].fill),
    ] == bars


@pytest.mark.parametrize(
    "title", ["</title><script>alert(1)</script>", '"><&', "T\0\x1b\ud800\uffff\n!", "W" * 500]
)
def test_hostile_texts_stay_texts(title: str) -> None:
    """No title and no symbol becomes markup, breaks the document or refers to anything outside."""
    snapshot = snapshot_of(*(Quote(symbol, -place / 7) for place, symbol in enumerate(HOSTILE)))
    document = svg.draw(draw_table(snapshot), snapshot, page_context(title)).decode()
    picture = ET.fromstring(document)
    symbols = [tile[1].text for tile in tiles_of(picture)]

    assert {"svg", "title", "desc", "g", "rect", "text"} == {
        element.tag.removeprefix(SVG) for element in picture.iter()
    }
    assert not re.search(r"<!|<\?|href|url\(|\son\w+=", re.sub(r">[^<]*<", "><", document))
    assert "".join(filter(str.isprintable, title.replace("\n", " "))) == picture.findtext(f"{SVG}title")
    assert [
        "M&M",
        "<script>alert(1)</script>",
        "\"'>]]>",
        "&amp;&#0;",
        "AB CDE",
        "RTL",
        "{{ 7*7 }}",
    ] == symbols[:7]


def test_a_title_too_long_is_cut_with_a_sign() -> None:
    """A title becomes smaller first, then it ends in an ellipsis; the image's title element has it whole."""
    drawing = parsed(market(3), "A very long title " * 10)

    drawn_title = texts_of(drawing)[0]
    assert drawn_title.endswith("…")
    assert ("A very long title " * 10).startswith(drawn_title[:-1])
    assert ("A very long title " * 10).strip() == drawing.findtext(f"{SVG}title")


def test_text_that_cannot_fit_is_left_out() -> None:
    """Long symbols are smaller, longer ones are left out, and small tiles have no text at all."""
    short, long, longest = (
        tiles_of(parsed(snapshot_of(Quote("A" * letters, 1.0), *market(209).quotes)))
        for letters in (5, 11, 60)
    )

    def symbols(tiles: list[ET.Element]) -> dict[str | None, float]:
        return {text.text: float(text.get("font-size", 0)) for tile in tiles for text in tile[1:]}

    assert symbols(long)["A" * 11] < symbols(short)["A" * 5]
    assert not any("AAA" in (text or "") for text in symbols(longest))
    assert [] == texts_of(parsed(market(10_000)), "map")


# --- PNG -------------------------------------------------------------------------------------------


def pixel(image: Image, x: int, y: int) -> tuple[int, int, int]:
    value: Any = image.getpixel((x, y))
    return value


def corners(tile: picture.Tile) -> Iterable[tuple[int, int]]:
    x, y, width, height, _ = tile.box
    return ((x, y), (x + width - 1, y), (x, y + height - 1), (x + width - 1, y + height - 1))


@pytest.mark.parametrize("count", [1, 2, 11, 210, 500, 2000])
def test_each_tile_has_its_fill(count: int) -> None:
    """The corners of each tile have the cell's fill: exactly in a usual market, else nearly."""
    snapshot = recorded() if count == 210 else market(count)
    table = draw_table(snapshot)
    image = decode_png(snapshot, table)
    rgb = image.convert("RGB")
    allowed = 0 if count <= 210 else 4

    assert ((1200, 630), "P", "PNG") == (image.size, image.mode, image.format)
    for tile, cell in zip(
        picture.lay_out(table, snapshot.as_of, page_context(), "").tiles, table.cells, strict=True
    ):
        wanted = bytes.fromhex(cell.fill[1:])
        for corner in corners(tile):
            colour = pixel(rgb, *corner)
            assert max(abs(a - b) for a, b in zip(wanted, colour, strict=True)) <= allowed


@pytest.mark.parametrize("letters", ["SYM", "WWWWWWWW", "mmmmmmmmmm"])
@pytest.mark.parametrize("count", [2, 50, 210])
def test_no_text_reaches_the_edge_of_its_tile(count: int, letters: str) -> None:
    """All around, the outermost pixels of each tile are its fill."""
    snapshot = snapshot_of(*(Quote(f"{letters}{place}", 100.0 - place) for place in range(count)))
    table = draw_table(snapshot)
    rgb = decode_png(snapshot, table).convert("RGB")

    for tile in picture.lay_out(table, snapshot.as_of, page_context(), "").tiles:
        x, y, width, height, fill = tile.box
        edges = ((x, y, x + 1, y + height), (x + width - 1, y, x + width, y + height))
        rims = ((x, y, x + width, y + 1), (x, y + height - 1, x + width, y + height))
        assert {tuple(bytes.fromhex(fill[1:]))} == {
            colour for place in (*edges, *rims) for _, colour in rgb.crop(place).getcolors() or ()
        }


def test_text_is_drawn_in_its_ink() -> None:
    """A tile with a symbol has pixels of the cell's ink; between the tiles all is white."""
    snapshot = market(11)
    table = draw_table(snapshot)
    rgb = decode_png(snapshot, table).convert("RGB")
    tiles = picture.lay_out(table, snapshot.as_of, page_context(), "").tiles

    for tile, cell in zip(tiles, table.cells, strict=True):
        x, y, width, height, _ = tile.box
        region = rgb.crop((x, y, x + width, y + height))
        region_colours = {colour for _, colour in region.getcolors(width * height) or ()}
        assert tuple(bytes.fromhex(cell.ink[1:])) in region_colours
        assert (255, 255, 255) == rgb.getpixel((x + width, y + height // 2))


@pytest.mark.parametrize("gradient", colours.GRADIENTS)
def test_text_stays_readable_where_fills_are_merged(gradient: str) -> None:
    """A market may have more fills than a PNG: each ink is at 4.5 : 1 or more on the drawn fill."""
    snapshot = market(600)
    table = TableView(gradient=gradient).draw(snapshot, ranking_of(snapshot, "change"))
    rgb = decode_png(snapshot, table).convert("RGB")
    tiles = picture.lay_out(table, snapshot.as_of, page_context(), "").tiles

    drawn_fills = ["#" + bytes(pixel(rgb, tile.box.x, tile.box.y)).hex() for tile in tiles]
    assert len(set(drawn_fills)) <= png.GROUND_COLOURS
    for tile, fill in zip(tiles, drawn_fills, strict=True):
        for line in tile.lines:
            high, low = sorted(map(colours.luminance, (fill, line.colour)), reverse=True)
            assert (high + 0.05) / (low + 0.05) >= 4.5


def test_the_file_is_small() -> None:
    """The recorded day takes no more than 64 KB."""
    pytest.importorskip("PIL", reason="Pillow is not here: pip install market-heatmap[png]")

    assert len(png.draw(draw_table(recorded()), recorded(), page_context())) <= 64_000


def test_a_minus_is_seen() -> None:
    """The font has no minus sign, so a hyphen replaces it: a stroke before the digits, not a box or nothing."""
    fall = snapshot_of(Quote("A", -1.5))
    table = draw_table(fall)
    symbol, percent = picture.lay_out(table, fall.as_of, page_context(), "").tiles[0].lines
    below = decode_png(fall, table).convert("RGB").crop((24, symbol.y + 4, 1176, percent.y + 20))
    ink = bytes.fromhex(percent.colour[1:])
    columns = [
        [row for row in range(below.height) if bytes(pixel(below, column, row)) == ink]
        for column in range(below.width)
    ]
    first = next(place for place, rows in enumerate(columns) if rows)
    stroke = list(takewhile(bool, columns[first:]))
    digit = list(takewhile(bool, dropwhile(lambda rows: not rows, columns[first + len(stroke) :])))

    def height(glyph: list[list[int]]) -> int:
        return max(map(max, glyph)) - min(map(min, glyph)) + 1

    assert height(stroke) < height(digit) / 5
    assert len(stroke) > 2 * height(stroke)


def test_a_title_the_font_cannot_draw() -> None:
    """Accents are dropped; a title in another script is replaced by the market's name."""
    pytest.importorskip("PIL", reason="Pillow is not here: pip install market-heatmap[png]")
    snapshot, table = market(3), draw_table(market(3))

    def with_title(title: str) -> bytes:
        return png.draw(table, snapshot, page_context(title))

    assert with_title("nse-fno") == with_title("日本株")
    assert with_title("Marche") != with_title("nse-fno")


@pytest.mark.parametrize("title", ["\0\ud800", "W" * 500, "<&>"])
def test_hostile_texts_can_be_drawn(title: str) -> None:
    """No text stops the PNG."""
    snapshot = snapshot_of(*(Quote(symbol, -place / 7) for place, symbol in enumerate(HOSTILE)))

    assert (1200, 630) == decode_png(snapshot, title=title).size


@pytest.mark.process
def test_the_same_market_gives_the_same_bytes() -> None:
    """SVG and PNG are the same in another process, with other hashes."""
    pytest.importorskip("PIL", reason="Pillow is not here: pip install market-heatmap[png]")
    script = (
        "import sys; sys.path.insert(0, '.')\nfrom hashlib import sha256\nfrom tests.pictures.market_map.test_images import *\n"
        "table, snapshot = draw_table(recorded()), recorded()\n"
        "for draw in svg.draw, png.draw: print(sha256(draw(table, snapshot, page_context())).hexdigest())"
    )
    outputs = {
        subprocess.run(
            [sys.executable, "-c", script],
            env=os.environ | {"PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
            timeout=60,
        ).stdout
        for seed in ("1", "2")
    }

    assert 1 == len(outputs)
    assert 2 == len(outputs.pop().split())


# --- Without Pillow --------------------------------------------------------------------------------


def test_without_pillow_there_is_no_png(monkeypatch: pytest.MonkeyPatch) -> None:
    """The program knows beforehand whether it can draw a PNG; the SVG needs nothing."""
    for name in [name for name in sys.modules if name.partition(".")[0] == "PIL"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "PIL", None)

    assert not png.is_possible()
    with pytest.raises(ModuleNotFoundError):
        png.draw(draw_table(market(3)), market(3), page_context())
    assert svg.draw(draw_table(market(3)), market(3), page_context())


@pytest.mark.process
def test_with_pillow_there_is() -> None:
    """If Pillow can be imported, a PNG is possible; the check does not import Pillow."""
    pytest.importorskip("PIL", reason="Pillow is not here: pip install market-heatmap[png]")
    script = "import sys\nfrom heatmap.pictures.market_map import png\nassert png.is_possible()\nassert 'PIL' not in sys.modules"

    subprocess.run([sys.executable, "-c", script], check=True, timeout=60)


# --- In a browser ----------------------------------------------------------------------------------

LEAVING = """() => [...document.querySelectorAll('#map g')].flatMap(tile => {
  const box = tile.querySelector('rect').getBBox();
  return [...tile.querySelectorAll('text')].filter(line => {
    const { x, y, width, height } = line.getBBox();
    return x < box.x || y < box.y || x + width > box.x + box.width || y + height > box.y + box.height;
  }).map(line => line.textContent);
})"""
LINES = """() => [...document.querySelectorAll('#head text')].map(line => {
  const { x, y, width, height } = line.getBBox();
  return [x, y, x + width, y + height];
})"""


@pytest.mark.parametrize("family", [None, "DejaVu Sans"])
@pytest.mark.parametrize("count", [1, 2, 11, 210, 500])
def test_no_text_leaves_its_tile(browser: Browser, count: int, family: str | None) -> None:
    """Measured in a browser, all text stays in its tile, in the usual fonts and in a wide one."""
    snapshot = recorded() if count == 210 else market(count)
    if count == 11:
        snapshot = snapshot_of(*(Quote(symbol, -place / 7) for place, symbol in enumerate(HOSTILE)))
    document = svg.draw(draw_table(snapshot), snapshot, page_context("Ein Titel, WWW & mehr " * 6)).decode()
    if family:
        document = re.sub('font-family="[^"]*"', f'font-family="{family}"', document)
    page = browser.new_page(viewport={"width": 1200, "height": 630})
    try:
        page.set_content(f"<!doctype html><body style='margin:0'>{document}")

        assert count == page.locator("#map rect").count()
        assert page.locator("#map text").count() > count
        assert [] == page.evaluate(LEAVING)
        head = page.evaluate(LINES)
        assert all(x >= 24 and right <= 1176.5 and bottom <= 104 for x, _, right, bottom in head)
        title, counts, *_ = head
        assert title[2] < counts[0]
    finally:
        page.close()


def test_it_opens_as_a_document_of_its_own(
    browser: Browser, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Alone in a browser it is an image of 1200 x 630, without errors and without a request."""
    path = tmp_path_factory.mktemp("picture") / "heatmap.svg"
    path.write_bytes(svg.draw(draw_table(recorded()), recorded(), page_context()))
    page = browser.new_page(viewport={"width": 1200, "height": 630})
    requests: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    try:
        page.goto(path.as_uri())
        size = page.evaluate("(({ width, height }) => [width, height])(document.documentElement.getBBox())")

        assert [1200, 630] == size
        assert [path.as_uri()] == requests
        assert 0 == page.locator("parsererror").count()
    finally:
        page.close()
