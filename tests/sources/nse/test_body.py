"""Every form of the exchange's figures, and all kinds of other content."""

from __future__ import annotations

import copy
import json
from datetime import date, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heatmap.errors import SourceBlocked, SourceError, SourceNonsense
from heatmap.market.quotes import Change, Quote, Snapshot
from heatmap.sources.nse.body import load_industries, parse
from tests.checkout import CHECKOUT

INDIA = timezone(timedelta(hours=5, minutes=30))
FIXTURES = CHECKOUT / "tests" / "fixtures"


def body(name: str) -> Any:
    """Return a fixture, decoded."""
    return json.loads((FIXTURES / f"nse_{name}.json").read_text("utf-8"))


def today(**row: Any) -> dict[str, Any]:
    """Return the present form with its first row changed."""
    made: dict[str, Any] = body("today")
    made["data"]["data"][0].update(row)
    return made


def test_today() -> None:
    """Numbers, no index row, no industry; a change of 0 since no day is unknown, and so is "-"."""
    snapshot = parse((FIXTURES / "nse_today.json").read_bytes(), index="SECURITIES IN F&O")

    assert snapshot == Snapshot(
        source="nse",
        as_of=datetime(2026, 9, 17, 16, 0, 28, tzinfo=INDIA),
        quotes=(
            Quote(
                symbol="HDFCLIFE",
                percent_change=5.05,
                name="HDFC LIFE INSURANCE COMPANY LIMITED",
                sector="Financial Services",
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
                changes={"1mo": Change(2.58, date(2026, 8, 17)), "1y": Change(-28.07, date(2025, 9, 16))},
            ),
            Quote(
                symbol="TMPV",
                percent_change=4.49,
                name="TATA MOTORS PASSENGER VEHICLES LIMITED",
                sector="Automobile and Auto Components",
                last_price=314.5,
                previous_close=301.0,
                open=301.0,
                high=319.8,
                low=299.75,
                volume=11903808.0,
                turnover=3704346011.52,
                free_float_market_cap=655500679240.2,
                year_high=739.7,
                year_low=294.3,
                changes={"1mo": Change(-4.75, date(2026, 8, 17)), "1y": Change(None, None)},
            ),
            Quote("FEDERALBNK", 0.5, "THE FEDERAL BANK LIMITED", "Financial Services"),
            Quote("POLICYBZR", -3.4, "PB FINTECH LIMITED", "Financial Services", volume=0.0),
        ),
        currency="INR",
        is_open=False,
    )


def test_former_fno() -> None:
    """Prices as text; the packaged industry goes before the body's own; "Pre-Open" is not open."""
    snapshot = parse(body("former_fno"))
    first, second = snapshot.quotes

    assert (first.symbol, first.last_price, first.previous_close, first.percent_change) == (
        "BSE",
        4232.0,
        4190.8,
        0.98,
    )
    assert (first.name, first.sector) == ("BSE Limited", "Financial Services")
    assert (second.symbol, second.sector) == ("NOTLISTED", "Exchange and Data Platform")
    assert snapshot.as_of == datetime(2026, 5, 20, 15, 32, 31, tzinfo=INDIA)
    assert snapshot.is_open is False


def test_former_index() -> None:
    """The index's own row is no stock and does not count as dropped."""
    snapshot = parse(body("former_index"))

    assert [quote.symbol for quote in snapshot.quotes] == ["ICICIBANK"]
    assert snapshot.dropped == 0
    assert snapshot.is_open is True


def test_index_row_without_priority() -> None:
    """A row with the name of the requested index is the index, even without other fields."""
    made = today(symbol="NIFTY 50", priority=0)
    assert [quote.symbol for quote in parse(made, index="NIFTY 50").quotes] == [
        "TMPV",
        "FEDERALBNK",
        "POLICYBZR",
    ]
    assert parse(made, index="NIFTY 50").dropped == 0


def test_legacy() -> None:
    """Text with commas and dashes, lakhs of shares, crores of rupees; a missing change is computed."""
    snapshot = parse(body("legacy"))
    first, second = snapshot.quotes

    assert snapshot.as_of == datetime(2023, 8, 18, 16, 0, tzinfo=INDIA)
    assert snapshot.is_open is None
    assert first == Quote(
        symbol="TECHM",
        percent_change=-0.18,
        sector="Information Technology",
        last_price=1271.55,
        previous_close=1273.85,
        open=1287.0,
        high=1287.0,
        low=1268.0,
        volume=1_359_000.0,
        turnover=1_734_100_000.0,
        year_high=1416.3,
        year_low=981.05,
        changes={"1mo": Change(-3.51, None), "1y": Change(12.84, None)},
    )
    # 1,894.10 against 1,850.00: the source has no figure of its own, so this one is computed.
    assert (second.symbol, second.percent_change, second.volume, second.open) == ("M&M", 2.38, None, None)


