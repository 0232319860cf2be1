"""The paths of the files that come with this package."""

from __future__ import annotations

from pathlib import Path

PACKAGE = Path(__file__).parents[1]
DATA = PACKAGE / "data"
CHECKOUT = PACKAGE.parent  # of an installed package: the folder that it is installed in
