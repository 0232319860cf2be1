"""Every measure, against the statistics module and figures computed by hand."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from dataclasses import replace
from math import inf
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heatmap.analysis import measures
from heatmap.market.quotes import Breadth, Change, Quote
from heatmap.sources.nse import body as nse_body
from tests.drawings import recorded

MEASURES: dict[str, Callable[[Sequence[Quote], str], measures.Values]] = {
    "change": measures.percent_changes,
    "rs": measures.relative_strengths,
    "sector": measures.sector_scores,
    "liquidity": measures.turnover_rates,
    "amount": measures.traded_amounts,
    "range": measures.range_positions,
}


def market(*changes: float, sector: str | None = None) -> list[Quote]:
    """Stocks S0, S1, … of one sector."""
    return [Quote(f"S{n}", change, sector=sector) for n, change in enumerate(changes)]


def by_hand(quotes: Sequence[Quote], period: str) -> dict[str, measures.Values]:
    """Every mode computed anew, with the statistics module and from the note the formulas came from."""
    changes = [quote.percent_change if period == "1d" else quote.changes[period].percent for quote in quotes]
    known = [change for change in changes if change is not None]
    mean, deviation = statistics.fmean(known), statistics.pstdev(known)

    def robust(quote: Quote, change: float | None) -> float | None:
        if change is None:
            return None
        peers = [
            c for q, c in zip(quotes, changes, strict=True) if q.sector == quote.sector and c is not None
        ]
        peers = known if quote.sector is None or len(peers) < 4 else peers
        centre = statistics.median(peers)
        spread = statistics.median(abs(peer - centre) for peer in peers) * 1.4826
        return (change - centre) / spread if spread else 0.0

    def place(quote: Quote) -> float | None:
        low, high = (quote.low, quote.high) if period == "1d" else (quote.year_low, quote.year_high)
        if period == "1mo" or quote.last_price is None or low is None or high is None or low == high:
            return None
        return min(max(100 * (quote.last_price - low) / (high - low), 0.0), 100.0)

    return {
        "change": changes,
        "rs": [None if change is None else (change - mean) / deviation for change in changes],
        "sector": [robust(quote, change) for quote, change in zip(quotes, changes, strict=True)],
        "liquidity": [
            None
            if quote.volume is None or quote.last_price is None or quote.free_float_market_cap is None
            else 100 * quote.volume / (quote.free_float_market_cap / quote.last_price)
            for quote in quotes
        ],
        "amount": [quote.turnover for quote in quotes],
        "range": [place(quote) for quote in quotes],
    }


@pytest.mark.parametrize("period", ["1d", "1mo", "1y"])
@pytest.mark.parametrize("mode", MEASURES)
def test_a_real_market_reads_as_worked_out_apart(mode: str, period: str) -> None:
    """All 210 stocks of the recorded day, in every mode over every period, to nine digits."""
    quotes = recorded().quotes

    expected = by_hand(quotes, period)[mode]
    assert expected == [
        None if value is None else pytest.approx(value, rel=1e-9, abs=1e-9)
        for value in MEASURES[mode](quotes, period)
    ]


def test_a_recorded_body_reads_as_worked_out_apart(recorded_bodies: Path) -> None:
    """The exchange's own answer, where it lies beside the checkout."""
    body = recorded_bodies / "snapshot/getIndicesData_SECURITIES-IN-FO_2026-09-17.json"
    quotes = nse_body.parse(body.read_bytes()).quotes

    assert 210 == len(quotes)
    for period in ("1d", "1mo", "1y"):
        for mode, expected in by_hand(quotes, period).items():
            assert expected == [
                None if value is None else pytest.approx(value, rel=1e-9, abs=1e-9)
                for value in MEASURES[mode](quotes, period)
            ]


def test_a_relative_strength_by_hand() -> None:
    """2, 4, 4, 4, 5, 5, 7, 9 have the mean 5 and the population deviation 2."""
    found = measures.relative_strengths(market(2, 4, 4, 4, 5, 5, 7, 9))

    assert [-1.5, -0.5, -0.5, -0.5, 0.0, 0.0, 1.0, 2.0] == found


