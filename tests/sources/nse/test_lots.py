"""The exchange's list of stocks with futures and options."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heatmap.errors import SourceReshaped
from heatmap.sources.nse import lots
from tests.servers.archives import lot_list


def test_the_recorded_list_of_lots(recorded_bodies: Path) -> None:
    """The exchange's list of 2019 had 146 stocks and three indices."""
    stock_symbols = lots.parse((recorded_bodies / "reference/nse2r_2019_fo_mktlots.csv").read_bytes())

    assert {"RELIANCE", "BAJAJ-AUTO", "M&M"} <= stock_symbols
    assert not stock_symbols & {"NIFTY", "BANKNIFTY", "SYMBOL", ""}


@given(st.binary(max_size=300) | st.text(max_size=300).map(str.encode))
def test_any_list_of_lots(body: bytes) -> None:
    """Any content raises nothing but the program's own error."""
    for content in (body, lot_list([f"STOCK{n}" for n in range(60)]) + body):
        try:
            assert len(lots.parse(content)) >= 50
        except SourceReshaped:
            pass


def test_a_list_of_next_to_nothing() -> None:
    """A list with fewer stocks than ever is refused: the market would shrink to them."""
    with pytest.raises(SourceReshaped, match="has 49 stocks"):
        lots.parse(lot_list([f"STOCK{n}" for n in range(49)]))
