"""Longer periods, further modes and the lines of a panel, loaded when they are asked for."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Page, Route, expect

from heatmap.analysis.modes import HISTORY_MODES
from heatmap.history.store import open_store
from heatmap.market.bars import Bar
from heatmap.pages import embed
from heatmap.run import demo
from tests.browser.conftest import Site, put
from tests.drawings import bars_before, recorded
from tests.pictures.market_map.test_data import decode_order, falling

MINUTE = 60_000
OVER = ["5d", "20d", "60d"]  # for longer ones there are not sessions enough
FRAME = '<!DOCTYPE html><title>A blog</title><link rel="icon" href="data:,"><iframe src="/map/?period=20d" title="map" sandbox="allow-scripts"></iframe>'


def asked(page: Page) -> list[str]:
    """The files that a page loads from now on."""
    found: list[str] = []
    page.on("request", lambda request: found.append(request.url.rpartition("/")[2].partition("?")[0]))
    return found


def shown(page: Page) -> list[tuple[str, str]]:
    """Symbols and texts in the order drawn."""
    tiles = page.locator("main [data-symbol]").evaluate_all(
        "all => all.map(one => [one.dataset.symbol, one.querySelector('span').textContent])"
    )
    return [(symbol, text) for symbol, text in tiles]


def test_nothing_is_loaded_before_it_is_asked_for(remembered: Site, visit: Callable[..., Page]) -> None:
    """The page alone; its lists offer what there is, apart from its own."""
    remembered.other["/"] = b""
    page = visit("/", quiet=False)
    loads = asked(page)
    page.goto(remembered.url("/map/"))
    page.select_option("#mode", "rs")

    assert [""] == loads
    for what, names in (("mode", list(HISTORY_MODES)), ("period", [*OVER])):
        offered = page.locator(f'#{what} optgroup[label="From the history"] option:enabled').evaluate_all(
            "all => all.map(one => one.value)"
        )
        assert set(names) == set(offered)
    page.select_option("#period", "20d")
    expect(page.locator("#caption")).to_contain_text("Relative strength · 20 days since")
    assert ["", "later.js", "history.json"] == loads


def test_what_there_is_nothing_of_yet_cannot_be_chosen(remembered: Site, visit: Callable[..., Page]) -> None:
    """It is listed with the day by when there is something; keys pass it over, and an address is told why."""
    page = visit("/map/")
    waiting = page.locator("#period option:disabled").all_text_contents()

    assert [
        "Year to date (from 2027)",
        "120 days (from 2 Nov 2026)",
        "250 days (after 160 more sessions)",
    ] == waiting
    assert 0 == page.locator("#mode option:disabled").count()
    passed = []
    for _ in range(7):
        page.keyboard.press("p")
        expect(page.locator("#caption")).not_to_contain_text("loading")
        passed.append(page.locator("#period").input_value())
    assert ["1mo", "1y", *OVER, "1d", "1mo"] == passed  # also once the history is here
    page = visit("/map/?period=120d&mode=bands")
    expect(page.locator("#notice")).to_have_text("120 days is not available yet: from 2 Nov 2026.")
    assert "1d" == page.locator("#period").input_value()
    expect(page.locator("#caption")).to_contain_text("Place in bands")


@pytest.mark.parametrize("choice", ["change 20d", "sector 5d", "bands 20d", "momentum 60d", "streak 1d"])
def test_every_choice_shows_its_own_figures(
    remembered: Site, visit: Callable[..., Page], choice: str
) -> None:
    """Those of history.json, in their order, by an address as by the lists."""
    mode, period = choice.split()
    document = json.loads(remembered.other["/map/history.json"])
    reading = document["readings"][choice]
    page = visit("/map/")
    symbols = [symbol for symbol, _ in shown(page)]
    decimals = (document["modes"].get(mode) or {"decimals": 2})["decimals"]
    expected = [
        (symbols[place], f"{abs(value) / 10**decimals:.{decimals}f}")
        for place, value in zip(decode_order(reading["order"], 210), falling(reading["values"]), strict=False)
    ]

    page.goto(remembered.url(f"/map/?mode={mode}&period={period}"))
    page.locator("#caption", has_text="loading").wait_for(state="detached")
    expect(page.locator("#mode")).to_have_value(mode)
    expect(page.locator("main [data-symbol]").first).to_have_attribute("data-symbol", expected[0][0])
    assert (
        expected
        == [(symbol, text.lstrip("+\N{MINUS SIGN}")) for symbol, text in shown(page)][: len(expected)]
    )


def test_while_it_loads_the_map_stays(remembered: Site, visit: Callable[..., Page]) -> None:
    """A quiet word in the caption; then the map in one step."""
    page = visit("/map/?mode=rs")
    before = shown(page)
    held: list[Route] = []
    page.route("**/history.json", lambda route: held.append(route))  # noqa: PLW0108 -- it needs a function
    page.select_option("#mode", "bands")
    expect(page.locator("#caption")).to_have_text("Relative strength · 1 day · loading the history …")
    page.wait_for_function("() => typeof later.attend === 'function'")
    assert before == shown(page)
    assert page.locator("#notice").is_hidden()
    expect(page).to_have_url(re.compile("mode=bands"))

    held[0].continue_()
    expect(page.locator("#caption")).to_contain_text("Place in bands · 20 days since")


@pytest.mark.parametrize("lost", ["later.js", "history.json"])
def test_where_it_cannot_be_loaded_the_page_says_so(
    remembered: Site, visit: Callable[..., Page], lost: str
) -> None:
    """And shows what it has; the next try may succeed."""
    page = visit("/map/", quiet=False)
    content = remembered.other.pop(f"/map/{lost}")
    page.select_option("#period", "20d")

    expect(page.locator("#notice")).to_contain_text("could not be loaded")
    expect(page.locator("#period")).to_have_value("1d")
    expect(page).not_to_have_url(re.compile("period"))
    remembered.other[f"/map/{lost}"] = content
    page.select_option("#period", "20d")
    expect(page.locator("#caption")).to_contain_text("20 days since")
    assert page.locator("#notice").is_hidden()


def test_another_later_js_is_not_run(remembered: Site, visit: Callable[..., Page]) -> None:
    """The page's policy lets in the one it was made with, and nothing that came in its place."""
    page = visit("/map/", quiet=False)
    remembered.other["/map/later.js"] += b"window.stranger = 1;"
    page.select_option("#period", "20d")

    expect(page.locator("#notice")).to_contain_text("not available")
    assert page.evaluate("() => window.stranger") is None


