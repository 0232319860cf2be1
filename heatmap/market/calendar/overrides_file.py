"""The marked blocks of an overrides file, one a year: kept by the program, while all else is the user's."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from heatmap.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

BEGIN = "# >>> holidays of {year}, kept by heatmap calendar update: write entries of your own elsewhere"
END = "# <<< holidays of {year}"
ANY_YEAR = r"(\d{4})"
COVERAGE = re.compile(r"""^([ \t]*coverage_to[ \t]*=[ \t]*)("[^"\n]*"|'[^'\n]*'|[0-9-]+)""", re.MULTILINE)
TABLE = re.compile(r"^[ \t]*\[", re.MULTILINE)


def remove_block(text: str, year: int | None = None) -> str:
    """Return the text without the block of a year, or of all. Raises ConfigError where one is torn."""
    return _block_pattern(ANY_YEAR if year is None else f"({year})").sub("", _require_whole_blocks(text))


def replace_block(text: str, year: int, lines: Sequence[str], coverage_to: date | None) -> str:
    """Return the text with these lines as its block of a year; without lines, without one.

    `coverage_to` None leaves the end as it stands. Raises ConfigError where a block is torn.
    """
    end = "\r\n" if "\r\n" in text else "\n"
    block = end.join([BEGIN.format(year=year), *lines, END.format(year=year), ""]) if lines else ""
    found = _block_pattern(f"({year})").search(_require_whole_blocks(text))
    if found:
        text = text[: found.start()] + block + text[found.end() :]
    elif block and text:
        text += ("" if text.endswith("\n") else end) + end + block
    else:
        text += block
    return text if coverage_to is None else _set_coverage(text, coverage_to, end)


def _set_coverage(text: str, last: date, end: str) -> str:
    """Return the text with its `coverage_to` set, which can only stand above the first table."""
    table = TABLE.search(text)
    head = text[: table.start()] if table else text
    if COVERAGE.search(head):
        return COVERAGE.sub(rf"\g<1>{last}", head, count=1) + text[len(head) :]
    return f"coverage_to = {last}{end}{text}"


def _block_pattern(year: str) -> re.Pattern[str]:
    """Return what a block looks like; `year` is a pattern with one group."""
    pattern = rf"^# >>> holidays of {year}\b[^\n]*\n.*?^# <<< holidays of \1\b[^\n]*(?:\n|\Z)"
    return re.compile(pattern, re.MULTILINE | re.DOTALL)


def _require_whole_blocks(text: str) -> str:
    """Return the text. Raises ConfigError where one of two marked lines is missing."""
    if re.search(r"^# (>>>|<<<) holidays of \d{4}\b", _block_pattern(ANY_YEAR).sub("", text), re.MULTILINE):
        problem = (
            "the overrides file has '# >>> holidays of' without its '# <<<', or the other way round: "
            "remove what is left of that block, and update again"
        )
        raise ConfigError([problem])
    return text
