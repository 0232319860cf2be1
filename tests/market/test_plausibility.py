"""Contradicting figures: which are accepted, which become unknown, and the reason shown."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from heatmap.market import plausibility
from heatmap.market.quotes import Change, Quote
from heatmap.sources.snapshot_file import parse
from tests.checkout import CHECKOUT

TODAY = date(2026, 9, 17)
YEAR_AGO, MONTH_AGO = date(2025, 9, 16), date(2026, 8, 17)
RECORDING = CHECKOUT / "heatmap/data/recordings/nse-fno-2026-09-17.json"


def test_a_previous_close_on_the_old_terms() -> None:
    """A bonus of one for one: the close that the change counts from is half of the given one, to the paisa.

    The source's changes over longer periods count from prices on the old terms, so they are unknown.
    """
    quote = Quote(
        "BONUS",
        -2.2,
        last_price=267.5,
        previous_close=547.0,
        changes={"1mo": Change(-50.4, MONTH_AGO), "1y": Change(None, None)},
    )

    found = plausibility.with_adjusted_close(quote)

    assert found
    assert (-2.2, 273.5) == (found.percent_change, found.previous_close)
    assert {"1mo": Change(None, MONTH_AGO), "1y": Change(None, None)} == found.changes
    assert ["1mo"] == list(found.doubts)
    assert not plausibility.contradicts_itself(found)


@pytest.mark.parametrize(
    ("before", "close", "last", "percent"),
    [
        (1574.5, 314.9, 323.2, 2.64),  # a split of one into five
        (1401.8, 560.72, 561.1, 0.07),  # of two into five
        (15.59, 11.69, 11.49, -1.71),  # a bonus of 1:3
        (2786.51, 278.65, 280.58, 0.69),  # a split of one into ten
        (328.7, 219.13, 229.0, 4.5),  # a bonus of 1:2
        (110.0, 100.0, 101.0, 1.0),  # a bonus of 1:10
        (31.4, 314.0, 310.0, -1.27),  # ten became one
    ],
)
def test_usual_ratios(before: float, close: float, last: float, percent: float) -> None:
    """The adjusted close in rupees: each is computed by hand and rounded to the paisa."""
    found = plausibility.with_adjusted_close(Quote("X", percent, last_price=last, previous_close=before))

    assert found
    assert close == found.previous_close


def test_what_the_year_s_range_refutes() -> None:
    """Nine of the recorded day's 210 stocks: each had a split or a bonus within the year."""
    quotes = parse(RECORDING.read_bytes()).quotes

    found = [plausibility.remove_refuted_changes(quote, TODAY) for quote in quotes]

    refuted = {quote.symbol: quote for quote in found if quote.doubts}
    assert {
        *("ADANIPOWER", "ANGELONE", "CAMS", "HDFCAMC", "KOTAKBANK"),
        *("LICI", "MCX", "PIDILITIND", "TRENT"),
    } == set(refuted)
    assert 210 - len(refuted) == sum(quote in quotes for quote in found)
    kotak = refuted["KOTAKBANK"]
    assert Change(None, YEAR_AGO) == kotak.changes["1y"]
    assert kotak.changes["1mo"].percent is not None
    assert {
        "1y": "The source's change counts from a price of 2,021.84, and in 52 weeks the price was between "
        "345.50 and 453.20: a split or bonus is not counted."
    } == kotak.doubts


@pytest.mark.parametrize(
    ("period", "since", "base", "stays"),
    [
        ("1mo", MONTH_AGO, 450.0, True),  # the high itself
        ("1mo", MONTH_AGO, 451.0, False),
        ("1mo", MONTH_AGO, 300.0, True),
        ("1mo", MONTH_AGO, 299.0, False),  # ten became one
        ("1mo", None, 451.0, True),  # of no day that is known
        ("1y", YEAR_AGO, 535.0, True),  # the close before the year: a session of -16 % followed
        ("1y", YEAR_AGO, 545.0, False),
        ("1y", YEAR_AGO, 245.0, True),
        ("1y", YEAR_AGO, 235.0, False),
        ("1y", date(2025, 9, 19), 451.0, False),  # within the 52 weeks
    ],
)
def test_where_a_change_counts_from(period: str, since: date | None, base: float, *, stays: bool) -> None:
    """In a year of 300 to 450: a close within it lies between, that before it at most a session's move away."""
    change = Change(round((400 / base - 1) * 100, 2), since)
    quote = Quote("X", 0.0, last_price=400.0, year_low=300.0, year_high=450.0, changes={period: change})

    found = plausibility.remove_refuted_changes(quote, TODAY)

    assert stays == (found == quote)
    assert stays == (not found.doubts)
    assert (change.percent if stays else None) == found.changes[period].percent


@pytest.mark.parametrize("missing", ["last_price", "year_low", "year_high"])
def test_nothing_is_refuted_without_a_range(missing: str) -> None:
    """If the source does not give one of the figures, the change stays."""
    changes = {"1y": Change(-80.0, YEAR_AGO), "1mo": Change(-100.0, MONTH_AGO)}
    quote = Quote("X", 0.0, last_price=400.0, year_low=300.0, year_high=450.0, changes=changes)
    unknown = replace(quote, **{missing: None})  # type: ignore[arg-type]

    assert unknown == plausibility.remove_refuted_changes(unknown, TODAY)
    assert {"1y"} == set(plausibility.remove_refuted_changes(quote, TODAY).doubts)


def test_a_change_is_rounded() -> None:
    """-10.95 % counts from 450.31, and from 450.30, the year's high, as well; -11.00 % does not."""
    quote = Quote("X", 0.0, last_price=401.0, year_low=300.0, year_high=450.3)
    rounded = replace(quote, changes={"1mo": Change(-10.95, MONTH_AGO)})
    refuted = replace(quote, changes={"1mo": Change(-11.0, MONTH_AGO)})

    assert rounded == plausibility.remove_refuted_changes(rounded, TODAY)
    assert plausibility.remove_refuted_changes(refuted, TODAY).doubts
