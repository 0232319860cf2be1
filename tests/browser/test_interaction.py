"""Mouse, thumb and keyboard: search, filter, order, watchlist, panel, and what survives a refresh."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from playwright.sync_api import Page, expect

from heatmap.market.quotes import Change, Quote
from tests.browser.conftest import OPEN, Site
from tests.drawings import page_of, recorded, snapshot_of

MINUTE = 60_000
FOCUSED = "() => document.activeElement.closest('[data-symbol]')?.dataset.symbol ?? ''"
SYMBOLS = "() => [...document.querySelectorAll('main [data-symbol]')].map((tile) => tile.dataset.symbol)"


def test_search_highlights_and_counts(market: Site, visit: Callable[..., Page]) -> None:
    """By symbol and by name, in any case; the others step back; Escape ends it."""
    page = visit("/map/")
    page.keyboard.press("/")
    page.keyboard.type("tata")

    named = {q.symbol for q in recorded().quotes if "tata" in f"{q.symbol} {q.name}".lower()}
    assert f"{len(named)} found" == page.locator("#found").inner_text()
    assert named == set(
        page.evaluate("() => [...document.querySelectorAll('.hit')].map((t) => t.dataset.symbol)")
    )
    assert "grayscale(0.9)" == page.locator('td[data-symbol="INFY"]').evaluate(
        "(tile) => getComputedStyle(tile).filter"
    )
    page.keyboard.press("Escape")
    assert 0 == page.locator(".hit").count()
    assert "" == page.locator("#search").input_value()
    expect(page).to_have_url(market.url())


@pytest.mark.parametrize("locale", ["tr-TR", "lt-LT", "en-IN"])
def test_search_finds_in_every_language(market: Site, visit: Callable[..., Page], locale: str) -> None:
    """In Turkish the small letter of I is another, but symbols are written as everywhere."""
    page = visit("/map/?q=idea", locale=locale)

    assert "1 found" == page.locator("#found").inner_text()
    assert "IDEA" == page.locator(".hit b").inner_text()


def test_a_percent_change_that_is_unknown(market: Site, visit: Callable[..., Page]) -> None:
    """A dash on its tile, the reason in its panel, and nowhere a change of 0; over each period its own."""
    doubts = {"1d": "A demerger may have taken effect.", "1y": "Not adjusted."}
    unknown = Quote("NARMADA", None, "Narmada", last_price=17.02, doubts=doubts)
    known = Quote("UP", 1.0, last_price=10.0, doubts={"1y": "Out of range."})
    quotes = [replace(quote, changes={"1y": Change(None, None)}) for quote in (unknown, known)]
    other = Quote("DOWN", -1.0, last_price=10.0, changes={"1y": Change(5.0, None)})
    market.page = page_of(snapshot_of(*quotes, other)).encode()
    page = visit("/map/")
    tile = page.locator('td[data-symbol="NARMADA"]')

    assert "NARMADA\N{EN DASH}" == "".join(tile.inner_text().split())
    assert "repeating-linear-gradient" in tile.evaluate("(tile) => getComputedStyle(tile).backgroundImage")
    tile.hover()
    panel = page.locator("#panel")
    expect(panel).to_contain_text("A demerger may have taken effect.")
    assert "0.00 %" not in panel.inner_text()
    page.goto(f"{page.url}?period=1y")
    page.locator('td[data-symbol="UP"]').hover()
    expect(panel).to_contain_text("Out of range.")


def test_a_percent_change_that_is_a_guess(market: Site, visit: Callable[..., Page]) -> None:
    """It is shown, and the panel says that it is one, in the day's change and in what is made of it."""
    guessed = Quote("JLHL", 2.64, last_price=323.2, doubts={"1d": "Probably a split took effect."})
    market.page = page_of(snapshot_of(guessed, Quote("UP", 1.0), Quote("DOWN", -1.0))).encode()
    page = visit("/map/")
    for mode in ("change", "rs"):
        page.goto(f"{page.url.split('?')[0]}?mode={mode}")
        page.locator('td[data-symbol="JLHL"]').hover()
        expect(page.locator("#panel")).to_contain_text("Probably a split took effect.")
    page.locator('td[data-symbol="UP"]').hover()
    expect(page.locator("#panel")).not_to_contain_text("Probably")


@pytest.mark.parametrize("layout", ["table", "sectors", "treemap", "bars"])
def test_one_sector(market: Site, visit: Callable[..., Page], layout: str) -> None:
    """Only its stocks, in every layout."""
    page = visit(f"/map/?layout={layout}&sector=Realty")

    expected = {q.symbol for q in recorded().quotes if q.sector == "Realty"}
    assert expected == set(page.evaluate(SYMBOLS))


