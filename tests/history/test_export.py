"""Exports of bars: another reader reads each format back."""

from __future__ import annotations

import csv
import io
import json
from datetime import date

import pytest

from heatmap.history import export
from heatmap.market.bars import Bar

MONDAY = date(2026, 7, 20)
FIGURES = ("open", "high", "low", "close", "previous_close", "volume", "turnover")
SESSIONS = [
    [
        Bar("M&M", MONDAY, 3210.0, 3250.25, 3198.0, 3244.8, 3201.5, 1_500_000.0, 4_832_155_000.0),
        Bar("NEW", MONDAY, None, None, None, 0.05, None, None, None),
    ],
    [Bar('台積電,"2330"', date(1969, 12, 31), 1e-9, 1e17, 0.1, 0.3, 0.2, 0.0, 0.0)],
]


def written(name: str, sessions: list[list[Bar]]) -> bytes:
    """Return bars in a format."""
    file = io.BytesIO()
    export.FORMATS[name](sessions, "nse-fno", file)
    return file.getvalue()


@pytest.mark.parametrize("sessions", [SESSIONS, []], ids=["bars", "none"])
def test_csv(sessions: list[list[Bar]]) -> None:
    """A header, then a line for each bar; figures to the last digit, unknown ones empty."""
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
    """A symbol that a spreadsheet would execute is text; a negative number stays a number."""
    evil = Bar(f"{start}1+1", MONDAY, -1.0, None, None, None, None, None, None)
    (row,) = csv.DictReader(io.StringIO(written("csv", [[evil]]).decode(), newline=""))

    assert (f"'{start}1+1", "-1.0") == (row["symbol"], row["open"])


@pytest.mark.parametrize("sessions", [SESSIONS, []], ids=["bars", "none"])
def test_json(sessions: list[list[Bar]]) -> None:
    """One object that names its columns; an unknown value is null."""
    document = json.loads(written("json", sessions))

    assert ("market-heatmap/history/1", "nse-fno") == (document["schema"], document["market"])
    assert ["symbol", "date", *FIGURES] == document["columns"]
    assert [[bar.symbol, str(bar.date), *bar[2:]] for session in sessions for bar in session] == document[
        "bars"
    ]
