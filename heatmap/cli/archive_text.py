"""What `heatmap status` says of the archived days that a target lacks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from heatmap.pages.archive import day_files, record, target_days
from heatmap.pages.archive.options import ArchiveOptions
from heatmap.pictures import wording

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import date

    from heatmap.config.loader import Config, Market
    from heatmap.pages.archive.target_days import Gap

MOST_NAMED = 3  # days, by their date


def find_gaps(config: Config, market: Market, warn: Callable[[str], None]) -> list[Gap]:
    """Return what each target lacks of a market's archive; nothing where there is no archive."""
    if not (config.archive or ArchiveOptions()).enabled:
        return []
    folder, names = config.state_directory, [target.name for target in config.publishers]
    known = record.load(folder, market.name, warn)
    # Versions before 0.3 kept a page alone, which is not brought without the files beside it.
    whole_days = [day for day, file in day_files.find(folder, market.name).items() if file.suffix == ".zip"]
    return target_days.find_gaps(known, dict.fromkeys(names), whole_days)


def describe_gaps(gaps: Sequence[Gap]) -> list[str]:
    """Return a sentence for each target to which days are still to be brought."""
    return [
        f"{gap.target} lacks the archived {_list_days(gap.pending)}: the next runs that reach it bring "
        f"{'it' if len(gap.pending) == 1 else 'them'}, and until then its list of days leads to no such page"
        for gap in gaps
        if gap.pending
    ]


def describe_missing(market: str, gaps: Sequence[Gap]) -> list[str]:
    """Return a line for each target that lacks days which cannot be brought any more."""
    return [
        f"{gap.target} lacks {_count_days(gap.missing)}, kept here no longer: copy {market}/"
        f"{wording.day_folder(gap.missing[0])} and the like from another target"
        for gap in gaps
        if gap.missing
    ]


def as_json(gaps: Sequence[Gap]) -> list[dict[str, Any]]:
    """Return the same for programs."""
    return [
        {
            "target": gap.target,
            "pending": [day.isoformat() for day in gap.pending],
            "missing": [day.isoformat() for day in gap.missing],
        }
        for gap in gaps
    ]


def _list_days(days: Sequence[date]) -> str:
    """Return the maps of some days as a list in words."""
    named = [wording.format_day(day) for day in days]
    if len(named) > MOST_NAMED:
        named = [*named[: MOST_NAMED - 1], f"{len(named) - MOST_NAMED + 1} later days"]
    return f"map of {named[0]}" if len(named) == 1 else f"maps of {', '.join(named[:-1])} and {named[-1]}"


def _count_days(days: Sequence[date]) -> str:
    if len(days) == 1:
        return f"the archived map of {wording.format_day(days[0])}"
    return f"{len(days)} archived maps, from {wording.format_day(days[0])} to {wording.format_day(days[-1])}"
