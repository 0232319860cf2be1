"""Texts from outside, made fit for a message of one line."""

from __future__ import annotations


def make_printable(text: str, replacement: str = " ") -> str:
    """Return a text with `replacement` in place of each character that does not show, such as a colour's."""
    if text.isprintable():
        return text
    return "".join(letter if letter.isprintable() else replacement for letter in text)


def shorten(text: str, most: int) -> str:
    """Return a text of at most `most` characters; "..." is the end of one that was cut."""
    return text if len(text) <= most else f"{text[: most - 3]}..."
