"""The page as time passes: it refreshes in place, survives faults, and says when it is old."""

from __future__ import annotations

import json
import re
from base64 import b64encode
from collections.abc import Callable
from datetime import datetime, timedelta
from hashlib import sha256

import pytest
from playwright.sync_api import Frame, Page, expect

from heatmap.pages import embed
from tests.browser.conftest import OPEN, REFRESH_SECONDS, Site, at

MINUTE = 60_000
FRAME = '<!DOCTYPE html><title>A blog</title><link rel="icon" href="data:,"><p>Hello</p><iframe src="/map/" title="map" width="900" height="400" sandbox="allow-scripts allow-popups"></iframe>'
MARK = "() => { window.sameDocument = true; }"
MARKED = "() => window.sameDocument === true"


def set_clock(site: Site, **changes: object) -> None:
    """Change the times that are written into the page."""
    found = re.search(rb'(<script[^>]*id="heatmap-clock"[^>]*>)(.*?)(</script>)', site.page, re.DOTALL)
    assert found is not None
    clock = json.dumps(json.loads(found[2]) | changes).encode()
    site.page = site.page.replace(found[0], found[1] + clock + found[3])


def frame_of(page: Page) -> Frame:
    """The map within a blog page."""
    frame = page.frames[1]
    frame.wait_for_selector("td[data-symbol]")
    return frame


def test_new_figures_appear_in_place(site: Site, visit: Callable[..., Page]) -> None:
    """After refresh_seconds, without a reload; scroll, focus and panel stay with the reader."""
    page = visit(viewport={"width": 1280, "height": 400})
    page.evaluate(MARK)
    page.evaluate("() => scrollTo(0, 200)")
    page.locator('td a:has(b:text-is("WMOTOCO077"))').focus()
    page.evaluate("() => scrollTo(0, 200)")
    page.locator('td a:has(b:text-is("WMOTOCO077"))').evaluate(
        "link => { link.blur(); link.focus({preventScroll: true}); }"
    )
    site.draw(OPEN + timedelta(minutes=1), shift=1.0)

    page.clock.run_for(2 * MINUTE)

    expect(page.locator("td").first).to_contain_text("+6.00")
    assert page.evaluate(MARKED)
    assert 200 == page.evaluate("() => Math.round(scrollY)")
    assert "WMOTOCO077" == page.evaluate("() => document.activeElement.closest('td').dataset.symbol")
    expect(page.locator("#panel")).to_contain_text("Stock 77 Limited")
    expect(page.locator("header")).to_contain_text("11:01:00 IST")


def test_another_script_reloads_the_page(site: Site, visit: Callable[..., Page]) -> None:
    """When the program was updated, the page comes anew."""
    page = visit()
    page.evaluate(MARK)
    site.page = site.page.replace(b'"use strict";', b'"use strict"; ')
    fresh = site.page
    script = re.search(rb"<script data-cfasync=\"false\">(.*?)</script>\n</body>", fresh, re.DOTALL)
    assert script is not None
    old = re.search(rb"sha256-[^']+", fresh)
    assert old is not None
    site.page = fresh.replace(old[0], b"sha256-" + b64encode(sha256(script[1]).digest()))

    with page.expect_navigation():
        page.clock.run_for(2 * MINUTE)

    page.wait_for_function("() => window.sameDocument === undefined")


@pytest.mark.parametrize("status", [404, 500])
def test_an_error_page_never_replaces_the_map(site: Site, visit: Callable[..., Page], status: int) -> None:
    """An answer that is not our page is not shown; the next good one is."""
    page = visit(quiet=False)
    page.evaluate(MARK)
    good, site.page, site.status = site.page, b"<h1>Not here</h1>", status

    page.clock.run_for(2 * MINUTE)
    expect(page.locator("#status")).to_contain_text("trying again")
    assert 210 == page.locator("td[data-symbol]").count()
    site.page, site.status = good, 200
    site.draw(OPEN + timedelta(minutes=5), shift=1.0)
    page.clock.run_for(2 * MINUTE)
    expect(page.locator("td").first).to_contain_text("+6.00")
    assert page.evaluate(MARKED)


