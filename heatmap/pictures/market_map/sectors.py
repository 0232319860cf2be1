"""The market by sector: sectors by their median, tiles within as the reading sorts them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from heatmap.analysis import measures
from heatmap.analysis.modes import ALL_MODES
from heatmap.market.periods import DAY
from heatmap.pictures.shapes import Group

if TYPE_CHECKING:
    from collections.abc import Sequence

    from heatmap.analysis.rankings import Ranking
    from heatmap.market.quotes import Snapshot


@dataclass(frozen=True, slots=True)
class SectorsView:
    """Groups the members of a reading by sector."""

    def draw(
        self, snapshot: Snapshot, reading: Ranking, changes: Sequence[float | None] | None = None
    ) -> tuple[Group, ...]:
        """Return the sectors, highest median first, ties by name, unknown last.

        The median is that of the reading; in the mode "sector", whose medians are 0 by their making, it
        is the percent change's: how the sector itself moved. `changes` are the exact ones of the reading's
        period, quote by quote, where they are not the source's own.
        """
        mode = ALL_MODES[reading.mode]
        if changes is None:
            period = reading.period if mode.periods is None else DAY
            changes = measures.percent_changes(snapshot.quotes, period)
        # Both in the reading's order, of which the unknown are last.
        moved = [changes[index] for index in reading.order]
        values = moved if mode.name in ("sector", "change") else reading.values
        members: dict[str | None, list[int]] = {}
        for place, index in enumerate(reading.order):
            members.setdefault(snapshot.quotes[index].sector, []).append(place)
        groups = []
        for sector, places in members.items():
            known = [
                value for place in places if place < len(values) and (value := values[place]) is not None
            ]
            breadth = measures.breadth([moved[place] for place in places])
            groups.append(Group(sector, tuple(places), measures.median(known), breadth))
        return tuple(sorted(groups, key=_sort_key))


def _sort_key(group: Group) -> tuple[bool, float, str]:
    return group.median is None, -(group.median or 0.0), group.sector or ""
