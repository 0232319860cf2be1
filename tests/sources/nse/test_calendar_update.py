"""The list and the calendar: differences, refusals, and the overrides file after the update."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from heatmap.errors import ConfigError, SourceNonsense
from heatmap.market.calendar import overrides, overrides_file
from heatmap.market.calendar.packaged import SessionOptions, load_packaged
from heatmap.market.calendar.phases import Calendar, phase_at
from heatmap.sources.nse.calendar_update import Update, compare, update
from heatmap.sources.nse.holidays import parse
from tests.servers.exchange_holidays import LISTED_2026, MADE_UP_2027, holiday_master

NSE = load_packaged(SessionOptions())
(IN_2026,), (IN_2027,) = parse(holiday_master()), parse(holiday_master(MADE_UP_2027))
DECEMBER = date(2026, 12, 14)
NOVEMBER = date(2026, 11, 20)


def after(listed: dict[str, str], text: str = "", today: date = NOVEMBER) -> Update:
    """Return the update of an overrides file by a list."""
    return update(NSE, text, "own.toml", parse(holiday_master(listed))[0], today)


def phase(calendar: Calendar, at: str) -> str:
    """Return the phase at a time in India."""
    return phase_at(calendar, datetime.fromisoformat(f"{at}+05:30")).phase


def test_the_packaged_calendar_agrees_with_the_list_of_2026() -> None:
    """Weekend rows and the Muhurat Sunday are no difference, nor is the budget Sunday, which no list has."""
    assert () == compare(IN_2026, NSE)
    assert "" == after(LISTED_2026).text


def test_a_year_that_follows() -> None:
    """Closures on trading days and the Muhurat session are written; weekend days are not, the end is moved."""
    found = update(NSE, "", "own.toml", IN_2027, DECEMBER)

    assert date(2027, 12, 31) == found.after.last
    assert (
        """coverage_to = 2027-12-31
