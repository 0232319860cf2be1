"""The published figures: nothing is lost on the way out and back, and nothing hostile comes in."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace
from datetime import date, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heatmap.errors import SourceNonsense, SourceReshaped
from heatmap.market import snapshot_json
from heatmap.market.calendar.session import MarketStatus, Phase, Session
from heatmap.market.quotes import Breadth, Change, Quote, Snapshot
from heatmap.pages import snapshot_files
from heatmap.pictures.context import PageContext
from heatmap.pictures.shapes import Cell, Table
from heatmap.system import parsing, strict_json

INDIA = timezone(timedelta(hours=5, minutes=30))
AS_OF = datetime(2026, 9, 17, 16, 0, 28, tzinfo=INDIA)
FULL = Quote(
    symbol="M&M",
    percent_change=5.05,
    name="Mahindra & Söhne",
    sector="Automobile",
    last_price=557.0,
    previous_close=530.2,
    open=532.9,
    high=560.95,
    low=529.95,
    volume=9374431.0,
    turnover=5196622080.54,
    free_float_market_cap=601571169812.24,
    year_high=796.9,
    year_low=508.7,
    changes={"1mo": Change(2.58, date(2026, 8, 17)), "1y": Change(None, None)},
)
BARE = Quote(symbol="BAJAJ-AUTO", percent_change=-1.0)


def table(*quotes: Quote) -> Table:
    """Return these quotes as one row."""
    return Table(
        (tuple(Cell(quote, quote.percent_change, "#008000", "#ffffff") for quote in quotes),),
        13,
        Breadth(1, 1, 0),
        (),
    )


def page_context(phase: Phase = Phase.FINAL, next_open: datetime | None = None) -> PageContext:
    """Return a drawing in this phase of the session of 17 September 2026."""
    verdict = MarketStatus(phase, Session(date(2026, 9, 17), (), None), next_open, "")
    return PageContext("nse-fno", 'A "title"', "Asia/Kolkata", AS_OF + timedelta(seconds=32), verdict, 5)


def document(**changes: Any) -> dict[str, Any]:
    """Return a sound document, with changes."""
    made = snapshot_files.to_json(
        Snapshot("nse", AS_OF, (FULL, BARE), "INR", False), table(FULL, BARE), page_context()
    )
    return {**json.loads(made), **changes}


def test_shape() -> None:
    """snapshot.json is what the format says, key by key; what is unknown is null."""
    made = snapshot_files.to_json(
        Snapshot("nse", AS_OF, (BARE, FULL), "INR", is_open=False), table(FULL, BARE), page_context()
    )
    found = json.loads(made)
    quotes = found.pop("quotes")

    assert found == {
        "schema": "market-heatmap/1",
        "market": "nse-fno",
        "title": 'A "title"',
        "source": "nse",
        "currency": "INR",
        "time_zone": "Asia/Kolkata",
        "as_of": "2026-09-17T16:00:28+05:30",
        "generated_at": "2026-09-17T16:01:00+05:30",
        "session": {"date": "2026-09-17", "phase": "final", "next_open": None},
        "breadth": {"advances": 1, "declines": 1, "unchanged": 0},
    }
    assert list(quotes[0].items()) == [
        ("symbol", "M&M"),
        ("name", "Mahindra & Söhne"),
        ("sector", "Automobile"),
        ("last_price", 557.0),
        ("previous_close", 530.2),
        ("percent_change", 5.05),
        ("open", 532.9),
        ("high", 560.95),
        ("low", 529.95),
        ("volume", 9374431),
        ("turnover", 5196622080.54),
        ("free_float_market_cap", 601571169812.24),
        ("year_high", 796.9),
        ("year_low", 508.7),
        (
            "changes",
            {"1mo": {"percent": 2.58, "since": "2026-08-17"}, "1y": {"percent": None, "since": None}},
        ),
        ("fill", "#008000"),
        ("ink", "#ffffff"),
    ]
    assert {key for key, value in quotes[1].items() if value is None} == {
        "name", "sector", "last_price", "previous_close", "open", "high", "low", "volume", "turnover",
        "free_float_market_cap", "year_high", "year_low",
    }  # fmt: skip
    assert "Söhne".encode() in made
    assert len(made.splitlines()) == 1 + 1 + 2 + 1


def test_a_percent_change_that_is_unknown() -> None:
    """It stands apart from the quotes: versions before 0.3 refuse one without. Ours takes it back in."""
    split = replace(BARE, symbol="SPLIT", percent_change=None, doubts={"1d": "A split took effect."})
    longer = replace(FULL, doubts={"1y": "Not adjusted."})
    figures = Snapshot("nse", AS_OF, (longer, split), "INR", is_open=False)
    made = snapshot_files.to_json(figures, table(longer, split), page_context())
    found = json.loads(made)

    assert ["M&M"] == [row["symbol"] for row in found["quotes"]]
    assert {"1y": "Not adjusted."} == found["quotes"][0]["doubts"]
    assert ["SPLIT"] == [row["symbol"] for row in found["unknown"]]
    assert found["unknown"][0]["percent_change"] is None
    assert "doubts" not in document()["quotes"][0]
    assert "unknown" not in document()
    assert figures == snapshot_json.from_json(strict_json.decode(made))
    row = list(csv.DictReader(io.StringIO(snapshot_files.to_csv(table(longer, split)).decode())))[1]
    assert ("SPLIT", "") == (row["symbol"], row["percent_change"])


@pytest.mark.parametrize(
    "wrong",
    [
        {"unknown": {"symbol": "A"}},
        {"unknown": ["A"]},
        {"unknown": [{"symbol": "M&M"}]},  # a second time
        {"unknown": [{"symbol": "A", "doubts": ["1d"]}]},
        {"unknown": [{"symbol": "A", "doubts": {"1d": 5}}]},
        {"unknown": [{"symbol": "A", "doubts": {"a period": "why"}}]},
        {"unknown": [{"symbol": "A", "doubts": {f"{n}d": "why" for n in range(21)}}]},
        {"quotes": [], "unknown": [{"symbol": "A"}]},
    ],
)
def test_what_is_unknown_is_read_strictly(wrong: dict[str, Any]) -> None:
    """Anything else than quotes with reasons is refused, and a market of nothing else."""
    with pytest.raises(SourceReshaped):
        snapshot_json.from_json(document(**wrong))


def test_next_open() -> None:
    """The next open is written with its offset."""
    opens = datetime(2026, 9, 18, 9, 15, tzinfo=INDIA)
    made = snapshot_files.to_json(Snapshot("nse", AS_OF, (BARE,)), table(BARE), page_context(next_open=opens))
    assert json.loads(made)["session"]["next_open"] == "2026-09-18T09:15:00+05:30"


figures = st.one_of(st.none(), st.floats(0.01, 1e15))
floats = st.floats(0, 1e15).map(lambda number: number if number >= parsing.SMALLEST else 0.0)
counts = st.one_of(st.none(), floats, st.integers(0, 10**12).map(float))
texts = st.one_of(st.none(), st.text(max_size=60).map(parsing.clean_text))
percents = st.floats(-100, 100_000).map(lambda percent: percent if abs(percent) >= parsing.SMALLEST else 0.0)
changes = st.dictionaries(
    st.sampled_from(["1w", "1mo", "1y"]),
    st.builds(Change, st.one_of(st.none(), percents), st.one_of(st.none(), st.dates())),
)
quotes_of_any_kind = st.lists(
    st.builds(
        Quote,
        symbol=st.from_regex(r"[A-Z0-9][A-Z0-9&-]{0,19}", fullmatch=True),
        percent_change=percents,
        name=texts,
        sector=texts,
        last_price=figures,
        previous_close=figures,
        open=figures,
        high=figures,
        low=figures,
        volume=counts,
        turnover=counts,
        free_float_market_cap=figures,
        year_high=figures,
        year_low=figures,
        changes=changes,
    ),
    min_size=1,
    max_size=4,
    unique_by=lambda quote: quote.symbol,
)


@given(
    quotes=quotes_of_any_kind,
    phase=st.sampled_from(Phase),
    is_open=st.sampled_from([True, False, None]),
    dropped=st.integers(0, 300),
    recording=st.booleans(),
    currency=st.sampled_from(["INR", None]),
)
def test_nothing_is_lost(
    quotes: list[Quote],
    phase: Phase,
    is_open: bool | None,
    dropped: int,
    recording: bool,
    currency: str | None,
) -> None:
    """Every drawn snapshot comes back equal, to the last digit."""
    snapshot = Snapshot("nse", AS_OF, tuple(quotes), currency, is_open, dropped, recording)
    made = snapshot_files.to_json(snapshot, table(*quotes), page_context(phase))
    assert snapshot_json.from_json(strict_json.decode(made)) == snapshot


def test_phase_says_open() -> None:
    """A document without is_open is open exactly when its phase is."""
    for phase in Phase:
        session = {"date": "2026-09-17", "phase": str(phase), "next_open": None}
        assert snapshot_json.from_json(document(session=session)).is_open is (phase is Phase.OPEN)


@pytest.mark.parametrize(
    ("currency", "expected"),
    [
        *(("INR", "INR"), ("JPY", "JPY"), (None, None)),
        *(
            (odd, None)
            for odd in (
                "",
                "Rs",
                "₹",
                "inr",
                "US$",
                "USDT",
                "Rupees",
                "IN R",
                "ＩＮＲ",
                "<i>",
                "\0",
                5,
                ["INR"],
            )
        ),
    ],
)
def test_a_currency_is_a_code_or_nothing(currency: object, expected: str | None) -> None:
    """The page's script can write amounts in a code of three letters alone; the figures are good without."""
    assert expected == snapshot_json.from_json(document(currency=currency)).currency


