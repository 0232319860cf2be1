"""history.json, decoded as in the page's script, against the source figures."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from heatmap.analysis import modes, rankings
from heatmap.history import period_starts
from heatmap.history.model import TermsBreak
from heatmap.history.options import HistoryOptions
from heatmap.history.store import open_store
from heatmap.market.calendar.phases import Calendar
from heatmap.market.calendar.session import Phase
from heatmap.market.quotes import Snapshot
from heatmap.pictures.market_map import sparklines
from heatmap.pictures.market_map.availability import describe_missing
from heatmap.pictures.market_map.history_data import history_data, history_json
from heatmap.pictures.market_map.past import HistoryView, PastReader
from heatmap.pictures.options import PageOptions
from tests.history import markets
from tests.history.figures import MARKET, at
from tests.history.markets import SESSION

DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"


def unpack(text: str) -> list[int]:
    """The numbers of a base64 VLQ, as templates/script/1-data.js has it."""
    numbers, number, weight = [], 0, 1
    for letter in text:
        digit = DIGITS.index(letter)
        number += (digit & 31) * weight
        weight *= 32
        if digit < 32:
            numbers.append(number)
            number, weight = 0, 1
    return numbers


def signed(number: int) -> int:
    """A number that may be negative."""
    return -(number + 1) // 2 if number % 2 else number // 2


def falling(text: str) -> list[int]:
    """A falling sequence."""
    numbers = unpack(text)
    values = [signed(numbers[0])] if numbers else []
    for step in numbers[1:]:
        values.append(values[-1] - step)
    return values


def order(text: str, count: int) -> list[int]:
    """The indexes of an order: each among the remaining ones."""
    bits = "".join(f"{DIGITS.index(letter):06b}" for letter in text)
    left = list(range(count))
    places = []
    for _ in range(count):
        width = (len(left) - 1).bit_length()
        places.append(left.pop(int(bits[:width] or "0", 2)))
        bits = bits[width:]
    return places


def make_history(folder: Path, sessions: int, ticks: int = 3) -> tuple[HistoryView, Snapshot]:
    """A market with so many sessions of bars, and ticks of today at 09:20, 09:30, 09:40, …."""
    bars, quotes = markets.bars(markets.nse(), sessions)
    last = Snapshot(
        "test", at(SESSION, 9, 20) + timedelta(minutes=10 * (ticks - 1)), tuple(quotes), currency="INR"
    )
    with open_store(HistoryOptions(), folder, pytest.fail) as store:
        store.add_bars(MARKET, bars)
        for number in range(ticks - 1):
            moved = tuple(
                replace(quote, last_price=(quote.last_price or 0) - number - 1, high=(quote.high or 0) - 1)
                for quote in quotes
            )
            as_of = at(SESSION, 9, 20) + timedelta(minutes=10 * number)
            store.add_tick(MARKET, replace(last, as_of=as_of, quotes=moved), SESSION, Phase.OPEN)
        figures = PastReader(store, MARKET, markets.nse(), HistoryOptions().periods, folder)
        return figures.read(last, SESSION, Phase.OPEN), last


def draw(past: HistoryView, snapshot: Snapshot) -> tuple[dict[str, Any], list[int]]:
    """The document in a browser, and the page's order."""
    page_order = list(rankings.rank_all(snapshot, 3.0, {})["change", "1d"].order)
    return json.loads(history_json(history_data(past, snapshot, page_order, PageOptions()))), page_order