def test_order_by_symbol_change_and_amount(market: Site, visit: Callable[..., Page]) -> None:
    """In every view the tiles keep their values."""
    page = visit("/map/?mode=liquidity&sort=symbol")
    quotes = recorded().quotes

    assert sorted(q.symbol for q in quotes) == page.evaluate(SYMBOLS)
    for key, value in (("change", lambda q: q.percent_change), ("amount", lambda q: q.turnover)):
        page.evaluate(f"() => {{ document.getElementById('sort').value = '{key}'; }}")
        page.locator("#sort").dispatch_event("change")
        assert [q.symbol for q in sorted(quotes, key=lambda q, v=value: (-v(q), q.symbol))] == page.evaluate(
            SYMBOLS
        )
    assert "Sorted by traded amount." == page.locator("#order").inner_text()


def test_a_watchlist_lives_in_the_address(market: Site, visit: Callable[..., Page]) -> None:
    """Put on by key, marked, chosen as a filter, taken off again."""
    page = visit("/map/")
    for symbol in ("M&M", "INFY"):
        page.locator(f'a:has(b:text-is("{symbol}"))').focus()
        page.keyboard.press("w")
    expect(page).to_have_url(re.compile("watch=M%26M%2CINFY"))
    assert 2 == page.locator(".watched").count()
    page.select_option("#sector", "watchlist")
    assert ["M&M", "INFY"] == page.evaluate(SYMBOLS)
    page.locator('a:has(b:text-is("INFY"))').focus()
    page.keyboard.press("w")
    assert ["M&M"] == page.evaluate(SYMBOLS)


def test_arrows_walk_the_table(market: Site, visit: Callable[..., Page]) -> None:
    """One tile is reached by Tab; from there the arrows go where they point, and the panel follows."""
    page = visit("/map/", viewport={"width": 1280, "height": 900})
    symbols = page.evaluate(SYMBOLS)
    page.locator("#help-button").focus()
    page.keyboard.press("Tab")

    assert symbols[0] == page.evaluate(FOCUSED)
    for key, place in (
        ("ArrowRight", 1),
        ("ArrowDown", 14),
        ("ArrowDown", 27),
        ("ArrowLeft", 26),
        ("ArrowUp", 13),
        ("ArrowLeft", 13),
    ):
        page.keyboard.press(key)
        assert symbols[place] == page.evaluate(FOCUSED), key
    assert symbols[13] in page.locator("#panel").inner_text()
    assert "panel" == page.evaluate("() => document.activeElement.getAttribute('aria-describedby')")
    page.keyboard.press("Tab")
    assert "A" == page.evaluate("() => document.activeElement.tagName")
    assert "" == page.evaluate(FOCUSED)


@pytest.mark.parametrize("layout", ["sectors", "treemap", "bars"])
def test_arrows_reach_every_tile(market: Site, visit: Callable[..., Page], layout: str) -> None:
    """From the first tile, by arrows alone, each of the 210 can be reached."""
    page = visit(f"/map/?layout={layout}", viewport={"width": 1280, "height": 900})
    reached = page.evaluate("""async () => {
      const tiles = [...document.querySelectorAll("main [data-symbol] a")], seen = new Set([tiles[0]]), queue = [tiles[0]];
      while (queue.length) {
        const from = queue.pop();
        for (const key of ["ArrowUp", "ArrowDown", "ArrowLeft", "ArrowRight"]) {
          from.focus();
          from.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true }));
          const to = document.activeElement;
          if (!seen.has(to)) { seen.add(to); queue.push(to); }
        }
      }
      return seen.size; }""")

    assert 210 == reached


def test_everything_by_keyboard_alone(market: Site, visit: Callable[..., Page]) -> None:
    """Mode, period and layout by key and told; help opens and closes; focus comes back."""
    page = visit("/map/")
    page.locator('a:has(b:text-is("INFY"))').focus()
    page.keyboard.press("m")
    assert "Relative strength" == page.locator("#status").inner_text().strip(" ·")
    page.keyboard.press("p")
    page.keyboard.press("l")
    assert "INFY" == page.evaluate(FOCUSED)
    expect(page).to_have_url(re.compile(r"\?mode=rs&period=1mo&layout=sectors$"))
    page.keyboard.press("?")
    assert page.locator("#help").is_visible()
    page.keyboard.press("m")  # within the help it is a letter like any other
    page.keyboard.press("Escape")
    assert page.locator("#help").is_hidden()
    assert "INFY" == page.evaluate(FOCUSED)
    expect(page).to_have_url(re.compile("mode=rs"))


def test_the_panel_follows_a_finger_and_leads_on(market: Site, visit: Callable[..., Page]) -> None:
    """A tap shows and stays; its buttons are large enough to hit; another tap beside it closes."""
    page = visit("/map/", viewport={"width": 360, "height": 740}, has_touch=True)
    page.locator('[data-symbol="BHEL"]').tap()

    panel = page.locator("#panel")
    assert "Open the chart" in panel.inner_text()
    panel.get_by_role("button", name="Watch").tap()
    expect(page).to_have_url(re.compile("watch=BHEL"))
    assert "Take off the watchlist" in panel.inner_text()
    box = panel.bounding_box()
    assert box is not None
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= 360
    page.locator("h1").tap()
    assert panel.is_hidden()


