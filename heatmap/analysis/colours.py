"""Fills and inks: separate gradients for gainers and losers, and a readable text colour for each fill."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

    from colour import Color

# `colour` takes 20 to 80 µs a step, so longer gradients are interpolated from one with this many steps.
EXACT_STEPS = 1024
SHADES = 64  # of each side of a palette: more than an eye can tell apart
NEUTRAL = SHADES  # the index between the two sides of a palette, for values that are neither gain nor loss
BLACK, WHITE = "#000000", "#ffffff"


class Gradient(NamedTuple):
    """The four ends of a pair of gradients, in any notation that `colour` reads.

    Gainers run from `strongest_gain` to `weakest_gain`, losers from `weakest_loss` to `strongest_loss`.
    """

    strongest_gain: str
    weakest_gain: str
    weakest_loss: str
    strongest_loss: str


# By palette, then by the colour of gains: "green" (Europe, America, India), "red" (China, Japan, Taiwan),
# or "red-blue" (Korea: up is red, down is blue).
GRADIENTS = {
    "contrast": {  # the original article's Image B
        "green": Gradient("green", "#BDD051", "#DFA4A4", "red"),
        "red": Gradient("red", "#DFA4A4", "#BDD051", "green"),
        "red-blue": Gradient("red", "#DFA4A4", "#A4B8DF", "#0032C8"),
    },
    "classic": {  # its Image A
        "green": Gradient("green", "yellow", "yellow", "red"),
        "red": Gradient("red", "yellow", "yellow", "green"),
        "red-blue": Gradient("red", "#fff0f0", "#f0f4ff", "blue"),
    },
    # Through slate, always with white text. The ends differ in lightness, too: shades grow darker from the
    # strongest gain to the strongest loss, or in the other direction. The hues of a side are near each other,
    # because `colour` goes through all hues between them.
    "muted": {
        "green": Gradient("#1c7c45", "#4b5a56", "#60555a", "#741420"),
        "red": Gradient("#741420", "#60555a", "#4b5a56", "#1c7c45"),
        "red-blue": Gradient("#741420", "#60555a", "#4b5766", "#2563b8"),
    },
    # Blue and orange stay distinct with deuteranopia, protanopia and tritanopia. Both grow darker with
    # strength, so lightness alone shows the order of each side.
    "colour-blind": {
        "green": Gradient("#08519c", "#c6dbef", "#fdd0a2", "#b35806"),
        "red": Gradient("#b35806", "#fdd0a2", "#c6dbef", "#08519c"),
        "red-blue": Gradient("#b35806", "#fdd0a2", "#c6dbef", "#08519c"),
    },
}
UPS = ("green", "red", "red-blue")
ONE_SIDED = {"orange": ("#a63603", "#fee6ce"), "blue": ("#08306b", "#deebf7")}  # deepest to lightest
UNKNOWN, UNKNOWN_INK = "#6e7781", WHITE  # of unknown values; the page's stripes make the fill darker
AA = 4.5  # the least contrast ratio of text at level AA (WCAG 2.2, 1.4.3)


def steps(first: str, last: str, count: int) -> list[str]:
    """Return `count` colours (#rrggbb) from `first` to `last`, both included; none for a count of 0.

    Up to EXACT_STEPS they are the colours of `colour.Color.range_to`; for more, each channel differs by at
    most 1/255.
    """
    from colour import Color

    if count <= 0:
        return []
    exact = list(Color(first).range_to(Color(last), min(count, EXACT_STEPS)))
    if count <= EXACT_STEPS:
        return [colour.hex_l for colour in exact]
    return _interpolate(exact, count)


def rank_fills(changes: Sequence[float], gradient: Gradient) -> list[str]:
    """Return fills by rank: one step for each value, so each value of a side has its own shade.

    `changes` are percent changes in descending order; those of 0 and more count as gains.
    """
    gains = count_gains(changes)
    return steps(gradient.strongest_gain, gradient.weakest_gain, gains) + steps(
        gradient.weakest_loss, gradient.strongest_loss, len(changes) - gains
    )


def count_gains(values: Sequence[float]) -> int:
    """Return the number of values on the gainers' side: those of 0 and more, as in the original article."""
    return sum(value >= 0 for value in values)


@cache
def palette(gradient: Gradient) -> tuple[str, ...]:
    """Return the 2 x SHADES + 1 fills of a two-sided scale, from the strongest gain to the strongest loss.

    The fill at NEUTRAL is the middle between the weakest gain and the weakest loss.
    """
    gains = steps(gradient.strongest_gain, gradient.weakest_gain, SHADES)
    losses = steps(gradient.weakest_loss, gradient.strongest_loss, SHADES)
    return (*gains, _middle(gains[-1], losses[0]), *losses)


def one_sided_palette(name: str) -> tuple[str, ...]:
    """Return the SHADES fills of a one-sided scale of ONE_SIDED, from the deepest to the lightest."""
    return tuple(steps(*ONE_SIDED[name], SHADES))


def rank_shades(values: Sequence[float]) -> list[int]:
    """Return each value's index in a `palette` by rank: the values of a side spread evenly over its shades.

    `values` are in descending order; those of 0 and more count as gains.
    """
    gains = count_gains(values)
    return _spread(gains, 0) + _spread(len(values) - gains, NEUTRAL + 1)


def value_shade(offset: float, clamp: float) -> int:
    """Return a value's index in a `palette`: NEUTRAL at an `offset` of 0, the strongest from ±`clamp` on."""
    if offset == 0:
        return NEUTRAL
    strength = round(min(abs(offset) / clamp, 1.0) * (SHADES - 1))
    return NEUTRAL - 1 - strength if offset > 0 else NEUTRAL + 1 + strength


def value_shades(offsets: Sequence[float], clamp: float) -> tuple[list[int], int, int]:
    """Return the `value_shade` of each descending offset, and how many are above and below the clamp."""
    ascending = offsets[::-1]
    above = len(offsets) - bisect_right(ascending, clamp)
    positive = len(offsets) - bisect_right(ascending, 0.0)
    negative = bisect_left(ascending, 0.0)
    below = bisect_left(ascending, -clamp)
    not_negative, inside = len(offsets) - negative, len(offsets) - below
    gains = [NEUTRAL - 1 - round(offset / clamp * (SHADES - 1)) for offset in offsets[above:positive]]
    losses = [NEUTRAL + 1 + round(-offset / clamp * (SHADES - 1)) for offset in offsets[not_negative:inside]]
    shades = [0] * above + gains + [NEUTRAL] * (not_negative - positive) + losses + [2 * SHADES] * below
    return shades, above, below


def share_shade(percentile: float) -> int:
    """Return a percentile's index in a `one_sided_palette`: the deepest shade at 100, the lightest at 0."""
    return SHADES - 1 - round(percentile / 100 * (SHADES - 1))


def inks(fills: Sequence[str]) -> list[str]:
    """Return the ink of each fill of one side of a scale. `fills` run from the strongest to the weakest.

    Where black and white both reach AA, a fill has the ink of its neighbour, so the text colour changes only
    where it must. Contrast ratio of WCAG 2.2: (L1 + 0.05) / (L2 + 0.05). The better of the two inks has at
    least 4.58 (at a luminance of 0.179), so every fill reaches AA.
    """
    readable = [_readable_inks(fill) for fill in fills]
    current = next((options[0] for options in readable if len(options) == 1), WHITE)
    chosen_inks = []
    for options in readable:
        current = current if current in options else options[0]
        chosen_inks.append(current)
    return chosen_inks


def inks_of_both_sides(fills: Sequence[str], gains: int) -> list[str]:
    """Return the inks of fills from the strongest gain to the strongest loss; the first `gains` are gains."""
    return inks(fills[:gains]) + inks(fills[gains:][::-1])[::-1]


@cache
def palette_inks(gradient: Gradient) -> tuple[str, ...]:
    """Return the inks of a `palette`."""
    return tuple(inks_of_both_sides(palette(gradient), NEUTRAL + 1))


def _readable_inks(fill: str) -> tuple[str, ...]:
    """Return the inks that reach AA on a fill (#rrggbb): black, white or both."""
    level = luminance(fill) + 0.05
    contrasts = {BLACK: level / 0.05, WHITE: 1.05 / level}
    return tuple(ink for ink, contrast in contrasts.items() if contrast >= AA)


def luminance(fill: str) -> float:
    """Return the relative luminance of #rrggbb, 0 to 1 (WCAG 2.2, from sRGB)."""
    red, green, blue = (_linear(int(fill[start : start + 2], 16) / 255) for start in (1, 3, 5))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _linear(channel: float) -> float:
    return channel / 12.92 if channel <= 0.04045 else float(((channel + 0.055) / 1.055) ** 2.4)


def swatches(count: int, *, two_sided: bool) -> list[int]:
    """Return indexes in a palette for a legend, from the first shade to the last.

    There are `count` for each side, and NEUTRAL between two sides.
    """
    return _spread(count, 0) + ([NEUTRAL, *_spread(count, NEUTRAL + 1)] if two_sided else [])


def _spread(count: int, first: int) -> list[int]:
    """Return `count` shades, evenly spread from `first` to the last of its side."""
    return [first + round(place * (SHADES - 1) / max(count - 1, 1)) for place in range(count)]


def _middle(first: str, last: str) -> str:
    """Return the colour in the middle between two (#rrggbb), channel by channel."""
    return "#" + bytes(map(_mean, bytes.fromhex(first[1:]), bytes.fromhex(last[1:]))).hex()


def _mean(first: int, last: int) -> int:
    return (first + last) // 2


def _interpolate(exact: Sequence[Color], count: int) -> list[str]:
    """Return `count` colours on straight lines between the `exact` ones, ends included."""
    channels = [[channel * 255 for channel in colour.rgb] for colour in exact]
    scale = (len(channels) - 1) / (count - 1)
    return ["#{:02x}{:02x}{:02x}".format(*_between(channels, place * scale)) for place in range(count)]


def _between(colours: Sequence[Sequence[float]], position: float) -> list[int]:
    lower = min(int(position), len(colours) - 2)
    share = position - lower
    return [round(a + (b - a) * share) for a, b in zip(colours[lower], colours[lower + 1], strict=True)]
