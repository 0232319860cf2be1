"""Fills and inks: separate gradients for gainers and losers, and the text colour readable on each."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

# `colour` takes 20 to 80 µs a step: longer gradients are read off one of this many steps.
EXACT_STEPS = 1024
BLACK, WHITE = "#000000", "#ffffff"


class Gradient(NamedTuple):
    """The four ends of a pair of gradients, in any spelling that `colour` understands.

    Gainers run from `strongest_gain` to `weakest_gain`, losers from `weakest_loss` to `strongest_loss`.
    """

    strongest_gain: str
    weakest_gain: str
    weakest_loss: str
    strongest_loss: str


GRADIENTS = {
    "contrast": Gradient("green", "#BDD051", "#DFA4A4", "red"),  # the original article's Image B
    "classic": Gradient("green", "yellow", "yellow", "red"),  # its Image A
    # Blue and orange stay apart under deuteranopia, protanopia and tritanopia, and both grow darker
    # with strength, so that lightness alone orders each side.
    "colour-blind": Gradient("#08519c", "#c6dbef", "#fdd0a2", "#b35806"),
}


def steps(first: str, last: str, count: int) -> list[str]:
    """Return `count` colours (#rrggbb) from `first` to `last`, both included; none for a count of 0.

    Up to EXACT_STEPS they are those of `colour.Color.range_to`; beyond, within 1/255 a channel of them.
    """
    from colour import Color, rgb2hex

    if count <= 0:
        return []
    exact = list(Color(first).range_to(Color(last), min(count, EXACT_STEPS)))
    if count <= EXACT_STEPS:
        return [colour.hex_l for colour in exact]
    channels = [colour.rgb for colour in exact]
    scale = (EXACT_STEPS - 1) / (count - 1)
    return [rgb2hex(_between(channels, position * scale), force_long=True) for position in range(count)]


def rank_fills(changes: Sequence[float], gradient: Gradient) -> list[str]:
    """Colour by rank: one step a member, so every member of a side has a shade of its own.

    `changes` are percent changes in descending order; those of 0 and more count as gains.
    """
    gains = sum(change >= 0 for change in changes)
    return steps(gradient.strongest_gain, gradient.weakest_gain, gains) + steps(
        gradient.weakest_loss, gradient.strongest_loss, len(changes) - gains
    )


def value_fills(changes: Sequence[float], gradient: Gradient, clamp_percent: float) -> list[str]:
    """Colour by size: the weakest shade at 0, the strongest at ±`clamp_percent` and beyond."""
    shades = 256  # as many as a channel can tell apart
    gains = steps(gradient.weakest_gain, gradient.strongest_gain, shades)
    losses = steps(gradient.weakest_loss, gradient.strongest_loss, shades)
    return [
        (gains if change >= 0 else losses)[round(min(abs(change) / clamp_percent, 1) * (shades - 1))]
        for change in changes
    ]


def ink(fill: str) -> str:
    """Return black or white, whichever contrasts more with `fill` (#rrggbb).

    Contrast ratio as WCAG 2.2 defines it: (L1 + 0.05) / (L2 + 0.05). The better of the two is 4.58 at
    worst, at a luminance of 0.179, so level AA (4.5) holds on every fill there is.
    """
    level = luminance(fill)
    return BLACK if (level + 0.05) ** 2 > 0.05 * 1.05 else WHITE


def luminance(fill: str) -> float:
    """Return the relative luminance of #rrggbb, 0 to 1 (WCAG 2.2, from sRGB)."""
    red, green, blue = (_linear(int(fill[start : start + 2], 16) / 255) for start in (1, 3, 5))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _linear(channel: float) -> float:
    return channel / 12.92 if channel <= 0.04045 else float(((channel + 0.055) / 1.055) ** 2.4)


def _between(colours: Sequence[tuple[float, ...]], position: float) -> tuple[float, ...]:
    lower = min(int(position), len(colours) - 2)
    share = position - lower
    return tuple(a + (b - a) * share for a, b in zip(colours[lower], colours[lower + 1], strict=True))
