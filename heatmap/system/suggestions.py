"""Suggests the name that an unknown name probably stands for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from heatmap.system.texts import shorten

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def suggestion(name: object, names: Sequence[str] | Mapping[str, object], cutoff: float = 0.5) -> str:
    """Return the end of a sentence: the name that was probably meant, or all possible names.

    `cutoff` is the least likeness of the two names, from 0 to 1.
    """
    from difflib import get_close_matches

    text = str(name)
    matches = get_close_matches(text, names, n=1, cutoff=cutoff) or get_close_matches(
        text.lower(), names, 1, cutoff
    )
    completions = [each for each in names if text and each.startswith(text.lower())]
    if not matches and len(completions) == 1:
        matches = completions
    return f": did you mean {matches[0]!r}?" if matches else f" (known: {', '.join(names)})"


def abbreviated(value: object) -> str:
    """Return a value for a message, of at most 40 characters."""
    return shorten(repr(value), 40)
