"""The table view: rows, order, fills and legend."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from heatmap.colours import GRADIENTS
from heatmap.model import Quote, Snapshot
from heatmap.views.table import TableView

NOON = datetime(2026, 9, 17, 12, tzinfo=UTC)


def snapshot(*changes: float) -> Snapshot:
    """A snapshot of stocks S0, S1, … with these changes."""
    return Snapshot("test", NOON, tuple(Quote(f"S{n}", change) for n, change in enumerate(changes)))


def test_rows_are_filled_left_to_right_then_down() -> None:
    """Thirteen columns, a new row after every thirteenth, the last as long as it comes out."""
    table = TableView().draw(snapshot(*range(210, 0, -1)))

    assert [13] * 16 + [2] == [len(row) for row in table.rows]
    assert [float(change) for change in range(210, 0, -1)] == [
        cell.quote.percent_change for cell in table.cells
    ]


def test_fills_follow_the_order_of_drawing() -> None:
    """The strongest gainer is green, the strongest loser red, wherever they stood in the source."""
    table = TableView().draw(snapshot(-1.0, 4.0, 2.0, -3.0))

    assert [("S1", "#008000"), ("S2", "#bdd051"), ("S0", "#dfa4a4"), ("S3", "#ff0000")] == [
        (cell.quote.symbol, cell.fill) for cell in table.cells
    ]


def test_legend_runs_from_the_strongest_loser_to_the_strongest_gainer() -> None:
    """Its ends say what the strongest shades stand for today."""
    legend = TableView().draw(snapshot(5.05, -3.4)).legend

    assert [("#ff0000", -3.4), ("#008000", 5.05)] == [
        (s.fill, s.percent_change) for s in (legend[0], legend[-1])
    ]
    assert all(stop.percent_change is None for stop in legend[1:-1])


def test_legend_of_the_value_scale_names_the_clamp() -> None:
    """With scale "value" the strongest shades stand for the clamp, not for the day's extremes."""
    legend = TableView(scale="value", clamp_percent=2.0).draw(snapshot(5.0, -3.0)).legend

    assert (-2.0, 2.0) == (legend[0].percent_change, legend[-1].percent_change)


@pytest.mark.parametrize("gradient", GRADIENTS)
@pytest.mark.parametrize("scale", ["rank", "value"])
def test_ten_thousand_stocks_and_none(gradient: str, scale: str) -> None:
    """Every stock has a cell, and an empty market is an empty table."""
    view = TableView(gradient=gradient, scale=scale)

    assert 10_000 == len(view.draw(snapshot(*range(10_000))).cells)
    assert () == view.draw(snapshot()).rows