def test_rankings_are_of_the_same_stocks_and_numbers(tmp_path: Path) -> None:
    """Each ranking identifies its stocks by their index in the page; changes follow from the closes."""
    past, snapshot = make_history(tmp_path, 260)

    document, page_order = draw(past, snapshot)

    symbols = [snapshot.quotes[index].symbol for index in page_order]
    prices = {quote.symbol: quote.last_price or 0.0 for quote in snapshot.quotes}
    for name in ("5d", "20d", "60d", "120d", "250d", "ytd"):
        ranking = document["readings"][f"change {name}"]
        values = falling(ranking["values"])
        changes = dict(
            zip((symbols[place] for place in order(ranking["order"], len(symbols))), values, strict=False)
        )
        closes = past.earlier_sessions.starts[name].closes
        expected = {symbol: round((prices[symbol] / close - 1) * 1e4) for symbol, close in closes.items()}
        assert expected == pytest.approx(changes, abs=1)
    assert set(document["readings"]) == {
        *(
            f"{mode} {name}"
            for mode in ("change", "rs", "sector", "momentum")
            for name in document["periods"]
        ),
        *("bands 20d", "volume 1d", "opening-range 1d", "streak 1d"),
    }
    assert {} == document["unavailable"]


def test_the_clamp_follows_the_period(tmp_path: Path) -> None:
    """±3 % for a day are ±7 % for 5 sessions and ±40 % for a year; the configuration can change it."""
    past, snapshot = make_history(tmp_path, 260)
    page_order = list(range(len(snapshot.quotes)))

    def low(options: PageOptions, name: str) -> str:
        scales = history_data(past, snapshot, page_order, options)["readings"][f"change {name}"]["scales"]
        scale = next(scale for scale in scales if scale["name"] == "1")
        return str(scale["high"])

    assert ["+7.00", "+13.00", "+40.00"] == [low(PageOptions(), name) for name in ("5d", "20d", "250d")]
    assert "+9.00" == low(PageOptions(period_clamps={"20d": 9.0}), "20d")


def reasons(past: HistoryView, snapshot: Snapshot, calendar: Calendar | None = None) -> dict[str, str]:
    """The page's reason for each period and mode of the history; "": it can be chosen."""
    document, _ = draw(past, snapshot)
    offer = describe_missing(past, document, calendar or markets.nse())
    return {name: reason for choices in offer.values() for name, _, reason in choices}


def test_a_choice_without_values_has_its_first_day(tmp_path: Path) -> None:
    """The first session with enough earlier ones, by the calendar with its holidays; the text is for visitors, not operators."""
    past, snapshot = make_history(tmp_path, 7, ticks=1)

    document, _ = draw(past, snapshot)

    assert date(2026, 9, 17) == SESSION
    assert {
        "5d": "",
        "20d": "from 7 Oct 2026",  # 13 sessions later; 2 October is a holiday
        "60d": "from 4 Dec 2026",
        "120d": "after 113 more sessions",  # beyond the calendar's end
        "250d": "after 243 more sessions",
        "ytd": "from 2027",
        "bands": "from 6 Oct 2026",  # it takes 19
        "momentum": "",
        "volume": "",
        "opening-range": "",  # which every session has later
        "streak": "",
    } == reasons(past, snapshot)
    assert {"opening-range 1d": "it takes the first 15 minutes, which end at 09:30"} == document[
        "unavailable"
    ]
    assert ["5d"] == list(document["periods"])
    assert ["momentum", "volume", "opening-range", "streak"] == list(document["modes"])
    assert {"change 5d", "rs 5d", "sector 5d", "momentum 5d"} == {
        name for name in document["readings"] if name.endswith(" 5d")
    }
    assert "backfill" not in json.dumps([document, reasons(past, snapshot)])


def test_the_first_day_has_the_next_session_to_offer(tmp_path: Path) -> None:
    """With this session's ticks alone, the first comparison is possible tomorrow."""
    past, snapshot = make_history(tmp_path, 0)

    by_name = reasons(past, snapshot)

    assert {"from 18 Sep 2026"} == {by_name["streak"], by_name["volume"]}
    assert {"from 24 Sep 2026"} == {by_name["5d"], by_name["momentum"]}
    always = replace(markets.nse(), always=True)
    assert "from 22 Sep 2026" == reasons(past, snapshot, always)["5d"]  # five days, weekends among them


