"""The page's bytes: its texts, its links, and the scripts that may run."""

from __future__ import annotations

import gzip
import re
import zlib
from base64 import b64encode
from dataclasses import replace
from datetime import timedelta
from hashlib import sha256
from html.parser import HTMLParser

import pytest

from heatmap.analysis.modes import HISTORY_MODES
from heatmap.market.quotes import Quote
from heatmap.pictures.context import PageContext
from heatmap.pictures.options import PageOptions
from heatmap.pictures.templates import later_script
from tests.drawings import data_of, page_context, page_of, recorded, snapshot_of

# All that a history offers by itself.
OFFERED: dict[str, object] = {
    "periods": [(name, f"{name[:-1]} days") for name in ("5d", "20d", "60d", "120d", "250d")]
    + [("ytd", "Since the year began")],
    "modes": [(mode.name, mode.label) for mode in HISTORY_MODES.values()],
    "moments": 77,
}


def draw(*quotes: Quote, root: bool = True, recording: bool = False, title: str = "A market") -> str:
    """The page of these quotes after the close of 17 September 2026."""
    return page_of(snapshot_of(*quotes, recording=recording), root=root, where=page_context(title))


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
    page = draw()

    cells = [(cell["data-symbol"], cell["data-percent-change"]) for cell in _Cells(page).cells]
    assert [("UP", "2.0"), ("BARE", "0.0"), ("M&M", "-1.5")] == cells
    assert ["+2.00", "0.00", "\N{MINUS SIGN}1.50"] == re.findall(r"<span>([^<]*)</span></a>", page)


def test_a_chart_opens_apart_with_its_symbol_encoded() -> None:
    """An ampersand in a symbol stays part of it, and the chart's site does not learn the page's address."""
    link = _Cells(draw()).links[-1]

    assert "https://www.tradingview.com/chart/?symbol=NSE:M%26M" == link["href"]
    assert "noopener noreferrer" == link["rel"]


def test_the_default_chart_is_in_tradingviews_spelling() -> None:
    """TradingView has an underscore where the exchange has a hyphen, and the same ampersand."""
    links = _Cells(draw(Quote("BAJAJ-AUTO", 2.0), Quote("M&M", 1.0))).links

    address = "https://www.tradingview.com/chart/?symbol=NSE:"
    assert [f"{address}BAJAJ_AUTO", f"{address}M%26M"] == [link["href"] for link in links]


def test_only_its_own_scripts_may_run() -> None:
    """The policy's hashes are those of the page's script and of later.js, and it allows nothing else."""
    page = draw()
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', page)
    scripts = re.findall(r'<script data-cfasync="false">(.*?)</script>', page, re.DOTALL)

    assert policy is not None
    assert 1 == len(scripts)
    digest = b64encode(sha256(scripts[0].encode()).digest()).decode()
    rules = {
        rule.split()[0]: rule.split()[1:]
        for rule in policy[1].replace("&#39;", "'").split(";")
        if rule.strip()
    }
    assert ["'none'"] == rules["default-src"] == rules["base-uri"] == rules["form-action"]
    later = b64encode(sha256(later_script().encode()).digest()).decode()
    assert [f"'sha256-{digest}'", f"'sha256-{later}'"] == rules["script-src"]
    assert ["'self'"] == rules["connect-src"]
    assert not re.search(r'(?:src|href)="(?:https?:)?//(?!www\.tradingview\.com)', page)


def test_words_from_outside_stay_words() -> None:
    """A title and a name full of markup are shown, never run."""
    page = draw(
        Quote("X", 1.0, name='"><script>alert(1)</script>'), title="</title><script>alert(2)</script>"
    )

    assert "<script>alert" not in page
    assert "&lt;script&gt;alert(2)" in page


@pytest.mark.parametrize(("root", "folder"), [(True, "nse-fno/"), (False, "")])
def test_the_links_work_from_both_places(*, root: bool, folder: str) -> None:
    """The top page links into the market's folder, the market's page within its own folder."""
    page = draw(root=root)

    assert f'href="{folder}snapshot.csv"' in page
    assert f'href="{folder}snapshot.json"' in page


def test_times_are_in_the_markets_zone() -> None:
    """The time of the figures, and separately the time of the page."""
    page = draw()

    assert "17 Sep 2026, 16:00:28 IST" in page
    assert ">16:01:00 IST<" in page


def test_a_page_made_on_a_later_day_says_which() -> None:
    """Else its time would be beside the figures' date and look like a time of that day."""
    where = page_context("A market")
    page = page_of(snapshot_of(), where=replace(where, generated_at=where.generated_at + timedelta(days=74)))

    assert ">17 Sep 2026, 16:00:28 IST<" in page
    assert ">30 Nov 2026, 16:01:00 IST<" in page