BAD_DOCUMENTS: dict[str, object] = {
    "a list": [],
    "nothing": None,
    "another schema": document(schema="market-heatmap/2"),
    "no schema": {key: value for key, value in document().items() if key != "schema"},
    "a naive time": document(as_of="2026-09-17T16:00:28"),
    "a number as time": document(as_of=1789640000),
    "no source": document(source=None),
    "no quotes": document(quotes=[]),
    "quotes of another kind": document(quotes={"M&M": 1}),
    "a quote of another kind": document(quotes=[7]),
    "no session": document(session=None),
    "an unknown phase": document(session={"phase": "opening"}),
    "a phase of another kind": document(session={"phase": ["open"]}),
    "dropped as a truth": document(dropped=True),
    "dropped below 0": document(dropped=-1),
    "recording as text": document(recording="yes"),
}
BAD_QUOTES: dict[str, dict[str, object]] = {
    "no symbol": {"symbol": None},
    "a script as symbol": {"symbol": "<script>alert(1)</script>"},
    "a path as symbol": {"symbol": "../../etc"},
    "a long symbol": {"symbol": "A" * 33},
    "no change": {"percent_change": None},
    "a change as text": {"percent_change": "5.05"},
    "a change as truth": {"percent_change": True},
    "an impossible change": {"percent_change": -101},
    "a price of 0": {"last_price": 0},
    "an endless price": {"last_price": 1e300},
    "a volume below 0": {"volume": -1},
    "a name of another kind": {"name": {"en": "x"}},
    "changes of another kind": {"changes": []},
    "a change of another kind": {"changes": {"1y": 5}},
    "a period of another kind": {"changes": {"<b>": {"percent": 1, "since": None}}},
    "a wrong day": {"changes": {"1y": {"percent": 1, "since": "17-08-2026"}}},
}


