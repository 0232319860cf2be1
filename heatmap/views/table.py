"""The market as a table, sorted by percent change: the original article's map."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from heatmap import colours, measures
from heatmap.model import Cell, LegendStop, Table

if TYPE_CHECKING:
    from heatmap.model import Snapshot


@dataclass(frozen=True, slots=True)
class TableView:
    """Sets `columns` cells a row and colours them on a `gradient` of `colours.GRADIENTS`.

    `scale` "rank" gives every instrument a step of its own; "value" goes by the size of the change,
    with the strongest shade from ±`clamp_percent` on.
    """

    columns: int = 13
    gradient: str = "contrast"
    scale: str = "rank"
    clamp_percent: float = 3.0

    def draw(self, snapshot: Snapshot) -> Table:
        """Return the snapshot's cells in rows, the last one as long as it comes out."""
        quotes = measures.in_order(snapshot.quotes)
        changes = [quote.percent_change for quote in quotes]
        gradient = colours.GRADIENTS[self.gradient]
        if self.scale == "value":
            fills = colours.value_fills(changes, gradient, self.clamp_percent)
        else:
            fills = colours.rank_fills(changes, gradient)
        cells = [Cell(quote, fill, colours.ink(fill)) for quote, fill in zip(quotes, fills, strict=True)]
        starts = range(0, len(cells), self.columns)
        return Table(
            rows=tuple(tuple(cells[start : start + self.columns]) for start in starts),
            columns=self.columns,
            breadth=measures.breadth(quotes),
            legend=self._legend(changes),
        )

    def _legend(self, changes: list[float]) -> tuple[LegendStop, ...]:
        """Return five swatches a side; the ends carry what the strongest shades stand for."""
        gradient = colours.GRADIENTS[self.gradient]
        losses = colours.steps(gradient.strongest_loss, gradient.weakest_loss, 5)
        gains = colours.steps(gradient.weakest_gain, gradient.strongest_gain, 5)
        stops = [LegendStop(fill, None) for fill in losses + gains]
        lowest, highest = min(changes, default=0.0), max(changes, default=0.0)
        if self.scale == "value":
            lowest, highest = -self.clamp_percent, self.clamp_percent
        if lowest < 0:
            stops[0] = LegendStop(stops[0].fill, lowest)
        if highest > 0:
            stops[-1] = LegendStop(stops[-1].fill, highest)
        return tuple(stops)