# >>> holidays of 2027, kept by heatmap calendar update: write entries of your own elsewhere
[[closed]]
date = 2027-01-26
name = "Republic Day"
[[closed]]
date = 2027-03-22
name = "Holi"
[[closed]]
date = 2027-03-26
name = "Good Friday"
[[closed]]
date = 2027-05-17
name = "Bakri Id"
[[session]]
date = 2027-10-29
name = "Muhurat session"
windows = []
[[closed]]
date = 2027-11-15
name = "Gurunanak Jayanti"
# <<< holidays of 2027
"""
        == found.text
    )


@pytest.mark.parametrize(
    ("at", "expected"),
    [
        ("2027-01-04T11:00", "open"), ("2027-01-26T11:00", "closed"), ("2027-10-29T11:00", "unknown"),
        ("2027-10-29T18:30", "unknown"), ("2027-12-31T11:00", "open"), ("2028-01-03T11:00", "unknown"),
        ("2026-12-25T11:00", "closed"),
    ],
)  # fmt: skip
def test_the_guard_goes_by_what_was_written(at: str, expected: str) -> None:
    """The new year has sessions and closures, and its Muhurat session has unknown hours."""
    assert expected == phase(update(NSE, "", "own.toml", IN_2027, DECEMBER).after, at)


def test_updating_again_changes_nothing() -> None:
    """The same list a second time, and later in the year, does not change the file."""
    first = update(NSE, "", "own.toml", IN_2027, DECEMBER)

    again = update(NSE, first.text, "own.toml", IN_2027, date(2027, 6, 1))
    assert (first.text, (), ()) == (again.text, again.new, again.user_differences)


def test_a_late_closure_is_added() -> None:
    """A later list may have one more day; a list without it is refused."""
    found = after({**LISTED_2026, "2026-12-01": "Election"})

    assert ["2026-12-01 Tue  closed, Election"] == [str(change) for change in found.new]
    assert "closed" == phase(found.after, "2026-12-01T11:00")
    assert NSE.last == found.after.last
    assert "coverage_to" not in found.text
    with pytest.raises(SourceNonsense, match="no longer has 2026-12-01"):
        after(LISTED_2026, found.text)


def test_a_feast_moved_by_the_moon() -> None:
    """The old date becomes a regular day, the new one a closure; after the reverse, the block is gone."""
    moved = {**LISTED_2026, "2026-11-25": LISTED_2026["2026-11-24"]}
    del moved["2026-11-24"]

    found = after(moved)
    assert ("open", "closed") == tuple(phase(found.after, f"2026-11-{day}T11:00") for day in (24, 25))
    assert "" == after(LISTED_2026, found.text).text


def test_a_feast_moved_to_a_weekend() -> None:
    """Only the old date changes: a Saturday has no session anyway."""
    moved = {**LISTED_2026, "2026-12-26": LISTED_2026["2026-12-25"]}
    del moved["2026-12-25"]

    assert ["2026-12-25 Fri  a day like any other, no longer Christmas"] == [
        str(change) for change in after(moved).new
    ]


def test_a_muhurat_session_moved() -> None:
    """The Sunday is a regular one again, and the Monday has the session of unknown hours."""
    moved = {**LISTED_2026, "2026-11-09": LISTED_2026["2026-11-08"]}
    del moved["2026-11-08"]

    found = after(moved, today=date(2026, 11, 2)).after
    assert ("closed", "unknown") == tuple(phase(found, f"2026-11-0{day}T18:30") for day in (8, 9))


def test_a_muhurat_session_called_off() -> None:
    """Its row without the star is a closure."""
    found = after({**LISTED_2026, "2026-11-08": "Diwali Laxmi Pujan"}, today=date(2026, 11, 2))

    assert "closed" == phase(found.after, "2026-11-08T18:30")


@pytest.mark.parametrize(
    ("change", "part"),
    [
        ({"2026-09-17": "Something"}, "calls 2026-09-17 a holiday"),
        ({"2026-09-17": "Something*"}, "calls 2026-09-17 a holiday"),
        ({"2026-05-28": None, "2026-05-27": "Bakri Id"}, "2026-05-27"),
        ({"2026-06-26": None}, "no longer has 2026-06-26 (Muharram)"),
        ({"2026-12-25": None}, "no longer has 2026-12-25 (Christmas)"),
    ],
)
def test_a_list_that_shrinks_or_contradicts_what_has_been(change: dict[str, str | None], part: str) -> None:
    """The whole list is refused, with advice in case it is right."""
    listed = {day: name for day, name in {**LISTED_2026, **change}.items() if name is not None}

    with pytest.raises(SourceNonsense) as caught:
        after(listed)
    assert part in str(caught.value)
    assert "to the overrides file" in str(caught.value)


def test_what_the_refusal_advises_settles_it() -> None:
    """With an entry of the user for that date, the list is accepted."""
    shorter = {day: name for day, name in LISTED_2026.items() if day != "2026-12-25"}

    found = after(shorter, "[[regular]]\ndate = 2026-12-25\n")
    assert "open" == phase(found.after, "2026-12-25T11:00")
    late = after({**LISTED_2026, "2026-09-17": "Late"}, "[[closed]]\ndate = 2026-09-17\n")
    assert ((), ()) == (late.new, late.user_differences)


def test_the_user_s_own_entries_win() -> None:
    """Nothing is written for their dates; differences from the list are reported."""
    text = """[[session]]
date = 2027-10-29
windows = [["18:00", "19:00"]]
[[regular]]
date = 2027-03-22
"""
    found = update(NSE, text, "own.toml", IN_2027, DECEMBER)

    assert "open" == phase(found.after, "2027-10-29T18:30")
    assert "open" == phase(found.after, "2027-03-22T11:00")
    assert ["2027-03-22 Mon  closed, Holi"] == [str(change) for change in found.user_differences]
    assert 1 == found.text.count("2027-10-29") == found.text.count("2027-03-22")
    assert found.text.endswith("# <<< holidays of 2027\n")


def test_hours_that_come_later_outlast_the_next_update() -> None:
    """With an entry above the block, the Muhurat session has hours; the block then leaves it out."""
    first = update(NSE, "", "own.toml", IN_2027, DECEMBER).text
    text = f'{first}\n[[session]]\ndate = 2027-10-29\nwindows = [["18:00", "19:00"]]\n'

    assert "open" == phase(overrides.merge(NSE, text, "own.toml", []), "2027-10-29T18:30")
    found = update(NSE, text, "own.toml", IN_2027, date(2027, 10, 20))
    assert "windows = []" not in found.text
    assert "open" == phase(found.after, "2027-10-29T18:30")


def test_a_list_that_is_not_whole_opens_no_year() -> None:
    """Its dates are written, but the calendar's end stays until the list is complete."""
    part = {day: name for day, name in MADE_UP_2027.items() if day < "2027-09"}

    found = update(NSE, "", "own.toml", parse(holiday_master(part))[0], DECEMBER)
    assert (NSE.last, False) == (found.after.last, "coverage_to" in found.text)
    whole = update(NSE, found.text, "own.toml", IN_2027, DECEMBER)
    assert date(2027, 12, 31) == whole.after.last
    assert 2 == len(whole.new)  # the Muhurat session and November's; the others were known


