"""Makes a new heatmap.toml from the commented example and the answers of the user."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

SOURCE = "[[market.source]]"
TARGET = "[[publish]]"
_NEXT_TABLE = re.compile(r"^(?:# )?\[|^# ---", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Answers:
    """The answers for a new configuration.

    `source` and `target` are the keys of their tables, in writing order. `index` is an index of the exchange,
    instead of `source`. If both are None, the market is the exchange's F&O stocks. `public_url` None: not
    known.
    """

    title: str
    name: str  # of the market
    target: dict[str, str | list[str]]
    source: dict[str, str] | None = None
    index: str | None = None
    public_url: str | None = None


def fill(example: str, answers: Answers) -> str:
    """Return the example configuration with the answers. Raises ValueError if a key or table is missing."""
    text = _set(example, "title", answers.title)
    if answers.public_url:
        text = _set(text, "public_url", answers.public_url)
    text = _set(text, "name", answers.name)
    if answers.source is not None:
        first, last = _table(text, SOURCE, 0), _table(text, SOURCE, 1)
        text = f"{text[: first[0]]}{SOURCE}\n{_lines(answers.source)}\n{text[last[1] :]}"
    elif answers.index is not None:
        for number in (0, 1):
            begin, end = _table(text, SOURCE, number)
            text = text[:begin] + _set(text[begin:end], "index", answers.index) + text[end:]
    begin, end = _table(text, TARGET, 0)
    return f"{text[:begin]}{TARGET}\n{_lines(answers.target)}\n{text[end:]}"


def _set(text: str, key: str, value: str) -> str:
    """Return the text with a new value in the first line of `key`, which may be commented out."""
    line = re.compile(rf'^(?:# )?{key} = "[^"]*"( *)(#.*)?$', re.MULTILINE)
    changed, count = line.subn(lambda match: _line(key, value, match[2]), text, count=1)
    if not count:
        raise ValueError(key)
    return changed


def _line(key: str, value: str | list[str], comment: str | None = None) -> str:
    line = f"{key} = {json.dumps(value, ensure_ascii=False)}"  # printable text is the same in JSON and TOML
    return f"{line:<35} {comment}" if comment else line


def _lines(values: dict[str, str] | dict[str, str | list[str]]) -> str:
    return "".join(f"{_line(key, value)}\n" for key, value in values.items())


def _table(text: str, header: str, number: int) -> tuple[int, int]:
    """Return start and end of a table: the one with this header and number, without commented-out tables."""
    starts = [match.start() for match in re.finditer(rf"^{re.escape(header)}", text, re.MULTILINE)]
    if len(starts) <= number:
        raise ValueError(header)
    begin = starts[number]
    end = _NEXT_TABLE.search(text, begin + len(header))
    return begin, end.start() if end else len(text)