@pytest.mark.parametrize("bad", BAD_DOCUMENTS)
def test_bad_documents(bad: str) -> None:
    """A document that is not ours is refused in one line."""
    with pytest.raises(SourceNonsense) as caught:
        snapshot_json.from_json(BAD_DOCUMENTS[bad])
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("bad", BAD_QUOTES)
def test_bad_quotes(bad: str) -> None:
    """A quote that cannot be is refused: our own format has no excuse."""
    rows = document()["quotes"]
    with pytest.raises(SourceNonsense):
        snapshot_json.from_json(document(quotes=[{**rows[0], **BAD_QUOTES[bad]}, rows[1]]))


def test_symbol_twice() -> None:
    """A symbol that stands there twice is refused."""
    row = document()["quotes"][0]
    with pytest.raises(SourceNonsense, match="twice"):
        snapshot_json.from_json(document(quotes=[row, row]))


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@given(st.sampled_from([*document(), "is_open", "dropped", "recording"]), json_values)
def test_any_value(key: str, value: object) -> None:
    """Any value under a key gives a snapshot or SourceNonsense, never another exception."""
    try:
        snapshot_json.from_json(document(**{key: value}))
    except SourceNonsense:
        pass


@given(st.sampled_from([*document()["quotes"][0]]), json_values)
def test_any_value_in_a_quote(key: str, value: object) -> None:
    """The same within a quote."""
    rows = document()["quotes"]
    try:
        snapshot_json.from_json(document(quotes=[{**rows[0], key: value}]))
    except SourceNonsense:
        pass


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b'{"a": NaN}',
        b'{"a": -Infinity}',
        b'{"a": 1e999}',
        b'{"a": -1e999}',
        b"[" * 200_000,
        b'{"a": ' * 200_000,
        b"[" + b"9" * 5_000 + b"]",
        b'"\xff\xfe"',
        b'["\\ud800"]',
        b'{"\\uDC00": 1}',
        b"[1] trailing",
    ],
    ids=lambda body: repr(body[:12]),
)
def test_decode_refuses(body: bytes) -> None:
    """Text that is not strict JSON is refused in one line."""
    with pytest.raises(SourceNonsense) as caught:
        strict_json.decode(body)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 200


