"""The rankings of a market in every mode over every period."""

from __future__ import annotations

from dataclasses import replace

import pytest

from heatmap.analysis import colours, rankings
from heatmap.analysis.modes import MODES
from heatmap.market.quotes import Change, Quote
from tests.drawings import ranking_of, recorded, snapshot_of


def test_all_modes_over_the_periods_the_source_has() -> None:
    """Change, strength and sector over each; liquidity and amount of the day; the range of day and year."""
    expected = {(mode, over) for mode in ("change", "rs", "sector") for over in ("1d", "1mo", "1y")}
    expected |= {("liquidity", "1d"), ("amount", "1d"), ("range", "1d"), ("range", "1y")}

    assert expected == set(rankings.rank_all(recorded(), 3.0, {}))


def test_any_period_is_taken_and_nonsense_is_not() -> None:
    """Periods are ordered by length; invalid names, and more periods than a page has, are left out."""
    changes = {f"{n}d": Change(1.0, None) for n in (60, 5, 20)} | {"week": Change(1.0, None)}
    few = snapshot_of(Quote("A", 1.0, changes=changes), Quote("B", 2.0, changes={"1mo": Change(None, None)}))
    many = snapshot_of(Quote("A", 1.0, changes={f"{n}d": Change(1.0, None) for n in range(2, 60)}))

    assert ["1d", "5d", "20d", "1mo", "60d"] == [over.name for over in rankings.periods(few)]
    assert rankings.MOST_PERIODS == len(rankings.periods(many))


def test_each_mode_sorts_by_its_own_value() -> None:
    """Descending, ties by symbol, unknown last; every stock once."""
    snapshot = recorded()
    for (mode, over), reading in rankings.rank_all(snapshot, 3.0, {}).items():
        values = MODES[mode].measure(snapshot.quotes, over)
        expected = sorted(
            range(210),
            key=lambda n, v=values: (v[n] is None, -(v[n] or 0.0), snapshot.quotes[n].symbol),
        )
        assert tuple(expected) == reading.order
        assert [values[n] for n in expected if values[n] is not None] == list(reading.values)


def test_nothing_known_is_a_reading_of_nothing() -> None:
    """Not of zeros: a source without turnover has no traded amounts."""
    reading = ranking_of(snapshot_of(), "amount")

    assert ((), (), (), ()) == (reading.values, reading.percentiles, reading.scores, reading.scales[0].shades)
    assert 3 == len(reading.order)


def test_the_heats_of_a_day_and_a_year() -> None:
    """By rank, or by value up to half, once and twice the period's usual clamp."""
    rankings_by_mode = rankings.rank_all(recorded(), 3.0, {})

    assert [("rank", None), ("0.5", 1.5), ("1", 3.0), ("2", 6.0)] == [
        (scale.name, scale.clamp) for scale in rankings_by_mode["change", "1d"].scales
    ]
    assert [None, 20.0, 40.0, 80.0] == [scale.clamp for scale in rankings_by_mode["change", "1y"].scales]


def test_clamps_can_be_set_by_period() -> None:
    """A configured clamp replaces the rule."""
    rankings_by_mode = rankings.rank_all(recorded(), 2.0, {"1mo": 9.0})

    assert 9.0 == rankings_by_mode["change", "1mo"].scales[2].clamp
    assert 2.0 == rankings_by_mode["change", "1d"].scales[2].clamp


def test_what_is_clipped_is_counted() -> None:
    """Beyond the clamp, not at it, on either side."""
    quotes = [
        Quote(f"S{n}", change) for n, change in enumerate((6.0, 3.01, 3.0, 0.0, -2.9, -3.0, -3.5, -4, -9))
    ]
    scale = ranking_of(snapshot_of(*quotes), "change").scales[2]

    assert (3.0, (2, 3)) == (scale.clamp, scale.beyond_clamp)
    assert [0, 0, 0] == list(scale.shades[:3])
    assert [2 * colours.SHADES] * 4 == list(scale.shades[-4:])


