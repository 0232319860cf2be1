"""Explains why a file is not valid TOML: quotes the line, and says what was probably meant.

A line may have a secret by mistake. So these are not quoted: values of keys with names of secrets, addresses
except their scheme, the text after a header, comments, and lines without a key.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from heatmap.system.texts import make_printable

LONGEST_QUOTE = 60  # characters
LONGEST_READ = 1000  # characters of a line in which addresses are searched
ARRAYS = ("market", "market.source", "publish", "alert", "closed", "session", "regular", "alias", "action")
_POSITION = re.compile(r"\s*\(at (?:line (\d+), column (\d+)|end of document)\)$")
_HEADER = re.compile(r"\s*(\[\[?)([\w.\s-]*)\]")
_HEADER_WORDS = re.compile(r"\[+[\w.\s-]*\]*")
_KEY = re.compile(r"""\s*["']?([\w.-]+)["']?\s*=""")
_SECRET = re.compile(r"pass|pwd|secret|token|key|auth|bearer|_env|_file|chat_id", re.IGNORECASE)
_ADDRESS = re.compile(r"\b(?!file:)([a-z][a-z0-9+-]*:)(?=.*[/\\@]).*", re.IGNORECASE)
_COMMENT = re.compile(r"\s#.*")  # people write passwords into them
_TYPOGRAPHIC = re.compile("[\u2018-\u201f\u00ab\u00bb]")
_MEANINGS = {  # the start of tomllib's message, and what was probably meant
    "Expected '='": 'between a key and its value stands =, as in title = "My map"',
    "Expected ']": "a bracket is missing: headers are written [page] or [[publish]]",
    "Illegal character": "is the closing quotation mark missing?",
    "Unescaped": "a backslash in a text is written twice, or the text stands in single quotation marks",
    "Invalid hex": "a backslash in a text is written twice, or the text stands in single quotation marks",
    "Expected newline": "something follows the value: texts and times need quotation marks, comments a #",
    "Unclosed array": "in a list, commas stand between the values, and ] at the end",
}


class _Place(NamedTuple):
    """The position of an error. `column` counts from 1; 0: the end of the file."""

    line: str
    column: int
    table: str  # "" above the first table
    is_array: bool  # the table's header has two brackets

    @property
    def header(self) -> str:
        """The table's header, with its brackets."""
        return f"[[{self.table}]]" if self.is_array else f"[{self.table}]"

    @property
    def key(self) -> str:
        """The key at the start of the line; "" without one."""
        match = _KEY.match(self.line)
        return match[1] if match else ""


def explain(error: Exception, text: str) -> str:
    """Return the end of a sentence on a file with the content `text`, for which `tomllib` raised `error`."""
    message = str(error)
    position = _POSITION.search(message)
    if not position:  # a number too long, a list too deep
        return f"{message[:1].lower()}{message[1:]}"
    reason = message[: position.start()]
    lines = text.splitlines()
    number, column = (int(position[1]), int(position[2])) if position[1] else (len(lines), 0)
    place = _find_place(lines, number, column)
    advice, quotation = _advise(reason, place), _quote(place.line)
    end = "" if advice.endswith("?") else "."
    return f"line {number}: {advice}{end} It reads: {quotation}" if quotation else f"line {number}: {advice}"


def _find_place(lines: list[str], number: int, column: int) -> _Place:
    line = lines[number - 1] if 0 < number <= len(lines) else ""
    for above in reversed(lines[: number - 1]):
        header = _HEADER.match(above)
        if header:
            return _Place(line, column, "".join(header[2].split()), header[1] == "[[")
    return _Place(line, column, "", is_array=False)


def _quote(line: str) -> str:
    """Return the part of a line that may be shown; "": none."""
    line = make_printable(line.strip(), "?")
    header = _HEADER_WORDS.match(line)
    if header:
        line = header[0].strip()
    else:
        key, equals, _ = line.partition("=")
        if not equals:
            word = re.match(r"([\w-]+)(?:\s*:|\s+[\"'])", line)  # as YAML has it, or = forgotten
            line = f"{word[1]} ..." if word else ""
        elif _SECRET.search(line):
            line = f"{key}= ..."
    line = _ADDRESS.sub(r"\1...", _COMMENT.sub("", line[:LONGEST_READ]))
    return line if len(line) <= LONGEST_QUOTE else f"{line[:LONGEST_QUOTE]}..."


def _advise(reason: str, place: _Place) -> str:
    """Return what is wrong with a line, and what was probably meant. `reason` is tomllib's message."""
    if _TYPOGRAPHIC.search(place.line):
        return 'these are typographic quotation marks: write straight ones (")'
    if reason.startswith(("Cannot declare", "Cannot overwrite")):
        return _explain_repetition(reason, place)
    if place.column == 0:
        return "the file ends inside a value: is a closing bracket or quotation mark missing?"
    if reason == "Invalid value":
        return _explain_value(place.line[place.column - 1 :].strip())
    for beginning, meaning in _MEANINGS.items():
        if reason.startswith(beginning):
            return meaning
    return f"{reason[:1].lower()}{reason[1:]}"


def _explain_repetition(reason: str, place: _Place) -> str:
    """Return what was probably meant by a second key or table of the same name."""
    if place.key:
        if place.table in ARRAYS:
            return f"a second {place.key}: is [[{place.table}]] missing above it?"
        table = f"in {place.header}" if place.table else "above the first table"
        return f"{place.key} stands {table} already: remove one of the two"
    header = _HEADER.match(place.line)
    name = "".join(header[2].split()) if header else ".".join(re.findall(r"'([^']*)'", reason))
    if name in ARRAYS:
        return f"this table is there already: if there are several, each begins with [[{name}]]"
    return "this table is there already: put the keys of both into one"


def _explain_value(text: str) -> str:
    """Return what was probably meant by a text that is no TOML value."""
    if not text or text.startswith("#"):
        return "the value is missing"
    if text.split(maxsplit=1)[0].lower() in {"true", "false", "yes", "no", "on", "off"}:
        return "write true or false, in small letters"
    return 'is it a text? Texts stand in quotation marks, as in title = "My map"'
