"""The map as a piece of another page."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import TYPE_CHECKING

import pytest

from heatmap.analysis import colours
from heatmap.market.quotes import Quote, Snapshot
from heatmap.pictures.market_map.fragment import fragment, table_view
from heatmap.pictures.options import LAYOUTS, Fragment, PageOptions, parse_fragment
from tests.drawings import page_context, ranking_of, recorded, snapshot_of

if TYPE_CHECKING:
    from playwright.sync_api import Browser

VOID = {"br"}


def draw(name: str, snapshot: Snapshot) -> str:
    """The fragment of that name."""
    settings = parse_fragment(name)
    assert settings is not None
    ranking = ranking_of(snapshot, settings.mode)
    table = table_view(settings, PageOptions()).draw(snapshot, ranking)
    return fragment(settings, snapshot, ranking, table, page_context("NSE <F&O>"), PageOptions()).decode()


class _Tags(HTMLParser):
    """Collects tags and attributes, and checks that each tag is closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.feed(text)
        assert [] == self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Collect the tag."""
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        """Check that it is the last open one."""
        assert tag == self.open.pop()


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("rs-sectors", Fragment("rs", "sectors", None)),
        ("change-table-dark", Fragment("change", "table", "dark")),
        ("rs", None),
        ("rs-pie", None),
        ("heat-table", None),
        ("rs-table-pink", None),
        ("", None),
        ("rs-table-dark-dark", None),
    ],
)
def test_names(name: str, expected: Fragment | None) -> None:
    """A mode, a layout and perhaps a theme; the parsed fragment has the same name again."""
    settings = parse_fragment(name)

    assert expected == settings
    assert settings is None or settings.name == name


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_stock_is_there_and_nothing_that_runs(layout: str) -> None:
    """210 links to charts; no script, style sheet, frame, id, class or handler that could conflict with the page around it."""
    text = draw(f"rs-{layout}-dark", recorded())
    tags = _Tags(text)

    assert 210 == text.count("https://www.tradingview.com/chart/?symbol=NSE:")
    assert {"script", "style", "iframe", "link", "img"}.isdisjoint(tags.tags)
    assert {"id", "class"}.isdisjoint(tags.attributes)
    assert not [name for name in tags.attributes if name.startswith("on")]
    assert "NSE &lt;F&amp;O&gt;</b> · Relative strength, σ" in text
    assert "a recording" in text
    assert "color-scheme:dark" in text


def test_the_order_and_the_words_are_the_modes() -> None:
    """The highest value is first; an unknown value is a dash."""
    snapshot = snapshot_of(
        Quote("LOW", 1.0, turnover=2e7), Quote("M&M", 2.0, turnover=5e9), Quote("NONE", 3.0)
    )
    text = draw("amount-table", snapshot)

    assert ["M&amp;M", "LOW", "NONE"] == re.findall(r"<b>([^<]*)</b><br>", text)
    assert ["₹500 crore", "₹2.00 crore", "–"] == re.findall(r"<br>([^<]*)</a>", text)  # noqa: RUF001 -- as the page shows it
    assert "NSE:M%26M" in text


def test_sectors_have_headings() -> None:
    """Also the stocks without a sector."""
    text = draw("change-sectors", snapshot_of(Quote("A", 1.0, sector="Autos"), Quote("B", 2.0)))

    assert ["Without a sector", "Autos"] == re.findall(r"<p style=\"margin:8px 0 4px\"><b>([^<]*)", text)


@pytest.mark.parametrize("width", [1000, 360])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_it_fits_a_page_of_any_width(browser: Browser, layout: str, width: int) -> None:
    """There is no sideways scrolling, and every link is visible."""
    page = browser.new_page(viewport={"width": width, "height": 800})
    page.set_content(f"<!DOCTYPE html><title>Blog</title><body>{draw(f'change-{layout}', recorded())}")

    assert page.evaluate("() => document.documentElement.scrollWidth <= innerWidth")
    boxes = page.eval_on_selector_all(
        "a",
        "links => links.map((link) => { const b = link.getBoundingClientRect(); return [b.width, b.height]; })",
    )
    assert 210 == len(boxes)
    assert min(min(box) for box in boxes) > 4
    page.close()


@pytest.mark.parametrize("layout", LAYOUTS)
def test_its_colours_stay_where_a_reader_has_their_own(browser: Browser, layout: str) -> None:
    """In forced colours fills and inks stay the same; headings and captions have the reader's colours."""
    html = f"<!DOCTYPE html><body style='color:#111;background:#fff'>{draw(f'change-{layout}', recorded())}"
    page_colours = []
    for forced in ("none", "active"):
        page = browser.new_page(forced_colors=forced)  # type: ignore[arg-type]
        page.set_content(html)
        page_colours.append(page.locator("body *").evaluate_all(COLOURS))
        text_colours = page.locator("p, div[aria-hidden]").evaluate_all(
            "all => [...new Set(all.map((one) => getComputedStyle(one).color))]"
        )
        assert ["rgb(17, 17, 17)" if forced == "none" else "rgb(0, 0, 0)"] == text_colours
        page.close()

    assert page_colours[0] == page_colours[1]
    assert len({fill for fill, _ in page_colours[0]}) > 60


COLOURS = """all => all.map((one) => [one.tagName, getComputedStyle(one)])
  .map(([tag, style]) => [style.backgroundColor, tag === "A" ? style.color : ""])
  .filter(([fill]) => !/, 0\\)$/.test(fill))"""


@pytest.mark.parametrize("width", [900, 600, 360])
def test_a_treemap_names_nearly_every_tile(browser: Browser, width: int) -> None:
    """Symbols are split on narrow tiles, letters are at least 8 pixels in a column of 600; no text leaves its tile."""
    page = browser.new_page(viewport={"width": width + 16, "height": 800})
    page.set_content(f"<!DOCTYPE html><title>Blog</title><body>{draw('change-treemap', recorded())}")
    tiles = page.eval_on_selector_all(
        "[role=listitem]",
        """tiles => tiles.map((tile) => { const box = tile.getBoundingClientRect(); return [...tile.querySelectorAll("b, span")].map((part) => {
        const range = document.createRange(); range.selectNodeContents(part); const text = range.getBoundingClientRect();
        return [part.tagName, part.textContent, parseFloat(getComputedStyle(part).fontSize),
          text.left >= box.left && text.right <= box.right && text.top >= box.top - 1 && text.bottom <= box.bottom + 1]; }); })""",
    )
    page.close()

    symbols = {parts[0][1] for parts in tiles if parts}
    assert len(symbols) >= 205
    assert symbols <= {quote.symbol for quote in recorded().quotes}
    assert sum(len(parts) == 2 for parts in tiles) >= 185
    parts = [part for tile in tiles for part in tile]
    assert [] == [part for part in parts if not part[3]]
    assert min(part[2] for part in parts) >= 7.5 * width / 600


def test_a_treemap_shades_by_value() -> None:
    """It does so with every configuration, as on the page; the table follows the configuration."""
    ranking = ranking_of(recorded(), "change")
    scales = {scale.name: scale for scale in ranking.scales}
    ramp = colours.palette(colours.GRADIENTS["contrast"]["green"])
    expected = [ramp[shade] for shade in scales["1"].shades]

    def fills(layout: str) -> set[str]:
        return set(re.findall(r"background:(#\w{6});color", draw(f"change-{layout}", recorded())))

    assert set(expected) == fills("treemap")
    assert set(expected) != fills("table")