def test_a_lost_network_keeps_the_map(site: Site, visit: Callable[..., Page]) -> None:
    """No browser error in the place of the figures, and a calm word about it."""
    page = visit(quiet=False)
    page.evaluate(MARK)
    site.stop()

    page.clock.run_for(2 * MINUTE)

    expect(page.locator("#status")).to_contain_text("connection lost")
    assert page.evaluate(MARKED)
    assert 210 == page.locator("td[data-symbol]").count()


def test_in_a_sandbox_with_the_shipped_headers_it_swaps(site: Site, visit: Callable[..., Page]) -> None:
    """A frame without an origin of its own may fetch where the server allows any origin."""
    site.headers["Access-Control-Allow-Origin"] = "*"
    site.other["/blog/"] = FRAME.encode()
    frame = frame_of(page := visit("/blog/"))
    frame.evaluate(MARK)
    site.draw(OPEN + timedelta(minutes=5), shift=1.0)

    page.clock.run_for(2 * MINUTE)

    expect(frame.locator("td").first).to_contain_text("+6.00")
    assert frame.evaluate(MARKED)


def test_in_a_sandbox_without_them_it_reloads_where_it_was(site: Site, visit: Callable[..., Page]) -> None:
    """Refused to fetch, it reloads; the scroll travels in the address, and leaves it again."""
    site.other["/blog/"] = FRAME.encode()
    frame = frame_of(page := visit("/blog/", quiet=False))
    frame.evaluate(MARK)
    frame.evaluate("() => scrollTo(0, 120)")
    site.draw(OPEN + timedelta(minutes=5), shift=1.0)

    page.clock.run_for(2 * MINUTE)

    expect(frame.locator("td").first).to_contain_text("+6.00")
    assert not frame.evaluate(MARKED)
    frame.wait_for_function("() => Math.round(scrollY) === 120 && location.hash === ''")


def test_pause_stops_asking_and_resume_asks(site: Site, visit: Callable[..., Page]) -> None:
    """A visible control; pressed, nothing is asked until it is pressed again or a refresh is asked for."""
    page = visit()
    before = site.hits
    page.get_by_role("button", name="Pause refreshing").click()

    page.clock.run_for(10 * MINUTE)
    assert before == site.hits
    with page.expect_response("**/map/"):
        page.get_by_role("button", name="Refresh now").click()
    page.get_by_role("button", name="Resume refreshing").click()
    with page.expect_response("**/map/"):
        page.clock.run_for(2 * MINUTE)
    assert site.hits > before


def test_a_hidden_page_does_not_ask(site: Site, visit: Callable[..., Page]) -> None:
    """While nobody looks nothing is asked; on return it catches up at once."""
    page = visit()
    hide = "hidden => { Object.defineProperty(document, 'hidden', {value: hidden, configurable: true}); document.dispatchEvent(new Event('visibilitychange')); }"
    page.evaluate(hide, True)
    before = site.hits

    page.clock.run_for(10 * MINUTE)
    assert before == site.hits
    with page.expect_response("**/map/"):
        page.evaluate(hide, False)


