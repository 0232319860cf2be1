"""The reader's choices are in the address: a link shows what its sender saw."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Page

from tests.browser.conftest import Site
from tests.drawings import page_context, page_of, recorded, snapshot_of

ALL = "mode=sector&period=1mo&layout=treemap&theme=dark&palette=colour-blind&sort=symbol&area=equal&sector=Power&q=ntpc&watch=TCS%2CM%26M"


def query(page: Page) -> dict[str, str]:
    """The parameters of the page's address."""
    return {key: values[0] for key, values in parse_qs(urlsplit(page.url).query).items()}


def shown(page: Page) -> dict[str, str]:
    """The choices that the controls show."""
    keys = ("mode", "period", "layout", "theme", "palette", "sort", "area", "sector")
    return {key: page.locator(f"#{key}").input_value() for key in keys}


def test_an_address_shows_all_it_says(market: Site, visit: Callable[..., Page]) -> None:
    """Every key, in the controls and on the map."""
    page = visit(f"/map/?{ALL}")
    said = {key: values[0] for key, values in parse_qs(ALL).items()}

    assert {key: value for key, value in said.items() if key not in ("q", "watch")} == shown(page)
    assert "ntpc" == page.locator("#search").input_value()
    assert "1 found" == page.locator("#found").inner_text()
    assert 8 == page.locator(".treemap [data-symbol]").count()
    assert "dark" == page.evaluate("() => document.documentElement.dataset.theme")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("mode", "rs"),
        ("period", "1y"),
        ("layout", "bars"),
        ("theme", "light"),
        ("palette", "classic"),
        ("sector", "Realty"),
    ],
)
def test_changing_one_keeps_the_others(
    market: Site, visit: Callable[..., Page], key: str, value: str
) -> None:
    """In the address as on the map; what is none of ours stays there too."""
    page = visit(f"/map/?{ALL}&from=blog")
    before = query(page)
    page.evaluate("([key, value]) => { document.getElementById(key).value = value; }", [key, value])
    page.locator(f"#{key}").dispatch_event("change")

    assert before | {key: value} == query(page)
    page.reload()
    assert value == shown(page)[key]


def test_what_is_as_usual_is_not_in_the_address(market: Site, visit: Callable[..., Page]) -> None:
    """A page nobody changed has a plain address; so has one that was changed back."""
    page = visit("/map/?mode=rs")
    page.select_option("#mode", "change")

    assert page.url.endswith("/map/")


def test_unknown_values_fall_back_visibly(market: Site, visit: Callable[..., Page]) -> None:
    """One sentence each, the usual map, and no complaint of the browser."""
    page = visit("/map/?mode=<b>x</b>&period=7w&layout=pie&theme=pink&palette=grey&market=mars")

    notice = page.locator("#notice")
    assert notice.is_visible()
    for words in (
        "no mode “<b>x</b>”",
        "no period “7w”",
        "no layout “pie”",
        "no theme “pink”",
        "no market “mars”",
    ):
        assert words in notice.inner_text()
    assert 210 == page.locator("td[data-symbol]").count()
    assert "Percent change · 1 day" == page.locator("#caption").inner_text()
    page.select_option("#mode", "rs")
    assert notice.is_hidden()


def test_the_markets_are_plain_links_that_keep_what_both_have(
    market: Site, visit: Callable[..., Page]
) -> None:
    """Mode, period and layout go along; a watchlist stays with its market. `?market=` leads there at once."""
    both = replace(page_context(), markets=("nse-fno", "crypto"))
    market.page = page_of(recorded(), where=both).encode()
    market.other["/crypto/"] = page_of(
        snapshot_of(), where=replace(both, market="crypto", title="Coins")
    ).encode()
    page = visit(f"/map/?{ALL}")

    page.get_by_role("link", name="crypto").click()
    page.wait_for_url("**/crypto/**")
    assert {
        "mode": "sector",
        "layout": "treemap",
        "theme": "dark",
        "palette": "colour-blind",
        "period": "1mo",
    } == query(page)
    page = visit("/map/?market=crypto&mode=rs")
    page.wait_for_url("**/crypto/**")
    assert {"mode": "rs"} == query(page)


def test_without_script_the_markets_are_links(market: Site, visit: Callable[..., Page]) -> None:
    """Beside the page's own, as anywhere."""
    both = replace(page_context(), markets=("nse-fno", "crypto"))
    market.page = page_of(recorded(), where=both).encode()
    page = visit(java_script_enabled=False)

    assert "../crypto/" == page.get_by_role("link", name="crypto").get_attribute("href")


def test_a_copied_link_is_the_public_one(market: Site, visit: Callable[..., Page]) -> None:
    """With the state; where the page was told no public address, its own."""
    market.page = page_of(
        recorded(), where=page_context(public_url="https://www.example.org/heatmap/")
    ).encode()
    page = visit("/map/?mode=rs", permissions=["clipboard-read", "clipboard-write"])
    page.locator("#menu-button").click()
    page.locator("#copy").click()

    assert "link copied" == page.locator("#status").text_content()
    assert "https://www.example.org/heatmap/nse-fno/?mode=rs" == page.evaluate(
        "() => navigator.clipboard.readText()"
    )


def test_no_storage_and_no_third_party(market: Site, visit: Callable[..., Page]) -> None:
    """Nothing is kept in the browser, and the page asks nobody but its own server."""
    page = visit("/map/")
    hosts: set[str] = set()
    page.on("request", lambda request: hosts.add(urlsplit(request.url).netloc))
    for layout in ("treemap", "bars", "sectors"):
        page.select_option("#layout", layout)
    page.reload()

    assert {urlsplit(market.url()).netloc} == hosts
    assert [0, 0, ""] == page.evaluate("() => [localStorage.length, sessionStorage.length, document.cookie]")
