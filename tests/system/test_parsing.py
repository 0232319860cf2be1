"""Text from outside is clean, or None."""

from __future__ import annotations

from datetime import date, datetime, timedelta, timezone

import pytest

from heatmap.system import parsing

INDIA = timezone(timedelta(hours=5, minutes=30))


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (557, 557.0),
        ("1,894.10", 1894.1),
        ("12,34,567.5", 1234567.5),
        (" -0.18 ", -0.18),
        ("1e3", 1000.0),
        (0, 0.0),
        ("-", None),
        ("", None),
        ("1.2.3", None),
        ("0x10", None),
        ("١٢", None),
        ("nan", None),
        ("inf", None),
        ("9" * 50, None),
        (True, None),
        (None, None),
        ([1], None),
        (float("nan"), None),
        (float("inf"), None),
        (10**400, None),
        (1e300, None),
    ],
)
def test_number(given: object, expected: float | None) -> None:
    """Numbers, and texts that are numbers, count; all else is unknown, never 0."""
    assert parsing.number(given) == expected


def test_signs() -> None:
    """A price is above 0, a volume not below, and a percent change within what can be."""
    assert [parsing.positive(0), parsing.positive(-1), parsing.positive("0.05")] == [None, None, 0.05]
    assert [parsing.count(0), parsing.count(-1)] == [0.0, None]
    assert [parsing.percent(-100), parsing.percent(-100.01), parsing.percent(100_001)] == [-100.0, None, None]
    assert str(parsing.percent(-0.0)) == "0.0"


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("THE FEDERAL BANK  LIMITED", "THE FEDERAL BANK LIMITED"),
        (" a\tb\r\nc\x00\x1b[31m ", "a b c[31m"),
        ("abc\u202etxt.exe\u200b", "abctxt.exe"),
        ("\ud800x", "x"),
        ("Société Générale — 台積電", "Société Générale — 台積電"),
        ("  \u202e ", None),
        (7, None),
        ("x" * 1000, "x" * parsing.LONGEST_NAME),
    ],
)
def test_words(given: object, expected: str | None) -> None:
    """Text is one line of visible characters and of bounded length."""
    assert parsing.clean_text(given) == expected


def test_times() -> None:
    """Only ISO dates count, and only ISO times with an offset."""
    assert parsing.day("2026-09-17") == date(2026, 9, 17)
    assert parsing.aware_datetime("2026-09-17T16:00:28+05:30") == datetime(
        2026, 9, 17, 16, 0, 28, tzinfo=INDIA
    )
    wrong = ["2026-09-17T16:00:28", "10", "9999-12-31T23:59:59+00:00", "0001-01-01T00:00+14:00", 5, None]
    assert [parsing.aware_datetime(text) for text in wrong] == [None] * 6
    assert [parsing.day(text) for text in ("17-09-2026", "10", 5)] == [None] * 3
