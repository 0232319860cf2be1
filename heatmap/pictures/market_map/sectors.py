"""The market by sector: sectors in the order of their medians, members in the order of the ranking."""

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
    """Groups the members of a ranking by sector."""

    def draw(
        self, snapshot: Snapshot, ranking: Ranking, changes: Sequence[float | None] | None = None
    ) -> tuple[Group, ...]:
        """Return the sectors, highest median first, ties by name, unknown medians last.

        The median is of the ranking's values; in the mode "sector", whose medians are always 0, it is of the
        percent changes. `changes` are the exact percent changes over the ranking's period, quote by quote;
        None: the source's own.
        """
        mode = ALL_MODES[ranking.mode]
        if changes is None:
            period = ranking.period if mode.periods is None else DAY
            changes = measures.percent_changes(snapshot.quotes, period)
        # Both are in the ranking's order, in which unknown values are last.
        ranked_changes = [changes[index] for index in ranking.order]
        values = ranked_changes if mode.name in ("sector", "change") else ranking.values
        members: dict[str | None, list[int]] = {}
        for position, index in enumerate(ranking.order):
            members.setdefault(snapshot.quotes[index].sector, []).append(position)
        groups = []
        for sector, positions in members.items():
            known_values = [
                value
                for position in positions
                if position < len(values) and (value := values[position]) is not None
            ]
            breadth = measures.breadth([ranked_changes[position] for position in positions])
            groups.append(Group(sector, tuple(positions), measures.median(known_values), breadth))
        return tuple(sorted(groups, key=_sort_key))


def _sort_key(group: Group) -> tuple[bool, float, str]:
    return group.median is None, -(group.median or 0.0), group.sector or ""
