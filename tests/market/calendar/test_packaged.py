"""Calendars: the packaged one is whole and sourced, hours of one's own, overrides, and every mistake told at once."""

from __future__ import annotations

import json
from datetime import date, datetime
from pathlib import Path

import pytest

from heatmap.errors import ConfigError
from heatmap.market.calendar.packaged import FOLDER, SessionOptions, load
from heatmap.market.calendar.phases import phase_at

OVERRIDES = """
coverage_to = 2027-12-31
[[closed]]
date = 2026-12-01
name = "Election"
[[closed]]
date = 2027-01-26
name = "Republic Day"
[[session]]
date = 2026-11-08
name = "Diwali Muhurat session"
windows = [["18:00", "19:00"]]
auction = [["19:00", "19:10"]]
[[session]]
date = 2026-11-24
windows = [["9:15", "12:30"]]
settles = "12:40"
[[alias]]
old = "OLDNAME"
new = "NEWNAME"
from = 2026-04-01
[[alias]]
old = "TATAMOTORS"
new = "TMCV"
"""


def ist(text: str) -> datetime:
    """Return a moment written as India's wall clock shows it."""
    return datetime.fromisoformat(f"{text}+05:30")


def problems(base: Path, text: str | None = None, **options: object) -> str:
    """Return the problems of loading."""
    if text is not None:
        (base / "own.toml").write_text(text)
        options["overrides"] = Path("own.toml")
    with pytest.raises(ConfigError) as caught:
        load(SessionOptions(**options), base)  # type: ignore[arg-type] -- mistakes are the point
    return "\n".join(caught.value.problems)


def test_every_packaged_entry_cites_a_source() -> None:
    """62 closures, nine special sessions, three eras; each cites sources that the table explains."""
    document = json.loads((FOLDER / "nse-equity-fno.json").read_text("utf-8"))
    entries = [*document["closed"], *document["special"], *document["eras"], *document["aliases"]]

    assert (9, 3) == (len(document["special"]), len(document["eras"]))
    assert {2023: 15, 2024: 17, 2025: 14, 2026: 16} == {
        year: sum(entry["date"].startswith(str(year)) for entry in document["closed"])
        for year in range(2023, 2027)
    }
    assert all(entry["sources"] and set(entry["sources"]) <= set(document["sources"]) for entry in entries)


@pytest.mark.parametrize(
    ("at", "phase"),
    [
        ("2026-12-01T11:00", "closed"), ("2026-11-08T18:30", "open"), ("2026-11-08T19:05", "auction"),
        ("2026-11-08T19:24", "settling"), ("2026-11-08T19:25", "final"), ("2026-11-24T12:00", "open"),
        ("2026-11-24T12:40", "final"), ("2027-01-26T11:00", "closed"), ("2027-01-27T11:00", "open"),
        ("2028-01-03T11:00", "unknown"), ("2026-11-23T11:00", "open"),
    ],
)  # fmt: skip
def test_overrides_are_merged_over_the_packaged_calendar(tmp_path: Path, at: str, phase: str) -> None:
    """A late closure, hours for a listed session, a closed date re-opened, a further year; all else stays."""
    (tmp_path / "own.toml").write_text(OVERRIDES)

    assert phase == phase_at(load(SessionOptions(overrides=Path("own.toml")), tmp_path), ist(at)).phase


MUHURAT = '[[session]]\ndate = 2026-11-24\nname = "Muhurat session"\nwindows = []\n'
HOURS = '[[session]]\ndate = 2026-11-24\nwindows = [["18:00", "19:00"]]\n'


