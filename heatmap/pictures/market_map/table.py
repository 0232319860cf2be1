"""The market as a table in a ranking's order; by percent change it is the original article's map."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from heatmap.analysis import colours, measures
from heatmap.analysis.modes import ALL_MODES
from heatmap.analysis.rankings import RANK
from heatmap.pictures.shapes import Cell, LegendStop, Table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from heatmap.analysis.rankings import Ranking, Scale
    from heatmap.market.quotes import Snapshot

LEGEND_SWATCHES = 5  # on each side


@dataclass(frozen=True, slots=True)
class TableView:
    """Draws rows of `columns` cells, coloured by a palette of `colours.GRADIENTS`.

    `scale` names a scale of the ranking; if it has none of that name, its first is taken. `up` is the
    palette's colour of a gain: "green", "red" or "red-blue".
    """

    columns: int = 13
    gradient: str = "contrast"
    up: str = "green"
    scale: str = "rank"

    def draw(self, snapshot: Snapshot, ranking: Ranking) -> Table:
        """Return the ranking's cells in rows; the last row may be shorter."""
        scales = {scale.name: scale for scale in ranking.scales}
        scale = scales.get(self.scale, ranking.scales[0])
        palette = self._palette(ranking)
        shades = self._shades(ranking, scale, palette)
        # Unknown values are last and have no shade. Values without a percentile, too few, have none either.
        unknown: list[float | None] = [None] * (len(ranking.order) - len(ranking.values))
        shades += [(colours.UNKNOWN, colours.UNKNOWN_INK)] * (len(ranking.order) - len(shades))
        cells = [
            Cell(snapshot.quotes[index], value, *shade)
            for index, value, shade in zip(ranking.order, [*ranking.values, *unknown], shades, strict=True)
        ]
        starts = range(0, len(cells), self.columns)
        return Table(
            rows=tuple(tuple(cells[start : start + self.columns]) for start in starts),
            columns=self.columns,
            breadth=measures.breadth(measures.percent_changes(snapshot.quotes)),
            legend=_legend(ranking, scale, palette),
        )

    def _palette(self, ranking: Ranking) -> tuple[str, ...]:
        mode = ALL_MODES[ranking.mode]
        if mode.two_sided:
            return colours.palette(colours.GRADIENTS[self.gradient][self.up])
        return colours.one_sided_palette(mode.palette_kind)

    def _shades(self, ranking: Ranking, scale: Scale, palette: Sequence[str]) -> list[tuple[str, str]]:
        """Return the fill and the ink of each value that has a shade, in order.

        By rank, each member of a side has a step of its own.
        """
        gradient = colours.GRADIENTS[self.gradient][self.up]
        if scale.name == RANK:
            rounded = ALL_MODES[ranking.mode].rounded(ranking.values)
            fills = colours.rank_fills(rounded, gradient)
            inks = colours.inks_of_both_sides(fills, colours.count_gains(rounded))
            return list(zip(fills, inks, strict=True))
        two_sided = ALL_MODES[ranking.mode].two_sided
        palette_inks = colours.palette_inks(gradient) if two_sided else colours.inks(palette)
        return [(palette[shade], palette_inks[shade]) for shade in scale.shades]


def _legend(ranking: Ranking, scale: Scale, palette: Sequence[str]) -> tuple[LegendStop, ...]:
    """Return swatches from the lowest value to the highest; the two ends have values."""
    mode = ALL_MODES[ranking.mode]
    shades = colours.swatches(LEGEND_SWATCHES, two_sided=mode.two_sided)
    low, high = find_extremes(ranking, scale)
    stops = [LegendStop(palette[shade], None) for shade in reversed(shades)]
    stops[0] = LegendStop(stops[0].fill, low)
    stops[-1] = LegendStop(stops[-1].fill, high)
    return tuple(stops)


def find_extremes(ranking: Ranking, scale: Scale) -> tuple[float | None, float | None]:
    """Return the values at which a scale's strongest shades begin, lowest first; None: it lacks the side."""
    centre = ALL_MODES[ranking.mode].centre
    if scale.clamp is not None:
        return centre - scale.clamp, centre + scale.clamp
    if not ranking.values:
        return None, None
    low, high = ranking.values[-1], ranking.values[0]
    if ALL_MODES[ranking.mode].two_sided:
        low, high = ALL_MODES[ranking.mode].rounded([low, high])
        return (low if low < centre else None), (high if high > centre else None)
    return low, high
