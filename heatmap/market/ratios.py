"""The ratios by which splits, bonuses and consolidations change a share's price. Pure.

A ratio is what an earlier price is multiplied by to be on the new terms: 1/5 where one share became five.
"""

from __future__ import annotations

from fractions import Fraction

_FACE_VALUES = (1, 2, 5, 10, 20, 50, 100)
SPLITS = {Fraction(new, old) for old in _FACE_VALUES for new in _FACE_VALUES if new < old}
BONUSES = {Fraction(held, held + given) for held in range(1, 11) for given in range(1, 6)}
CONSOLIDATIONS = {1 / split for split in SPLITS}  # of several shares into one
# The simplest first: where two fit a price, the simpler one is the likelier.
ALL_RATIOS = tuple(
    sorted(SPLITS | BONUSES | CONSOLIDATIONS, key=lambda ratio: ratio.numerator + ratio.denominator)
)

# An exchange rounds an adjusted price to the price step of that share: 0.05 rupees at the most below 1,000,
# above it at the most 1/10,000 of the price. Before 2024 that held for cheap shares, too.
HALF_STEP = 0.025
HALF_STEP_SHARE = 0.00005
HALF_PAISA = 0.005
CHEAP_SHARE = 0.001  # of the price: half a step of 0.05 would fit too many ratios of a share of 5 rupees

# An open proves nothing: it is some percent from the adjusted close, and so are crashes and demergers. These
# are the ratios that companies choose as a rule, and how near to them a session must open. Prices at a
# quarter or less are hardly ever anything else, so more is allowed there.
_ALMOST_CERTAIN = {Fraction(1, 10), Fraction(1, 5), Fraction(1, 4), Fraction(5), Fraction(10)}
_USUAL = {Fraction(1, 3), Fraction(2, 5), Fraction(1, 2), Fraction(2, 3), Fraction(3, 4), Fraction(2)}
WIDE_SHARE, NARROW_SHARE = 0.05, 0.025


def find_exact(earlier: float, later: float, tolerance: float = 0.0) -> Fraction | None:
    """Return the simplest ratio that turns one price into the other; None where none does.

    `later` is a price that the exchange adjusted and rounded, known to within `tolerance`.
    """
    step = max(HALF_PAISA, min(HALF_STEP, CHEAP_SHARE * later), HALF_STEP_SHARE * later)
    most = step + tolerance + 1e-9 * later  # 1000.05 / 3 is no number that a computer has
    return next((factor for factor in ALL_RATIOS if abs(earlier * float(factor) - later) <= most), None)


def find_likely(earlier: float, opened: float) -> tuple[Fraction | None, bool]:
    """Return the usual ratio that an open is near to, or None; and whether little else opens there."""
    for factors, share in ((_ALMOST_CERTAIN, WIDE_SHARE), (_USUAL, NARROW_SHARE)):
        for factor in factors:
            if abs(opened / (earlier * float(factor)) - 1) <= share:
                return factor, factors is _ALMOST_CERTAIN
    return None, False


def describe(factor: Fraction) -> str:
    """Return what has this ratio: "a split or a bonus of 4:1 (1 became 5)"."""
    old, new = factor.numerator, factor.denominator
    bonus = Fraction(new - old, old)
    kinds = [
        *(["a split"] if factor in SPLITS else []),
        *([f"a bonus of {bonus.numerator}:{bonus.denominator}"] if factor in BONUSES else []),
        *(["a consolidation"] if factor in CONSOLIDATIONS else []),
    ]
    return f"{' or '.join(kinds)} ({old} became {new})"
