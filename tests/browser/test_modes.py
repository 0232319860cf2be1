"""Every mode in every layout, theme and palette, as the browser paints it."""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import cycle

import pytest
from playwright.sync_api import Page, expect

from heatmap.analysis import colours
from heatmap.analysis.modes import MODES
from heatmap.analysis.rankings import Ranking
from heatmap.pictures import wording
from heatmap.pictures.options import PageOptions
from tests.browser.conftest import Site
from tests.browser.test_page import CLIPPED, CONTRASTS
from tests.drawings import page_of, ranking_of, recorded, snapshot_of

LAYOUTS = ("table", "sectors", "treemap", "bars")
TILES = """() => [...document.querySelectorAll("main [data-symbol]")].map((tile) => [tile.dataset.symbol,
  tile.querySelector("span").textContent, getComputedStyle(tile.querySelector("i") ?? tile).backgroundColor])"""


def rgb(fill: str) -> str:
    """#rrggbb as a browser says it."""
    return f"rgb({', '.join(str(int(fill[start : start + 2], 16)) for start in (1, 3, 5))})"


def expected(reading: Ranking, palette: str, layout: str = "table") -> list[tuple[str, str, str]]:
    """The symbol, value and fill that each tile must show.

    By the first scale, or in a treemap by value at the usual clamp where the mode has that.
    """
    mode = MODES[reading.mode]
    market = recorded().quotes
    green = colours.GRADIENTS[palette]["green"]
    ramp = colours.palette(green) if mode.two_sided else colours.one_sided_palette(mode.palette_kind)
    scales = {scale.name: scale for scale in reading.scales}
    scale = scales.get("1" if layout == "treemap" else "rank", reading.scales[0])
    fills = [ramp[shade] for shade in scale.shades]
    if (reading.mode, reading.period, palette, scale.name) == ("change", "1d", "contrast", "rank"):
        fills = colours.rank_fills(reading.values, green)
    texts = [wording.format_value(value, mode, "INR") for value in reading.values]
    unknown = len(reading.order) - len(texts)
    return [
        (market[index].symbol, text, rgb(fill))
        for index, text, fill in zip(
            reading.order,
            texts + ["–"] * unknown,  # noqa: RUF001 -- as the page shows it
            fills + [colours.UNKNOWN] * unknown,
            strict=True,
        )
    ]


@pytest.mark.parametrize(("palette", "theme"), [*zip(colours.GRADIENTS, cycle(["light", "dark"]))])
def test_every_mode_in_every_layout(
    market: Site, visit: Callable[..., Page], palette: str, theme: str
) -> None:
    """All 210 stocks with Python's numbers and shades, nothing clipped, AA everywhere, few enough elements.

    Each palette in one theme; in the other, axe-core looks at it: tests/browser/test_accessibility.py.
    """
    page = visit(f"/map/?palette={palette}&theme={theme}", viewport={"width": 1280, "height": 900})
    for mode in MODES:
        page.select_option("#mode", mode)
        for layout in LAYOUTS:
            tiles = expected(ranking_of(recorded(), mode), palette, layout)
            page.select_option("#layout", layout)
            where = f"{mode} {layout}"
            found = [tuple(tile) for tile in page.evaluate(TILES)]
            if layout in ("table", "bars"):
                assert tiles == found, where
            assert sorted(tiles) == sorted(found), where
            assert page.evaluate("() => document.querySelectorAll('*').length") <= 1500, where
            assert [] == page.evaluate(CLIPPED), where
            assert page.evaluate("() => document.documentElement.scrollWidth <= innerWidth"), where
            faint = [(round(ratio, 2), text) for ratio, text in page.evaluate(CONTRASTS) if ratio < 4.5]
            assert [] == faint, where


@pytest.mark.parametrize("period", ["1mo", "1y"])
def test_longer_periods(market: Site, visit: Callable[..., Page], period: str) -> None:
    """Their own numbers, the day they start from, and their gaps as unknown, never 0."""
    page = visit(f"/map/?period={period}")
    for mode in ("change", "rs", "sector"):
        page.select_option("#mode", mode)
        tiles = expected(ranking_of(recorded(), mode, period), "contrast")
        assert tiles == [tuple(tile) for tile in page.evaluate(TILES)]
    caption = page.locator("#caption").inner_text()
    assert {"1mo": "1 month since 17 Aug 2026", "1y": "1 year since 16 Sep 2025"}[period] in caption
    assert ("2 not known" in caption) == (period == "1y")


