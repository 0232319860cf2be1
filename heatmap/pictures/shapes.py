"""What pictures are drawn of: tables, sectors and rectangles. Tuples without behaviour."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from heatmap.market.quotes import Breadth, Quote


class Cell(NamedTuple):
    """One instrument as it is drawn: its value in the mode, its fill and an ink readable on it (#rrggbb)."""

    quote: Quote
    value: float | None
    fill: str
    ink: str


class LegendStop(NamedTuple):
    """One swatch of the legend and the value it stands for; None where only the side counts."""

    fill: str
    value: float | None


class Table(NamedTuple):
    """A market set in rows in a reading's order, left to right, then down."""

    rows: tuple[tuple[Cell, ...], ...]
    columns: int
    breadth: Breadth  # of the day
    legend: tuple[LegendStop, ...]  # from the lowest value to the highest

    @property
    def cells(self) -> tuple[Cell, ...]:
        """All cells in drawing order."""
        return tuple(cell for row in self.rows for cell in row)


class Group(NamedTuple):
    """One sector of a reading. `members` are places in the reading's order; the sector None has no name."""

    sector: str | None
    members: tuple[int, ...]
    median: float | None  # of the known values, in the mode's unit
    breadth: Breadth  # of the reading's period


class Rectangle(NamedTuple):
    """A place on a picture, from its top left corner; in the unit that the picture says."""

    x: float
    y: float
    width: float
    height: float


class Treemap(NamedTuple):
    """Rectangles in a picture of `width` by `height` pixels.

    `tiles` are positions in the snapshot's quotes, `places` their rectangles; `headings` are the strips
    that name a sector, where there is room for one.
    """

    width: float
    height: float
    tiles: tuple[int, ...]
    places: tuple[Rectangle, ...]
    headings: tuple[tuple[str, Rectangle], ...]