@pytest.mark.parametrize("measure", [measures.relative_strengths, measures.sector_scores])
def test_no_spread_is_0_for_every_member(measure: Callable[..., measures.Values]) -> None:
    """A market where all moved alike, by figures that binary fractions cannot hold exactly, too."""
    assert [0.0] * 7 == measure(market(*[0.1] * 7, sector="A"))
    assert [0.0] * 3 == measure(market(1.3, 1.3, 1.3))


@pytest.mark.parametrize("measure", [measures.relative_strengths, measures.sector_scores])
@pytest.mark.parametrize("changes", [(), (1.0,), (1.0, 2.0)])
def test_fewer_than_three_are_unknown(
    measure: Callable[..., measures.Values], changes: tuple[float, ...]
) -> None:
    """Two stocks are too few for statistics of a market."""
    assert [None] * len(changes) == measure(market(*changes, sector="A"))


def test_a_small_sector_is_measured_against_the_market() -> None:
    """Three stocks are no sector; nor are four with one unknown value; nor stocks without a sector."""
    large = market(1.0, 2.0, 3.0, 4.0, sector="Large")
    small = [Quote(f"T{n}", change, sector="Small") for n, change in enumerate((10.0, 11.0, 12.0))]
    nameless = Quote("N", 13.0)
    values = measures.sector_scores([*large, *small, nameless])

    # The market's median is 7, its absolute deviations 6 5 4 3 3 4 5 6, their median 4.5.
    assert [pytest.approx((value - 7) / (4.5 * 1.4826)) for value in (10, 11, 12, 13)] == values[4:]
    assert [pytest.approx(value / 1.4826) for value in (-1.5, -0.5, 0.5, 1.5)] == values[:4]
    month = [
        replace(quote, changes={"1mo": Change(None if n == 3 else quote.percent_change, None)})
        for n, quote in enumerate([*large, *small, nameless])
    ]
    assert measures.sector_scores(month, "1mo")[0] == pytest.approx((1 - 10) / (3 * 1.4826))


def test_a_stock_that_stood_still_stands_out_in_its_sector() -> None:
    """The sector moved by two percent; a stock that did not move is far below it."""
    values = measures.sector_scores(market(2.1, 1.9, 2.2, 1.8, 2.0, 0.0, sector="Banks"))

    assert min(range(6), key=lambda index: values[index] or 0.0) == 5
    assert values[5] is not None
    assert values[5] < -5


def test_unknown_values_stay_out_of_every_statistic() -> None:
    """A stock that was not listed a month ago has no score, and changes no other score."""
    quotes = [
        Quote(f"S{n}", 0.0, changes={"1mo": Change(change, None)} if n != 9 else {})
        for n, change in enumerate((1.0, None, 2.0, 3.0))
    ]

    assert [-1.224744871391589, None, 0.0, 1.224744871391589] == measures.relative_strengths(quotes, "1mo")
    assert [None] * 4 == measures.relative_strengths(quotes, "1y")


@pytest.mark.parametrize(
    ("volume", "last", "cap", "expected"),
    [
        (50.0, 10.0, 10_000.0, 5.0),
        (0.0, 10.0, 10_000.0, 0.0),
        (None, 10.0, 1.0, None),
        (1.0, None, 1.0, None),
        (1.0, 1.0, None, None),
    ],
)
def test_the_turnover_rate(
    volume: float | None, last: float | None, cap: float | None, expected: float | None
) -> None:
    """50 of 1,000 shares are 5 %; without one of the three figures there is no rate, and none is 0."""
    quote = Quote("S", 0.0, volume=volume, last_price=last, free_float_market_cap=cap)

    assert [expected] == measures.turnover_rates([quote])


