"""Fills and inks, compared with what `colour` itself says and with the WCAG formula written anew."""

from __future__ import annotations

from itertools import pairwise

import pytest
from colour import Color

from heatmap.analysis import colours

CONTRAST = colours.GRADIENTS["contrast"]["green"]
SIDES = [
    (f"{name} {up} {which}", *side)
    for name, by_up in colours.GRADIENTS.items()
    for up, gradient in by_up.items()
    for which, side in (
        ("gain", (gradient.strongest_gain, gradient.weakest_gain)),
        ("loss", (gradient.weakest_loss, gradient.strongest_loss)),
    )
]


def channels(fill: str) -> list[int]:
    """The three channels of #rrggbb."""
    return [int(fill[start : start + 2], 16) for start in (1, 3, 5)]


def contrast(first: str, second: str) -> float:
    """The contrast ratio of two colours, after WCAG 2.2."""

    def level(fill: str) -> float:
        parts = [value / 255 for value in channels(fill)]
        linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    bright, dark = sorted((level(first), level(second)), reverse=True)
    return (bright + 0.05) / (dark + 0.05)


def test_contrast_is_the_original_look() -> None:
    """Gainers run from green to #BDD051, losers from #DFA4A4 to red, a step each, to the digit."""
    changes = [5.0, 2.5, 0.0, -0.1, -7.0]

    expected = [c.hex_l for c in Color("green").range_to(Color("#BDD051"), 3)]
    expected += [c.hex_l for c in Color("#DFA4A4").range_to(Color("red"), 2)]
    assert expected == colours.rank_fills(changes, CONTRAST)
    assert ["#008000", "#bdd051", "#dfa4a4", "#ff0000"] == [expected[0], *expected[2:]]


@pytest.mark.slow
@pytest.mark.parametrize("count", [2, 48, 162, 210, 1024])
@pytest.mark.parametrize(("name", "first", "last"), SIDES)
def test_steps_equal_colours_own(name: str, first: str, last: str, count: int) -> None:
    """Every gradient is exactly that of `colour` up to 1,024 steps."""
    assert [c.hex_l for c in Color(first).range_to(Color(last), count)] == colours.steps(first, last, count)


@pytest.mark.parametrize("count", [1025, 3000, 10_000])
def test_long_gradients_stay_within_one_step_a_channel(count: int) -> None:
    """Beyond 1,024 steps no channel is off by more than 1/255."""
    exact = [c.hex_l for c in Color("green").range_to(Color("#BDD051"), count)]

    actual = colours.steps("green", "#BDD051", count)

    assert count == len(actual)
    assert (
        max(
            abs(a - b)
            for x, y in zip(exact, actual, strict=True)
            for a, b in zip(channels(x), channels(y), strict=True)
        )
        <= 1
    )


def test_long_gradients_cost_a_bounded_number_of_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """`colour` is asked for 1,024 steps at most, however many stocks there are."""
    asked: list[int] = []
    original = Color.range_to
    monkeypatch.setattr(
        Color, "range_to", lambda self, value, count: (asked.append(count), original(self, value, count))[1]
    )

    colours.steps("green", "#BDD051", 100_000)

    assert [1024] == asked


@pytest.mark.parametrize("name", colours.GRADIENTS)
@pytest.mark.parametrize(
    ("changes", "gains", "losses"),
    [([], 0, 0), ([3.0], 1, 0), ([-3.0], 0, 1), ([2.0, 1.0], 2, 0), ([-1.0, -2.0], 0, 2), ([0.0] * 5, 5, 0)],
)
def test_one_sided_markets(name: str, changes: list[float], gains: int, losses: int) -> None:
    """No stock, one stock, all green, all red and all unchanged are days like any other."""
    gradient = colours.GRADIENTS[name]["green"]

    expected = colours.steps(gradient.strongest_gain, gradient.weakest_gain, gains)
    expected += colours.steps(gradient.weakest_loss, gradient.strongest_loss, losses)
    assert expected == colours.rank_fills(changes, gradient)
    assert len(changes) == len(expected)


