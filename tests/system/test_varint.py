"""Whole numbers as text and back, against a reader of the tests' own."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as some

from heatmap.system import varint
from tests.pictures.market_map import test_data as reader


@given(some.lists(some.integers(0, 10**13) | some.integers(0, 1100)))
def test_numbers_come_back(numbers: list[int]) -> None:
    """Of any size, whoever reads them."""
    packed = varint.encode(numbers)

    assert numbers == reader.unpack(packed) == varint.decode(packed)


@given(some.lists(some.integers(-(10**9), 10**9)))
def test_numbers_with_a_sign_come_back(numbers: list[int]) -> None:
    """Also those of a falling sequence."""
    assert numbers == [varint.signed(varint.zigzag(number)) for number in numbers]
    assert all(varint.zigzag(number) >= 0 for number in numbers)
    numbers.sort(reverse=True)
    assert numbers == reader.falling(varint.falling(numbers))


def test_how_fine_prices_are() -> None:
    """To the paisa, and much finer where one is below a rupee."""
    assert (8, 2, 2) == tuple(map(varint.price_decimals, (0.99, 1.0, 5000.0)))
