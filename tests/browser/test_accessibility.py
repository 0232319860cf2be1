"""axe-core, the accessibility checker, finds nothing in any state of the page."""

from __future__ import annotations

from collections.abc import Callable
from itertools import cycle
from pathlib import Path

import pytest
from playwright.sync_api import Frame, Page

from heatmap.analysis import colours
from heatmap.analysis.modes import MODES
from heatmap.pages import embed
from tests.browser.conftest import Site

LAYOUTS = ("table", "sectors", "treemap", "bars")
# All rules, those of good practice too. Frames are looked into one by one: a sandboxed one answers no other.
VIOLATIONS = """async () => (await axe.run({ iframes: false, resultTypes: ["violations"] })).violations.flatMap(
  (rule) => rule.nodes.map((node) => `${rule.id}: ${rule.help}: ${node.html}: ${node.failureSummary}`))"""

# What a browser shows where no script may run, it hides once the checker may.
STAY_WITHOUT_SCRIPT = """() => {
  for (const part of document.querySelectorAll("noscript")) part.replaceWith(...part.childNodes);
}"""


def violations(axe: Path, place: Page | Frame) -> list[str]:
    """The violations in a page or frame as it is now, in axe's own words."""
    if not place.evaluate("() => 'axe' in window"):
        place.evaluate(axe.read_text("utf-8"))
    found: list[str] = place.evaluate(VIOLATIONS)
    return found


@pytest.mark.parametrize(("palette", "theme"), [*zip(colours.GRADIENTS, cycle(["dark", "light"]))])
def test_every_mode_in_every_layout(
    market: Site, visit: Callable[..., Page], axe: Path, palette: str, theme: str
) -> None:
    """No violation in any mode, layout and palette, and the page shows what was asked for.

    Each palette in the theme that tests/browser/test_modes.py does not have it in.
    """
    page = visit(f"/map/?palette={palette}&theme={theme}", bypass_csp=True)
    found: dict[str, list[str]] = {}
    for mode in MODES:
        page.select_option("#mode", mode)
        for layout in LAYOUTS:
            page.select_option("#layout", layout)
            chosen = page.locator("#mode, #layout, #palette, #theme")
            assert {mode, layout, palette, theme} == set(
                chosen.evaluate_all("all => all.map((one) => one.value)")
            )
            for violation in violations(axe, page):
                found.setdefault(violation, []).append(f"{mode} {layout}")

    assert {} == found


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_narrow_screen(
    market: Site, visit: Callable[..., Page], axe: Path, layout: str, theme: str
) -> None:
    """On a phone, 360 px wide, with a finger."""
    address = f"/map/?layout={layout}&theme={theme}"
    page = visit(address, viewport={"width": 360, "height": 740}, has_touch=True, bypass_csp=True)

    assert [] == violations(axe, page)


def open_help(page: Page) -> None:
    page.locator("#help-button").click()
    page.locator("#help[open]").wait_for()


def open_menu(page: Page) -> None:
    page.locator("#menu-button").click()
    page.locator("#menu").wait_for()


def open_panel_by_key(page: Page) -> None:
    page.locator("main a").nth(20).focus()
    page.locator("#panel").wait_for()


def open_panel_by_finger(page: Page) -> None:
    page.locator("main a").nth(2).tap()
    page.locator("#panel button").wait_for()


def search(page: Page) -> None:
    page.locator("#search").fill("bank")
    page.locator("#found", has_text="found").wait_for()


def be_old(page: Page) -> None:
    page.clock.run_for(20 * 60_000)
    page.locator("#old").wait_for()


def copy_link(page: Page) -> None:
    open_menu(page)
    page.locator("#copy").click()
    page.locator("#link").wait_for()


@pytest.mark.parametrize("width", [1280, 360])
@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize(
    "act", [open_help, open_menu, open_panel_by_key, open_panel_by_finger, search, copy_link]
)
def test_what_opens_and_answers(
    market: Site, visit: Callable[..., Page], axe: Path, act: Callable[[Page], None], theme: str, width: int
) -> None:
    """The help, the menu, a stock's panel, a search and its count, and the link to copy."""
    screen = {"width": width, "height": 740}
    page = visit(f"/map/?theme={theme}", viewport=screen, has_touch=True, bypass_csp=True)
    act(page)

    assert [] == violations(axe, page)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_old_figures(site: Site, visit: Callable[..., Page], axe: Path, theme: str) -> None:
    """The warning that figures are old."""
    site.status = 503  # no newer page comes
    page = visit(f"/map/?theme={theme}", quiet=False, bypass_csp=True)
    be_old(page)

    assert [] == violations(axe, page)


def test_choices_that_do_not_exist(market: Site, visit: Callable[..., Page], axe: Path) -> None:
    """The word on an unknown value of the address, and a map of none."""
    page = visit("/map/?mode=nonsense&sector=watchlist", bypass_csp=True)
    assert page.locator("#notice").is_visible()

    assert [] == violations(axe, page)


@pytest.mark.parametrize("width", [1280, 360])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_without_script(market: Site, visit: Callable[..., Page], axe: Path, scheme: str, width: int) -> None:
    """The page as it is where no script of its own runs."""
    screen = {"width": width, "height": 740}
    market.other["/"] = b""
    page = visit("/", color_scheme=scheme, viewport=screen, quiet=False, bypass_csp=True)
    chromium = page.context.new_cdp_session(page)
    chromium.send("Emulation.setScriptExecutionDisabled", {"value": True})
    page.goto(market.url())
    # The page's script has had its chance; the checker needs one of its own.
    chromium.send("Emulation.setScriptExecutionDisabled", {"value": False})
    page.evaluate(STAY_WITHOUT_SCRIPT)
    assert page.get_by_role("link", name="Reload").is_visible()
    assert page.locator("#tools").is_hidden()

    assert [] == violations(axe, page)


@pytest.mark.parametrize("width", [1280, 360])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_blog_with_the_heatmap_in_it(
    market: Site, visit: Callable[..., Page], axe: Path, scheme: str, width: int
) -> None:
    """The sample blog page, and the page in its sandboxed frame."""
    market.other["/blog/"] = embed.blog("../map/", "NSE F&O heatmap", market="nse-fno").encode()
    page = visit("/blog/", color_scheme=scheme, viewport={"width": width, "height": 740}, bypass_csp=True)
    page.locator("iframe").scroll_into_view_if_needed()
    page.frame_locator("iframe").locator("main [data-symbol]").first.wait_for()
    top, frame = page.frames

    assert [] == violations(axe, top)
    assert [] == violations(axe, frame)


def test_a_violation_is_found(site: Site, visit: Callable[..., Page], axe: Path) -> None:
    """The checker can fail: an image without words, and grey on white, are named."""
    page = visit(bypass_csp=True)
    before = violations(axe, page)
    page.evaluate("""() => document.querySelector("main").insertAdjacentHTML("beforeend",
      '<img src="data:,"><p style="color:#bbb;background:#fff">Faint</p>')""")

    assert {"image-alt", "color-contrast"} == {
        found.split(":")[0] for found in violations(axe, page) if found not in before
    }
