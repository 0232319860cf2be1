"""Numbers as their readers write them."""

from __future__ import annotations

import pytest

from heatmap.modes import MODES
from heatmap.render import words


@pytest.mark.parametrize(
    ("value", "expected"),
    [(1.5, "+1.50"), (-1.5, "\N{MINUS SIGN}1.50"), (0.0, "0.00"), (-0.001, "0.00"), (0.004, "0.00")],
)
def test_every_change_has_its_sign(value: float, expected: str) -> None:
    """What rounds to nothing has none."""
    assert expected == words.signed(value)


@pytest.mark.parametrize(
    ("amount", "currency", "expected"),
    [
        (15_419_188_256.19, "INR", "1,540"),
        (193_475_746.8, "INR", "19.3"),
        (6_015_711_698_120.0, "INR", "6,02,000"),
        (9_996_000.0, "INR", "1.00"),
        (1_234_567_890.0, "USD", "1,230"),
        (0.0, None, "0.00"),
    ],
)
def test_large_amounts_have_three_digits(amount: float, currency: str | None, expected: str) -> None:
    """Rupees in crores and grouped as in India, others in millions."""
    assert expected == words.large(amount, currency)


@pytest.mark.parametrize(
    ("mode", "value", "expected"),
    [
        ("change", 5.05, "+5.05"),
        ("rs", -2.614, "\N{MINUS SIGN}2.61"),
        ("sector", 0.0, "0.00"),
        ("liquidity", 0.314, "0.31"),
        ("amount", 2_660_000_000.0, "266"),
        ("range", 99.6, "100"),
    ],
)
def test_every_mode_writes_its_values(mode: str, value: float, expected: str) -> None:
    """Scores and changes with a sign, shares of a range without decimals."""
    assert expected == words.in_mode(value, MODES[mode], "INR")


@pytest.mark.parametrize(
    ("chart_url", "symbol", "expected"),
    [
        ("https://c.example/{symbol}", "BAJAJ-AUTO", "https://c.example/BAJAJ-AUTO"),
        ("https://c.example/{symbol:tradingview}", "BAJAJ-AUTO", "https://c.example/BAJAJ_AUTO"),
        ("https://c.example/{symbol:tradingview}", "GVT&D", "https://c.example/GVT%26D"),
        ("https://c.example/{symbol}?s={symbol:tradingview}", "A-B/C", "https://c.example/A-B%2FC?s=A_B%2FC"),
        ("https://c.example/{symbol}", "{symbol}", "https://c.example/%7Bsymbol%7D"),
    ],
)
def test_a_chart_link_has_the_spelling_that_it_asks_for(chart_url: str, symbol: str, expected: str) -> None:
    """The exchange's own or TradingView's, URL-encoded; a symbol is never read as a form."""
    assert expected == words.chart(chart_url, symbol)


@pytest.mark.parametrize(
    ("currency", "expected"),
    [("INR", "₹ crore"), ("USD", "$ million"), ("CHF", "CHF million"), (None, "million")],
)
def test_amounts_name_their_unit(currency: str | None, expected: str) -> None:
    """The market's own currency, and what its readers count in."""
    assert expected == words.unit_of(MODES["amount"], currency)
