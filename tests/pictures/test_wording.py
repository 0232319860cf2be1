"""Numbers in readers' words."""

from __future__ import annotations

import pytest

from heatmap.analysis.modes import MODES
from heatmap.pictures import wording


@pytest.mark.parametrize(
    ("value", "expected"),
    [(1.5, "+1.50"), (-1.5, "\N{MINUS SIGN}1.50"), (0.0, "0.00"), (-0.001, "0.00"), (0.004, "0.00")],
)
def test_every_change_has_its_sign(value: float, expected: str) -> None:
    """A change that rounds to 0 has none."""
    assert expected == wording.format_signed(value)


AMOUNTS = [
    (15_419_188_256.19, "INR", "₹1,540 crore"),
    (193_475_746.8, "INR", "₹19.3 crore"),
    (6_015_711_698_120.0, "INR", "₹6.02 lakh crore"),
    (999_400_000_000.0, "INR", "₹99,900 crore"),
    (12_300_000.0, "INR", "₹1.23 crore"),
    (9_996_000.0, "INR", "₹1.00 crore"),
    (9_984_000.0, "INR", "₹99.8 lakh"),
    (456_000.0, "INR", "₹4.56 lakh"),
    (99_960.0, "INR", "₹1.00 lakh"),
    (99_949.0, "INR", "₹99,900"),
    (45_678.0, "INR", "₹45,700"),
    (912.0, "INR", "₹912"),
    (7.25, "INR", "₹7"),
    (0.0, "INR", "₹0"),
    (1_234_567_890.0, "USD", "$1.23 billion"),
    (98_765_432.0, "USD", "$98.8 million"),
    (12_345.0, "USD", "$12.3 thousand"),
    (999.6, "USD", "$1.00 thousand"),
    (2_345_678_901_234.0, "CHF", "CHF 2.35 trillion"),
    (345.0, None, "345"),
    (0.0, None, "0"),
]


@pytest.mark.parametrize(("amount", "currency", "expected"), AMOUNTS)
def test_amounts_have_three_digits_and_the_unit_of_their_readers(
    amount: float, currency: str | None, expected: str
) -> None:
    """Rupees in lakh and crore and grouped as in India, others in thousands, millions and billions."""
    assert expected == wording.format_money(amount, currency)


@pytest.mark.parametrize(
    ("price", "currency", "expected"),
    [
        (123456.5, "INR", "₹1,23,456.50"),
        (99.999, "INR", "₹100.00"),
        (1234567.0, "USD", "$1,234,567.00"),
        (3.0, "CHF", "CHF 3.00"),
        (3.0, None, "3.00"),
    ],
)
def test_prices_are_grouped_as_their_readers_do(price: float, currency: str | None, expected: str) -> None:
    """Prices have two decimals and the currency's sign or code."""
    assert expected == wording.format_price(price, currency)


@pytest.mark.parametrize(
    ("mode", "value", "expected"),
    [
        ("change", 5.05, "+5.05"),
        ("rs", -2.614, "\N{MINUS SIGN}2.61"),
        ("sector", 0.0, "0.00"),
        ("liquidity", 0.314, "0.31"),
        ("amount", 2_660_000_000.0, "₹266 crore"),
        ("range", 99.6, "100"),
    ],
)
def test_every_mode_writes_its_values(mode: str, value: float, expected: str) -> None:
    """Scores and changes with a sign, shares of a range without decimals."""
    assert expected == wording.format_value(value, MODES[mode], "INR")


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
def test_a_chart_link_has_the_configured_spelling(chart_url: str, symbol: str, expected: str) -> None:
    """The exchange's own or TradingView's, URL-encoded; braces in a symbol have no meaning."""
    assert expected == wording.chart_link(chart_url, symbol)


@pytest.mark.parametrize(
    ("currency", "expected"),
    [("INR", "₹"), ("USD", "$"), ("CHF", "CHF"), (None, "")],
)
def test_amounts_name_their_unit(currency: str | None, expected: str) -> None:
    """The market's own currency; each amount has its unit."""
    assert expected == wording.unit_of(MODES["amount"], currency)
