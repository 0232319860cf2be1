"""The marked blocks of an overrides file: one a year, and nothing else in the file is touched."""

from __future__ import annotations

from datetime import date

import pytest

from heatmap.errors import ConfigError
from heatmap.market.calendar.overrides_file import remove_block, replace_block

OWN = """# Mine.
coverage_to = "2027-03-31"  # as far as I know

[[closed]]   # told on the radio
date = 2026-12-01
"""
BLOCK = """# >>> holidays of 2027, kept by heatmap calendar update: write entries of your own elsewhere
[[closed]]
date = 2027-01-26
# <<< holidays of 2027
"""
LINES = ["[[closed]]", "date = 2027-01-26"]
END = date(2027, 12, 31)


def test_a_block_follows_what_is_there() -> None:
    """Comments and order stay; of the line on coverage only the date changes."""
    expected = OWN.replace('"2027-03-31"', "2027-12-31") + "\n" + BLOCK

    assert expected == replace_block(OWN, 2027, LINES, END)


def test_a_first_file() -> None:
    """From nothing come the coverage and the block."""
    assert "coverage_to = 2027-12-31\n" + BLOCK == replace_block("", 2027, LINES, END)
    assert BLOCK == replace_block("", 2027, LINES, None)
    assert "" == replace_block("", 2027, [], None)


def test_it_is_replaced_where_it_stands() -> None:
    """The text before and after it, also other years' blocks, stays to the letter."""
    other = BLOCK.replace("2027", "2028")
    text = f"{OWN}{BLOCK}{other}[[alias]]\nold = 'A'\nnew = 'B'"

    assert text == replace_block(text, 2027, LINES, None)
    assert text.replace("2027-01-26", "2027-01-27") == replace_block(
        text, 2027, ["[[closed]]", "date = 2027-01-27"], None
    )
    assert text.replace(BLOCK, "") == replace_block(text, 2027, [], None) == remove_block(text, 2027)
    assert f"{OWN}[[alias]]\nold = 'A'\nnew = 'B'" == remove_block(text)


def test_coverage_within_a_table_is_not_the_file_s() -> None:
    """Only above the first table it counts; there a new line is put."""
    text = "[[closed]]\nname = '''\ncoverage_to = 2026-01-01\n'''\ndate = 2026-12-01\n"

    assert f"coverage_to = 2027-12-31\n{text}" == replace_block(text, 2027, [], END)


def test_line_ends_stay_as_they_are() -> None:
    """A file written on Windows gets a block with its line ends."""
    text = OWN.replace("\n", "\r\n")

    found = replace_block(text, 2027, LINES, END)
    assert found.count("\n") == found.count("\r\n")
    assert found == replace_block(found, 2027, LINES, END)


@pytest.mark.parametrize("line", [BLOCK.splitlines()[0], BLOCK.splitlines()[-1]])
def test_a_torn_block_is_told(line: str) -> None:
    """With one of its lines gone nobody knows where it ends."""
    torn = BLOCK.replace(f"{line}\n", "")

    with pytest.raises(ConfigError, match="holidays of"):
        replace_block(torn, 2027, [], None)
    with pytest.raises(ConfigError, match="holidays of"):
        remove_block(torn)
