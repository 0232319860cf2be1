"""Numbers in a reader's words: signs, money, amounts and times."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import date, datetime

    from heatmap.model import Snapshot
    from heatmap.modes import Mode

MINUS = "\N{MINUS SIGN}"
NOT_KNOWN = "\N{EN DASH}"
PHASES = {
    "open": "Open",
    "auction": "Closing auction",
    "settling": "Settling",
    "final": "Closing prices",
    "closed": "Closed",
    "unknown": "Open",  # drawn only because the source itself says so
}
SOURCES = {
    "nse": "National Stock Exchange of India",
    "nse-archive": "daily archive of the National Stock Exchange of India",
}
SYMBOLS = {"INR": "₹", "USD": "$", "EUR": "€", "GBP": "£", "JPY": "¥"}  # others are written as their code
# Large amounts are told in what their readers count in.
LARGE_UNITS = {"INR": (7, "crore")}  # zeros, and what they are called
LARGE_UNIT = (6, "million")

# How a chart site spells a symbol, by the form in braces of `chart_url`. In NSE symbols TradingView writes a
# hyphen as an underscore and keeps an ampersand: its scanner knows NSE:BAJAJ_AUTO and NSE:M&M, and neither
# NSE:BAJAJ-AUTO nor NSE:M_M. (In its BSE symbols both are underscores: BSE:M_M.)
CHART_SYMBOLS: dict[str, Callable[[str], str]] = {
    "symbol": lambda symbol: symbol,
    "symbol:tradingview": lambda symbol: symbol.replace("-", "_"),
}
_BRACES = re.compile(r"\{([^{}]*)\}")


def source(snapshot: Snapshot) -> str:
    """Return where figures come from; one that has no name here, by that of its plugin."""
    name = SOURCES.get(snapshot.source, snapshot.source)
    return f"{name}, relayed by another site" if snapshot.relayed else name


def signed(value: float, decimals: int = 2) -> str:
    """Return a number with its sign; 0 has none."""
    text = f"{abs(value):.{decimals}f}"
    return text if float(text) == 0 else ("+" if value > 0 else MINUS) + text


def large(value: float, currency: str | None) -> str:
    """Return an amount in crores of rupees, or in millions, to three digits."""
    share = float(f"{value / 10 ** large_exponent(currency):.2e}")
    decimals = 0 if share >= 100 else 1 if share >= 10 else 2
    whole, point, fraction = f"{share:.{decimals}f}".partition(".")
    return _grouped(whole, currency) + point + fraction


def large_exponent(currency: str | None) -> int:
    """Return how many zeros what `large` counts in has."""
    return LARGE_UNITS.get(currency or "", LARGE_UNIT)[0]


def large_unit(currency: str | None) -> tuple[str, str]:
    """Return what `large` counts in, the sign before a number and the word after it: "₹", "crore"."""
    return SYMBOLS.get(currency or "", currency or ""), LARGE_UNITS.get(currency or "", LARGE_UNIT)[1]


def in_mode(value: float, mode: Mode, currency: str | None) -> str:
    """Return a value as the mode's tiles show it, without its unit."""
    if mode.unit == "currency":
        return large(value, currency)
    return signed(value, mode.decimals) if mode.signed else f"{value:.{mode.decimals}f}"


def unit_of(mode: Mode, currency: str | None) -> str:
    """Return the unit of a mode's values."""
    return " ".join(filter(None, large_unit(currency))) if mode.unit == "currency" else mode.unit


def chart(chart_url: str, symbol: str) -> str:
    """Return the address of a symbol's chart: `chart_url` with each of CHART_SYMBOLS filled in, URL-encoded.

    Raises KeyError for any other form in braces.
    """
    from urllib.parse import quote

    return _BRACES.sub(lambda form: quote(CHART_SYMBOLS[form[1]](symbol), safe=""), chart_url)


def unknown_chart_forms(chart_url: str) -> list[str]:
    """Return the forms in braces of a `chart_url` that `chart` cannot fill in."""
    return [form for form in _BRACES.findall(chart_url) if form not in CHART_SYMBOLS]


def moment(value: datetime) -> str:
    """Return a day and a time with its zone."""
    return f"{value.day} {value:%b %Y, %H:%M:%S %Z}"


def clock_time(value: datetime) -> str:
    """Return a time with its zone."""
    return f"{value:%H:%M:%S %Z}"


def day(value: date | None) -> str:
    """Return a day; "" for None."""
    return f"{value.day} {value:%b %Y}" if value else ""


def day_folder(value: date) -> str:
    """Return the folder of a day's map below that of its market: "2026/11/20/"."""
    return f"{value:%Y/%m/%d}/"


def _grouped(digits: str, currency: str | None) -> str:
    if currency == "INR" and len(digits) > 3:
        head = re.sub(r"(?<=\d)(?=(\d\d)+$)", ",", digits[:-3])
        return f"{head},{digits[-3:]}"
    return f"{int(digits):,}"
