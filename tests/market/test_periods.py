"""Periods by name, and the clamp of the colours for each."""

from __future__ import annotations

import pytest

from heatmap.market.periods import parse_period


@pytest.mark.parametrize(
    ("name", "label", "sessions", "clamp"),
    [
        ("1d", "1 day", 1, 3.0),
        ("5d", "5 days", 5, 7.0),
        ("1mo", "1 month", 21, 14.0),
        ("60d", "60 days", 60, 23.0),
        ("1y", "1 year", 250, 40.0),
        ("250d", "250 days", 250, 40.0),
    ],
)
def test_a_period_has_words_a_length_and_a_clamp(name: str, label: str, sessions: int, clamp: float) -> None:
    """The clamp grows with the root of the sessions, from ±3 % for a day to ±40 % for a year."""
    found = parse_period(name)

    assert found is not None
    assert (name, label, sessions) == found
    assert clamp == found.clamp(3.0)


@pytest.mark.parametrize("name", ["", "0d", "d", "1w", "-5d", "12345d", "1 d", "٣d"])
def test_other_names_are_no_periods(name: str) -> None:
    """A name that is no calendar period and no count of sessions is unknown."""
    assert parse_period(name) is None


def test_a_small_clamp_keeps_its_decimals() -> None:
    """The clamp of a market that moves by tenths of a percent is not rounded to 0."""
    found = parse_period("5d")

    assert found is not None
    assert found.clamp(0.5) == pytest.approx(0.5 * 5**0.5)
