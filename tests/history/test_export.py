"""Bars written out: each format is read back by another reader."""

from __future__ import annotations

import csv
import io
import json
from datetime import date, timedelta
from importlib.util import find_spec

import pytest

from heatmap.history import export, parquet
from heatmap.history.model import Bar
from tests.history import parquet_reader

MONDAY = date(2026, 7, 20)
FIGURES = ("open", "high", "low", "close", "previous_close", "volume", "turnover")
SESSIONS = [
    [
        Bar("M&M", MONDAY, 3210.0, 3250.25, 3198.0, 3244.8, 3201.5, 1_500_000.0, 4_832_155_000.0),
        Bar("NEW", MONDAY, None, None, None, 0.05, None, None, None),
    ],
    [Bar('台積電,"2330"', date(1969, 12, 31), 1e-9, 1e17, 0.1, 0.3, 0.2, 0.0, 0.0)],
]
ROWS = [bar for session in SESSIONS for bar in session]


def written(name: str, sessions: list[list[Bar]]) -> bytes:
    """What a format makes of bars."""
    file = io.BytesIO()
    export.FORMATS[name](sessions, "nse-fno", file)
    return file.getvalue()


@pytest.mark.parametrize("sessions", [SESSIONS, []], ids=["bars", "none"])
def test_csv(sessions: list[list[Bar]]) -> None:
    """A header, then a line a bar; figures to the last digit, the unknown empty."""
    text = written("csv", sessions).decode()
    rows = list(csv.DictReader(io.StringIO(text, newline="")))

    assert text.startswith("symbol,date,open,high,low,close,previous_close,volume,turnover\n")
    assert [bar for session in sessions for bar in session] == [
        Bar(
            row["symbol"],
            date.fromisoformat(row["date"]),
            *(float(row[name]) if row[name] else None for name in FIGURES),  # type: ignore[arg-type]
        )
        for row in rows
    ]


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "＝", "＋", "－", "＠", "﹦", "−"])
def test_csv_formulas(start: str) -> None:
    """A symbol that a spreadsheet would run is text there; a negative number stays a number."""
    evil = Bar(f"{start}1+1", MONDAY, -1.0, None, None, None, None, None, None)
    (row,) = csv.DictReader(io.StringIO(written("csv", [[evil]]).decode(), newline=""))

    assert (f"'{start}1+1", "-1.0") == (row["symbol"], row["open"])


@pytest.mark.parametrize("sessions", [SESSIONS, []], ids=["bars", "none"])
def test_json(sessions: list[list[Bar]]) -> None:
    """One object that says what its columns are; the unknown is null."""
    document = json.loads(written("json", sessions))

    assert ("market-heatmap/history/1", "nse-fno") == (document["schema"], document["market"])
    assert ["symbol", "date", *FIGURES] == document["columns"]
    assert [[bar.symbol, str(bar.date), *bar[2:]] for session in sessions for bar in session] == document[
        "bars"
    ]


@pytest.mark.parametrize("sessions", [SESSIONS, []], ids=["bars", "none"])
def test_parquet(sessions: list[list[Bar]]) -> None:
    """By another reader: names, types, what may be unknown, and every figure."""
    footer, rows = parquet_reader.read(written("parquet", sessions))

    assert [b"symbol", b"date", *(name.encode() for name in FIGURES)] == [leaf[4] for leaf in footer[2][1:]]
    assert [(6, 0, 0), (1, 0, 6), *[(5, 1, None)] * 7] == [
        (leaf[1], leaf[3], leaf.get(6)) for leaf in footer[2][1:]
    ]
    assert [{1: b"market", 2: b"nse-fno"}] == footer[5]
    days = date(1970, 1, 1)
    assert [tuple(bar) for session in sessions for bar in session] == [
        (symbol, days + timedelta(days=number), *figures) for symbol, number, *figures in rows
    ]


def test_parquet_in_several_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    """Many sessions are written group by group, so that they need not be in memory at once."""
    monkeypatch.setattr(parquet, "ROWS_A_GROUP", 25)
    sessions = [
        [
            Bar(
                f"S{n}",
                MONDAY + timedelta(days=day),
                None if n % 3 else 1.5,
                2.0,
                1.0,
                n + 0.5,
                None,
                day,
                None,
            )
            for n in range(10)
        ]
        for day in range(40)
    ]

    footer, rows = parquet_reader.read(written("parquet", sessions))

    assert 14 == len(footer[4])
    assert [(bar.symbol, bar.open, bar.close) for session in sessions for bar in session] == [
        (row[0], row[2], row[5]) for row in rows
    ]


if find_spec("pyarrow"):  # far too large to be asked for; the reader above stands in for it

    def test_pyarrow_reads_our_parquet() -> None:
        """The format's own library reads what we write."""
        from pyarrow import parquet as reference

        table = reference.read_table(io.BytesIO(written("parquet", SESSIONS)))

        assert [tuple(bar) for bar in ROWS] == list(
            zip(*(column.to_pylist() for column in table.columns), strict=True)
        )
