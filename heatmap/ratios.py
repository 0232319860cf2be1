"""The ratios by which splits, bonuses and consolidations change a share's price.

A ratio is what an earlier price is multiplied by to be on the new terms: 1/5 where one share became five.
"""

from __future__ import annotations

from fractions import Fraction

_FACE_VALUES = (1, 2, 5, 10, 20, 50, 100)
SPLITS = {Fraction(new, old) for old in _FACE_VALUES for new in _FACE_VALUES if new < old}
BONUSES = {Fraction(held, held + given) for held in range(1, 11) for given in range(1, 6)}
JOININGS = {1 / split for split in SPLITS}  # of several shares into one
# The simplest first: where two fit a price, the simpler one is the likelier.
EVERY = tuple(sorted(SPLITS | BONUSES | JOININGS, key=lambda ratio: ratio.numerator + ratio.denominator))