def test_a_missing_session_delays_a_period(tmp_path: Path) -> None:
    """A period that begins at a session without bars begins a session later tomorrow."""
    past, snapshot = make_history(tmp_path, 30)
    gap = past.earlier_sessions.dates[-5]
    base = period_starts.find_start(
        "5d", past.earlier_sessions.dates, set(past.earlier_sessions.dates) - {gap}, SESSION
    )

    assert (None, 1) == (base.date, base.sessions_to_wait)
    both = set(past.earlier_sessions.dates) - {gap, past.earlier_sessions.dates[-4]}
    assert 2 == period_starts.find_start("5d", past.earlier_sessions.dates, both, SESSION).sessions_to_wait
    assert 5 == period_starts.find_start("5d", past.earlier_sessions.dates, set(), SESSION).sessions_to_wait
    assert (
        None
        is period_starts.find_start(
            "5d", past.earlier_sessions.dates, set(past.earlier_sessions.dates), SESSION
        ).sessions_to_wait
    )


def test_the_page_gets_the_choices(tmp_path: Path) -> None:
    """Names and labels, the shortest period first; an empty history gives none."""
    past, snapshot = make_history(tmp_path, 260)

    document, _ = draw(past, snapshot)
    offer = describe_missing(past, document, markets.nse())

    year = past.earlier_sessions.starts["ytd"].sessions
    assert ["5d", "20d", "60d", "120d", "ytd", "250d"] == [name for name, *_ in offer["periods"]]
    assert 120 < year < 250
    assert ("ytd", "Year to date", "") in offer["periods"]
    assert [*modes.HISTORY_MODES] == [name for name, *_ in offer["modes"]]
    empty, alone = make_history(tmp_path / "empty", 0, ticks=1)
    assert {} == describe_missing(empty, draw(empty, alone)[0], markets.nse())


def test_modes_are_as_the_page_has_them(tmp_path: Path) -> None:
    """Each has unit, ramp, centre and its only periods; momentum begins with 20 sessions."""
    past, snapshot = make_history(tmp_path, 260)

    document, _ = draw(past, snapshot)

    assert {"bands", "momentum", "volume", "opening-range", "streak"} == set(document["modes"])
    assert ("%", 50.0, ["20d"]) == tuple(
        document["modes"]["bands"][key] for key in ("unit", "centre", "periods")
    )
    assert ["20d", "5d", "60d", "120d", "ytd", "250d"] == document["modes"]["momentum"]["periods"]
    assert all(
        document["modes"][name][key] for name in document["modes"] for key in ("formula", "caveat", "label")
    )


def test_lines_hold_the_prices(tmp_path: Path) -> None:
    """Points go from 1 at the low to HEIGHT + 1 at the high, 0 is unknown; low, high, first and last are prices."""
    past, snapshot = make_history(tmp_path, 260)

    document, page_order = draw(past, snapshot)

    lines = document["sparks"]["sixty"]
    firsts, lasts = unpack(lines["first"]), list(map(signed, unpack(lines["last"])))
    lows, highs = unpack(lines["low"]), unpack(lines["high"])
    assert 60 == len(lines["dates"])
    assert "17 Sep 2026" == lines["dates"][-1]
    for place, index in enumerate(page_order):
        quote = snapshot.quotes[index]
        prices = [*past.earlier_sessions.closes[quote.symbol][-59:], quote.last_price]
        some = [price for price in prices if price is not None]
        cents = (
            firsts[place],
            firsts[place] - lows[place],
            firsts[place] + highs[place],
            firsts[place] + lasts[place],
        )
        assert pytest.approx(cents, abs=1) == [
            100 * price for price in (some[0], min(some), max(some), some[-1])
        ]
        points = unpack(lines["points"][place])
        assert [price is None for price in prices] == [point == 0 for point in points]
        if len(set(some)) > 1:
            assert {1, sparklines.HEIGHT + 1} <= set(points)
            assert points[prices.index(min(some))] == 1
    assert ["09:20", "09:30", "09:40"] == document["sparks"]["day"]["times"]
    assert [3] * len(page_order) == [len(unpack(text)) for text in document["sparks"]["day"]["points"]]


