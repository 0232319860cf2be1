"""The pages behind Cloudflare's Rocket Loader, which holds back the scripts of the pages that it serves."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date

from playwright.sync_api import Page, expect

from heatmap.market.quotes import Breadth
from heatmap.pages.archive import calendar_page
from heatmap.pictures.context import ArchivedDay
from heatmap.pictures.options import PageOptions
from tests.browser.conftest import Site


def rocket_loaded(page: bytes) -> bytes:
    """A page as Rocket Loader changes it.

    Each script of the page gets a type that no browser runs, until a script of Cloudflare's own runs it. The
    policy of the page does not let that script in. Scripts with `data-cfasync="false"` stay as they are.
    """

    def hold_back(tag: re.Match[bytes]) -> bytes:
        return (
            tag[0] if re.search(rb"data-cfasync=|type=", tag[0]) else b'<script type="0123-text/javascript">'
        )

    held_back = re.sub(rb"<script\b[^>]*>", hold_back, page)
    return held_back.replace(
        b"</body>", b'<script src="/cdn-cgi/scripts/rocket-loader.min.js" defer></script></body>'
    )


def test_the_page_works_behind_rocket_loader(market: Site, visit: Callable[..., Page]) -> None:
    """Its script runs: a reader can choose another layout."""
    market.page = rocket_loaded(market.page)

    page = visit(quiet=False)

    page.select_option("#layout", "sectors")
    expect(page.locator("#map section").first).to_be_visible()


def test_the_list_of_all_days_works_behind_rocket_loader(site: Site, visit: Callable[..., Page]) -> None:
    """Its script runs: an address with a day that has no map says so."""
    days = [ArchivedDay(date(2026, 9, 17), Breadth(1, 0, 0), None, None, None)]
    site.page = rocket_loaded(calendar_page.render(days, "A market", PageOptions(), feed=False))

    page = visit("/map/?date=2026-09-18", quiet=False)

    expect(page.locator("#notice")).to_contain_text("There is no map of “2026-09-18”")
