"""The day replayed: what the slider does, what follows it, and how one comes back."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from datetime import timedelta
from itertools import cycle
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from heatmap.analysis import colours
from heatmap.run import one_run
from tests.browser.conftest import OPEN, REMEMBERED, Site, put, quotes
from tests.browser.test_accessibility import LAYOUTS, violations
from tests.doubles import MemoryPublisher, MemorySource, configuration
from tests.drawings import ranking_of, recorded

TIMES = [f"{moment:%H:%M}" for moment in REMEMBERED[:-1]] + ["16:00"]  # when the recorded close was true
FILLS = (
    "all => Object.fromEntries(all.map(one => [one.dataset.symbol, getComputedStyle(one).backgroundColor]))"
)
TEXTS = (
    "all => Object.fromEntries(all.map(one => [one.dataset.symbol, one.querySelector('span').textContent]))"
)
ORDER = "all => all.map(one => one.dataset.symbol)"


def changes(number: int) -> dict[str, str]:
    """The percent changes of a moment, as tiles show them."""
    texts = {
        quote.symbol: f"{quote.percent_change:+.2f}".replace("-", "\N{MINUS SIGN}")
        for quote in recorded(REMEMBERED[number]).quotes
    }
    return {symbol: "0.00" if text[1:] == "0.00" else text for symbol, text in texts.items()}


def open_replay(page: Page) -> None:
    """By its button."""
    page.locator("#replay-button").click()
    page.locator("#replay").wait_for()


def tiles(page: Page, what: str) -> dict[str, str]:
    """A thing of every tile by symbol."""
    found: dict[str, str] = page.locator("main [data-symbol]").evaluate_all(what)
    return found


def wait_for_tiles(page: Page, what: str, expected: object) -> None:
    """Wait until the tiles are as expected: the caption comes before they are drawn."""
    until = time.monotonic() + 5
    while tiles(page, what) != expected and time.monotonic() < until:
        page.wait_for_timeout(20)
    assert tiles(page, what) == expected


def order(page: Page) -> list[str]:
    """The symbols as drawn."""
    found: list[str] = page.locator("main [data-symbol]").evaluate_all(ORDER)
    return found


def test_it_begins_at_the_newest_moment(remembered: Site, visit: Callable[..., Page]) -> None:
    """The map stays as it was, the slider has the keyboard, and tells its time."""
    page = visit("/map/")
    before = order(page), tiles(page, TEXTS)
    open_replay(page)

    assert before == (order(page), tiles(page, TEXTS))
    assert "moment" == page.evaluate("() => document.activeElement.id")
    slider = page.get_by_role("slider", name="Moment of the day")
    expect(slider).to_have_attribute("aria-valuetext", "16:00")
    expect(page).to_have_url(re.compile(r"\?at=2026-09-17T16%3A00$"))


def test_keys_move_the_slider_and_all_follows(remembered: Site, visit: Callable[..., Page]) -> None:
    """Arrows, Home and End; figures, breadth, times, caption, address."""
    page = visit("/map/")
    live = order(page)
    open_replay(page)
    slider = page.locator("#moment")
    for key, number in (
        ("Home", 0),
        ("ArrowRight", 1),
        ("ArrowUp", 2),
        ("ArrowLeft", 1),
        ("End", 5),
        ("ArrowDown", 4),
    ):
        page.keyboard.press(key)
        expect(slider).to_have_attribute("aria-valuetext", TIMES[number])
        wait_for_tiles(page, TEXTS, changes(number))
        numbers = [quote.percent_change for quote in recorded(REMEMBERED[number]).quotes]
        counts = (sum(each > 0 for each in numbers), sum(each < 0 for each in numbers))
        expect(page.locator(".breadth")).to_contain_text(f"{counts[0]} up {counts[1]} down")
        expect(page.locator(".times")).to_contain_text(TIMES[number])
        expect(page.locator("#caption")).to_contain_text(f"at {TIMES[number]}")
        expect(page).to_have_url(re.compile(f"at=2026-09-17T{TIMES[number].replace(':', '%3A')}$"))
        assert order(page) == live  # so that the eye can follow a tile


@pytest.mark.serial  # beside others Chromium now and then gives no computed style at all
@pytest.mark.parametrize(("layout", "palette"), [*zip(LAYOUTS, cycle(colours.GRADIENTS))])
def test_every_layout_has_the_moments_shades(
    remembered: Site, visit: Callable[..., Page], layout: str, palette: str
) -> None:
    """Those that the page of that moment had, by rank as by value; each layout in another palette."""
    snapshot = recorded(REMEMBERED[2])
    ramp = colours.palette(colours.GRADIENTS[palette]["green"])
    reading = ranking_of(snapshot, "change", "1d")
    what = FILLS.replace("(one)", "(one.querySelector('i') ?? one)")
    for scale in (reading.scales[0], reading.scales[2]):
        page = visit(f"/map/?at=2026-09-17T11:35&layout={layout}&palette={palette}&heat={scale.name}")
        expect(page.locator("#caption")).to_contain_text("at 11:35")
        expected = {
            snapshot.quotes[index].symbol: "rgb({}, {}, {})".format(
                *(int(ramp[shade][start : start + 2], 16) for start in (1, 3, 5))
            )
            for index, shade in zip(reading.order, scale.shades, strict=True)
        }
        wait_for_tiles(page, what, expected)


def test_sorting_each_moment_is_a_choice(remembered: Site, visit: Callable[..., Page]) -> None:
    """Then the order is the one that the page of that moment had."""
    snapshot = recorded(REMEMBERED[1])
    page = visit("/map/?at=2026-09-17T10:00")
    page.get_by_label("Sort each moment").check()

    reading = ranking_of(snapshot, "change", "1d")
    assert [snapshot.quotes[index].symbol for index in reading.order] == order(page)


def test_it_plays_to_the_end_and_pauses(remembered: Site, visit: Callable[..., Page]) -> None:
    """Space and the button; what it passes is not read out, where it stops is."""
    page = visit("/map/")
    open_replay(page)
    page.clock.pause_at(OPEN + timedelta(hours=1))
    page.keyboard.press(" ")
    slider = page.locator("#moment")
    expect(slider).to_have_js_property("value", "0")
    expect(slider).to_have_attribute("aria-valuetext", "playing")
    expect(page.get_by_role("button", name="Pause", exact=True)).to_be_visible()
    page.clock.run_for(500)
    expect(slider).to_have_js_property("value", "1")
    expect(page.locator("#status")).to_be_empty()

    page.keyboard.press(" ")
    expect(page.locator("#status")).to_contain_text(re.compile(r"17 Sep, 10:00: \d+ up, \d+ down"))
    expect(slider).to_have_attribute("aria-valuetext", "10:00")
    page.clock.run_for(5000)
    expect(slider).to_have_js_property("value", "1")

    page.locator("#speed").select_option("4")
    page.get_by_role("button", name="Play", exact=True).click()
    page.clock.run_for(125)
    expect(slider).to_have_js_property("value", "3")
    page.clock.run_for(5000)
    expect(slider).to_have_js_property("value", "5")
    expect(page.get_by_role("button", name="Play", exact=True)).to_be_visible()
    expect(page).to_have_url(re.compile("16%3A00"))


def test_single_steps(remembered: Site, visit: Callable[..., Page]) -> None:
    """There and back, and not beyond the ends."""
    page = visit("/map/?at=2026-09-17T10:00")
    back, on = (page.get_by_role("button", name=name) for name in ("Back one moment", "On one moment"))
    for button, number in ((back, 0), (back, 0), (on, 1), (on, 2)):
        button.click()
        expect(page.locator("#moment")).to_have_js_property("value", str(number))
    expect(page.locator("#status")).to_contain_text("11:35")


def test_a_link_leads_to_its_moment_or_the_nearest(remembered: Site, visit: Callable[..., Page]) -> None:
    """The nearest is said; what is no time at all is, too."""
    page = visit("/map/?at=2026-09-17T11:35")
    expect(page.locator("#moment")).to_have_attribute("aria-valuetext", "11:35")
    assert page.locator("#notice").is_hidden()
    for wanted, found in (
        ("2026-09-17T12:30", "13:00"),
        ("2026-09-16T12:30", "09:15"),
        ("tomorrow", "16:00"),
    ):
        page = visit(f"/map/?at={wanted}")
        expect(page.locator("#notice")).to_contain_text(f"There is no moment “{wanted}” here")
        expect(page.locator("#moment")).to_have_attribute("aria-valuetext", found)


def test_the_panel_is_of_the_moment(remembered: Site, visit: Callable[..., Page]) -> None:
    """Price and change of then, nothing that only came later, and the place on the day's line."""
    page = visit("/map/?at=2026-09-17T11:35")
    expect(page.locator("#caption")).to_contain_text("at 11:35")
    page.locator('a:has(b:text-is("RELIANCE"))').focus()
    quote = next(quote for quote in recorded(REMEMBERED[2]).quotes if quote.symbol == "RELIANCE")

    expect(page.locator("#panel")).to_contain_text(f"₹{quote.last_price:,.2f}  {changes(2)['RELIANCE']} %")
    text = page.locator("#panel").inner_text()
    assert "Volume" not in text
    assert "Day ₹" not in text
    expect(page.locator("#panel .spark circle").first).to_have_attribute("cx", f"{160 * 2 / 5:.1f}")