def test_a_line_without_a_range_is_straight() -> None:
    """It is half way up; one price alone gives no line, and no price gives none."""
    flat = sparklines.draw([5.0, None, 5.0])

    assert flat
    assert [16, 0, 16] == unpack(flat.points)
    assert (5.0, 5.0, 5.0, 5.0) == flat[1:]
    assert None is sparklines.draw([5.0, None])
    assert None is sparklines.draw([])


def test_adjusted_stocks_are_named(tmp_path: Path) -> None:
    """The page has the number of stocks for which a period is adjusted, and their names."""
    past, snapshot = make_history(tmp_path, 260)

    document, page_order = draw(past, snapshot)

    place = [snapshot.quotes[index].symbol for index in page_order].index(markets.SPLIT)
    assert (0, 1) == (document["periods"]["5d"]["adjusted"], document["periods"]["20d"]["adjusted"])
    assert [place] == unpack(document["adjusted"]["20d"])
    assert "5d" not in document["adjusted"]
    assert ({}, {}) == (document["guesses"], document["doubts"])


def test_stocks_have_reasons_for_doubt(tmp_path: Path) -> None:
    """By period and symbol: a split that only the open shows, a change of terms that nothing explains, a gap."""
    past, snapshot = make_history(tmp_path, 260)
    past = past._replace(
        earlier_sessions=past.earlier_sessions._replace(
            guesses={markets.SPLIT: markets.SPLIT_DAY},
            breaks={
                "A": TermsBreak(date(2026, 9, 9), is_gap=False),
                "B": TermsBreak(date(2026, 9, 10), is_gap=True),
            },
        )
    )

    document, _ = draw(past, snapshot)

    longer = set(document["periods"]) - {"2d", "5d"}
    probably = "This period is adjusted for what was probably a split or bonus on 9 Sep 2026."
    assert {name: {markets.SPLIT: probably} for name in longer} == document["guesses"]
    changed = "On 9 Sep 2026 the terms of its price changed, and no split or bonus explains it."
    missing = (
        "Sessions before 10 Sep 2026 are missing, and its price changed much meanwhile: perhaps by a split."
    )
    assert {"A": changed, "B": missing} == document["doubts"]["20d"]
    assert {"B": missing} == document["doubts"]["5d"]  # which starts at the close of 9 September


def test_a_line_that_goes_on_is_the_line_of_all_its_prices(tmp_path: Path) -> None:
    """A last price within the range of the closes, beyond it, on its edge, without a price, and for a new share."""
    past, snapshot = make_history(tmp_path, 70)
    for share in (None, 0.5, 0.97, 1.0, 1.02, 2.0):
        quotes = [
            replace(quote, last_price=share and (quote.last_price or 1.0) * share)
            for quote in snapshot.quotes
        ]
        for quote, line in zip(
            quotes,
            sparklines.add_last_prices(past.sparklines, past.earlier_sessions.closes, quotes),
            strict=True,
        ):
            assert line == sparklines.draw(
                [*past.earlier_sessions.closes[quote.symbol][-59:], quote.last_price]
            )
    low, high = past.sparklines["A"].low, past.sparklines["A"].high
    for price in (low, high):
        quote = replace(snapshot.quotes[0], symbol="A", last_price=price)
        assert sparklines.add_last_prices(past.sparklines, past.earlier_sessions.closes, [quote]) == [
            sparklines.draw([*past.earlier_sessions.closes["A"][-59:], price])
        ]
    new = replace(snapshot.quotes[0], symbol="NEW", last_price=1.0)
    assert [None] == sparklines.add_last_prices(past.sparklines, past.earlier_sessions.closes, [new])
