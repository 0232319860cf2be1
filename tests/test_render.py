"""The page's bytes: what it says, what it links to, what it may run."""

from __future__ import annotations

import re
from base64 import b64encode
from datetime import datetime
from hashlib import sha256
from html.parser import HTMLParser
from pathlib import Path

import pytest

from heatmap import calendars, guard, render
from heatmap.errors import ConfigError
from heatmap.model import Occasion, Quote, Snapshot
from heatmap.render.options import PageOptions
from heatmap.views.table import TableView

FINAL = datetime.fromisoformat("2026-09-17T16:01:00+05:30")
AS_OF = datetime.fromisoformat("2026-09-17T10:30:28+00:00")
QUOTES = (
    Quote("M&M", -1.5, "Mahindra", "Autos", 1234567.5, 1250000.0, low=1230000.0, high=1260000.0),
    Quote("UP", 2.0, last_price=102.0, previous_close=100.0),
    Quote("BARE", 0.0),
)


def drawn(*quotes: Quote, root: bool = True, recording: bool = False, title: str = "A market") -> str:
    """The page of these quotes after the close of 17 September 2026."""
    verdict = guard.judge(calendars.load(calendars.SessionOptions(), Path()), FINAL)
    occasion = Occasion("nse-fno", title, "Asia/Kolkata", FINAL, verdict, 5)
    snapshot = Snapshot("memory", AS_OF, quotes or QUOTES, "INR", recording=recording)
    table = TableView().draw(snapshot)
    page, page_above = render.render(table, snapshot, occasion, PageOptions())
    return (page_above if root else page).decode()


class _Cells(HTMLParser):
    """Collects the attributes of every cell and of the link in it."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.cells: list[dict[str, str | None]] = []
        self.links: list[dict[str, str | None]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Keep cells, and links that open beside the page."""
        if tag == "td":
            self.cells.append(dict(attrs))
        if tag == "a" and ("target", "_blank") in attrs:
            self.links.append(dict(attrs))


def test_every_cell_says_what_it_is() -> None:
    """Symbol and percent change in drawing order, as data and as signed text."""
    page = drawn()

    found = [(cell["data-symbol"], cell["data-percent-change"]) for cell in _Cells(page).cells]
    assert [("UP", "2.0"), ("BARE", "0.0"), ("M&M", "-1.5")] == found
    assert ["+2.00", "0.00", "\N{MINUS SIGN}1.50"] == re.findall(r"<span>([^<]*)</span></a>", page)


def test_a_chart_opens_apart_with_its_symbol_encoded() -> None:
    """An ampersand in a symbol stays part of it, and the chart's site learns nothing of the page."""
    link = _Cells(drawn()).links[-1]

    assert "https://www.tradingview.com/chart/?symbol=NSE:M%26M" == link["href"]
    assert "noopener noreferrer" == link["rel"]


@pytest.mark.parametrize(
    ("amount", "currency", "expected"),
    [
        (None, "INR", ""),
        (999.5, "INR", "₹999.50"),
        (1234.5, "INR", "₹1,234.50"),
        (123456.7, "INR", "₹1,23,456.70"),
        (12345678.0, "INR", "₹1,23,45,678.00"),
        (-1234.5, "INR", "\N{MINUS SIGN}₹1,234.50"),
        (1234567.0, "USD", "$1,234,567.00"),
        (1234567.0, "CHF", "CHF 1,234,567.00"),
        (1.0, None, "1.00"),
    ],
)
def test_money_is_written_as_its_readers_write_it(
    amount: float | None, currency: str | None, expected: str
) -> None:
    """Rupees in lakhs and crores, others in thousands; an unknown amount is no words at all."""
    assert expected == render.money(amount, currency)


@pytest.mark.parametrize(
    ("value", "expected"),
    [(1.5, "+1.50"), (-1.5, "\N{MINUS SIGN}1.50"), (0.0, "0.00"), (-0.001, "0.00"), (0.004, "0.00")],
)
def test_every_change_has_its_sign(value: float, expected: str) -> None:
    """What rounds to nothing has none."""
    assert expected == render.signed(value)


def test_only_its_own_script_may_run() -> None:
    """The policy's hash is that of the script in the page, and nothing else is let in."""
    page = drawn()
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', page)
    scripts = re.findall(r"<script>(.*?)</script>", page, re.DOTALL)

    assert policy is not None
    assert 1 == len(scripts)
    digest = b64encode(sha256(scripts[0].encode()).digest()).decode()
    rules = {
        rule.split()[0]: rule.split()[1:]
        for rule in policy[1].replace("&#39;", "'").split(";")
        if rule.strip()
    }
    assert ["'none'"] == rules["default-src"] == rules["base-uri"] == rules["form-action"]
    assert [f"'sha256-{digest}'"] == rules["script-src"]
    assert ["'self'"] == rules["connect-src"]
    assert not re.search(r'(?:src|href)="(?:https?:)?//(?!www\.tradingview\.com)', page)


def test_words_from_outside_stay_words() -> None:
    """A title and a name full of markup are shown, never run."""
    page = drawn(
        Quote("X", 1.0, name='"><script>alert(1)</script>'), title="</title><script>alert(2)</script>"
    )

    assert "<script>alert" not in page
    assert "&lt;script&gt;alert(2)" in page


@pytest.mark.parametrize(("root", "folder"), [(True, "nse-fno/"), (False, "")])
def test_the_links_work_from_both_places(*, root: bool, folder: str) -> None:
    """The top page looks into the market's folder, the market's page beside itself."""
    page = drawn(root=root)

    assert f'href="{folder}snapshot.csv"' in page
    assert f'href="{folder}snapshot.json"' in page


def test_times_are_told_in_the_markets_zone() -> None:
    """When the figures were true, apart from when the page was made."""
    page = drawn()

    assert "17 Sep 2026, 16:00:28 IST" in page
    assert "16:01:00 IST" in page


@pytest.mark.parametrize("recording", [True, False])
def test_a_recording_is_labelled(*, recording: bool) -> None:
    """For readers and for the demo, which overwrites nothing else; live figures never carry the label."""
    page = drawn(recording=recording)

    assert recording == ("A recording of 17 Sep 2026." in page)
    assert recording == ('<meta name="heatmap-recording" content="2026-09-17">' in page)


def test_every_problem_of_the_options_is_told_at_once() -> None:
    """Each begins with the name of its key."""
    with pytest.raises(ConfigError) as caught:
        PageOptions(0, "rainbow", "size", 0.0, 0, "javascript:alert(1)")

    keys = ["columns", "gradient", "scale", "clamp_percent", "refresh_seconds", "chart_url"]
    assert keys == [problem.split()[0] for problem in caught.value.problems]
