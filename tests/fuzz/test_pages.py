"""Any accepted figures are drawn; their pages have no markup of theirs, and can be read back."""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from heatmap.config import loader
from heatmap.history.model import TickRow
from heatmap.market.calendar import phases
from heatmap.market.quotes import Snapshot
from heatmap.pictures.market_map import replay_data
from heatmap.pictures.market_map.replay_track import ReplayTrack
from heatmap.pictures.options import PageOptions
from heatmap.run import market_files
from heatmap.sources import snapshot_file
from heatmap.system import parsing, varint
from tests.drawings import FINAL, recorded
from tests.fuzz.damage import TEXTS
from tests.fuzz.seeds import SNAPSHOT_SEED

FRAGMENTS = ["change-table", "change-treemap-dark", "rs-bars", "change-sectors"]
HIDDEN = [
    *range(0x09),
    0x0B,
    0x0C,
    *range(0x0E, 0x20),
    0x7F,
    *range(0x202A, 0x202F),
    *range(0x2066, 0x206A),
]

figures = st.sampled_from([parsing.SMALLEST, 1e-9, 0.01, 1, 99.95, 100, 1e6, 1e17, 9.9e17])
percents = st.sampled_from([-100, -99.99, -1, -0.0, 5e-324, 0, 0.004, 1.5, 99_999, 100_000])
symbols = st.sampled_from(
    ["M&M", "A", "=CMD", "^NSEI", "x" * 32, "9", "_", "$$$", "É", "中", "a/b", "A-1", "constructor"]
)
texts = st.none() | st.sampled_from([text for text in TEXTS if parsing.clean_text(text)])
changes = st.dictionaries(
    st.sampled_from(["1mo", "1y", "20d", "ytd", "constructor", "a_b", "1d"]),
    st.fixed_dictionaries(
        {"percent": st.none() | percents, "since": st.sampled_from([None, "2026-08-17", "0001-01-01"])}
    ),
    max_size=3,
)
doubts = st.dictionaries(
    st.sampled_from(["1d", "1mo", "constructor"]), texts.filter(lambda text: text is not None), max_size=2
)
rows = st.fixed_dictionaries(
    {
        "symbol": symbols,
        "percent_change": st.none() | percents,
        "name": texts,
        "sector": texts,
        "changes": changes,
        "doubts": doubts,
    },
    optional={
        name: st.none() | figures
        for name in ("last_price", "previous_close", "open", "high", "low", "volume", "turnover")
        + ("free_float_market_cap", "year_high", "year_low")
    },
)


class Tags(HTMLParser):
    """Counts a page's elements, and keeps their attributes."""

    def __init__(self, page: str) -> None:
        """Read a whole page."""
        super().__init__()
        self.count: Counter[str] = Counter()
        self.attributes: list[tuple[str, str, str | None]] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take one down."""
        self.count[tag] += 1
        self.attributes += [(tag, name, value) for name, value in attrs]


@pytest.fixture(scope="module")
def set_up(tmp_path_factory: pytest.TempPathFactory) -> loader.Config:
    """A configuration with every kind of file, and with a title that is markup."""
    folder = tmp_path_factory.mktemp("pages")
    document: dict[str, Any] = {
        "title": "<script>alert(1)</script>",
        "page": {"png": False, "fragments": FRAGMENTS},
        "public_url": "https://www.example.org/map/",
    }
    return loader.read(document, base=folder)


def drawn(set_up: loader.Config, snapshot: Snapshot) -> dict[str, bytes]:
    """Return the files of a market by their names."""
    (market,) = set_up.markets
    set_up.state_directory.mkdir(exist_ok=True)
    files = market_files.draw(set_up, market, snapshot, phases.phase_at(market.calendar, FINAL), FINAL)
    return {Path(page.path).name if "/" in page.path else "above.html": page.content for page in files}


@pytest.fixture(scope="module")
def usual(set_up: loader.Config) -> dict[str, Counter[str]]:
    """The elements of the files of a day like any other, by the file's name."""
    return {name: Tags(content.decode()).count for name, content in drawn(set_up, recorded()).items()}


