"""Every measure with history, against the statistics module and figures computed by hand."""

from __future__ import annotations

import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heatmap.analysis import history_measures, measures
from heatmap.market.quotes import Quote


def test_period_changes() -> None:
    """(Last / base - 1) x 100 to the last digit; unknown without either. Shown with two decimals, never -0.00."""
    changes = history_measures.period_changes(
        [110.0, 29.0, 99.999, None, 5.0, 5.0], [100.0, 30.0, 100.0, 10.0, None, 0.0]
    )

    assert [10.0, -10 / 3, -0.001] == pytest.approx(changes[:3], rel=1e-9)
    assert [None, None, None] == changes[3:]
    assert ["10.0", "-3.33", "0.0", "None", "None", "None"] == [*map(str, measures.rounded(changes))]


@given(st.lists(st.floats(min_value=1, max_value=1e5), min_size=20, max_size=40))
def test_bands_are_bollinger_s(closes: list[float]) -> None:
    """%B of the last 20 closes, by the statistics module; beyond the bands it is below 0 or above 100."""
    *earlier, price = closes
    window = closes[-20:]
    mean, deviation = statistics.fmean(window), statistics.pstdev(window)

    [found] = history_measures.band_positions([price], [earlier])

    if deviation > 1e-9 * mean:
        expected = (price - (mean - 2 * deviation)) / (4 * deviation) * 100
        assert expected == pytest.approx(found, rel=1e-4, abs=1e-3)
    elif deviation == 0:
        assert found is None


def test_bands_by_hand() -> None:
    """Nineteen closes of 100 and a price of 110: mean 100.5, deviation 2.179, upper band 104.859."""
    assert pytest.approx([(110 - 96.14110) / 8.71780 * 100], rel=1e-5) == history_measures.band_positions(
        [110.0], [[100.0] * 19]
    )
    assert [None] == history_measures.band_positions([100.0], [[100.0] * 19])  # no band
    assert [None] == history_measures.band_positions([None], [[100.0] * 19])
    assert [None] == history_measures.band_positions([110.0], [[100.0] * 18])
    assert [None] == history_measures.band_positions([110.0], [[*[100.0] * 9, None, *[100.0] * 9]])


@given(
    st.lists(st.floats(min_value=-20, max_value=20), min_size=2, max_size=60),
    st.floats(min_value=-20, max_value=20),
    st.floats(min_value=-90, max_value=500),
)
def test_momentum_is_change_over_its_own_spread(before: list[float], last: float, change: float) -> None:
    """Count, mean and squares of the changes before and the last one give the deviation of them all."""
    mean = statistics.fmean(before)
    spread = (len(before), mean, sum((each - mean) ** 2 for each in before))
    sessions = len(before) + 1
    deviation = statistics.pstdev([*before, last])

    [found] = history_measures.momenta([change], [last], [spread], sessions)

    if deviation > 1e-6:
        assert change / (deviation * sessions**0.5) == pytest.approx(found, rel=1e-6, abs=1e-9)


def test_momentum_of_too_little() -> None:
    """Fewer than three daily changes, none at all, and changes all alike have no spread to go by."""
    assert [None] * 4 == history_measures.momenta(
        [5.0, 5.0, None, 5.0], [1.0, 1.0, 1.0, 1.0], [(1, 2.0, 0.0), None, (4, 1.0, 3.0), (4, 1.0, 0.0)], 5
    )


def test_volume_against_the_usual() -> None:
    """Twice as much is 2; unknown or nothing to compare with is unknown."""
    quotes = [Quote("A", 0.0, volume=volume) for volume in (200.0, 50.0, None, 10.0, 10.0, 0.0)]

    assert [2.0, 0.5, None, None, None, 0.0] == history_measures.volume_ratios(
        quotes, [100.0, 100.0, 100.0, None, 0.0, 10.0]
    )


@pytest.mark.parametrize(
    ("price", "span", "expected"),
    [
        (105.0, (100.0, 110.0), 0.0),
        (110.0, (100.0, 110.0), 0.0),
        (115.0, (100.0, 110.0), 50.0),
        (130.0, (100.0, 110.0), 200.0),
        (97.0, (100.0, 110.0), -30.0),
        (97.0, (100.0, 100.0), None),
        (None, (100.0, 110.0), None),
        (97.0, None, None),
    ],
)
def test_breakouts(price: float | None, span: tuple[float, float] | None, expected: float | None) -> None:
    """Inside the range 0; beyond it, how far in % of it."""
    assert [expected] == history_measures.breakouts([price], [span])


@pytest.mark.parametrize(
    ("change", "before", "expected"),
    [
        (1.0, 3, 4),
        (1.0, -3, 1),
        (-0.5, -3, -4),
        (-0.5, 2, -1),
        (0.0, 5, 0),
        (0.004, 5, 0),  # shows as 0.00: flat
        (-0.004, -5, 0),
        (2.0, 0, 1),
        (None, 3, None),
        (1.0, None, None),
    ],
)
def test_streaks(change: float | None, before: int | None, expected: int | None) -> None:
    """Today continues a streak, reverses it, or ends it."""
    assert [expected] == history_measures.streaks([change], [before])