def test_back_to_live_restores_everything(remembered: Site, visit: Callable[..., Page]) -> None:
    """The mode and period from before, the head of the page, and every figure."""
    page = visit("/map/?mode=bands&layout=bars")
    expect(page.locator("#caption")).to_contain_text("Place in bands")
    state = "() => [document.querySelector('header').innerText, document.querySelector('main').innerText]"
    before = page.evaluate(state)
    open_replay(page)
    page.keyboard.press("Home")
    expect(page.locator("#mode")).to_have_value("change")
    expect(page.locator("#mode")).to_be_disabled()
    page.keyboard.press("Tab")
    page.get_by_role("button", name="Back to live").click()

    expect(page.locator("#replay")).to_have_count(0)
    expect(page.locator("#mode")).to_have_value("bands")
    expect(page.locator("#mode")).to_be_enabled()
    assert before == page.evaluate(state)
    expect(page).not_to_have_url(re.compile("at="))


def test_a_refresh_does_not_throw_the_reader_out(
    remembered: Site, visit: Callable[..., Page], remembered_ticks: list[dict[str, bytes]]
) -> None:
    """The moment stays, the day grows by one, and live is what is newest."""
    put(remembered, remembered_ticks[3])
    page = visit("/map/?at=2026-09-17T10:00", now=REMEMBERED[3])
    page.locator("#replay").wait_for()
    put(remembered, remembered_ticks[4])
    page.locator("#refresh").click()

    expect(page.locator("#moment")).to_have_js_property("max", "4")
    expect(page.locator("#moment")).to_have_attribute("aria-valuetext", "10:00")
    wait_for_tiles(page, TEXTS, changes(1))
    expect(page.locator(".times")).to_contain_text("10:00")
    page.get_by_role("button", name="Back to live").click()
    expect(page.locator(".times")).to_contain_text("15:00:")
    wait_for_tiles(page, TEXTS, changes(4))


