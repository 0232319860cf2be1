"""Formats figures for readers: signed numbers, money, amounts and times."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import date, datetime

    from heatmap.analysis.modes import Mode
    from heatmap.market.quotes import Breadth

MINUS = "\N{MINUS SIGN}"
NOT_KNOWN = "\N{EN DASH}"
PHASES = {
    "open": "Open",
    "auction": "Closing auction",
    "settling": "Settling",
    "final": "Closing prices",
    "closed": "Closed",
    "unknown": "Open",  # it is drawn only if the source says that the market is open
}
SOURCES = {
    "nse": "National Stock Exchange of India",
    "nse-archive": "daily archive of the National Stock Exchange of India",
}
SYMBOLS = {"INR": "₹", "USD": "$", "EUR": "€", "GBP": "£", "JPY": "¥"}  # others have their code
# The units of large amounts, the largest first: the number of zeros, and the word.
UNITS = {"INR": ((12, "lakh crore"), (7, "crore"), (5, "lakh"))}
OTHER_UNITS = ((12, "trillion"), (9, "billion"), (6, "million"), (3, "thousand"))

# The spelling of a symbol at a chart site, by the form in braces of `chart_url`. In NSE symbols TradingView
# writes a hyphen as an underscore and keeps an ampersand: its scanner has NSE:BAJAJ_AUTO and NSE:M&M, and
# neither NSE:BAJAJ-AUTO nor NSE:M_M. (In its BSE symbols both are underscores: BSE:M_M.)
CHART_SYMBOLS: dict[str, Callable[[str], str]] = {
    "symbol": lambda symbol: symbol,
    "symbol:tradingview": lambda symbol: symbol.replace("-", "_"),
}
_BRACES = re.compile(r"\{([^{}]*)\}")


def format_breadth(breadth: Breadth) -> str:
    """Return how many instruments rose and fell, such as "120 up, 85 down, 5 flat"."""
    return f"{breadth.advances} up, {breadth.declines} down, {breadth.unchanged} flat"


def source_name(source: str, *, is_relayed: bool) -> str:
    """Return the name of a source for readers; for a source not in SOURCES, its plugin's name."""
    name = SOURCES.get(source, source)
    return f"{name}, relayed by another site" if is_relayed else name


def format_signed(value: float, decimals: int = 2) -> str:
    """Return a number with its sign; 0 has none."""
    text = f"{abs(value):.{decimals}f}"
    return text if float(text) == 0 else ("+" if value > 0 else MINUS) + text


def format_amount(value: float, currency: str | None) -> str:
    """Return an amount of 0 or more, or a count, to three digits: "1.23 crore", "45,600".

    Amounts of rupees are in lakh and crore, others in thousands, millions and billions. Amounts below the
    smallest unit have no decimals.
    """
    rounded = float(f"{value:.2e}")  # first: 999,999 becomes 1 million
    exponent, unit = next((pair for pair in format_units(currency) if rounded >= 10 ** pair[0]), (0, ""))
    share = rounded / 10**exponent
    decimals = 0 if share >= 100 else 1 if share >= 10 else 2
    text = f"{share:.{decimals}f}" if unit else str(int(rounded + 0.5))
    return " ".join(filter(None, (_group_digits(text, currency), unit)))


def format_money(value: float, currency: str | None) -> str:
    """Return an amount of money of 0 or more, to three digits: "₹1.23 crore", "CHF 45.6 million"."""
    return currency_sign(currency) + format_amount(value, currency)


def format_price(value: float, currency: str | None) -> str:
    """Return a price, to two decimals: "₹1,23,456.00"."""
    return currency_sign(currency) + _group_digits(f"{value:.2f}", currency)


def format_units(currency: str | None) -> tuple[tuple[int, str], ...]:
    """Return the units of a currency's large amounts: UNITS or OTHER_UNITS."""
    return UNITS.get(currency or "", OTHER_UNITS)


def currency_sign(currency: str | None) -> str:
    """Return the sign before an amount: "₹", "CHF "; "" without a currency."""
    return SYMBOLS.get(currency or "", f"{currency} " if currency else "")


def format_value(value: float, mode: Mode, currency: str | None) -> str:
    """Return the text of a value on the mode's tiles: an amount of money with its unit, others without."""
    if mode.unit == "currency":
        return format_money(value, currency)
    return format_signed(value, mode.decimals) if mode.signed else f"{value:.{mode.decimals}f}"


def unit_of(mode: Mode, currency: str | None) -> str:
    """Return the unit of a mode's values, for a heading; "" for money in an unknown currency."""
    return currency_sign(currency).strip() if mode.unit == "currency" else mode.unit


def chart_link(chart_url: str, symbol: str) -> str:
    """Return the address of a symbol's chart: `chart_url` with each of CHART_SYMBOLS filled in, URL-encoded.

    Raises KeyError for any other form in braces.
    """
    from urllib.parse import quote

    return _BRACES.sub(lambda form: quote(CHART_SYMBOLS[form[1]](symbol), safe=""), chart_url)


def unknown_chart_forms(chart_url: str) -> list[str]:
    """Return the forms in braces of a `chart_url` that `chart_link` cannot fill in."""
    return [form for form in _BRACES.findall(chart_url) if form not in CHART_SYMBOLS]


def format_moment(value: datetime) -> str:
    """Return a day and a time with its zone."""
    return f"{value.day} {value:%b %Y, %H:%M:%S %Z}"


def clock_time(value: datetime) -> str:
    """Return a time with its zone."""
    return f"{value:%H:%M:%S %Z}"


def format_day(value: date | None) -> str:
    """Return a day; "" for None."""
    return f"{value.day} {value:%b %Y}" if value else ""


def day_folder(value: date) -> str:
    """Return the folder of a day's map, relative to its market's folder: "2026/11/20/"."""
    return f"{value:%Y/%m/%d}/"


def _group_digits(number: str, currency: str | None) -> str:
    """Return a number of 0 or more with its digits in groups: of three, or for rupees as in India."""
    whole, point, fraction = number.partition(".")
    if currency == "INR" and len(whole) > 3:
        head = re.sub(r"(?<=\d)(?=(\d\d)+$)", ",", whole[:-3])
        whole = f"{head},{whole[-3:]}"
    else:
        whole = f"{int(whole):,}"
    return whole + point + fraction
