"""Whole numbers as short text: base64 VLQ, much as in source maps, five bits a digit, lowest first.

Prices are encoded as whole numbers, in units of their last decimal.
"""

from __future__ import annotations

from operator import sub
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

PRICE_DECIMALS, SMALL_PRICE_DECIMALS = 2, 8  # if no price is below 1; if one is
_DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"  # base64
_VALUES = {digit: value for value, digit in enumerate(_DIGITS)}


def _long(number: int) -> str:
    """Return a number of 32 or more."""
    high = number >> 5
    return _DIGITS[number & 31 | 32] + (_DIGITS[high] if high < 32 else _long(high))


_SHORT = tuple(_DIGITS[number] if number < 32 else _long(number) for number in range(1024))


def encode(numbers: Iterable[int]) -> str:
    """Return numbers of 0 or more as base64 VLQ."""
    return "".join([_SHORT[number] if number < 1024 else _long(number) for number in numbers])


def decode(text: str) -> list[int]:
    """Return the numbers that `encode` got."""
    numbers: list[int] = []
    number = shift = 0
    for letter in text:
        value = _VALUES[letter]
        number |= (value & 31) << shift
        shift += 5
        if value < 32:
            numbers.append(number)
            number = shift = 0
    return numbers


def zigzag(number: int) -> int:
    """Return a number of 0 or more for any number: 0, -1, 1, -2, … are 0, 1, 2, 3, …."""
    return 2 * number if number >= 0 else -2 * number - 1


def signed(number: int) -> int:
    """Return the number that `zigzag` got."""
    return -(number + 1) // 2 if number % 2 else number // 2


def falling(numbers: Sequence[int]) -> str:
    """Return a falling sequence as text: the first number, with its sign, then each decrease."""
    return encode([zigzag(numbers[0]), *map(sub, numbers, numbers[1:])] if numbers else [])


def price_decimals(lowest: float) -> int:
    """Return the number of decimals of encoded prices; `lowest` is the lowest of them."""
    return PRICE_DECIMALS if lowest >= 1 else SMALL_PRICE_DECIMALS
