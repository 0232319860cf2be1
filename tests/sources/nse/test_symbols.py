"""Symbol changes: parsing the exchange's list, saving it, and a symbol's name on a day."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from heatmap.errors import SourceReshaped
from heatmap.market.calendar import packaged
from heatmap.market.calendar.phases import SymbolChange
from heatmap.sources.nse import symbols
from tests.servers.archives import symbol_list

ZOMATO = SymbolChange("ZOMATO", "ETERNAL", date(2025, 4, 9))
CHAIN = (
    SymbolChange("LTI", "LTIM", date(2022, 12, 5)),
    SymbolChange("LTIM", "LTM", date(2026, 2, 27)),
    ZOMATO,
)


@pytest.mark.parametrize(
    "row",
    [
        b"ETERNAL LIMITED,ZOMATO,ETERNAL,09-APR-2025",
        b" ETERNAL LIMITED, ZOMATO , ETERNAL ,09-Apr-2025\r",
        b'"ETERNAL, formerly Zomato",ZOMATO,ETERNAL,09-APR-2025',
        b"ETERNAL, formerly Zomato & Co,ZOMATO,ETERNAL,09-APR-2025",
        b"\xc9TERNAL LIMITED,ZOMATO,ETERNAL,09-APR-2025",  # no UTF-8
    ],
)
def test_rows_of_every_shape(row: bytes) -> None:
    """With blanks, quotes, commas in the name, and letters of another encoding."""
    changes = symbols.parse(symbol_list() + row + b"\n")

    assert ZOMATO == changes[-1]
    assert 61 == len(changes)
    assert SymbolChange("OLD0", "NEW0", date(2020, 1, 1)) == changes[0]


@pytest.mark.parametrize(
    "row",
    [
        b"ZOMATO,ETERNAL,09-APR-2025",
        b"X,ZOMATO,ETERNAL,2025-04-09",
        b"X,ZOMATO,ETERNAL,31-FEB-2025",
        b"X,ZOMATO,ETERNAL,",
        b"X,ZOMATO,ZOMATO,09-APR-2025",
        b"X,ZO MATO,ETERNAL,09-APR-2025",
        b"X,../etc,ETERNAL,09-APR-2025",
        b"X,,ETERNAL,09-APR-2025",
        b"X,ZOMATO,<b>,09-APR-2025",
    ],
)
def test_rows_that_say_nothing(row: bytes) -> None:
    """They are left out; the others are read."""
    assert 60 == len(symbols.parse(symbol_list() + row + b"\n"))


@pytest.mark.parametrize(
    "body", [b"", b"<html>Access Denied</html>", b"X,A,B,09-APR-2025\n", b"," * 3_000_000]
)
def test_what_is_no_list(body: bytes) -> None:
    """A list of almost nothing is refused, and an endless one is not read."""
    with pytest.raises(SourceReshaped):
        symbols.parse(body)


@pytest.mark.parametrize(
    ("symbol", "day", "expected"),
    [
        ("ZOMATO", date(2025, 4, 8), "ZOMATO"),
        ("ZOMATO", date(2025, 4, 9), "ETERNAL"),
        ("LTI", date(2022, 1, 1), "LTI"),
        ("LTI", date(2025, 1, 1), "LTIM"),
        ("LTI", date(2026, 9, 17), "LTM"),
        ("TCS", date(2026, 9, 17), "TCS"),
    ],
)
def test_what_a_symbol_is_called(symbol: str, day: date, expected: str) -> None:
    """From the first day of the new one on; one change may lead to another, but not in circles."""
    circle = (
        SymbolChange("TCS", "X", date(2027, 1, 1)),
        SymbolChange("A", "B", None),
        SymbolChange("B", "A", None),
    )

    assert expected == symbols.find_symbol_on(symbol, day, (*CHAIN, *circle))
    assert symbols.find_symbol_on("A", day, circle) in {"A", "B"}


def test_a_symbol_that_was_given_twice() -> None:
    """The changes count in the order of their dates, in a list of any length and order."""
    others = [SymbolChange(f"OLD{n}", f"NEW{n}", date(2024, 1, 1)) for n in range(999)]
    back = (SymbolChange("Y", "X", date(2025, 1, 1)), SymbolChange("X", "Y", date(2024, 1, 1)))

    for count in (998, 999):
        assert symbols.find_symbol_on("X", date(2024, 6, 1), (*others[:count], *back)) == "Y"
        assert symbols.find_symbol_on("X", date(2026, 1, 1), (*others[:count], *back)) == "X"


def test_changes_of_long_ago() -> None:
    """They are left out: another company may have the symbol since."""
    old = SymbolChange("X", "Y", date(2005, 1, 1))

    assert symbols.select_recent((old, ZOMATO)) == (ZOMATO,)


def test_what_leads_to_a_symbol() -> None:
    """All earlier symbols, also over several changes."""
    assert CHAIN[:2] == symbols.select_leading_to(CHAIN, ["LTM", "TCS"])
    assert () == symbols.select_leading_to(CHAIN, ["LTI"])


def test_what_is_kept(tmp_path: Path) -> None:
    """Saved changes join the calendar's own; if asked, only those of a market's symbols."""
    state = tmp_path / "state"
    fresh = SymbolChange("FRESH", "NEWER", date(2026, 9, 1))
    symbols.save(state / "sources", (*CHAIN, fresh))
    known = packaged.load(packaged.SessionOptions(), tmp_path)

    assert (*CHAIN[1:], fresh) == symbols.load(state / "sources")
    assert (*known.symbol_changes, fresh) == symbols.with_saved_changes(known, state).symbol_changes
    assert known == symbols.with_saved_changes(known, state, ["TCS"])
    assert (*known.symbol_changes, fresh) == symbols.with_saved_changes(
        known, state, ["NEWER"]
    ).symbol_changes
    other = replace(known, name="own hours")
    assert other == symbols.with_saved_changes(other, state)


@pytest.mark.parametrize(
    "content",
    ["", "[]", '{"changes": 5}', '{"changes": [["A", "B"]]}', '{"changes": [["A", "<b>", "2026-01-01"]]}'],
)
def test_what_is_damaged_is_nothing(tmp_path: Path, content: str) -> None:
    """A damaged file is set aside; the next list takes its place."""
    (tmp_path / symbols.FILE_NAME).write_text(content)

    assert () == symbols.load(tmp_path)
    symbols.save(tmp_path, [ZOMATO])
    assert (ZOMATO,) == symbols.load(tmp_path)


def test_the_packaged_changes_are_the_calendar_s(tmp_path: Path) -> None:
    """One table for the archive source and the history."""
    assert packaged.load(packaged.SessionOptions(), tmp_path).symbol_changes == symbols.load_packaged()