@pytest.mark.parametrize(
    ("made", "as_of", "seen", "old"),
    [
        ("11:00:00", "11:00:00", "11:11:30", False),  # two intervals and two minutes are allowed
        ("11:00:00", "11:00:00", "11:12:30", True),
        ("11:10:00", "11:00:00", "11:12:30", True),  # a page made anew from old figures is old
        (
            "15:20:00",
            "15:15:00",
            "15:31:00",
            False,
        ),  # in the auction prices stand still: the page's age counts
        ("15:20:00", "15:15:00", "15:33:00", True),
        ("15:20:00", "15:15:00", "15:44:00", True),  # and what was old at the close stays old
        ("15:20:00", "11:00:00", "15:21:00", True),  # an auction does not make old prices new
        ("15:30:00", "15:15:00", "15:56:00", False),  # settling: the closing page is yet to come
        ("15:30:00", "15:15:00", "15:58:00", True),  # it did not come
        # The last page of a morning says so at every later moment, also where another window has begun.
        *(("11:00:00", "11:00:00", seen, True) for seen in ("15:14:00", "15:16:00", "15:26:00")),
        *(("11:00:00", "11:00:00", seen, True) for seen in ("15:34:00", "15:36:00", "15:46:00", "23:00:00")),
        ("15:46:00", "15:40:00", "23:00:00", False),  # the closing page is good all night
    ],
)
def test_the_page_knows_its_age(
    site: Site, visit: Callable[..., Page], made: str, as_of: str, seen: str, old: bool
) -> None:
    """A frozen upload is visible to a reader, by times written into the page and the reader's own clock."""
    site.draw(at(f"2026-11-20T{made}"), as_of=at(f"2026-11-20T{as_of}"))

    page = visit(now=at(f"2026-11-20T{seen}"))

    assert old is page.locator("#old").is_visible()


@pytest.mark.parametrize(
    ("seen", "words"),
    [
        ("2026-11-20T10:59:00", "0 minutes old"),  # a reader's clock may run late
        ("2026-11-20T11:01:00", "1 minute old"),
        ("2026-11-20T12:29:00", "89 minutes old"),
        ("2026-11-20T14:00:00", "3 hours old"),
        ("2026-11-23T11:00:00", "3 days old"),
    ],
)
def test_the_page_names_its_source_and_its_age(
    site: Site, visit: Callable[..., Page], seen: str, words: str
) -> None:
    """Beneath the map, in words, and the age goes on with the reader's clock."""
    site.draw(at("2026-11-20T11:00:00"))

    page = visit(now=at(seen))

    source = page.locator("footer [data-live=source]")
    assert source.inner_text().endswith(f" · {words}")
    assert source.inner_text().startswith("Source: ")


@pytest.mark.parametrize(
    ("as_of", "seen", "old"),
    [
        ("09:55:00", "11:25:00", False),  # at the end of the first window five minutes had been missed
        ("09:55:00", "11:36:00", False),  # and in the second one only as many more count
        ("09:55:00", "11:38:00", True),
        ("09:45:00", "09:56:00", False),
        ("09:45:00", "09:58:00", True),
        ("09:45:00", "11:00:00", True),  # once old it stays so, in the pause and after it
        ("09:45:00", "11:31:00", True),
    ],
)
def test_a_pause_does_not_age_a_page(
    site: Site, visit: Callable[..., Page], as_of: str, seen: str, old: bool
) -> None:
    """On a day of two windows only trading time counts, and no window begins anew."""
    site.draw(at(f"2026-11-20T{as_of}"))
    windows = [{"opens": "09:15", "closes": "10:00"}, {"opens": "11:30", "closes": "12:30"}]
    day = "2026-11-20T{}:00+05:30"
    set_clock(
        site,
        windows=[
            {key: day.format(value) for key, value in window.items()} | {"phase": "open"}
            for window in windows
        ],
        settles=day.format("12:45"),
    )

    page = visit(now=at(f"2026-11-20T{seen}"))

    assert old is page.locator("#old").is_visible()


@pytest.mark.parametrize(("seen", "old"), [("2026-11-21T03:11:00", False), ("2026-11-21T03:13:00", True)])
def test_a_market_that_never_closes_ages(
    site: Site, visit: Callable[..., Page], seen: str, old: bool
) -> None:
    """It has no sessions, so its figures have their age at every hour."""
    site.draw(at("2026-11-21T03:00:00"))
    set_clock(
        site,
        phase="open",
        windows=[],
        settles=None,
        session_date=None,
        next_open=None,
        next_regular_open=None,
    )

    page = visit(now=at(seen))

    assert old is page.locator("#old").is_visible()


