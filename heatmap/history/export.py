"""Writes daily bars for other programs: as CSV, JSON and Parquet."""

from __future__ import annotations

import json
from itertools import chain
from typing import TYPE_CHECKING

from heatmap.history import parquet
from heatmap.market.bars import Bar
from heatmap.system import parsing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from typing import BinaryIO

SCHEMA = "market-heatmap/history/1"


def write_csv(bars: Iterable[Sequence[Bar]], _market: str, file: BinaryIO) -> None:
    """Write a header, then one line for each bar; an unknown value is empty."""
    import csv
    import io

    for rows in chain([[Bar._fields]], bars):
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows(
            [parsing.spreadsheet_cell(value) for value in row] for row in rows
        )
        file.write(text.getvalue().encode())


def write_json(bars: Iterable[Sequence[Bar]], market: str, file: BinaryIO) -> None:
    """Write one object. Each bar is a list in the order of `columns`; an unknown value is null."""
    header = {"schema": SCHEMA, "market": market, "columns": Bar._fields}
    file.write(f'{json.dumps(header)[:-1]}, "bars": ['.encode())
    comma = ""
    for session in bars:
        for bar in session:
            row = [bar.symbol, bar.date.isoformat(), *bar[2:]]
            file.write(f"{comma}\n{json.dumps(row, ensure_ascii=False)}".encode())
            comma = ","
    file.write(b"\n]}\n")


FORMATS: dict[str, Callable[[Iterable[Sequence[Bar]], str, BinaryIO], None]] = {
    "csv": write_csv,
    "json": write_json,
    "parquet": parquet.write,
}
