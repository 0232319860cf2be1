"""Reads and writes the marked blocks of an overrides file: one a year. All other text is the user's."""

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
    """Return the text without the block of a year; None: of all. Raises ConfigError for half a block."""
    return _block_pattern(ANY_YEAR if year is None else f"({year})").sub("", _require_whole_blocks(text))


def replace_block(text: str, year: int, lines: Sequence[str], coverage_to: date | None) -> str:
    """Return the text with these lines as the block of a year; with no lines the block is removed.

    If `coverage_to` is None, the end of the calendar stays. Raises ConfigError for half a block.
    """
    line_end = "\r\n" if "\r\n" in text else "\n"
    block = line_end.join([BEGIN.format(year=year), *lines, END.format(year=year), ""]) if lines else ""
    match = _block_pattern(f"({year})").search(_require_whole_blocks(text))
    if match:
        text = text[: match.start()] + block + text[match.end() :]
    elif block and text:
        text += ("" if text.endswith("\n") else line_end) + line_end + block
    else:
        text += block
    return text if coverage_to is None else _set_coverage(text, coverage_to, line_end)


def _set_coverage(text: str, last: date, line_end: str) -> str:
    """Return the text with `coverage_to` set. The key can only be above the first table."""
    table = TABLE.search(text)
    head = text[: table.start()] if table else text
    if COVERAGE.search(head):
        return COVERAGE.sub(rf"\g<1>{last}", head, count=1) + text[len(head) :]
    return f"coverage_to = {last}{line_end}{text}"


def _block_pattern(year: str) -> re.Pattern[str]:
    """Return the pattern of a block. `year` is a pattern with one group."""
    pattern = rf"^# >>> holidays of {year}\b[^\n]*\n.*?^# <<< holidays of \1\b[^\n]*(?:\n|\Z)"
    return re.compile(pattern, re.MULTILINE | re.DOTALL)


def _require_whole_blocks(text: str) -> str:
    """Return the text. Raises ConfigError if the first or last line of a block is missing."""
    if re.search(r"^# (>>>|<<<) holidays of \d{4}\b", _block_pattern(ANY_YEAR).sub("", text), re.MULTILINE):
        problem = (
            "the overrides file has '# >>> holidays of' without its '# <<<', or the other way round: "
            "remove the rest of that block, and update again"
        )
        raise ConfigError([problem])
    return text