def test_value_scale_is_clamped_and_symmetric() -> None:
    """At the clamp and beyond stand the strongest shades, at 0 the middle between the weakest ones."""
    ramp = colours.palette(CONTRAST)

    fills = [ramp[colours.value_shade(offset, 3.0)] for offset in (9.0, 3.0, 0.001, 0.0, -0.001, -3.0, -9.0)]
    # #BDD051 and #DFA4A4: (0xbd + 0xdf) / 2 = 0xce, (0xd0 + 0xa4) / 2 = 0xba, (0x51 + 0xa4) / 2 = 0x7a
    assert ["#008000", "#008000", "#bdd051", "#ceba7a", "#dfa4a4", "#ff0000", "#ff0000"] == fills


def test_value_scale_depends_on_size_alone() -> None:
    """Equal changes have equal shades, and a stronger change one nearer to the end."""
    shades = [colours.value_shade(offset, 3.0) for offset in (2.0, 1.0, 1.0, 0.1, -0.1, -2.0)]

    assert shades[1] == shades[2]
    assert sorted(shades) == shades


@pytest.mark.parametrize(
    "offsets", [[], [0.0], [9.0, 8.0], [-4.0], [3.0, -3.0], [5.0, 3.0, 0.1, 0.0, -0.0, -0.1, -3.0, -3.1]]
)
@pytest.mark.parametrize("clamp", [0.05, 3.0, 3.0000001, 40.0])
def test_the_shades_of_many_are_those_of_each(offsets: list[float], clamp: float) -> None:
    """And beyond the clamp are those that are beyond it, not on it."""
    shades, above, below = colours.value_shades(offsets, clamp)

    assert [colours.value_shade(offset, clamp) for offset in offsets] == shades
    assert (sum(offset > clamp for offset in offsets), sum(offset < -clamp for offset in offsets)) == (
        above,
        below,
    )


def test_a_ramp_is_its_two_gradients() -> None:
    """As `colour` makes them, from the strongest gain to the strongest loss, and a neutral shade between."""
    expected = [c.hex_l for c in Color("green").range_to(Color("#BDD051"), colours.SHADES)]
    expected.append("#ceba7a")
    expected += [c.hex_l for c in Color("#DFA4A4").range_to(Color("red"), colours.SHADES)]

    assert tuple(expected) == colours.palette(CONTRAST)


def test_rank_shades_spread_each_side_evenly() -> None:
    """The first of a side has its strongest or weakest shade, the last the other; nobody crosses over."""
    shades = colours.rank_shades([3.0, 2.0, 1.0, -1.0, -2.0])

    assert [0, colours.NEUTRAL - 1, colours.NEUTRAL + 1, 2 * colours.SHADES] == [
        *shades[::2][:2],
        *shades[3:],
    ]
    assert [] == colours.rank_shades([])
    assert [0] == colours.rank_shades([1.0])


@pytest.mark.parametrize("name", colours.ONE_SIDED)
def test_one_sided_ramps_run_from_deep_to_light(name: str) -> None:
    """Percentile 100 has the deepest shade and 0 the lightest, and it grows lighter all the way."""
    ramp = colours.one_sided_palette(name)
    levels = [colours.luminance(fill) for fill in ramp]

    assert (0, colours.SHADES - 1) == (colours.share_shade(100.0), colours.share_shade(0.0))
    assert sorted(levels) == levels
    assert min(map(contrast, ramp, colours.inks(ramp))) >= 4.5


@pytest.mark.parametrize("name", colours.GRADIENTS)
def test_up_can_be_red(name: str) -> None:
    """With up = "red" the sides change places; with "red-blue" no gain or loss is green."""
    by_up = colours.GRADIENTS[name]
    green, red = by_up["green"], by_up["red"]

    assert (green.strongest_gain, green.weakest_gain) == (red.strongest_loss, red.weakest_loss)
    assert (green.strongest_loss, green.weakest_loss) == (red.strongest_gain, red.weakest_gain)
    for fill in colours.palette(by_up["red-blue"]):
        red_channel, green_channel, blue_channel = channels(fill)
        assert green_channel <= max(red_channel, blue_channel)