@pytest.mark.parametrize("recording", [True, False])
def test_a_recording_is_labelled(*, recording: bool) -> None:
    """For readers, and for the demo, which overwrites only recordings; live figures never have the label."""
    page = draw(recording=recording)

    assert recording == ("A recording of 17 Sep 2026." in page)
    assert recording == ('<meta name="heatmap-recording" content="2026-09-17">' in page)


def test_a_page_of_one_market_has_no_switcher_and_of_several_links() -> None:
    """Plain links to each market's own page, from the folder above and from the market's folder."""
    assert "<nav" not in draw()
    markets = page_context()
    several = PageContext(
        markets.market, "A", "Asia/Kolkata", markets.generated_at, markets.status, 5, ("nse-fno", "crypto")
    )
    own = page_of(snapshot_of(), where=several)
    above = page_of(snapshot_of(), where=several, root=True)

    assert '<a href="../crypto/">crypto</a>' in own
    assert '<a href="../nse-fno/" aria-current="page">nse-fno</a>' in own
    assert '<a href="crypto/">crypto</a>' in above


def test_a_percent_change_that_is_unknown() -> None:
    """Last in order, hatched, with a dash for the figure and with the reason, with and without script."""
    split = Quote("B&W", None, last_price=20.0, doubts={"1d": "A <split> took effect.", "1y": "No."})
    page = draw(Quote("UP", 1.0), split, Quote("DOWN", -1.0))
    cells = _Cells(page).cells

    assert ["UP", "DOWN", "B&W"] == [cell["data-symbol"] for cell in cells]
    assert ("", "unknown") == (cells[-1]["data-percent-change"], cells[-1]["class"])
    assert "background-color:#" in str(cells[-1]["style"])
    assert '<span title="A &lt;split&gt; took effect.">\N{EN DASH}</span></a>' in page
    assert {"1d": {"B&W": "A <split> took effect."}, "1y": {"B&W": "No."}} == data_of(page)["doubts"]
    assert "doubts" not in data_of(draw(Quote("UP", 1.0)))


def test_a_preview_needs_a_public_address() -> None:
    """Chats and mails need the full address of the image; without public_url there is none."""
    assert "og:image" not in draw()
    page = page_of(snapshot_of(), where=page_context(public_url="https://www.example.org/heatmap/"))
    assert 'og:image" content="https://www.example.org/heatmap/nse-fno/heatmap.' in page


@pytest.mark.parametrize("up", ["green", "red", "red-blue"])
def test_up_follows_the_configuration_everywhere(up: str) -> None:
    """The strongest gainer, the legend's end and the breadth's share of gainers have the same colour."""
    page = page_of(snapshot_of(), options=PageOptions(up=up))
    strongest = "#008000" if up == "green" else "#ff0000"

    assert f'data-symbol="UP" data-percent-change="2.0" style="background:{strongest}' in page
    legend = re.search(r'id="legend">.*?</p>', page)
    assert legend is not None
    assert strongest == re.findall(r"background:(#\w{6})", legend[0])[-1]
    assert f'<i style="width:33.33%;background:{strongest}"></i>' in page


def test_the_budget_holds() -> None:
    """210 stocks with all data: 40 KiB compressed, the script 14 KiB, the default map in the first 14 KiB."""
    where = page_context(title="NSE F&O heatmap", public_url="https://www.example.org/heatmap/")
    where = replace(where, markets=("nse-fno", "crypto", "forex"))
    page = page_of(recorded(), where=where, root=True, history=OFFERED).encode()
    squeezed = gzip.compress(page, 9)
    scripts = re.findall(rb'<script data-cfasync="false">(.*?)</script>', page, re.DOTALL)
    first = zlib.decompressobj(wbits=31).decompress(squeezed[: 14 * 1024])

    assert len(squeezed) <= 40 * 1024
    assert len(gzip.compress(scripts[0], 9)) <= 14 * 1024
    assert b"</table>" in first
    assert b"heatmap-data" not in first[: first.index(b"</table>")]
    assert 210 == len(re.findall(rb"<td ", first))


def test_the_first_map_needs_no_data() -> None:
    """The script's data is behind the map, and identifies stocks by their index there."""
    page = draw()

    assert page.index("</table>") < page.index('id="heatmap-data"') < page.index("<script data-cfasync")
    assert ["change 1d", "rs 1d"] == list(data_of(page)["readings"])[:2]
