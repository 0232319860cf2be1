"""Parses the exchange's list of lots: it has every stock with futures and options."""

from __future__ import annotations

import csv

from heatmap.errors import SourceReshaped
from heatmap.system import limits

PATH = "/content/fo/fo_mktlots.csv"  # on the archives' server
MARK = "DERIVATIVES ON INDIVIDUAL SECURITIES"  # indices are above it
FEWEST = 50  # there were 146 such stocks in 2019, 210 in 2026


def parse(body: bytes) -> frozenset[str]:
    """Return the symbols of the stocks in the exchange's list of lots. Raises SourceReshaped."""
    if len(body) > limits.LOTS_BYTES:
        raise SourceReshaped(f"the exchange's list of lots has more than {limits.LOTS_BYTES:,} bytes")
    lines = body.decode("utf-8-sig", errors="replace").splitlines()
    if len(lines) > limits.LOTS:
        raise SourceReshaped(f"the exchange's list of lots has more than {limits.LOTS:,} rows")
    symbols: set[str] = set()
    is_stock = False
    try:
        for row in csv.reader(lines):
            cells = [cell.strip().upper() for cell in row[:2]]
            if len(cells) == 2 and is_stock and cells[1]:
                symbols.add(cells[1])
            is_stock = is_stock or cells[:1] == [MARK]
    except csv.Error as error:
        raise SourceReshaped(f"the exchange's list of lots is damaged ({error}): try again later") from error
    if len(symbols) < FEWEST:
        raise SourceReshaped(
            f"the exchange's list of lots has {len(symbols)} stocks, and {FEWEST} or more are expected: "
            "look for a newer version of this program"
        )
    return frozenset(symbols)
