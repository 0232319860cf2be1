"""Says which of the known names was probably meant by an unknown one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from heatmap.system.texts import shorten

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def suggestion(name: object, known: Sequence[str] | Mapping[str, object], cutoff: float = 0.5) -> str:
    """Return, as the end of a sentence, which key was probably meant, or which there are.

    `cutoff` is how much the two must be alike, from 0 to 1.
    """
    from difflib import get_close_matches

    text = str(name)
    near = get_close_matches(text, known, n=1, cutoff=cutoff) or get_close_matches(
        text.lower(), known, 1, cutoff
    )
    begun = [each for each in known if text and each.startswith(text.lower())]
    if not near and len(begun) == 1:
        near = begun
    return f": did you mean {near[0]!r}?" if near else f" (known: {', '.join(known)})"


def abbreviated(value: object) -> str:
    """Return a value for a message, cut short where it is long."""
    return shorten(repr(value), 40)