def test_own_figure_is_used_as_given() -> None:
    """The source's percent change holds, even if last price and previous close give another."""
    assert parse(today(pChange=1.0)).quotes[0].percent_change == 1.0


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("17-Sep-2026 16:00:28", datetime(2026, 9, 17, 16, 0, 28, tzinfo=INDIA)),
        ("22-May-2026 15:30", datetime(2026, 5, 22, 15, 30, tzinfo=INDIA)),
        ("16-Oct-2023", datetime(2023, 10, 16, tzinfo=INDIA)),
        ("2026-05-27 11:54:23", datetime(2026, 5, 27, 11, 54, 23, tzinfo=INDIA)),
        ("Aug 18, 2023 16:00:00", datetime(2023, 8, 18, 16, tzinfo=INDIA)),
    ],
)
def test_times(text: str, expected: datetime) -> None:
    """The observed forms of time, in Indian time."""
    made = body("today")
    made["data"]["timestamp"] = text
    assert parse(made).as_of == expected


@pytest.mark.parametrize(
    "text",
    ["10", "02-03-2026", "17-Sep-2026 16:00:28 IST", "32-Sep-2026 10:00:00", "", "-", None, 5, [], "1" * 99],
)
def test_times_that_are_none(text: object) -> None:
    """No time is guessed: figures of unknown age are refused."""
    made = body("today")
    made["data"]["timestamp"] = text
    with pytest.raises(SourceNonsense, match="holds no readable time"):
        parse(made)


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ({"market": "CM", "marketStatus": "Open"}, True),
        ({"market": "Capital Market", "marketStatus": "OPEN "}, True),
        ({"market": "CM", "marketStatus": "Pre-Open"}, False),
        ({"market": "CM", "marketStatus": "Closed"}, False),
        (
            [
                {"market": "Currency", "marketStatus": "Open"},
                {"market": "Capital Market", "marketStatus": "Closed"},
            ],
            False,
        ),
        ({"market": "Currency", "marketStatus": "Open"}, None),
        ({"market": "CM", "marketStatus": 1}, None),
        ("Open", None),
        (None, None),
    ],
)
def test_status(status: object, expected: bool | None) -> None:
    """The status of the equity segment, compared as a whole; other values mean unknown."""
    made = body("today")
    made["data"]["marketStatus"] = status
    assert parse(made).is_open is expected


@pytest.mark.parametrize(
    "row",
    [
        {"symbol": "<script>alert(1)</script>"},
        {"symbol": "../../etc"},
        {"symbol": "..A"},
        {"symbol": "A..B"},
        {"symbol": ""},
        {"symbol": None},
        {"symbol": 7},
        {"symbol": "A" * 33},
        {"pChange": 100_001},
        {"pChange": -100.5},
        {"pChange": "-", "lastPrice": "-"},
        {"pChange": True, "lastPrice": None},
        {"pChange": {}, "previousClose": 0},
    ],
    ids=str,
)
def test_dropped_rows(row: dict[str, object]) -> None:
    """A row without a usable symbol or change is left out and counted."""
    snapshot = parse(today(**row))
    assert len(snapshot.quotes) == 3
    assert snapshot.dropped == 1


def test_a_stock_with_two_rows_that_differ() -> None:
    """Either row may be wrong, so both are left out and counted."""
    snapshot = parse(today(symbol="TMPV"))
    assert (2, 2) == (len(snapshot.quotes), snapshot.dropped)
    assert "TMPV" not in {quote.symbol for quote in snapshot.quotes}


@pytest.mark.parametrize("price", [0, -5, "-", "", None, True, [], "1e999"])
def test_prices_that_are_none(price: object) -> None:
    """An unusable price is unknown, never 0; the row stays."""
    quote = parse(today(lastPrice=price, open=price)).quotes[0]
    assert (quote.last_price, quote.open, quote.percent_change) == (None, None, 5.05)


def test_hostile_name() -> None:
    """Invisible characters are removed from names."""
    assert parse(today(companyName="A\u202e\x00B\nC")).quotes[0].name == "AB C"


