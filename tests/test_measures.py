"""Order and breadth of a market."""

from __future__ import annotations

import pytest

from heatmap import measures
from heatmap.model import Breadth, Quote


def test_order_is_descending_with_ties_by_symbol() -> None:
    """The strongest stands first; equals stand by symbol, whatever order they came in."""
    quotes = [Quote("B", 1.0), Quote("C", -2.0), Quote("A", 1.0), Quote("D", 3.0)]

    assert ["D", "A", "B", "C"] == [quote.symbol for quote in measures.in_order(quotes)]


def test_breadth_counts_the_unchanged_apart() -> None:
    """0 is neither an advance nor a decline, though it is drawn green."""
    quotes = [Quote("A", 1.0), Quote("B", 0.0), Quote("C", -0.0), Quote("D", -0.01), Quote("E", -3.0)]

    assert Breadth(1, 2, 2) == measures.breadth(quotes)


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
