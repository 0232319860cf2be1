"""Numbers and dates are written one way: by Python in the page, and by its script."""

from __future__ import annotations

import json
import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from heatmap.market import snapshot_json
from heatmap.market.quotes import Quote
from heatmap.pictures import wording
from tests.browser.conftest import Site, at
from tests.drawings import page_of, snapshot_of
from tests.pictures.test_wording import AMOUNTS

MINUS = "\N{MINUS SIGN}"
# Percent changes with more decimals than are shown, and how Python writes them.
CHANGES = {
    "EIGHTHS": (0.375, "+0.38"),
    "EVEN": (0.125, "+0.12"),
    "BINARY": (1.115, "+1.11"),
    "FALLEN": (-2.675, f"{MINUS}2.67"),
    "JUSTUP": (0.004, "0.00"),
    "ZERO": (0.0, "0.00"),
    "JUSTDOWN": (-0.004, "0.00"),
}


def shown(page: Page) -> dict[str, str]:
    """The number on each tile, by symbol."""
    tiles = page.locator("main [data-symbol]")
    pairs = tiles.evaluate_all(
        "tiles => tiles.map(t => [t.dataset.symbol, t.querySelector('span').textContent])"
    )
    return dict(pairs)


def panel_of(page: Page, symbol: str) -> str:
    """The panel's text about a stock."""
    page.locator(f'a:has(b:text-is("{symbol}"))').hover()
    return page.locator("#panel").inner_text()


def test_percent_changes_are_the_same_on_tile_and_panel(site: Site, visit: Callable[..., Page]) -> None:
    """On the first tiles that Python wrote, on those that the script draws, and in the panel."""
    quotes = (Quote(symbol, change) for symbol, (change, _) in CHANGES.items())
    site.page = page_of(snapshot_of(*quotes)).encode()
    expected = {symbol: text for symbol, (_, text) in CHANGES.items()}

    with_script, without = visit(), visit(java_script_enabled=False)

    assert expected == shown(without) == shown(with_script)
    with_script.select_option("#layout", "bars")
    assert expected == shown(with_script)
    for symbol, text in expected.items():
        assert f"{text} %" in panel_of(with_script, symbol).splitlines()


def test_what_shows_as_nothing_is_on_no_side(site: Site, visit: Callable[..., Page]) -> None:
    """In the panel's rank, in the counts of the head and of a sector, and among the shades by value."""
    quotes = [Quote(symbol, change, sector="All") for symbol, (change, _) in CHANGES.items()]
    site.page = page_of(snapshot_of(*quotes)).encode()
    page = visit()

    assert "Shade by rank: 3 of 3 up" in panel_of(page, "EVEN")
    assert "Shade by rank: 1 of 1 down" in panel_of(page, "FALLEN")
    for symbol in ("JUSTUP", "ZERO", "JUSTDOWN"):
        assert "Shade by rank: neither up nor down" in panel_of(page, symbol)
    assert "3 up 1 down 3 flat" == " ".join(page.locator(".breadth").inner_text().split())
    page.goto(site.url("/map/?layout=sectors&heat=1"))
    expect(page.locator("h2 small")).to_have_text("median 0.00 % · 3 up, 1 down")
    fills = {
        symbol: page.locator(f'[data-symbol="{symbol}"]').evaluate("t => getComputedStyle(t).backgroundColor")
        for symbol in CHANGES
    }
    assert {"rgb(206, 186, 122)"} == {fills[symbol] for symbol in ("JUSTUP", "ZERO", "JUSTDOWN")}
    assert "rgb(206, 186, 122)" not in {fills["EVEN"], fills["FALLEN"]}
    assert "rgb(206, 186, 122)" == page.locator("#legend i").nth(5).evaluate(
        "t => getComputedStyle(t).backgroundColor"
    )