@pytest.mark.parametrize(("name", "first", "last"), SIDES)
def test_ink_meets_aa_on_every_fill_of_every_gradient(name: str, first: str, last: str) -> None:
    """Text contrasts by 4.5 : 1 or more on each of the 1,024 shades, and its ink changes once at most."""
    fills = colours.steps(first, last, 1024)
    if name.endswith("loss"):
        fills.reverse()
    inks = colours.inks(fills)

    assert min(map(contrast, fills, inks)) >= 4.5
    assert sum(one != other for one, other in pairwise(inks)) <= 1


# Greys that grow lighter with a step back here and there: white alone reaches 4.5 : 1 on the first, both inks do
# on #757575 and #767676, and black alone does on #777777 and lighter ones.
GREYS = ["#707070", "#757575", "#767676", "#757575", "#767676", "#7a7a7a", "#757575", "#777777"]


def test_ink_does_not_flicker_where_both_are_readable() -> None:
    """The ink of the neighbour goes on until it falls below 4.5 : 1; from the light end, the other one does."""
    white, black = colours.WHITE, colours.BLACK

    assert [white] * 5 + [black] * 3 == colours.inks(GREYS)
    assert [black] * 7 + [white] == colours.inks(GREYS[::-1])
    assert [white] * 2 == colours.inks(["#757575", "#707070"])
    assert [black] * 2 == colours.inks(["#757575", "#7a7a7a"])


@pytest.mark.parametrize("count", [2, 7, 48, 162, 210, 1024])
@pytest.mark.parametrize(("name", "first", "last"), SIDES)
def test_the_same_fill_has_the_same_ink_in_a_map_and_in_a_ramp(
    name: str, first: str, last: str, count: int
) -> None:
    """However many stocks a side has: what changes the palette or the scale changes no ink without need."""
    fills, ramp = (colours.steps(first, last, steps) for steps in (count, colours.SHADES))
    if name.endswith("loss"):
        fills, ramp = fills[::-1], ramp[::-1]
    in_ramp = dict(zip(ramp, colours.inks(ramp), strict=True))

    shared = [(fill, ink) for fill, ink in zip(fills, colours.inks(fills), strict=True) if fill in in_ramp]
    assert shared
    assert [(fill, in_ramp[fill]) for fill, _ in shared] == shared


def test_what_is_unknown_is_readable_between_its_stripes_and_on_them() -> None:
    """Its ink contrasts by 4.5 : 1 or more with the fill, and with the fill 18 % darker."""
    stripe = "#" + "".join(f"{round(channel * 0.82):02x}" for channel in channels(colours.UNKNOWN))

    assert contrast(colours.UNKNOWN, colours.UNKNOWN_INK) >= 4.5
    assert contrast(stripe, colours.UNKNOWN_INK) >= 4.5


def test_every_colour_has_a_readable_ink() -> None:
    """Over the whole cube of colours the chosen ink contrasts by 4.5 : 1 or more."""
    cube = [
        f"#{r:02x}{g:02x}{b:02x}"
        for r in range(0, 256, 15)
        for g in range(0, 256, 15)
        for b in range(0, 256, 15)
    ]

    assert min(contrast(fill, colours.inks([fill])[0]) for fill in cube) >= 4.5
    assert min(map(contrast, cube, colours.inks(cube))) >= 4.5


# How a person without one kind of cone sees linear RGB (Machado, Oliveira and Fernandes 2009, severity 1).
BLINDNESS = {
    "protanopia": (
        (0.152286, 1.052583, -0.204868),
        (0.114503, 0.786281, 0.099216),
        (-0.003882, -0.048116, 1.051998),
    ),
    "deuteranopia": (
        (0.367322, 0.860646, -0.227968),
        (0.280085, 0.672501, 0.047413),
        (-0.011820, 0.042940, 0.968881),
    ),
    "tritanopia": (
        (1.255528, -0.076749, -0.178779),
        (-0.078411, 0.930809, 0.147602),
        (0.004733, 0.691367, 0.303900),
    ),
}