def test_the_age_begins_anew_with_new_figures(site: Site, visit: Callable[..., Page]) -> None:
    """After a refresh it is that of the figures shown."""
    page = visit()
    page.clock.run_for(4 * MINUTE)
    site.draw(OPEN + timedelta(minutes=5))

    page.clock.run_for(2 * MINUTE)

    expect(page.locator("header")).to_contain_text("11:05:00 IST")
    expect(page.locator("#age")).to_have_text(re.compile(r"[01] minutes? old"))


def test_an_evening_page_is_old_in_the_morning(site: Site, visit: Callable[..., Page]) -> None:
    """Once the next session has begun, yesterday's closing prices are old: not at once, but after the limit."""
    site.draw(at("2026-11-20T15:46:00"))

    page = visit(now=at("2026-11-23T09:20:00"))
    assert page.locator("#old").is_hidden()
    page.clock.run_for(9 * MINUTE)
    assert page.locator("#old").is_visible()


def test_an_open_page_asks_every_refresh_seconds(site: Site, visit: Callable[..., Page]) -> None:
    """While the market is open a newer page is asked for once a minute, as configured, and no more often."""
    page = visit()
    before = site.hits

    for _ in range(5):
        with page.expect_response("**/map/"):
            page.clock.run_for(REFRESH_SECONDS * 1000 + 15_000)
        page.wait_for_function("() => document.readyState === 'complete'")
    assert 5 <= site.hits - before <= 7


def test_the_closing_page_asks_for_nothing(site: Site, visit: Callable[..., Page]) -> None:
    """Before the next open nothing new can come, so all night nothing is asked."""
    site.draw(at("2026-11-20T15:46:00"))
    page = visit(now=at("2026-11-20T15:46:00"))
    before = site.hits

    page.clock.run_for(12 * 60 * MINUTE)
    page.evaluate("() => fetch(location.href + '?done')")  # whatever was asked before this has arrived
    assert before + 1 == site.hits


def test_it_asks_again_when_the_market_opens(site: Site, visit: Callable[..., Page]) -> None:
    """The closing page sleeps through the weekend and wakes at the next open."""
    site.draw(at("2026-11-20T15:46:00"))
    page = visit(now=at("2026-11-23T09:14:00"))

    with page.expect_response("**/map/"):
        page.clock.run_for(3 * MINUTE)


def test_where_the_next_open_is_unknown_it_asks_hourly(site: Site, visit: Callable[..., Page]) -> None:
    """At the calendar's end nobody knows when to ask: once an hour will do."""
    site.draw(at("2026-12-31T15:55:00"))
    page = visit(now=at("2026-12-31T15:55:00"))
    before = site.hits

    page.clock.run_for(50 * MINUTE)
    assert before == site.hits
    with page.expect_response("**/map/"):
        page.clock.run_for(12 * MINUTE)


def test_a_page_past_its_calendars_end_says_that_it_may_have_stopped(
    site: Site, visit: Callable[..., Page]
) -> None:
    """Not at midnight, but once its figures are old by the usual hours; a page of the new year takes it back."""
    told = "The trading calendar ended on 31 Dec 2026: the market may be closed today, or this map may have stopped."
    site.draw(at("2026-12-31T15:55:00"))
    page = visit(now=at("2026-12-31T23:30:00"))
    page.clock.run_for(31 * MINUTE)
    assert page.get_by_text(told).is_hidden()
    page.clock.run_for(9 * 60 * MINUTE)  # 09:01
    assert page.get_by_text(told).is_hidden()
    page.clock.run_for(27 * MINUTE)
    expect(page.get_by_text(told)).to_be_visible()
    assert page.locator("#old").is_visible()

    site.draw(at("2027-01-01T09:27:00"))
    page.get_by_role("button", name="Refresh now").click()
    expect(page.get_by_text("Presumed trading calendar")).to_be_visible()
    assert page.get_by_text(told).is_hidden()
    assert page.locator("#old").is_hidden()


