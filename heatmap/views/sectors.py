"""The market by sector: sectors by their median, tiles within as the reading sorts them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from heatmap import measures
from heatmap.model import Group
from heatmap.modes import EVERY
from heatmap.periods import DAY

if TYPE_CHECKING:
    from heatmap.model import Reading, Snapshot


@dataclass(frozen=True, slots=True)
class SectorsView:
    """Groups the members of a reading by sector."""

    def draw(self, snapshot: Snapshot, reading: Reading) -> tuple[Group, ...]:
        """Return the sectors, highest median first, ties by name, unknown last.

        The median is that of the reading; in the mode "sector", whose medians are 0 by their making, it
        is the percent change's: how the sector itself moved.
        """
        mode = EVERY[reading.mode]
        changes = measures.percent_changes(snapshot.quotes, reading.period if mode.periods is None else DAY)
        values: dict[int, float | None] = dict(zip(reading.order, reading.values, strict=False))
        if mode.name == "sector":
            values = dict(enumerate(changes))
        members: dict[str | None, list[int]] = {}
        for place, index in enumerate(reading.order):
            members.setdefault(snapshot.quotes[index].sector, []).append(place)
        groups = []
        for sector, places in members.items():
            indexes = [reading.order[place] for place in places]
            known = [value for index in indexes if (value := values.get(index)) is not None]
            breadth = measures.breadth(changes[index] for index in indexes)
            groups.append(Group(sector, tuple(places), measures.median(known), breadth))
        return tuple(sorted(groups, key=_sort_key))


def _sort_key(group: Group) -> tuple[bool, float, str]:
    return group.median is None, -(group.median or 0.0), group.sector or ""
