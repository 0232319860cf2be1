"""The market as a table in a reading's order: by percent change, the original article's map."""

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

LEGEND_SWATCHES = 5  # a side


@dataclass(frozen=True, slots=True)
class TableView:
    """Sets `columns` cells a row and colours them from a palette of `colours.GRADIENTS`.

    `scale` is one of the reading's; where it has none of that name, its first. `up` is how the palette
    shows a gain: "green", "red" or "red-blue".
    """

    columns: int = 13
    gradient: str = "contrast"
    up: str = "green"
    scale: str = "rank"

    def draw(self, snapshot: Snapshot, reading: Ranking) -> Table:
        """Return the reading's cells in rows, the last one as long as it comes out."""
        scales = {scale.name: scale for scale in reading.scales}
        scale = scales.get(self.scale, reading.scales[0])
        ramp = self._ramp(reading)
        shades = self._colours(reading, scale, ramp)
        # Too few values for a percentile have no shade; unknown ones come last and have neither.
        unknown: list[float | None] = [None] * (len(reading.order) - len(reading.values))
        shades += [(colours.UNKNOWN, colours.UNKNOWN_INK)] * (len(reading.order) - len(shades))
        cells = [
            Cell(snapshot.quotes[index], value, *shade)
            for index, value, shade in zip(reading.order, [*reading.values, *unknown], shades, strict=True)
        ]
        starts = range(0, len(cells), self.columns)
        return Table(
            rows=tuple(tuple(cells[start : start + self.columns]) for start in starts),
            columns=self.columns,
            breadth=measures.breadth(measures.percent_changes(snapshot.quotes)),
            legend=_legend(reading, scale, ramp),
        )

    def _ramp(self, reading: Ranking) -> tuple[str, ...]:
        mode = ALL_MODES[reading.mode]
        if mode.two_sided:
            return colours.palette(colours.GRADIENTS[self.gradient][self.up])
        return colours.one_sided_palette(mode.palette_kind)

    def _colours(self, reading: Ranking, scale: Scale, ramp: Sequence[str]) -> list[tuple[str, str]]:
        """Return the fill and the ink of each value that has a shade, in order.

        By rank, each member of a side has a step of its own.
        """
        gradient = colours.GRADIENTS[self.gradient][self.up]
        if scale.name == RANK:
            shown = ALL_MODES[reading.mode].rounded(reading.values)
            fills = colours.rank_fills(shown, gradient)
            inks = colours.inks_of_both_sides(fills, colours.count_gains(shown))
            return list(zip(fills, inks, strict=True))
        two_sided = ALL_MODES[reading.mode].two_sided
        ramp_inks = colours.palette_inks(gradient) if two_sided else colours.inks(ramp)
        return [(ramp[shade], ramp_inks[shade]) for shade in scale.shades]


def _legend(reading: Ranking, scale: Scale, ramp: Sequence[str]) -> tuple[LegendStop, ...]:
    """Return swatches from the lowest value to the highest; the ends carry what they stand for."""
    mode = ALL_MODES[reading.mode]
    places = colours.swatches(LEGEND_SWATCHES, two_sided=mode.two_sided)
    low, high = find_extremes(reading, scale)
    stops = [LegendStop(ramp[place], None) for place in reversed(places)]
    stops[0] = LegendStop(stops[0].fill, low)
    stops[-1] = LegendStop(stops[-1].fill, high)
    return tuple(stops)


def find_extremes(reading: Ranking, scale: Scale) -> tuple[float | None, float | None]:
    """Return where a scale's strongest shades begin, lowest first; None: there is no such side."""
    centre = ALL_MODES[reading.mode].centre
    if scale.clamp is not None:
        return centre - scale.clamp, centre + scale.clamp
    if not reading.values:
        return None, None
    low, high = reading.values[-1], reading.values[0]
    if ALL_MODES[reading.mode].two_sided:
        low, high = ALL_MODES[reading.mode].rounded([low, high])
        return (low if low < centre else None), (high if high > centre else None)
    return low, high
