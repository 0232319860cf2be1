"""The table view: rows, order, fills and legend."""

from __future__ import annotations

import pytest
from colour import Color

from heatmap.analysis.colours import GRADIENTS, UNKNOWN, UPS
from heatmap.market.quotes import Quote
from heatmap.pictures.market_map.table import TableView
from heatmap.pictures.shapes import Table
from tests.drawings import ranking_of, recorded, snapshot_of


def draw(*changes: float, mode: str = "change", **view: object) -> Table:
    """The table of stocks S0, S1, … with these changes."""
    snapshot = snapshot_of(*(Quote(f"S{n}", change) for n, change in enumerate(changes)))
    return TableView(**view).draw(snapshot, ranking_of(snapshot, mode))  # type: ignore[arg-type]


def test_rows_are_filled_left_to_right_then_down() -> None:
    """There are thirteen columns, and a new row after every thirteenth; the last row may be shorter."""
    table = draw(*range(210, 0, -1))

    assert [13] * 16 + [2] == [len(row) for row in table.rows]
    assert [float(change) for change in range(210, 0, -1)] == [cell.value for cell in table.cells]


def test_fills_follow_the_order_of_drawing() -> None:
    """The strongest gainer is green, the strongest loser red, in any order of the source."""
    table = draw(-1.0, 4.0, 2.0, -3.0)

    assert [("S1", "#008000"), ("S2", "#bdd051"), ("S0", "#dfa4a4"), ("S3", "#ff0000")] == [
        (cell.quote.symbol, cell.fill) for cell in table.cells
    ]


def test_a_change_shown_as_zero_has_a_fill_of_the_gainers_side() -> None:
    """By rank, as in the original for 0; -0.004 is shown as 0.00, so it has one, too."""
    table = draw(2.0, 0.0, -0.004, -3.0)

    expected = [c.hex_l for c in Color("green").range_to(Color("#BDD051"), 3)]
    assert [*expected, "#dfa4a4"] == [cell.fill for cell in table.cells]
    assert (1, 1, 2) == table.breadth


def test_the_legend_has_the_neutral_shade_in_its_middle() -> None:
    """There are five shades on each side, and the neutral one between them."""
    for scale in ("rank", "1"):
        legend = draw(1.0, -1.0, scale=scale).legend

        assert ["#dfa4a4", "#ceba7a", "#bdd051"] == [stop.fill for stop in legend[4:7]]
        assert 11 == len(legend)


def test_legend_runs_from_the_strongest_loser_to_the_strongest_gainer() -> None:
    """Its ends have the values of the strongest shades today."""
    legend = draw(5.05, -3.4).legend

    assert [("#ff0000", -3.4), ("#008000", 5.05)] == [(s.fill, s.value) for s in (legend[0], legend[-1])]
    assert all(stop.value is None for stop in legend[1:-1])


def test_legend_of_the_value_scale_names_the_clamp() -> None:
    """With a scale by value the ends are the clamp, not the day's extremes."""
    legend = draw(5.0, -3.0, scale="2").legend

    assert (-6.0, 6.0) == (legend[0].value, legend[-1].value)


def test_a_one_sided_day_has_one_end() -> None:
    """If nothing fell, the legend has no lowest value."""
    legend = draw(1.0, 2.0).legend

    assert (None, 2.0) == (legend[0].value, legend[-1].value)


def test_unknown_values_are_grey_and_last() -> None:
    """A market without traded amounts has tiles, all of the same grey, and no value is 0."""
    table = draw(1.0, 2.0, 3.0, mode="amount")

    assert [(None, UNKNOWN)] * 3 == [(cell.value, cell.fill) for cell in table.cells]


@pytest.mark.parametrize(("mode", "deepest"), [("liquidity", "#a63603"), ("amount", "#08306b")])
def test_one_sided_modes_have_palettes_of_their_own(mode: str, deepest: str) -> None:
    """Orange for liquidity, blue for amounts, deeper for more."""
    snapshot = recorded()
    table = TableView().draw(snapshot, ranking_of(snapshot, mode))

    assert deepest == table.cells[0].fill == table.legend[-1].fill


@pytest.mark.slow
@pytest.mark.parametrize("up", UPS)
@pytest.mark.parametrize("gradient", GRADIENTS)
@pytest.mark.parametrize("scale", ["rank", "1"])
def test_ten_thousand_stocks_and_none(gradient: str, scale: str, up: str) -> None:
    """Every stock has a cell, in every palette and with each colour of a gain."""
    table = draw(*range(-5000, 5000), gradient=gradient, scale=scale, up=up)

    assert 10_000 == len(table.cells)
    colours = GRADIENTS[gradient][up]
    assert (
        TableView(gradient=gradient, up=up, scale="rank")
        .draw(snapshot_of(Quote("A", 1.0)), ranking_of(snapshot_of(Quote("A", 1.0)), "change"))
        .cells[0]
        .fill
        == draw(1.0, gradient=gradient, up=up).cells[0].fill
    )
    assert colours.strongest_gain != colours.strongest_loss