@pytest.mark.parametrize(
    ("text", "at", "phase"),
    [
        ("[[regular]]\ndate = 2026-11-24", "2026-11-24T11:00", "open"),  # a closure that is taken back
        ("[[regular]]\ndate = 2026-11-08", "2026-11-08T11:00", "closed"),  # a Sunday like any other
        (MUHURAT, "2026-11-24T18:30", "unknown"),
        (MUHURAT + HOURS, "2026-11-24T18:30", "open"),
        (HOURS + MUHURAT, "2026-11-24T18:30", "open"),  # what is known outlasts what is not
    ],
)
def test_days_taken_back_and_sessions_whose_hours_come_later(
    tmp_path: Path, text: str, at: str, phase: str
) -> None:
    """A day can be made an ordinary one again, and a session be listed before its hours are known."""
    (tmp_path / "own.toml").write_text(text)

    assert phase == phase_at(load(SessionOptions(overrides=Path("own.toml")), tmp_path), ist(at)).phase


def test_a_newer_calendar_outlasts_an_older_coverage(tmp_path: Path) -> None:
    """A file for a program that knew less neither shortens a newer program's calendar nor is a fault."""
    (tmp_path / "own.toml").write_text("coverage_to = 2025-12-31\n")

    assert date(2026, 12, 31) == load(SessionOptions(overrides=Path("own.toml")), tmp_path).last


def test_symbols_that_changed(tmp_path: Path) -> None:
    """The calendar knows some itself; those of the overrides file come first, with or without a date."""
    (tmp_path / "own.toml").write_text(OVERRIDES)

    known = load(SessionOptions(), tmp_path).symbol_changes
    assert (
        ("IIFLWAM", "360ONE", date(2023, 1, 23)),
        ("ADANITRANS", "ADANIENSOL", date(2023, 8, 24)),
        ("L&TFH", "LTF", date(2024, 4, 23)),
        ("MCDOWELL-N", "UNITDSPR", date(2024, 6, 7)),
        ("GET&D", "GVT&D", date(2024, 11, 5)),
        ("GMRINFRA", "GMRAIRPORT", date(2024, 12, 11)),
        ("ZOMATO", "ETERNAL", date(2025, 4, 9)),
        ("TATAMOTORS", "TMPV", date(2025, 10, 24)),
        ("LTIM", "LTM", date(2026, 2, 27)),
    ) == known
    assert (("OLDNAME", "NEWNAME", date(2026, 4, 1)), ("TATAMOTORS", "TMCV", None), *known) == load(
        SessionOptions(overrides=Path("own.toml")), tmp_path
    ).symbol_changes


def test_splits_and_the_like_that_a_user_knows(tmp_path: Path) -> None:
    """As a ratio, as a number, and as none; the packaged calendar has none of its own."""
    (tmp_path / "own.toml").write_text(
        "".join(
            f'[[action]]\nsymbol = "{symbol}"\ndate = {day}\nfactor = {factor}\n'
            for symbol, day, factor in [
                ("A", "2026-07-30", '"2/5"'),
                ("B", '"2026-07-31"', "0.5173"),
                ("M&M", "2026-07-30", "1"),
            ]
        )
    )

    assert () == load(SessionOptions(), tmp_path).declared_splits
    assert (
        ("A", date(2026, 7, 30), 2, 5),
        ("B", date(2026, 7, 31), 5173, 10_000),
        ("M&M", date(2026, 7, 30), 1, 1),
    ) == load(SessionOptions(overrides=Path("own.toml")), tmp_path).declared_splits


def test_own_mistakes_are_told_together(tmp_path: Path) -> None:
    """Four mistakes, four sentences."""
    found = problems(
        tmp_path, open="25:00", close="9.30", time_zone="Asia/Kolkatta", holidays=("2026-02-30",)
    )

    assert 4 == found.count("\n") + 1
    assert all(part in found for part in ("25:00", "9.30", "Asia/Kolkatta", "2026-02-30"))
    assert "did you mean 'Asia/Kolkata'?" in found


@pytest.mark.parametrize(
    ("name", "meant"),
    [("New York", "America/New_York"), ("tokyo", "Asia/Tokyo"), ("Europe/Londn", "Europe/London")],
)
def test_a_time_zone_is_guessed(tmp_path: Path, name: str, meant: str) -> None:
    """The suggestion is found by its city."""
    assert f"did you mean {meant!r}?" in problems(tmp_path, open="9:00", close="10:00", time_zone=name)


