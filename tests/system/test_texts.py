"""Texts fit for a message of one line."""

from __future__ import annotations

import pytest

from heatmap.system.texts import make_printable, shorten


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("as it is, ünlaut", "as it is, ünlaut"),
        ("\x1b[31mred\x07", " [31mred "),
        ("two\r\nlines", "two  lines"),
        ("turned \u202e around", "turned   around"),
        ("", ""),
    ],
)
def test_what_does_not_show(text: str, shown: str) -> None:
    """A terminal's commands, line breaks and what turns letters around cannot reach a message."""
    assert shown == make_printable(text)


def test_replacements() -> None:
    """Each letter that does not show becomes the replacement, which may be nothing."""
    assert ("a?b", "ab") == (make_printable("a\0b", "?"), make_printable("a\0b", ""))


@pytest.mark.parametrize(("text", "shown"), [("12345", "12345"), ("123456", "12..."), ("", "")])
def test_a_long_text(text: str, shown: str) -> None:
    """It is cut to the length that is allowed, dots included."""
    assert shown == shorten(text, 5)