@pytest.mark.slow
@settings(
    max_examples=100,
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    quotes=st.lists(rows, min_size=1, max_size=8, unique_by=lambda row: row["symbol"]),
    source=st.sampled_from(["nse", "<b>nse</b>", "'\"&"]),
    currency=st.sampled_from([None, "INR", "<i>", "JPY"]),
)
def test_any_accepted_figures_are_drawn(
    set_up: loader.Config,
    usual: dict[str, Counter[str]],
    quotes: list[dict[str, Any]],
    source: str,
    currency: str | None,
) -> None:
    """No other elements than on other days, no handler, no odd character; and the same figures back."""
    known = [row for row in quotes if row["percent_change"] is not None] or [
        {"symbol": "TCS", "percent_change": 1}
    ]
    unknown = [row for row in quotes if row["percent_change"] is None]
    listed = {"quotes": known, "unknown": unknown}
    document = {**SNAPSHOT_SEED, **listed, "source": source, "currency": currency}
    snapshot = snapshot_file.parse(json.dumps(document).encode())

    files = drawn(set_up, snapshot)

    assert set(files) == set(usual)
    for name, content in files.items():
        text = content.decode()
        assert not {chr(code) for code in HIDDEN} & set(text), name
        if name.endswith(".html"):
            tags = Tags(text)
            assert not set(tags.count) - set(usual[name]), name
            assert usual[name]["script"] == tags.count["script"], name
            assert not [each for each in tags.attributes if each[1].startswith("on")], name
            links = [value or "" for _, key, value in tags.attributes if key in ("href", "src")]
            assert not [
                link for link in links if link.lower().lstrip().startswith(("javascript:", "data:text"))
            ]
        elif name.endswith(".svg"):
            ET.fromstring(text)
    back = snapshot_file.parse(files["snapshot.json"])
    assert {quote.symbol: quote for quote in snapshot.quotes} == {
        quote.symbol: quote for quote in back.quotes
    }
    code = currency if currency in ("INR", "JPY") else None
    assert (snapshot.as_of, source, code) == (back.as_of, back.source, back.currency)
    lines = list(csv.reader(io.StringIO(files["snapshot.csv"].decode(), newline="")))
    assert len(lines) == len(known) + len(unknown) + 1
    assert len(unknown) == files["index.html"].decode().count('class="unknown"')
    assert not [
        cell for line in lines for cell in line[:3] if cell.startswith((*"=+-@＝＋－＠﹦﹢﹣﹫−\t\r\n",))
    ]


@settings(max_examples=100, derandomize=True, database=None, deadline=None)
@given(
    prices=st.lists(st.lists(st.none() | figures, min_size=2, max_size=2), min_size=2, max_size=6),
    decimals=st.sampled_from([2, 8]),
)
def test_any_accepted_prices_can_be_replayed(prices: list[list[float | None]], decimals: int) -> None:
    """The packed lines of a session, of prices of any two sizes after another."""
    quotes = [{"symbol": name, "percent_change": 0} for name in ("A", "B")]
    document = {**SNAPSHOT_SEED, "quotes": quotes, "unknown": []}
    snapshot = snapshot_file.parse(json.dumps(document).encode())
    tape = ReplayTrack(snapshot.quotes, decimals)
    for minute, both in enumerate(prices):
        found = {
            name: TickRow(price, 1.5, None, None, None, None) for name, price in zip("AB", both, strict=True)
        }
        tape.add(f"{minute:02}:00", found)
    tape.redraw_lines()

    body = json.loads(replay_data.replay_json(tape, snapshot.as_of, PageOptions()))

    assert len(body["moments"]) == len(prices)
    for name, packed in zip(body["symbols"], body["prices"], strict=True):
        known = [both["AB".index(name)] is not None for both in prices]
        assert known == [code != 0 for code in varint.decode(packed)]