def test_a_page_that_is_kept_up_past_its_calendars_end(site: Site, visit: Callable[..., Page]) -> None:
    """It says that the calendar is presumed and nothing of having stopped; stopped, it says so."""
    site.draw(at("2027-01-04T11:00:00"))
    page = visit(now=at("2027-01-04T11:01:00"))

    note = page.get_by_text("Presumed trading calendar: the holidays after 31 Dec 2026 are not known")
    assert note.is_visible()
    assert page.locator("#ended").is_hidden()
    page.clock.run_for(12 * MINUTE)
    assert page.locator("#old").is_visible()
    assert page.locator("#ended").is_visible()
    assert note.is_hidden()  # the other says it, too


@pytest.mark.parametrize(
    ("seen", "old"),
    [
        ("2026-11-08T18:40:00", False),  # the session whose hours nobody knew
        ("2026-11-09T09:20:00", False),
        ("2026-11-09T09:28:00", True),
    ],
)
def test_a_final_before_a_session_of_unknown_hours_ages(
    site: Site, visit: Callable[..., Page], seen: str, old: bool
) -> None:
    """From the next regular session day on, as any other final."""
    site.draw(at("2026-11-06T15:46:00"))

    page = visit(now=at(seen))

    assert old is page.locator("#old").is_visible()


def test_before_a_session_of_unknown_hours_it_asks_hourly_and_at_the_next_open(
    site: Site, visit: Callable[..., Page]
) -> None:
    """The page of an unannounced evening is found within the hour, and the next day's at its opening."""
    site.draw(at("2026-11-06T15:46:00"))
    page = visit(now=at("2026-11-09T08:50:00"))
    before = site.hits
    page.clock.run_for(20 * MINUTE)
    assert before == site.hits
    with page.expect_response("**/map/"):
        page.clock.run_for(8 * MINUTE)  # 09:18


def test_the_frame_grows_with_the_page_and_only_for_it(site: Site, visit: Callable[..., Page]) -> None:
    """The snippet's script takes the height from its own frame alone, and within bounds."""
    snippet = embed.iframe("/map/", "map", market="nse-fno", auto_height=True)
    site.other["/blog/"] = (
        f"<!DOCTYPE html><title>A blog</title><link rel=icon href=data:,><body>{snippet}".encode()
    )
    page = visit("/blog/", viewport={"width": 1280, "height": 700})
    frame = page.locator("iframe")
    frame_of(page)

    page.wait_for_function(
        "() => { const h = parseFloat(document.querySelector('iframe').style.height); return h > 600 && h < 1000; }"
    )
    before = frame.evaluate("frame => frame.style.height")
    page.evaluate("() => postMessage({type: 'market-heatmap:height', height: 3000}, '*')")
    page.evaluate(
        "() => new Promise((done) => { addEventListener('message', () => done(1), {once: true}); postMessage(0, '*'); })"
    )
    assert before == frame.evaluate("frame => frame.style.height")
    for told, taken in ((1, "200px"), (1_000_000, "10000px")):
        page.frames[1].evaluate(
            "height => parent.postMessage({type: 'market-heatmap:height', height}, '*')", told
        )
        page.wait_for_function("taken => document.querySelector('iframe').style.height === taken", arg=taken)


def test_a_recording_runs_on_its_own_clock(site: Site, visit: Callable[..., Page]) -> None:
    """Seen months later it is not old; left alone on its own clock it is."""
    from heatmap.run import demo

    folder = site.tmp_path / "recorded"
    demo.publish(
        demo.settings(folder, site.tmp_path / "demo-state", 60),
        datetime.fromisoformat("2026-09-17T11:00:00+05:30"),
    )
    site.page = (folder / "nse-fno/index.html").read_bytes()

    page = visit(now=at("2027-03-01T20:00:00"))

    expect(page.get_by_text("A recording of 17 Sep 2026")).to_be_visible()
    assert page.locator("#old").is_hidden()
    assert page.locator("#ended").is_hidden()
    page.clock.run_for(20 * MINUTE)
    assert page.locator("#old").is_visible()