def test_what_is_always_todays_says_so(market: Site, visit: Callable[..., Page]) -> None:
    """Liquidity and amount over a month show the day and tell it; the period stays chosen for the others."""
    page = visit("/map/?mode=amount&period=1mo")

    assert "always today's" in page.locator("#caption").inner_text()
    assert "1mo" == page.locator("#period").input_value()
    page.select_option("#mode", "rs")
    assert "1 month" in page.locator("#caption").inner_text()


def test_the_range_of_the_year_is_its_second_key(market: Site, visit: Callable[..., Page]) -> None:
    """Over a year, the place in the 52 weeks; over a month, which no source knows, the day's."""
    page = visit("/map/?mode=range&period=1y")
    tiles = expected(ranking_of(recorded(), "range", "1y"), "contrast")

    assert tiles == [tuple(tile) for tile in page.evaluate(TILES)]
    assert "52 weeks" in page.locator("#caption").inner_text()
    page.select_option("#period", "1mo")
    assert "of the day, whatever the period" in page.locator("#caption").inner_text()


def test_a_mode_the_source_cannot_supply_gives_the_reason(site: Site, visit: Callable[..., Page]) -> None:
    """Every tile unknown, none 0, and the caption says what is missing."""
    page = visit("/map/?mode=liquidity")

    assert {"–"} == {text for _, text, _ in page.evaluate(TILES)}  # noqa: RUF001 -- as the page shows it
    assert (
        "not available: the source does not give volume, last price and free-float market capitalisation"
        in page.locator("#caption").inner_text()
    )
    for layout in LAYOUTS:
        page.select_option("#layout", layout)
        assert 210 == page.locator("main [data-symbol]").count()


@pytest.mark.parametrize(
    ("heat", "label", "clipped"), [("0.5", "±1.50 %", 68), ("1", "±3.00 %", 16), ("2", "±6.00 %", 0)]
)
def test_heat_changes_shades_and_never_numbers(
    market: Site, visit: Callable[..., Page], heat: str, label: str, clipped: int
) -> None:
    """A few clamps prepared by Python; the panel of a clipped stock says so."""
    page = visit("/map/")
    before = [tile[:2] for tile in page.evaluate(TILES)]
    page.evaluate(f"document.getElementById('heat').value = '{heat}'")
    page.locator("#heat").dispatch_event("change")
    reading = ranking_of(recorded(), "change")
    scale = next(scale for scale in reading.scales if scale.name == heat)
    ramp = colours.palette(colours.GRADIENTS["contrast"]["green"])

    after = page.evaluate(TILES)
    assert before == [tile[:2] for tile in after]
    assert [rgb(ramp[shade]) for shade in scale.shades] == [tile[2] for tile in after]
    assert label == page.locator("#heat option:checked").text_content()
    expect(page).to_have_url(re.compile(f"heat={heat}"))
    assert clipped == sum(scale.beyond_clamp)
    page.locator('a:has(b:text-is("HDFCLIFE"))').hover()
    assert (clipped > 0) == (", clipped" in page.locator("#panel").inner_text())


def test_a_treemap_shades_by_value_unless_the_reader_chose(market: Site, visit: Callable[..., Page]) -> None:
    """By rank -0.66 % of a large tile looks like a crash. The legend says "by rank" wherever it is."""
    page = visit("/map/")
    reading = ranking_of(recorded(), "change")
    shades = {"rank": expected(reading, "contrast"), "1": expected(reading, "contrast", "treemap")}
    legend = page.locator("#legend")

    assert shades["rank"] != shades["1"]
    for layout, scale in (("table", "rank"), ("treemap", "1"), ("bars", "rank"), ("sectors", "rank")):
        page.select_option("#layout", layout)
        assert sorted(shades[scale]) == sorted(tuple(tile) for tile in page.evaluate(TILES))
        assert ("by rank" in legend.inner_text()) == (scale == "rank")
        assert scale == page.locator("#heat").input_value()
        assert "heat=" not in page.url
    for heat in ("rank", "1"):
        page = visit(f"/map/?heat={heat}")
        for layout in ("table", "treemap"):
            page.select_option("#layout", layout)
            assert sorted(shades[heat]) == sorted(tuple(tile) for tile in page.evaluate(TILES))
            assert f"heat={heat}" in page.url
    # Without script, too.
    page = visit("/map/", java_script_enabled=False)
    assert page.locator("#legend").inner_text().endswith("%, by rank")
    market.page = page_of(recorded(), options=PageOptions(scale="value")).encode()
    page = visit("/map/", java_script_enabled=False)
    assert "by rank" not in page.locator("#legend").inner_text()