@pytest.mark.parametrize("currency", ["INR", "USD", "CHF", None])
def test_amounts_are_the_same_in_python_and_in_the_browser(
    site: Site, visit: Callable[..., Page], currency: str | None
) -> None:
    """On tiles, in the panel and in the legend, from nothing to lakhs of crores."""
    amounts = [amount for amount, *_ in AMOUNTS]
    quotes = [
        Quote(f"S{place}", 1.0, turnover=amount, volume=amount, free_float_market_cap=amount or None)
        for place, amount in enumerate(amounts)
    ]
    site.page = page_of(snapshot_of(*quotes, currency=currency)).encode()
    page = visit("/map/?mode=amount")

    expected = {f"S{place}": wording.format_money(amount, currency) for place, amount in enumerate(amounts)}
    assert expected == shown(page)
    ends = page.locator("#legend span").all_inner_texts()
    assert [
        wording.format_money(min(amounts), currency),
        wording.format_money(max(amounts), currency),
    ] == ends
    for place, amount in enumerate(amounts):
        lines = panel_of(page, f"S{place}").splitlines()
        assert f"Traded amount {wording.format_money(amount, currency)}" in lines
        if amount:
            assert f"Volume {wording.format_amount(amount, currency)} shares" in lines
            assert f"Free float {wording.format_money(amount, currency)}" in lines


@pytest.mark.parametrize("currency", ["Rs", "US dollars"])
def test_a_relay_of_no_known_currency(site: Site, visit: Callable[..., Page], currency: str) -> None:
    """The panel opens and gives prices without a sign: what `Intl` would refuse does not reach the script."""
    relayed = {
        "schema": snapshot_json.SCHEMA,
        "source": "nse",
        "as_of": "2026-09-17T16:00:00+05:30",
        "session": {"phase": "final"},
        "currency": currency,
        "quotes": [{"symbol": "A", "percent_change": 1.5, "last_price": 203.0, "turnover": 1e7}],
    }
    site.page = page_of(snapshot_json.from_json(relayed)).encode()
    page = visit()

    lines = panel_of(page, "A").splitlines()

    assert any("203.00" in line for line in lines)
    assert not any(currency in line for line in lines)


@pytest.mark.parametrize("layout", ["table", "sectors", "bars"])
@pytest.mark.parametrize("width", [360, 1280])
def test_no_amount_is_clipped(site: Site, visit: Callable[..., Page], layout: str, width: int) -> None:
    """The longest ones fit their tiles, whatever the layout and the width."""
    amounts = [amount for amount, currency, _ in AMOUNTS if currency == "INR"]
    site.page = page_of(
        snapshot_of(*(Quote(f"S{place}", 1.0, turnover=amount) for place, amount in enumerate(amounts)))
    ).encode()
    page = visit(f"/map/?mode=amount&layout={layout}", viewport={"width": width, "height": 900})

    assert [] == page.locator("main a").evaluate_all(
        """links => links.filter(link => link.scrollWidth > link.clientWidth).map(link => link.textContent)"""
    )


def test_figures_that_are_saved_are_exact(site: Site, visit: Callable[..., Page]) -> None:
    """A file of data has a percent change as the source gave it, and an amount in the currency itself."""
    site.page = page_of(
        snapshot_of(Quote("A", 1.115, turnover=12_345_678.0), Quote("B", -0.0, turnover=0.0))
    ).encode()
    page = visit("/map/?mode=amount")

    rows = json.loads(page.evaluate("JSON.stringify(figures())"))
    assert [("A", 1.115, 12_300_000, "INR"), ("B", 0, 0, "INR")] == [
        (row["symbol"], row["percent_change"], row["value"], row["unit"]) for row in rows
    ]


@pytest.mark.parametrize("locale", ["en-GB", "en-US", "de-DE"])
def test_september_is_written_one_way(site: Site, visit: Callable[..., Page], locale: str) -> None:
    """By the page and by its script, whatever the reader's browser speaks: "Sep", not "Sept"."""
    site.draw(at("2026-09-17T11:00:00"))

    page = visit(now=at("2026-09-17T14:00:00"), locale=locale)

    expect(page.locator("#old")).to_contain_text("17 Sep, 11:00")
    expect(page.locator(".times")).to_contain_text("17 Sep 2026, 11:00")
    assert not re.search(r"Sept\b", page.locator("body").inner_text())