def test_where_it_cannot_be_loaded_the_page_is_live(remembered: Site, visit: Callable[..., Page]) -> None:
    """And says so."""
    del remembered.other["/map/replay.json"]
    page = visit("/map/?at=2026-09-17T10:00", quiet=False)

    expect(page.locator("#notice")).to_contain_text("not available")
    expect(page.locator(".times")).to_contain_text("16:00:")
    expect(page).not_to_have_url(re.compile("at="))


def test_a_lasting_map_has_its_day(site: Site, visit: Callable[..., Page], tmp_path: Path) -> None:
    """The files beside it are that day's, whatever the market's own folder holds by now."""
    source, target = MemorySource(quotes=quotes()), MemoryPublisher()
    config = configuration(tmp_path / "lasting", source, target)
    for moment in (OPEN, OPEN.replace(hour=15, minute=45)):
        assert not one_run.run(config, now=moment).errors
    folder = "nse-fno/2026/11/20/"
    put(site, {path[len(folder) :]: page for path, page in target.pages.items() if path.startswith(folder)})
    page = visit("/map/?at=2026-11-20T11:00")

    expect(page.locator("#caption")).to_contain_text("at 11:00")
    page.get_by_role("button", name="Back to the close").click()
    expect(page.locator("#replay")).to_have_count(0)


def test_a_page_of_one_moment_offers_none(market: Site, visit: Callable[..., Page]) -> None:
    """No button that leads nowhere."""
    assert visit("/map/").locator("#replay-button").is_hidden()


def test_who_wants_less_motion_has_it_slower(remembered: Site, visit: Callable[..., Page]) -> None:
    """It plays at half the speed from the beginning; nothing moves between two moments for anybody."""
    page = visit("/map/?at=2026-09-17T10:00", reduced_motion="reduce")
    expect(page.locator("#speed")).to_have_value("0.5")
    moving = "() => document.getAnimations().length + [...document.querySelectorAll('*')].filter(one => getComputedStyle(one).transitionDuration !== '0s').length"
    page.locator("#play").click()
    assert 0 == page.evaluate(moving)


@pytest.mark.parametrize("width", [1280, 600, 360])
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_nothing_is_in_the_way(
    remembered: Site, visit: Callable[..., Page], axe: Path, width: int, theme: str
) -> None:
    """No violation with replay open in any layout and with a panel's lines; nothing is wider than the screen."""
    address = f"/map/?at=2026-09-17T11:35&theme={theme}"
    page = visit(address, viewport={"width": width, "height": 800}, bypass_csp=True)
    page.locator("#replay").wait_for()
    found = []
    for layout in LAYOUTS:
        page.select_option("#layout", layout)
        found += violations(axe, page)
        assert page.evaluate("() => document.documentElement.scrollWidth") == width
        assert page.evaluate("() => document.querySelectorAll('*').length") <= 1500
    page.locator("main a").first.focus()
    page.locator("#panel .spark").first.wait_for()
    found += violations(axe, page)
    page.get_by_role("button", name="Back to live").click()
    for mode in ("bands", "volume", "momentum"):
        page.select_option("#mode", mode)
        expect(page.locator("#caption")).not_to_contain_text("loading")
        found += violations(axe, page)

    assert [] == found