@pytest.mark.parametrize(
    ("mode", "line"),
    [
        ("change", "Shade by rank: 2 of 162 up"),
        ("rs", "Relative strength +2.61 σ"),
        ("sector", "Against its sector +3.46 σ"),
        ("liquidity", "Liquidity 0.60 %"),
        ("amount", "Traded amount ₹369 crore"),
        ("range", "Place in range 92 %"),
    ],
)
def test_the_panel_explains_its_value(market: Site, visit: Callable[..., Page], mode: str, line: str) -> None:
    """Value, percentile, z, shade and sample, with the day, the year and the size of the stock."""
    page = visit(f"/map/?mode={mode}")
    page.locator('a:has(b:text-is("BHEL"))').hover()
    found = page.locator("#panel").inner_text()
    reading = ranking_of(recorded(), mode)
    place = reading.order.index(next(n for n, q in enumerate(recorded().quotes) if q.symbol == "BHEL"))

    assert line in found
    assert re.search(
        rf"percentile {reading.percentiles[place]:.1f} · z \S+ · of {len(reading.values)} stocks", found
    )
    assert "BHARAT HEAVY ELECTRICALS LIMITED" in found
    assert "Capital Goods" in found


@pytest.mark.parametrize("up", ["red", "red-blue"])
def test_up_is_red_where_readers_expect_it(market: Site, visit: Callable[..., Page], up: str) -> None:
    """Tiles, legend and breadth of every two-sided mode swap together."""
    from heatmap.pictures.options import PageOptions

    market.page = page_of(recorded(), options=PageOptions(up=up)).encode()
    page = visit("/map/")
    for mode in ("change", "rs", "sector", "range"):
        page.select_option("#mode", mode)
        strongest = page.locator("main [data-symbol]").first.evaluate(
            "(t) => getComputedStyle(t).backgroundColor"
        )
        legend = page.locator("#legend i").last.evaluate("(t) => getComputedStyle(t).backgroundColor")
        assert "rgb(255, 0, 0)" == strongest == legend
    assert "rgb(255, 0, 0)" == page.locator(".bar i").first.evaluate(
        "(t) => getComputedStyle(t).backgroundColor"
    )


def test_the_help_states_every_formula(market: Site, visit: Callable[..., Page]) -> None:
    """Opened by its key; each mode with its unit, formula and caveat."""
    page = visit("/map/")
    page.keyboard.press("?")
    found = page.locator("#help").inner_text()

    for mode in MODES.values():
        assert f"{mode.label}, {wording.unit_of(mode, 'INR')}" in found
        assert mode.formula in found
        assert mode.caveat in found


@pytest.mark.parametrize("count", [1, 3, 2000])
def test_markets_of_any_size(market: Site, visit: Callable[..., Page], count: int) -> None:
    """One stock, three, or two thousand: every mode and layout draws them all."""
    from heatmap.market.quotes import Quote

    market.page = page_of(
        snapshot_of(
            *(
                Quote(
                    f"S{n:04}",
                    n / 100 - 5,
                    sector=f"Sector {n % 7}",
                    last_price=10.0 + n,
                    low=9.0,
                    high=20.0 + n,
                )
                for n in range(count)
            )
        )
    ).encode()
    page = visit("/map/")
    for layout in LAYOUTS:
        page.select_option("#layout", layout)
        for mode in MODES:
            page.select_option("#mode", mode)
            assert count == page.locator("main [data-symbol]").count()


def test_the_breadth_has_the_colours_of_the_palette(market: Site, visit: Callable[..., Page]) -> None:
    """Readers who cannot tell red from green meet neither on the page."""
    page = visit("/map/?palette=colour-blind")

    assert [rgb("#08519c"), rgb("#b35806")] == page.eval_on_selector_all(
        ".bar i", "parts => parts.map((part) => getComputedStyle(part).backgroundColor)"
    )
