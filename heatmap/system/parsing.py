"""Parses numbers, texts and times from outside. Each function returns a safe value, or None."""

from __future__ import annotations

import re
import unicodedata
from datetime import date, datetime
from math import isfinite

LARGEST = 1e18  # above any price, volume or market value in any currency
SMALLEST = 1e-12  # smaller numbers count as 0: differences of two of them would be meaningless
LONGEST_NUMBER = 40  # characters
LONGEST_NAME = 120  # characters
LOWEST_PERCENT = -100.0  # a price cannot fall below nothing
HIGHEST_PERCENT = 100_000.0

# Spreadsheets execute a cell that begins with one of these signs. Japanese and Chinese versions accept the
# wide and small forms, too. White space and invisible characters may stand before it.
FORMULA_SIGNS = "=+@\N{MINUS SIGN}\uff1d\uff0b\uff0d\uff20\ufe66\ufe62\ufe63\ufe6b-"
_INVISIBLE = r"\s\x00-\x1f\xad\u200b-\u200f\u2060-\u2064\ufeff"
# If the list separator is a semicolon, a text with a semicolon becomes two cells.
_FORMULA_START = re.compile(
    rf"^(?=[{_INVISIBLE}]*[{FORMULA_SIGNS}]|[\t\r\n])|[;,\t][{_INVISIBLE}]*(?=[{FORMULA_SIGNS}])"
)

_CURRENCY = re.compile(r"[A-Z]{3}", re.ASCII)
_NUMBER = re.compile(r"[+-]?(?:\d+(?:,\d+)*(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d{1,3})?", re.ASCII)


def number(value: object) -> float | None:
    """Return a finite number, also from text such as "1,894.10"; None for anything else: "-", True, 1e999."""
    if isinstance(value, bool):
        return None
    if isinstance(value, str):
        text = value.strip()
        if len(text) > LONGEST_NUMBER or not _NUMBER.fullmatch(text):
            return None
        result = float(text.replace(",", ""))
    elif isinstance(value, (int, float)):
        try:
            result = float(value)
        except OverflowError:
            return None
    else:
        return None
    if not isfinite(result) or abs(result) >= LARGEST:
        return None
    return result if abs(result) >= SMALLEST else 0.0


def positive(value: object) -> float | None:
    """Return a number above 0, as every price is; None for anything else."""
    result = number(value)
    return result if result is not None and result > 0 else None


def count(value: object) -> float | None:
    """Return a number of 0 or more, as every volume is; None for anything else."""
    result = number(value)
    return result if result is not None and result >= 0 else None


def percent(value: object) -> float | None:
    """Return a percent change in its possible range (1.5 means +1.5 %); None for anything else."""
    result = number(value)
    if result is None or not LOWEST_PERCENT <= result <= HIGHEST_PERCENT:
        return None
    return result + 0.0  # -0.0 becomes 0.0: it is no loss


def clean_text(value: object, longest: int = LONGEST_NAME) -> str | None:
    """Return a text on one line, without control, format and surrogate characters; None if it is empty."""
    if not isinstance(value, str):
        return None
    if value.isascii() and value.isprintable():  # as nearly all names are
        return " ".join(value[: 2 * longest].split())[:longest].rstrip() or None
    # Twice the allowed length is read: enough for extra white space, and little work for a hostile text.
    visible = (" " if c.isspace() else c for c in value[: 2 * longest])
    text = "".join(c for c in visible if unicodedata.category(c) not in {"Cc", "Cf", "Cs"})
    return " ".join(text.split())[:longest].rstrip() or None


def currency_code(value: object) -> str | None:
    """Return a currency's code, three capital letters (ISO 4217); None for anything else.

    The page's script passes it to `Intl`, which raises an error for a text of any other form.
    """
    return value if isinstance(value, str) and _CURRENCY.fullmatch(value) else None


def spreadsheet_cell(value: object) -> object:
    """Return a value for a CSV file: a text gets an apostrophe if a spreadsheet would take it for a formula.

    Numbers stay as they are: negative ones begin with a minus.
    """
    return _FORMULA_START.sub(r"\g<0>'", value) if isinstance(value, str) else value


def day(value: object) -> date | None:
    """Return a date from its ISO form; None for anything else."""
    if not isinstance(value, str):
        return None
    try:
        return date.fromisoformat(value)
    except ValueError:
        return None


def aware_datetime(value: object) -> datetime | None:
    """Return an aware time from its ISO form; None for anything else."""
    if not isinstance(value, str):
        return None
    try:
        result = datetime.fromisoformat(value)
        return result if result.utcoffset() is not None and 1900 < result.year < 9000 else None
    except (ValueError, OverflowError):
        return None