@pytest.mark.parametrize(
    ("made", "words"),
    [
        ({"data": {}}, "no figures at all"),
        ({}, "no list of stocks"),
        ([], "no list of stocks"),
        (None, "no list of stocks"),
        ({"data": {"data": {}}}, "no list of stocks"),
        ({"data": [], "timestamp": "17-Sep-2026 16:00:28"}, "without a single stock"),
        ({"data": [1, 2, 3], "timestamp": "17-Sep-2026 16:00:28"}, "3 unusable rows of 3"),
    ],
)
def test_nonsense(made: object, words: str) -> None:
    """Content without quotes is refused with its own sentence."""
    with pytest.raises(SourceNonsense, match=words):
        parse(made)


def test_half_a_market_is_none() -> None:
    """Up to half of the rows may be unusable, not more."""
    made = body("today")
    for row in made["data"]["data"][:2]:
        row["symbol"] = "?"
    assert parse(made).dropped == 2
    made["data"]["data"][2]["symbol"] = "?"
    with pytest.raises(SourceNonsense, match="3 unusable rows of 4"):
        parse(made)


def test_web_page() -> None:
    """HTML with status 200 is a block, not a change of form."""
    with pytest.raises(SourceBlocked):
        parse(b"\xef\xbb\xbf\r\n <HTML><TITLE>Access Denied</TITLE></HTML>")


def test_industries() -> None:
    """The packaged table has the exchange's 22 groups, and its symbols with & and -."""
    table = load_industries()
    assert len(table) == 755
    assert len(set(table.values())) == 22
    assert table["M&M"] == table["BAJAJ-AUTO"] == "Automobile and Auto Components"
    assert parse(today(), industries={"HDFCLIFE": "Mine"}).quotes[0].sector == "Mine"
    assert parse(today(), industries={}).quotes[0].sector is None


@pytest.mark.parametrize(
    ("name", "stocks", "as_of"),
    [
        ("getIndicesData_SECURITIES-IN-FO_2026-09-17", 210, "2026-09-17T16:00:28+05:30"),
        ("equity-stockIndices_SECURITIES-IN-FO_2026-05-20_excerpt11of209", 11, "2026-05-20T15:32:31+05:30"),
        ("equity-stockIndices_NIFTY-BANK_2026-05-20", 14, "2026-05-20T16:00:00+05:30"),
        ("nseapi_listEquityStocksByIndex_oldform_3rows", 1, "2025-01-01T16:00:00+05:30"),
        ("nseapi_listFnoStocks_oldform", 1, "2023-10-16T15:30:11+05:30"),
    ],
)
def test_recorded_bodies(recorded_bodies: Path, name: str, stocks: int, as_of: str) -> None:
    """Whole answers of the exchange, of each form, lose no stock and gain no index."""
    snapshot = parse((recorded_bodies / "snapshot" / f"{name}.json").read_bytes())
    assert (len(snapshot.quotes), snapshot.dropped) == (stocks, 0)
    assert snapshot.as_of == datetime.fromisoformat(as_of)
    assert snapshot.is_open is False
    assert all(quote.last_price and quote.previous_close and quote.sector for quote in snapshot.quotes)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


def sound(snapshot: Snapshot) -> bool:
    """Whether a snapshot keeps the promises of the model."""
    symbols = [quote.symbol for quote in snapshot.quotes]
    return bool(symbols) and len(set(symbols)) == len(symbols) and snapshot.as_of.utcoffset() is not None


@given(
    st.sampled_from(["today", "former_fno", "former_index", "legacy"]),
    st.lists(st.integers(0, 30), min_size=1, max_size=4),
    json_values,
)
def test_anything_anywhere(form: str, way: list[int], value: object) -> None:
    """Any value anywhere in a body: a valid snapshot, or one of the program's errors."""
    made = copy.deepcopy(body(form))
    place: Any = made
    for step in way:
        keys = list(place) if isinstance(place, dict) else range(len(place))
        key = keys[step % len(keys)]
        if step is way[-1] or not isinstance(place[key], (dict, list)) or not place[key]:
            place[key] = value
            break
        place = place[key]
    try:
        assert sound(parse(made))
    except SourceError:
        pass


@given(st.binary(max_size=200) | json_values.map(lambda value: json.dumps(value).encode()))
def test_any_bytes(given_body: bytes) -> None:
    """Any bytes: one of the program's errors, since none of them is a market."""
    with pytest.raises(SourceError):
        parse(given_body)


@given(json_values)
def test_any_document(document: object) -> None:
    """Any decoded document: the same."""
    with pytest.raises(SourceError):
        parse(document)
