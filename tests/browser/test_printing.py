"""The map on paper: one sheet, whole words, and where the figures are from."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page

from tests.browser.conftest import Site
from tests.browser.test_treemap import LABELS, PLACES

SHEETS = [("A4", False), ("A4", True), ("Letter", False)]
MARGINS = {side: "1cm" for side in ("top", "right", "bottom", "left")}
# What the page looks like at the moment at which it is put on paper.
WATCH = f"""() => matchMedia("print").addEventListener("change", (event) => {{
  if (!event.matches) return;
  const cells = [...document.querySelectorAll("td[data-symbol]")].map((cell) => Math.round(cell.getBoundingClientRect().top));
  const box = (one) => document.querySelector(one).getBoundingClientRect();
  window.printed = {{ labels: ({LABELS})(), columns: cells.filter((top) => top === cells[0]).length,
    sheet: [document.documentElement.clientWidth, document.documentElement.clientHeight], map: [box("#map").width, box("#map").bottom],
    seen: document.body.innerText, places: document.querySelector(".treemap") && ({PLACES})(),
    clipped: [...document.querySelectorAll("td a > *")].filter((part) => {{ const range = document.createRange(); range.selectNodeContents(part);
      const text = range.getBoundingClientRect(), cell = part.closest("td").getBoundingClientRect();
      return text.left < cell.left || text.right > cell.right || text.top < cell.top || text.bottom > cell.bottom; }}).length }}; }})"""


def printed(page: Page, sheet: tuple[str, bool]) -> dict[str, Any]:
    """Print, and return what was on the paper and on how many sheets."""
    page.evaluate(WATCH)
    size, landscape = sheet
    content = page.pdf(format=size, landscape=landscape, margin=MARGINS)  # type: ignore[arg-type]
    found: dict[str, Any] = page.evaluate("() => window.printed")
    return {**found, "sheets": len(re.findall(rb"/Type\s*/Page\b", content))}


@pytest.mark.parametrize("sheet", SHEETS)
def test_the_table_is_one_sheet_of_13_columns(
    market: Site, visit: Callable[..., Page], sheet: tuple[str, bool]
) -> None:
    """With its time, its source and its age; nothing is clipped, and the controls are gone."""
    found = printed(visit("/map/", viewport={"width": 1280, "height": 800}), sheet)

    assert (13, 0, 1) == (found["columns"], found["clipped"], found["sheets"])
    assert "Source: National Stock Exchange of India · 1 minute old" in found["seen"]
    assert "as of 17 Sep 2026, 16:00:28 IST" in found["seen"]
    assert "CSV" not in found["seen"]
    assert "Show" not in found["seen"]


@pytest.mark.parametrize("sheet", SHEETS)
@pytest.mark.parametrize("width", [1280, 390])
def test_a_treemap_is_drawn_for_the_sheet(
    market: Site, visit: Callable[..., Page], sheet: tuple[str, bool], width: int
) -> None:
    """It fills the sheet, whatever the screen was, in letters of its own size: no label is cut, no sign is lost."""
    page = visit("/map/?layout=treemap", viewport={"width": width, "height": 800})
    before = page.evaluate(PLACES)
    found = printed(page, sheet)

    labels = found["labels"]
    assert 210 == len(labels)
    assert sum(one["name"] is not None and not one["name"]["cut"] for one in labels) >= 205
    assert sum(one["figure"] is not None for one in labels) >= 180
    for one in labels:
        assert all(part["inside"] for part in (one["name"], one["figure"]) if part), one
    wide, high = found["sheet"]
    assert found["places"]["width"] > 0.95 * wide
    assert 0.9 * high < found["map"][1] < high - 16
    assert 1 == found["sheets"]
    assert before == page.evaluate(PLACES)


def test_a_browser_that_does_not_say_how_large_its_paper_is(market: Site, visit: Callable[..., Page]) -> None:
    """Then the map has the proportions of a usual sheet from the moment it is told of the printing."""
    page = visit("/map/?layout=treemap", viewport={"width": 1280, "height": 800})
    before = page.evaluate(PLACES)
    page.evaluate("() => window.dispatchEvent(new Event('beforeprint'))")
    places = page.evaluate(PLACES)

    assert places["width"] / places["height"] == pytest.approx(700 / 850, abs=0.01)
    assert all(
        part["inside"] for one in page.evaluate(LABELS) for part in (one["name"], one["figure"]) if part
    )
    page.evaluate("() => window.dispatchEvent(new Event('afterprint'))")
    assert before == page.evaluate(PLACES)