@pytest.mark.parametrize("layout", ["table", "sectors", "treemap", "bars"])
def test_everything_survives_a_refresh(site: Site, visit: Callable[..., Page], layout: str) -> None:
    """Mode, filter, search, watchlist, scroll, focus and panel are as they were, with new figures."""
    page = visit(
        f"/map/?layout={layout}&mode=rs&q=5&watch=W000&sector=Services",
        viewport={"width": 900, "height": 400},
    )
    page.evaluate("() => { window.sameDocument = true; }")
    page.locator('a:has(b:text-is("WMOTOCO077"))').evaluate("link => link.focus({ preventScroll: true })")
    page.evaluate("() => scrollTo(0, 150)")
    address = page.url
    hits = page.locator(".hit").count()
    link = page.locator('a:has(b:text-is("WMOTOCO077"))').element_handle()
    site.draw(OPEN + timedelta(minutes=1), shift=1.0)

    page.clock.run_for(2 * MINUTE)

    expect(page.locator("header")).to_contain_text("11:01:00 IST")
    assert page.evaluate("() => window.sameDocument === true")
    assert address == page.url
    assert hits == page.locator(".hit").count() > 0
    assert 1 == page.locator(".watched").count()
    assert 150 == page.evaluate("() => Math.round(scrollY)")
    assert "WMOTOCO077" == page.evaluate(FOCUSED)
    assert page.evaluate("(link) => link === document.activeElement", link)
    expect(page.locator("#panel")).to_contain_text("+2.15 %")
    assert "5" == page.locator("#search").input_value()


def test_stocks_that_join_and_leave(site: Site, visit: Callable[..., Page]) -> None:
    """The universe changes monthly: new tiles appear, old ones go, in whatever is shown."""
    page = visit("/map/?layout=bars")
    site.draw(OPEN + timedelta(minutes=5), count=150)
    page.clock.run_for(2 * MINUTE)
    expect(page.locator("main [data-symbol]")).to_have_count(150)
    site.draw(OPEN + timedelta(minutes=10), count=205)
    page.clock.run_for(6 * MINUTE)
    expect(page.locator("main [data-symbol]")).to_have_count(205)


def test_a_refresh_leaves_nothing_behind(site: Site, visit: Callable[..., Page]) -> None:
    """After 1,000 refreshes of a treemap there are as many elements as after one, and no more memory held."""
    page = visit("/map/?layout=treemap&mode=rs")
    first = site.draw(count=40)
    second = site.draw(OPEN + timedelta(minutes=5), count=40, shift=0.5)
    session = page.context.new_cdp_session(page)
    page.evaluate(
        """(pages) => { window.pages = pages; window.rounds = async (count) => {
      for (let n = 0; n < count; n++) {
        window.fetch = async () => new Response(window.pages[n % 2]);
        document.getElementById("refresh").click();
        for (let waited = 0; waited < 4; waited++) await new Promise((resolve) => { const c = new MessageChannel(); c.port1.onmessage = resolve; c.port2.postMessage(0); });
      } } }""",
        [first.decode(), second.decode()],
    )

    def held() -> tuple[int, float]:
        session.send("HeapProfiler.collectGarbage")
        counters = session.send("Memory.getDOMCounters")
        return counters["nodes"], session.send("Runtime.getHeapUsage")["usedSize"]

    page.evaluate("() => window.rounds(40)")
    nodes, heap = held()
    elements = page.evaluate("() => document.querySelectorAll('*').length")
    page.evaluate("() => window.rounds(1000)")
    after_nodes, after_heap = held()

    assert elements == page.evaluate("() => document.querySelectorAll('*').length")
    assert after_nodes <= nodes * 1.5 + 5000  # a document or two may wait to be collected, never a thousand
    assert after_heap <= heap * 1.5 + 4_000_000


def test_fullscreen_and_print(market: Site, visit: Callable[..., Page]) -> None:
    """The whole screen by a button; on paper the controls are gone, source and colours stay."""
    page = visit("/map/")
    page.locator("#fullscreen").click()
    page.wait_for_function("() => document.fullscreenElement !== null")
    page.evaluate("() => document.exitFullscreen()")
    page.emulate_media(media="print")

    assert page.locator("#tools").is_hidden()
    assert page.locator("#order").is_hidden()
    assert page.locator('footer [data-live="source"]').is_visible()
    assert "exact" == page.locator("td[data-symbol]").first.evaluate(
        "(t) => getComputedStyle(t).printColorAdjust"
    )
    assert 210 == page.locator("td[data-symbol]").count()


def test_pause_and_refresh_now(site: Site, visit: Callable[..., Page]) -> None:
    """Paused, it asks for nothing; the other button asks at once."""
    page = visit("/map/")
    page.locator("#pause").click()
    site.draw(OPEN + timedelta(minutes=5), shift=1.0)
    before = site.hits
    page.clock.run_for(10 * MINUTE)
    assert before == site.hits
    assert "Resume refreshing" == page.locator("#pause").get_attribute("title")
    page.locator("#refresh").click()
    expect(page.locator("td").first).to_contain_text("+6.00")
