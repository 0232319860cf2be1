"""The ratios by which splits, bonuses and consolidations change a share's price. Pure.

An earlier price times the ratio is on the new terms: 1/5 where one share became five.
"""

from __future__ import annotations

from fractions import Fraction

_FACE_VALUES = (1, 2, 5, 10, 20, 50, 100)
SPLITS = {Fraction(new, old) for old in _FACE_VALUES for new in _FACE_VALUES if new < old}
BONUSES = {Fraction(old, old + bonus) for old in range(1, 11) for bonus in range(1, 6)}
CONSOLIDATIONS = {1 / split for split in SPLITS}  # several shares become one
# The simplest first: where two ratios fit a price, the simpler one is more likely.
ALL_RATIOS = tuple(
    sorted(SPLITS | BONUSES | CONSOLIDATIONS, key=lambda ratio: ratio.numerator + ratio.denominator)
)

# An exchange rounds an adjusted price to the price step of the share: at most 0.05 rupees below 1,000, and
# at most 1/10,000 of the price above it. Before 2024 these steps applied to cheap shares, too.
HALF_STEP = 0.025
HALF_STEP_SHARE = 0.00005
HALF_PAISA = 0.005
CHEAP_SHARE = 0.001  # of the price: half a step of 0.05 would fit too many ratios of a share of 5 rupees

# An open proves no ratio: it differs from the adjusted close by some percent, and crashes and demergers look
# the same. These are the ratios that companies usually choose, and how near to them a session must open.
# An open at a quarter or less is almost always a split or a bonus, so a wider share is allowed there.
_ALMOST_CERTAIN = {Fraction(1, 10), Fraction(1, 5), Fraction(1, 4), Fraction(5), Fraction(10)}
_USUAL = {Fraction(1, 3), Fraction(2, 5), Fraction(1, 2), Fraction(2, 3), Fraction(3, 4), Fraction(2)}
WIDE_SHARE, NARROW_SHARE = 0.05, 0.025


def find_exact(earlier: float, later: float, tolerance: float = 0.0) -> Fraction | None:
    """Return the simplest ratio by which `earlier` becomes `later`; None if no ratio fits.

    `later` is a price that the exchange adjusted and rounded, known to within `tolerance`.
    """
    step = max(HALF_PAISA, min(HALF_STEP, CHEAP_SHARE * later), HALF_STEP_SHARE * later)
    most = step + tolerance + 1e-9 * later  # binary numbers cannot hold 1000.05 / 3 exactly
    return next((factor for factor in ALL_RATIOS if abs(earlier * float(factor) - later) <= most), None)


def find_likely(earlier: float, open_price: float) -> tuple[Fraction | None, bool]:
    """Return the usual ratio near which a session opened, or None; and whether it is almost certain."""
    for factors, share in ((_ALMOST_CERTAIN, WIDE_SHARE), (_USUAL, NARROW_SHARE)):
        for factor in factors:
            if abs(open_price / (earlier * float(factor)) - 1) <= share:
                return factor, factors is _ALMOST_CERTAIN
    return None, False


def describe(factor: Fraction) -> str:
    """Return the corporate actions with this ratio, in words: "a split or a bonus of 4:1 (1 became 5)"."""
    old, new = factor.numerator, factor.denominator
    bonus = Fraction(new - old, old)
    kinds = [
        *(["a split"] if factor in SPLITS else []),
        *([f"a bonus of {bonus.numerator}:{bonus.denominator}"] if factor in BONUSES else []),
        *(["a consolidation"] if factor in CONSOLIDATIONS else []),
    ]
    return f"{' or '.join(kinds)} ({old} became {new})"