def test_each_year_has_a_block_of_its_own() -> None:
    """In December this year's block stays beside the next one's."""
    first = update(NSE, "", "own.toml", IN_2027, DECEMBER).text
    in_2028 = {day.replace("2027", "2028"): name for day, name in MADE_UP_2027.items()}

    found = update(NSE, first, "own.toml", parse(holiday_master(in_2028))[0], date(2027, 12, 13))
    assert date(2028, 12, 31) == found.after.last
    assert "closed" == phase(found.after, "2027-01-26T11:00") == phase(found.after, "2028-01-26T11:00")
    assert first.partition("\n")[2] in found.text


def test_a_newer_program_makes_the_block_needless() -> None:
    """Once the packaged calendar has the year, its block goes, and the remaining coverage_to does no harm."""
    first = update(NSE, "", "own.toml", IN_2027, DECEMBER)
    newer = replace(first.after, name="nse-equity-fno", last=date(2028, 12, 31))

    found = update(newer, first.text, "own.toml", IN_2027, DECEMBER)
    assert "coverage_to = 2027-12-31\n" == found.text
    assert date(2028, 12, 31) == found.after.last


def test_a_year_too_early_or_too_late_is_refused() -> None:
    """Between the calendar's end and the list there may be no unknown year."""
    for year, part in (("2022", "begins on 2023-01-01"), ("2028", "days between are not known")):
        listed = {day.replace("2027", year): name for day, name in MADE_UP_2027.items()}
        with pytest.raises(SourceNonsense, match=part):
            after(listed)


@pytest.mark.parametrize(
    "text",
    ["closed = [{date = 2026-12-01}]\n", '"coverage_to" = 2026-12-31\n', "[[closed]]\ndate = 'soon'\n"],
)
def test_a_file_that_no_block_can_follow(text: str) -> None:
    """An error is raised, and the file stays readable."""
    with pytest.raises(ConfigError, match=r"own\.toml"):
        update(NSE, text, "own.toml", IN_2027, DECEMBER)


def test_names_that_TOML_would_trip_over() -> None:
    """Any description comes back the same from the file."""
    name = 'He said "\\closed\\" — दिवाली # ]]'
    found = after({**LISTED_2026, "2026-12-01": name})

    assert name == found.after.closed[date(2026, 12, 1)]


DAYS_2027 = st.dates(date(2027, 1, 1), date(2027, 12, 31)).map(str)
OWN = (
    "",
    "# Mine.\n",
    "# No end of line",
    "coverage_to = 2026-12-31 # so far\r\n[[closed]]\r\ndate = 2027-03-22\r\n",
    '[[session]]\ndate = 2027-10-29\nwindows = [["18:00", "19:00"]]\n\n[[alias]]\nold = "A"\nnew = "B"\n',
)


@given(
    st.dictionaries(DAYS_2027, st.sampled_from(["Feast", "Feast*", '"', "\\n"]), max_size=12),
    st.sampled_from(OWN),
)
@settings(deadline=None)
def test_whatever_is_listed_is_then_what_holds(more: dict[str, str], text: str) -> None:
    """After any whole list the calendar differs on the user's dates alone, a second time changes nothing, and
    the user's own part is there to the letter, but for the end."""
    (listed,) = parse(holiday_master({**MADE_UP_2027, **more}))

    found = update(NSE, text, "own.toml", listed, DECEMBER)

    own = overrides.read_dates(text)
    assert {change.day for change in compare(listed, found.after)} <= own
    assert date(2027, 12, 31) == found.after.last
    assert found.text == update(NSE, found.text, "own.toml", listed, DECEMBER).text
    assert entries(text) == entries(overrides_file.remove_block(found.text))


def entries(text: str) -> list[str]:
    """Return the lines of a file, without empty ones and without the coverage."""
    return [line for line in text.splitlines() if line and not line.startswith("coverage_to")]
