"""The shapes in pictures: tables, sectors and rectangles. Tuples without behaviour."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from heatmap.market.quotes import Breadth, Quote


class Cell(NamedTuple):
    """One instrument in a picture: its value in the mode, its fill and a readable ink (#rrggbb)."""

    quote: Quote
    value: float | None
    fill: str
    ink: str


class LegendStop(NamedTuple):
    """One swatch of the legend and its value; None: the swatch has no value of its own."""

    fill: str
    value: float | None


class Table(NamedTuple):
    """A market in rows, in a ranking's order: left to right, then down."""

    rows: tuple[tuple[Cell, ...], ...]
    columns: int
    breadth: Breadth  # the day's
    legend: tuple[LegendStop, ...]  # from the lowest value to the highest

    @property
    def cells(self) -> tuple[Cell, ...]:
        """All cells in drawing order."""
        return tuple(cell for row in self.rows for cell in row)


class Group(NamedTuple):
    """One sector of a ranking. `members` are indexes in the ranking's order."""

    sector: str | None  # None: the group of the instruments without a sector
    members: tuple[int, ...]
    median: float | None  # the median of the known values, in the mode's unit
    breadth: Breadth  # over the ranking's period


class Rectangle(NamedTuple):
    """A place in a picture; x and y are its top left corner. The unit is the picture's."""

    x: float
    y: float
    width: float
    height: float


class Treemap(NamedTuple):
    """Rectangles in a picture of `width` by `height` pixels.

    `tiles` are indexes in the snapshot's quotes, `rectangles` their places. `headings` are strips with a
    sector's name, for sectors that have room for one.
    """

    width: float
    height: float
    tiles: tuple[int, ...]
    rectangles: tuple[Rectangle, ...]
    headings: tuple[tuple[str, Rectangle], ...]