def test_a_sandboxed_frame_says_why(remembered: Site, visit: Callable[..., Page]) -> None:
    """Where the server does not let other origins fetch, a frame without one has no history."""
    remembered.other["/blog/"] = FRAME.encode()
    frame = visit("/blog/", quiet=False).frames[1]

    expect(frame.locator("#notice")).to_contain_text("this frame may load nothing more")
    expect(frame.locator("#period")).to_have_value("1d")


def test_in_a_frame_with_the_shipped_headers_it_works(remembered: Site, visit: Callable[..., Page]) -> None:
    """As the page's own refresh does."""
    remembered.headers["Access-Control-Allow-Origin"] = "*"
    remembered.other["/blog/"] = FRAME.encode()
    frame = visit("/blog/").frames[1]

    expect(frame.locator("#caption")).to_contain_text("20 days since")


def test_a_page_from_a_file_says_why(
    remembered: Site, visit: Callable[..., Page], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """A browser lets it fetch nothing."""
    path = tmp_path_factory.mktemp("file") / "index.html"
    path.write_bytes(remembered.page)
    remembered.other["/"] = b""
    page = visit("/", quiet=False)
    page.goto(f"{path.as_uri()}?mode=bands")

    expect(page.locator("#notice")).to_contain_text("a page in a file may load nothing more")
    expect(page.locator("#mode")).to_have_value("change")


def test_unknown_values_are_told(remembered: Site, visit: Callable[..., Page], market: Site) -> None:
    """A period that the history does not have; and a moment where there is no history."""
    page = visit("/map/?period=33d")
    expect(page.locator("#notice")).to_contain_text("There is no period “33d” here")
    page = visit("/map/?mode=bands", quiet=False)
    page.goto(market.url("/map/?at=2026-09-17T11:35"))
    expect(page.locator("#notice")).to_contain_text("none has been kept")


def test_a_refresh_keeps_the_choice_and_brings_its_figures(
    remembered: Site, visit: Callable[..., Page], remembered_ticks: list[dict[str, bytes]]
) -> None:
    """Without a moment of anything else."""
    put(remembered, remembered_ticks[3])
    page = visit("/map/?period=20d&layout=sectors", now=demo.FINAL - timedelta(hours=3))
    expect(page.locator("#caption")).to_contain_text("20 days since")
    before = shown(page)
    page.evaluate("""() => { window.captions = []; window.sameDocument = true;
      new MutationObserver(() => captions.push(document.getElementById("caption").textContent))
        .observe(document.querySelector("main"), { childList: true, subtree: true, characterData: true }); }""")
    put(remembered, remembered_ticks[4])
    page.locator("#refresh").click()
    expect(page.locator(".times")).to_contain_text("15:00")

    assert page.evaluate("() => window.sameDocument")
    assert shown(page) != before
    captions = page.evaluate("() => window.captions")
    settled = captions[-1]
    assert "20 days since" in settled
    assert all("loading" not in caption for caption in captions)


def test_history_newer_than_the_page_has_it_refreshed(
    remembered: Site, visit: Callable[..., Page], remembered_ticks: list[dict[str, bytes]]
) -> None:
    """Stocks are named by their places in the page, so the two must be of the same moment."""
    put(remembered, remembered_ticks[3])
    page = visit("/map/", now=demo.FINAL - timedelta(hours=3))
    put(remembered, remembered_ticks[4])
    page.select_option("#mode", "bands")

    expect(page.locator("#caption")).to_contain_text("Place in bands")
    expect(page.locator(".times")).to_contain_text("15:00")


def test_a_panel_has_lines_with_words(remembered: Site, visit: Callable[..., Page]) -> None:
    """Once it has been looked at for a moment: of the day and of 60 sessions, with their figures."""
    page = visit("/map/")
    page.locator('a:has(b:text-is("RELIANCE"))').focus()

    lines = page.locator("#panel .spark svg")
    expect(lines).to_have_count(2)
    words = lines.evaluate_all(
        "all => all.map(one => [one.getAttribute('role'), one.getAttribute('aria-label')])"
    )
    assert ["img", "img"] == [role for role, _ in words]
    assert words[0][1].startswith("Day: first ₹1,244.80, low ₹")
    assert words[1][1].startswith("60 sessions: first ₹")
    assert all(label.endswith("last ₹1,243.90") for _, label in words)
    low, high = page.locator("#panel .spark path").last.evaluate(
        "path => { const y = path.getAttribute('d').match(/ [\\d.]+/g).map(Number); return [Math.max(...y), Math.min(...y)]; }"
    )
    assert (28, 0) == (low, high)


def test_a_panel_says_what_is_probable_and_what_is_unknown(
    remembered: Site, visit: Callable[..., Page], tmp_path: Path
) -> None:
    """A split that only an open tells, and a demerger: the first period is adjusted and so marked, the other unknown."""
    config = demo.settings(tmp_path / "site", tmp_path / "state", refresh_seconds=300)
    bars = bars_before(recorded(), config.markets[0].calendar, 30)
    day = sorted({bar.date for bar in bars})[-5]
    with open_store(config.history, config.state_directory, str) as store:
        store.add_bars(f"{demo.MARKET}:recording", [_before_action(bar, day) for bar in bars])
    demo.publish(config, demo.FINAL)
    market = tmp_path / "site" / demo.MARKET
    put(remembered, {path.name: path.read_bytes() for path in market.iterdir() if path.is_file()})

    page = visit("/map/?period=20d")
    expect(page.locator("#caption")).to_contain_text("adjusted for splits and bonuses: 1 stock, probably")
    for symbol, sentence in (
        ("RELIANCE", "This period is adjusted for what was probably a split or bonus on "),
        ("TCS", "the terms of its price changed, and no split or bonus explains it."),
    ):
        page.locator(f'a:has(b:text-is("{symbol}"))').focus()
        expect(page.locator("#panel")).to_contain_text(sentence)
    assert "–" == page.locator('[data-symbol="TCS"] span').inner_text()


def _before_action(bar: Bar, day: date) -> Bar:
    """A bar on the terms before a day: of RELIANCE twice, of TCS 2.7 times the price; that day's previous close, too."""
    times = {"RELIANCE": 2.0, "TCS": 2.7}.get(bar.symbol)
    if times is None or bar.date > day:
        return bar
    previous = bar.previous_close and bar.previous_close * times
    if bar.date == day:
        return bar._replace(previous_close=previous)
    return bar._replace(
        open=bar.open and bar.open * times, high=bar.high and bar.high * times, low=bar.low and bar.low * times,
        close=bar.close * times, previous_close=previous,
    )  # fmt: skip


def test_the_help_explains_the_further_modes(remembered: Site, visit: Callable[..., Page]) -> None:
    """With formula and caveat, once."""
    page = visit("/map/?mode=bands")
    expect(page.locator("#caption")).to_contain_text("Place in bands")
    page.locator("#refresh").click()
    page.locator("#help-button").click()

    for mode in HISTORY_MODES.values():
        assert 1 == page.locator("#help dt", has_text=f"{mode.label}, {mode.unit}").count()
        expect(page.locator("#help")).to_contain_text(mode.formula)


def test_the_blog_shows_history_in_its_frame(remembered: Site, visit: Callable[..., Page]) -> None:
    """The shipped snippet's frame, with the shipped headers."""
    remembered.headers["Access-Control-Allow-Origin"] = "*"
    remembered.other["/blog/"] = embed.blog("../map/", "NSE F&O heatmap", market="nse-fno").encode()
    page = visit("/blog/")
    page.locator("iframe").scroll_into_view_if_needed()
    frame = page.frames[1]
    frame.locator("main [data-symbol]").first.wait_for()
    frame.select_option("#mode", "streak")

    expect(frame.locator("#caption")).to_contain_text("Streak")


def test_history_that_comes_during_the_day_needs_no_reload(
    remembered: Site, visit: Callable[..., Page], remembered_ticks: list[dict[str, bytes]]
) -> None:
    """A page of the first tick there ever was offers it after its next refresh."""
    put(remembered, remembered_ticks[4])
    found = re.subn(rb',"history":\{"periods":.*?"moments":\d+\}', b"", remembered.page)
    assert 1 == found[1]
    remembered.page = found[0]
    page = visit("/map/", now=demo.FINAL - timedelta(hours=1))
    assert page.locator("#replay-button").is_hidden()
    page.evaluate("() => { window.sameDocument = true; }")
    put(remembered, remembered_ticks[5])
    page.locator("#refresh").click()

    expect(page.locator("#replay-button")).to_be_visible()
    page.select_option("#mode", "bands")
    expect(page.locator("#caption")).to_contain_text("Place in bands")
    assert page.evaluate("() => window.sameDocument")