def test_decode_accepts() -> None:
    """A byte order mark, paired surrogates and every script are fine."""
    assert strict_json.decode(b'\xef\xbb\xbf{"a": ["\\ud83d\\ude00", 1.5]}') == {"a": ["😀", 1.5]}
    assert strict_json.decode('{"n": "台積電"}'.encode()) == {"n": "台積電"}


@given(st.binary(max_size=64))
def test_decode_any_bytes(body: bytes) -> None:
    """Any bytes: a value or SourceNonsense."""
    try:
        strict_json.decode(body)
    except SourceNonsense:
        pass


def test_csv() -> None:
    """The table has a header, CRLF line ends, plain numbers, and empty cells where unknown."""
    made = snapshot_files.to_csv(table(FULL, BARE)).decode()
    rows = list(csv.reader(io.StringIO(made, newline="")))

    assert made.count("\r\n") == 3
    assert rows[0] == [
        "symbol", "name", "sector", "last_price", "previous_close", "percent_change", "open", "high", "low",
        "volume", "turnover", "free_float_market_cap", "year_high", "year_low",
        "change_1mo", "change_1mo_since", "change_1y", "change_1y_since",
    ]  # fmt: skip
    assert rows[1] == [
        "M&M", "Mahindra & Söhne", "Automobile", "557.0", "530.2", "5.05", "532.9", "560.95", "529.95",
        "9374431", "5196622080.54", "601571169812.24", "796.9", "508.7", "2.58", "2026-08-17", "", "",
    ]  # fmt: skip
    assert rows[2] == ["BAJAJ-AUTO", "", "", "", "", "-1.0", *[""] * 12]


@pytest.mark.parametrize(
    "start", ["=", "+", "-", "@", "\t", "\r", "\n", *"＝＋－＠﹦﹢﹣﹫−", " =", "\u3000＝", "\ufeff="]
)
def test_csv_formulas(start: str) -> None:
    """Text that a spreadsheet would run is text there; a negative number stays a number."""
    evil = replace(BARE, name=f'{start}HYPERLINK("http://evil.example","x"),1')
    row = list(csv.reader(io.StringIO(snapshot_files.to_csv(table(evil)).decode(), newline="")))[1]
    assert row[1] == f"'{evil.name}"
    assert row[5] == "-1.0"


def test_csv_formulas_behind_a_separator() -> None:
    """Where the list separator is a semicolon, the rest of a name would be a cell of its own."""
    names = {"A;=1+1;B": "A;'=1+1;B", "A, ＝1": "A, '＝1", "Foo, Inc": "Foo, Inc", "A-B; C=D": "A-B; C=D"}
    for name, written in names.items():
        text = snapshot_files.to_csv(table(replace(BARE, name=name))).decode()
        assert written == list(csv.reader(io.StringIO(text, newline="")))[1][1]