def test_a_turnover_rate_beyond_all_numbers_is_unknown() -> None:
    """A tiny market value under an enormous volume overflows; that is no rate."""
    quote = Quote("S", 0.0, volume=1e17, last_price=1e17, free_float_market_cap=1e-300)

    assert inf == quote.volume * quote.last_price / quote.free_float_market_cap  # type: ignore[operator]
    assert [None] == measures.turnover_rates([quote])


@pytest.mark.parametrize(
    ("last", "low", "high", "expected"),
    [
        (15.0, 10.0, 20.0, 50.0),
        (25.0, 10.0, 20.0, 100.0),
        (5.0, 10.0, 20.0, 0.0),
        (10.0, 10.0, 10.0, None),
        (10.0, None, 20.0, None),
    ],
)
def test_the_place_in_a_range(
    last: float, low: float | None, high: float | None, expected: float | None
) -> None:
    """0 to 100, also if the source widens its range late; None for an empty range."""
    day = Quote("S", 0.0, last_price=last, low=low, high=high)
    year = Quote("S", 0.0, last_price=last, year_low=low, year_high=high)

    assert [expected] == measures.range_positions([day])
    assert [expected] == measures.range_positions([year], "1y")
    assert [None] == measures.range_positions([day], "1mo")


def test_percentiles_are_mid_ranks() -> None:
    """(Values below + half of the equal ones) / n x 100; the unknown has none."""
    assert [70.0, 10.0, None, 40.0, 40.0, 90.0] == measures.percentiles([3.0, 1.0, None, 2.0, 2.0, 4.0])
    assert [None, None] == measures.percentiles([1.0, 2.0])


@given(st.lists(st.none() | st.integers(-5, 5).map(float), min_size=3, max_size=40))
def test_percentiles_of_any_values(values: list[float | None]) -> None:
    """It equals a count one by one."""
    known = [value for value in values if value is not None]
    expected = [
        None
        if value is None or len(known) < 3
        else (sum(k < value for k in known) + sum(k == value for k in known) / 2) / len(known) * 100
        for value in values
    ]

    assert [None if value is None else pytest.approx(value) for value in expected] == measures.percentiles(
        values
    )


@given(st.lists(st.floats(-1e6, 1e6), max_size=50))
def test_the_median_of_any_values(values: list[float]) -> None:
    """It equals the statistics module's."""
    expected = statistics.median(values) if values else None

    assert expected == pytest.approx(measures.median(values)) if values else measures.median(values) is None


def test_order_is_descending_with_ties_by_symbol_and_the_unknown_last() -> None:
    """The strongest is first; equal and unknown values are ordered by symbol, for any input order."""
    quotes = [Quote(symbol, 0.0) for symbol in ("B", "C", "A", "D", "Z", "Y")]

    assert [3, 2, 0, 1, 5, 4] == measures.rank(quotes, [1.0, -2.0, 1.0, 3.0, None, None])


def test_breadth_counts_the_unchanged_apart() -> None:
    """0 is neither an advance nor a decline, although it is drawn green; unknown values do not count."""
    assert Breadth(1, 2, 2) == measures.breadth([1.0, 0.0, -0.0, None, -0.01, -3.0])
    # What shows as 0.00 is flat: neither a rise nor a fall.
    assert Breadth(1, 1, 3) == measures.breadth([0.004, -0.004, 0.0, 0.006, -0.006])


def test_no_percent_change_is_negative_zero() -> None:
    """A fall that rounds to nothing is 0.0, which files of data write without a sign, too."""
    assert ["0.0", "0.0"] == [
        str(measures.percent_change(99.9999, 100.0)),
        str(measures.rounded([-0.004])[0]),
    ]


@pytest.mark.parametrize(
    ("last", "previous", "expected"),
    [
        (557.0, 530.2, 5.05),
        (1765.0, 1827.1, -3.4),
        (10.0, 10.0, 0.0),
        (None, 1.0, None),
        (1.0, None, None),
        (1.0, 0.0, None),
    ],
)
def test_percent_change(last: float | None, previous: float | None, expected: float | None) -> None:
    """Two decimals as the exchange gives them; unknown where a price is missing or not positive."""
    assert expected == measures.percent_change(last, previous)
