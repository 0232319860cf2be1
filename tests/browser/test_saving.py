"""The map that is shown can be saved as a file."""

from __future__ import annotations

import csv
import io
import json
import struct
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from playwright.sync_api import Page

from heatmap.market.quotes import Quote
from heatmap.system import parsing
from tests.browser.conftest import Site
from tests.drawings import page_of, ranking_of, recorded, snapshot_of

SVG = "{http://www.w3.org/2000/svg}"


def saved(page: Page, kind: str, tmp_path: Path) -> bytes:
    """Save by the button in the menu, and read the file."""
    if page.locator("#menu").is_hidden():
        page.locator("#menu-button").click()
    with page.expect_download() as download:
        page.locator(f'[data-save="{kind}"]').click()
    assert download.value.suggested_filename.endswith(f".{kind}")
    download.value.save_as(tmp_path / kind)
    return (tmp_path / kind).read_bytes()


def test_figures_as_csv_and_json(market: Site, visit: Callable[..., Page], tmp_path: Path) -> None:
    """A row a stock in the order shown, of the mode and sector shown; the unknown empty or null."""
    page = visit("/map/?mode=rs&period=1y")
    reading = ranking_of(recorded(), "rs", "1y")
    rows = list(csv.DictReader(io.StringIO(saved(page, "csv", tmp_path).decode())))
    values = [None if row["value"] == "" else float(row["value"]) for row in rows]

    assert [recorded().quotes[n].symbol for n in reading.order] == [row["symbol"] for row in rows]
    assert [round(value, 2) for value in reading.values] + [None, None] == values
    assert values == [row["value"] for row in json.loads(saved(page, "json", tmp_path))]
    page.keyboard.press("Escape")
    page.select_option("#sector", "Realty")
    assert 6 == len(json.loads(saved(page, "json", tmp_path)))


def test_a_name_is_no_formula(market: Site, visit: Callable[..., Page], tmp_path: Path) -> None:
    """A spreadsheet must not run what a source called a stock; negative numbers stay numbers.

    The page's file and snapshot.csv write such a name alike.
    """
    names = [
        '=cmd|"x",y',
        *(f"{sign}1+1" for sign in "+-@＝＋－＠﹦﹢﹣﹫−"),
        "A;=1",
        "A, ＝1",
        "Foo, Inc",
        "A-B",
    ]
    quotes = [Quote(f"S{number}", -1.0, name=name) for number, name in enumerate(names)]
    market.page = page_of(snapshot_of(*quotes)).encode()
    rows = list(csv.DictReader(io.StringIO(saved(visit("/map/"), "csv", tmp_path).decode())))

    assert {"-1"} == {row["value"] for row in rows}
    found = {row["symbol"]: row["name"] for row in rows}
    assert "'＝1+1" in found.values()
    assert {quote.symbol: parsing.spreadsheet_cell(quote.name) for quote in quotes} == found


@pytest.mark.parametrize("layout", ["table", "sectors", "treemap", "bars"])
def test_the_picture_as_svg(market: Site, visit: Callable[..., Page], tmp_path: Path, layout: str) -> None:
    """All tiles where they stand, in their colours, with their words; readable as XML."""
    page = visit(f"/map/?layout={layout}&mode=rs")
    root = ET.fromstring(saved(page, "svg", tmp_path))
    words = [text.text for text in root.iter(f"{SVG}text")]
    fills = {rect.get("fill") for rect in root.iter(f"{SVG}rect")}

    assert {"RELIANCE", "HDFCBANK"} <= set(words)
    assert "Relative strength · 1 day" in (words[0] or "")
    assert len([rect for rect in root.iter(f"{SVG}rect")]) > 210
    tile = page.locator('[data-symbol="RELIANCE"]')
    part = tile.locator("i") if layout == "bars" else tile
    assert part.evaluate("(part) => getComputedStyle(part).backgroundColor") in fills


def test_the_picture_as_png(market: Site, visit: Callable[..., Page], tmp_path: Path) -> None:
    """Two dots a pixel, as the map is wide."""
    page = visit("/map/?layout=treemap", viewport={"width": 800, "height": 600})
    picture = saved(page, "png", tmp_path)

    assert b"\x89PNG" == picture[:4]
    assert 2 * 784 == struct.unpack(">I", picture[16:20])[0]
    assert len(picture) > 20_000


def test_saving_works_in_a_sandboxed_frame(market: Site, visit: Callable[..., Page], tmp_path: Path) -> None:
    """Without an origin of its own the page still hands over files, as the embed snippet allows downloads."""
    market.headers["Access-Control-Allow-Origin"] = "*"
    market.other["/blog/"] = (
        b'<!DOCTYPE html><title>Blog</title><link rel="icon" href="data:,"><iframe src="/map/" title="map" width="1000" '
        b'height="500" sandbox="allow-scripts allow-popups allow-popups-to-escape-sandbox allow-downloads"></iframe>'
    )
    page = visit("/blog/")
    frame = page.frames[1]
    frame.wait_for_selector("td[data-symbol]")
    frame.locator("#menu-button").click()
    for kind in ("csv", "png"):
        with page.expect_download() as download:
            frame.locator(f'[data-save="{kind}"]').click()
        download.value.save_as(tmp_path / kind)
        assert (tmp_path / kind).stat().st_size > 5000
    frame.locator("#copy").click()
    assert "link" in (frame.locator("#status").text_content() or "")
    assert market.url() == frame.locator("#link").input_value()