@pytest.mark.parametrize("name", ["posix/Asia/Kolkata", "right/Asia/Kolkata", "Factory", "localtime"])
def test_names_that_browsers_refuse(tmp_path: Path, name: str) -> None:
    """Files of the system's table that are no IANA names would stop the page's script."""
    assert "is no IANA name" in problems(tmp_path, open="9:00", close="10:00", time_zone=name)


def test_hours_need_a_time_zone(tmp_path: Path) -> None:
    """Own hours without a time zone would silently mean another hour."""
    assert "time_zone is missing" in problems(tmp_path, open="9:15", close="15:30")


def test_options_that_would_be_ignored_are_refused(tmp_path: Path) -> None:
    """A packaged calendar beside own hours, or holidays without hours, would silently do nothing."""
    assert "both given" in problems(tmp_path, calendar="always", open="9:00", close="10:00")
    assert "holidays" in problems(tmp_path, holidays=("2026-12-01",))
    assert "did you mean 'nse-equity-fno'" in problems(tmp_path, calendar="nse-equity-fo")


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("[[close]]", "'close'"), ("[[closed]]\nday = 1", "'day'"), ("[[closed]]\ndate = 'soon'", "'soon'"),
        ("x = [", "not valid TOML"),
        pytest.param("x = " + "[" * 100_000, "not valid TOML", id="too deep"),
        pytest.param("x = " + "9" * 5_000, "not valid TOML", id="too many digits"), ("coverage_to = 'soon'", "'soon'"),
        ("[[session]]\ndate = 2026-11-08\nwindows = [['10:00', '12:00'], ['11:00', '13:00']]", "overlap"),
        ("[[session]]\ndate = 2026-11-08\nwindows = [['10:00', '12:00']]\nsettles = '11:00'", "settles"),
        ("[[session]]\ndate = 2026-11-08", "windows = []"), ("[[regular]]\ndate = 'once'", "'once'"),
        ("[[alias]]\nold = 'A'", "two symbols"), ("[[alias]]\nold = 'A'\nnew = 'A'", "two symbols"),
        ("[[alias]]\nold = 'A B'\nnew = 'C'", "two symbols"), ("[[alias]]\nold = 1\nnew = 'C'", "two symbols"),
        ("[[alias]]\nold = 'A'\nnew = 'B'\nfrom = 'then'", "'then'"), ("[[alias]]\nsince = 1", "'since'"),
        ("[[action]]\ndate = 2026-07-30\nfactor = '1/2'", "needs a symbol"),
        ("[[action]]\nsymbol = 'A'\ndate = 2026-07-30", "not None"),
        ("[[action]]\nsymbol = 'A'\ndate = 2026-07-30\nfactor = '1/0'", "not '1/0'"),
        ("[[action]]\nsymbol = 'A'\ndate = 2026-07-30\nfactor = 0.0", "not 0.0"),
        ("[[action]]\nsymbol = 'A'\ndate = 2026-07-30\nfactor = -1", "not -1"),
        ("[[action]]\nsymbol = 'A'\ndate = 2026-07-30\nfactor = true", "not True"),
        ("[[action]]\nsymbol = 'A'\ndate = 2026-08-01\nfactor = 1", "no session on 2026-08-01"),
        ("[[action]]\nsymbol = 'A'\ndate = 'soon'\nfactor = 1", "'soon'"), ("[[action]]\nratio = 1", "'ratio'"),
    ],
)  # fmt: skip
def test_mistakes_in_overrides_are_named(tmp_path: Path, text: str, part: str) -> None:
    """Each says what is wrong with which file."""
    found = problems(tmp_path, text)

    assert part in found
    assert "own.toml" in found


def test_an_overrides_file_that_is_missing(tmp_path: Path) -> None:
    """The message has its path."""
    assert str(tmp_path / "none.toml") in problems(tmp_path, overrides=Path("none.toml"))