def lab(fill: str, matrix: tuple[tuple[float, ...], ...]) -> tuple[float, float, float]:
    """CIE L*a*b* (D65) of a colour as seen through `matrix`."""
    linear = [
        p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in (v / 255 for v in channels(fill))
    ]
    r, g, b = (min(max(sum(m * v for m, v in zip(row, linear, strict=True)), 0), 1) for row in matrix)
    xyz = (
        (0.4124 * r + 0.3576 * g + 0.1805 * b) / 0.95047,
        0.2126 * r + 0.7152 * g + 0.0722 * b,
        (0.0193 * r + 0.1192 * g + 0.9505 * b) / 1.08883,
    )
    x, y, z = (t ** (1 / 3) if t > 0.008856 else 7.787 * t + 16 / 116 for t in xyz)
    return 116 * y - 16, 500 * (x - y), 200 * (y - z)


ALL_CONES = ((1, 0, 0), (0, 1, 0), (0, 0, 1))


@pytest.mark.parametrize("matrix", [ALL_CONES, *BLINDNESS.values()], ids=["all cones", *BLINDNESS])
@pytest.mark.parametrize("up", colours.UPS)
def test_the_ends_of_the_muted_gradient_differ_in_lightness(
    up: str, matrix: tuple[tuple[float, ...], ...]
) -> None:
    """By an L* of 9 or more, whichever cones see them; slate lies between the two."""
    ramp = colours.palette(colours.GRADIENTS["muted"][up])
    end, slate, other_end = (lab(ramp[place], matrix)[0] for place in (0, colours.NEUTRAL, -1))

    assert abs(end - other_end) >= 9
    assert min(end, other_end) < slate < max(end, other_end)


@pytest.mark.parametrize("up", colours.UPS)
def test_the_muted_gradient_has_white_text_throughout(up: str) -> None:
    """White contrasts by 4.5 : 1 or more on every fill, and is the ink of each."""
    gradient = colours.GRADIENTS["muted"][up]

    assert min(contrast(fill, "#ffffff") for fill in colours.palette(gradient)) >= 4.5
    assert {"#ffffff"} == set(colours.palette_inks(gradient))


@pytest.mark.parametrize("up", colours.UPS)
def test_the_muted_gradient_passes_through_no_other_hue(up: str) -> None:
    """A side stays in the hues of its end: red is never greener or bluer than slate, and so on."""
    ramp = colours.palette(colours.GRADIENTS["muted"][up])
    sides = {ramp[0]: ramp[: colours.NEUTRAL], ramp[-1]: ramp[colours.NEUTRAL + 1 :]}

    for end, fills in sides.items():
        strongest = max(range(3), key=channels(end).__getitem__)
        assert all(max(channels(fill)) == channels(fill)[strongest] for fill in fills)


@pytest.mark.parametrize("blindness", BLINDNESS)
def test_colour_blind_gradient_tells_up_from_down(blindness: str) -> None:
    """Even the weakest gain and the weakest loss differ by a CIE76 distance of 20 or more.

    The red and green of the default fall below that for the commonest kind of colour blindness at some
    pair of shades; sign and glyph carry the difference there.
    """
    gradient = colours.GRADIENTS["colour-blind"]["green"]
    gains = colours.steps(gradient.strongest_gain, gradient.weakest_gain, 16)
    losses = colours.steps(gradient.weakest_loss, gradient.strongest_loss, 16)
    seen_gains = [lab(fill, BLINDNESS[blindness]) for fill in gains]
    seen_losses = [lab(fill, BLINDNESS[blindness]) for fill in losses]

    nearest = min(
        sum((a - b) ** 2 for a, b in zip(x, y, strict=True)) ** 0.5 for x in seen_gains for y in seen_losses
    )

    assert nearest >= 20
