"""The exchange's holiday list: its segments, its stars, and its faults, which are refused."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heatmap.errors import SourceBlocked, SourceEmpty, SourceError, SourceNonsense
from heatmap.sources.nse.holidays import fetch, parse
from heatmap.sources.nse.live import Nse
from tests.servers.exchange import Exchange
from tests.servers.exchange_holidays import LISTED_2026, MADE_UP_2027, holiday_master

FEBRUARY_19 = date(2026, 2, 19)  # when currencies rest, and nothing else
SUNDAY_WITH_A_STAR = date(2026, 11, 8)


def of(*rows: Any) -> bytes:
    """Return a body whose equities have these rows."""
    return json.dumps({"CM": rows}).encode()


def test_the_segment_of_equities_is_read() -> None:
    """Twenty rows of 2026, weekends among them, one of them a Muhurat session; currencies have more."""
    (found,) = parse(holiday_master())

    assert 2026 == found.year
    assert {date.fromisoformat(day) for day in LISTED_2026} == {*found.closed, *found.muhurat}
    assert {SUNDAY_WITH_A_STAR: "Diwali Laxmi Pujan"} == found.muhurat
    assert "Independence Day" == found.closed[date(2026, 8, 15)]  # a Saturday
    assert FEBRUARY_19 not in found.closed
    assert () == found.derivatives_differences == found.missing


def test_a_star_within_the_description() -> None:
    """A star in either place marks the session, and is no part of the name."""
    assert {date(2027, 10, 29): "Diwali Laxmi Pujan"} == parse(holiday_master(MADE_UP_2027))[0].muhurat


def test_where_derivatives_differ_it_says_so() -> None:
    """A sentence for each such day, for either segment."""
    derivatives = {**LISTED_2026, "2026-12-24": "Settlement"}
    del derivatives["2026-12-25"]

    assert (
        "2026-12-24 is a holiday for derivatives, not for equities",
        "2026-12-25 is a holiday for equities, not for derivatives",
    ) == parse(holiday_master(derivatives=derivatives))[0].derivatives_differences


def test_a_list_without_a_fixed_holiday_is_not_whole() -> None:
    """The missing holidays are named."""
    first_half = {day: name for day, name in LISTED_2026.items() if day < "2026-07"}

    assert ("Independence Day", "Gandhi Jayanti", "Christmas") == parse(holiday_master(first_half))[0].missing


def test_two_years_at_once() -> None:
    """Each is a list of its own, the earlier first, with the differences of derivatives in its year."""
    both = holiday_master(
        {**MADE_UP_2027, **LISTED_2026}, {**MADE_UP_2027, **LISTED_2026, "2027-06-30": "Settlement"}
    )

    found = parse(both)

    assert [parse(holiday_master())[0], parse(holiday_master(MADE_UP_2027))[0]] == [
        listed._replace(derivatives_differences=()) for listed in found
    ]
    assert [(), ("2027-06-30 is a holiday for derivatives, not for equities",)] == [
        listed.derivatives_differences for listed in found
    ]


def test_two_holidays_of_one_day() -> None:
    """The day has both names; a star on either makes it a session."""
    row = {"tradingDate": "02-Oct-2025", "description": "Mahatma Gandhi Jayanti"}
    other = {**row, "description": "Dussehra"}

    assert {date(2025, 10, 2): "Mahatma Gandhi Jayanti/Dussehra"} == parse(of(row, other))[0].closed
    assert {} == parse(of(row, {**other, "description": "Dussehra*"}))[0].closed


GOOD = {"tradingDate": "26-Jan-2026", "weekDay": "Monday", "description": "Republic Day"}


@pytest.mark.parametrize(
    ("body", "kind", "part"),
    [
        (b"<html>Denied</html>", SourceBlocked, "web page"),
        (b"[]", SourceNonsense, "by segment"),
        (b"{}", SourceNonsense, "no segment CM"),
        (b'{"CM": {}}', SourceNonsense, "no list"),
        (b'{"CM": []}', SourceEmpty, "not one holiday"),
        (b"{", SourceNonsense, "no whole JSON"),
        (b'{"CM":' * 100_000, SourceNonsense, "nested"),
        (of(GOOD, 7), SourceNonsense, "without date"),
        (of({**GOOD, "tradingDate": "26-01-2026"}), SourceNonsense, "without date"),
        (of({**GOOD, "tradingDate": "31-Feb-2026"}), SourceNonsense, "without date"),
        (of({**GOOD, "tradingDate": 26}), SourceNonsense, "without date"),
        (of({**GOOD, "description": None}), SourceNonsense, "without date or description"),
        (of({**GOOD, "weekDay": "Tuesday"}), SourceNonsense, "calls 2026-01-26 a Tuesday"),
        (of({**GOOD, "weekDay": [1]}), SourceNonsense, "calls 2026-01-26"),
        (of(GOOD, {"tradingDate": "26-Jan-2028", "description": "x"}), SourceNonsense, "2026 to 2028"),
        (of(*[GOOD] * 101), SourceNonsense, "no list"),
        (json.dumps({"CM": [GOOD], "FO": [7]}).encode(), SourceNonsense, "segment FO"),
    ],
)
def test_what_is_odd_is_refused(body: bytes, kind: type[SourceError], part: str) -> None:
    """A skipped row could be a closure, so one unreadable row makes the whole list unusable."""
    with pytest.raises(kind) as caught:
        parse(body)

    assert part in str(caught.value)


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=12) | st.sampled_from([*GOOD.values(), "*"]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["CM", "FO", *GOOD]) | st.text(max_size=4), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(st.binary(max_size=200) | JSON.map(lambda value: json.dumps(value).encode()))
def test_nothing_but_our_errors_leaves_parse(body: bytes) -> None:
    """Any body gives a list, or an error of one sentence."""
    try:
        found = parse(body)
    except SourceError as error:
        assert str(error)
    else:
        assert found
        assert all(listed.closed or listed.muhurat for listed in found)


def test_it_is_fetched_as_a_browser_would() -> None:
    """A page first, for its cookies, then the list, at the configured address of the source."""
    with Exchange() as exchange:
        assert parse(holiday_master()) == fetch(Nse(base_url=exchange.url))
        assert ["/market-data/live-equity-market", "/api/holiday-master"] == exchange.paths


def test_a_block_is_told() -> None:
    """The error of an exchange that blocks this address has the exchange's answer."""
    with Exchange(fault="403") as exchange, pytest.raises(SourceBlocked, match="403"):
        fetch(Nse(base_url=exchange.url))


def test_the_recorded_list(recorded_bodies: Path) -> None:
    """The exchange's own list of 2026, with all its segments, is the one carried over into these tests."""
    body = (recorded_bodies / "holidays" / "holiday-master_all-segments_2026.json").read_bytes()

    assert parse(holiday_master()) == parse(body)