def test_a_slow_clock_is_noticed(site: Site, visit: Callable[..., Page]) -> None:
    """No page comes before it is made: its age is then at least what has passed since, and "Open" is not claimed."""
    site.draw(OPEN, as_of=OPEN - timedelta(minutes=2))
    page = visit(now=OPEN - timedelta(minutes=30))

    expect(page.locator("#age")).to_have_text(" · at least 2 minutes old")
    words = "The clock of this device is slow, by about 30 minutes or more: how old these figures are is not known. They are of 20 Nov, 10:58."
    expect(page.locator("#old")).to_have_text(words)
    assert page.locator(".phase").is_hidden()
    page.clock.run_for(11 * MINUTE)
    expect(page.locator("#age")).to_have_text(" · at least 13 minutes old")
    expect(page.locator("#old")).to_contain_text("These figures are old")


def test_a_slow_clock_does_not_keep_the_page_from_refreshing(site: Site, visit: Callable[..., Page]) -> None:
    """It asks as often as with a right one, and what comes shows how slow the clock is."""
    page = visit(now=OPEN - timedelta(minutes=30))
    site.draw(OPEN + timedelta(minutes=9), shift=1.0)

    page.clock.run_for(2 * MINUTE)

    expect(page.locator("td").first).to_contain_text("+6.00")
    expect(page.locator("#old")).to_contain_text(re.compile("by about 3[78] minutes or more"))


def test_a_clock_that_is_little_behind_does_not_matter(site: Site, visit: Callable[..., Page]) -> None:
    """A minute is nothing: the page says what it would say."""
    page = visit(now=OPEN - timedelta(minutes=1))

    assert page.locator("#old").is_hidden()
    assert "Open" == page.locator(".phase").inner_text()


@pytest.mark.parametrize(
    ("seen", "since"),
    [("2026-12-30T12:00:00", "20 Nov, 11:00"), ("2028-03-01T12:00:00", "20 Nov 2026, 11:00")],
)
def test_a_page_that_stopped_says_since_when(
    site: Site, visit: Callable[..., Page], seen: str, since: str
) -> None:
    """With the year where it is not this one; what the market did then is not said of now."""
    page = visit(now=at(seen))

    expect(page.locator("#old")).to_have_text(
        f"These figures are old: they are of {since}, and the page has not been updated since."
    )
    assert page.locator(".phase").is_hidden()


def test_a_page_whose_script_failed_is_renewed(site: Site, visit: Callable[..., Page]) -> None:
    """It has no controls, but its age, its notice and its refreshing: a newer page that works has controls again."""
    site.page = site.page.replace(b'"readings":', b'"nothing":')
    page = visit(quiet=False)
    assert page.locator("#tools").is_hidden()
    expect(page.locator("#age")).to_have_text(" · 0 minutes old")
    before = site.hits
    page.clock.run_for(13 * MINUTE)
    expect(page.locator("#old")).to_contain_text("These figures are old")
    assert site.hits > before

    site.draw(OPEN + timedelta(minutes=13), shift=1.0)
    with page.expect_navigation():
        page.clock.run_for(2 * MINUTE)
    expect(page.locator("td").first).to_contain_text("+6.00")
    expect(page.locator("#tools")).to_be_visible()


def test_newer_figures_that_cannot_be_drawn_are_shown_as_published(
    site: Site, visit: Callable[..., Page]
) -> None:
    """Never the new time over the old figures."""
    page = visit(quiet=False)
    site.draw(OPEN + timedelta(minutes=1), shift=1.0)
    site.page = site.page.replace(b'"readings":', b'"nothing":')

    with page.expect_navigation():
        page.clock.run_for(2 * MINUTE)

    expect(page.locator("td").first).to_contain_text("+6.00")
    expect(page.locator("header")).to_contain_text("11:01:00 IST")
    assert page.locator("#tools").is_hidden()
    assert page.locator("#notice").is_visible()