@pytest.mark.parametrize(("mode", "clamp"), [("rs", 2.0), ("sector", 2.0), ("range", 50.0)])
def test_scores_and_ranges_have_one_scale(mode: str, clamp: float) -> None:
    """±2 σ, and 50 around the middle."""
    assert [("1", clamp)] == [(scale.name, scale.clamp) for scale in ranking_of(recorded(), mode).scales]


def test_a_range_is_two_sided_around_50() -> None:
    """The neutral shade is in the middle, the weakest shades beside it, the strongest at the ends."""
    quotes = [
        Quote(symbol, 0.0, last_price=last, low=100.0, high=200.0)
        for symbol, last in (("TOP", 200.0), ("MIDDLE", 150.0), ("UNDER", 149.0), ("BOTTOM", 100.0))
    ]
    reading = ranking_of(snapshot_of(*quotes), "range")

    assert (0, colours.NEUTRAL, colours.NEUTRAL + 2, 2 * colours.SHADES) == reading.scales[0].shades


def test_what_shows_as_nothing_is_neither_a_gain_nor_a_loss() -> None:
    """By value it has the neutral shade; by rank it is on the gainers' side, as 0 was in the original."""
    changes = {"UP": 0.006, "ABOVE": 0.004, "ZERO": 0.0, "BELOW": -0.004, "DOWN": -0.006}
    quotes = [Quote(symbol, change) for symbol, change in changes.items()]
    rank, *by_value = ranking_of(snapshot_of(*quotes), "change").scales

    neutral = colours.NEUTRAL
    assert (0, 21, 42, neutral - 1, neutral + 1) == rank.shades
    for scale in by_value:
        assert (neutral - 1, neutral, neutral, neutral, neutral + 1) == scale.shades


def test_the_same_number_has_the_same_shade() -> None:
    """Figures with more decimals than are shown: 2.996 shows as 3.00, and is at the limit like 3."""
    quotes = [Quote("A", 3.004), Quote("B", 3.0), Quote("C", 2.996), Quote("D", -2.996), Quote("E", -3.004)]
    scale = ranking_of(snapshot_of(*quotes), "change").scales[2]

    assert (3.0, (0, 0)) == (scale.clamp, scale.beyond_clamp)
    assert (0, 0, 0, 2 * colours.SHADES, 2 * colours.SHADES) == scale.shades


@pytest.mark.parametrize("mode", ["liquidity", "amount"])
def test_one_sided_modes_are_shaded_by_percentile(mode: str) -> None:
    """The deepest shade for the highest, the lightest for the lowest, evenly between, however they are spread."""
    shades = ranking_of(recorded(), mode).scales[0].shades

    assert (0, colours.SHADES - 1) == (shades[0], shades[-1])
    assert abs(shades[105] - colours.SHADES // 2) <= 1


def test_the_measures_are_the_same_whatever_order_the_source_has() -> None:
    """A market with reversed signs gives mirrored shades."""
    snapshot = recorded()
    turned = replace(snapshot, quotes=snapshot.quotes[::-1])
    for key, reading in rankings.rank_all(snapshot, 3.0, {}).items():
        other = rankings.rank_all(turned, 3.0, {})[key]
        assert [snapshot.quotes[n].symbol for n in reading.order] == [
            turned.quotes[n].symbol for n in other.order
        ]
        assert reading.values == pytest.approx(other.values)
        assert reading.scales == other.scales


def test_relative_strength_follows_from_the_change() -> None:
    """The ranking equals that of the mode itself, except the scores, which are its values."""
    snapshot = recorded()
    change = rankings.rank_all(snapshot, 3.0, {})["change", "1d"]

    assert rankings.rank_all(snapshot, 3.0, {})["rs", "1d"]._replace(
        scores=()
    ) == rankings.rank_relative_strength(change)
    with pytest.raises(ValueError, match="needed"):
        rankings.rank_relative_strength(change._replace(scores=()))
