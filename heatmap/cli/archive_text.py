"""Sentences of `heatmap status` on archived days that a target does not have."""

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
    """Return the archived days that each target lacks; nothing if there is no archive."""
    if not (config.archive or ArchiveOptions()).enabled:
        return []
    folder, names = config.state_directory, [target.name for target in config.publishers]
    published = record.load(folder, market.name, warn)
    # Versions before 0.3 kept the page only. It is not uploaded without the files beside it.
    whole_days = [day for day, file in day_files.find(folder, market.name).items() if file.suffix == ".zip"]
    return target_days.find_gaps(published, dict.fromkeys(names), whole_days)


def describe_gaps(gaps: Sequence[Gap]) -> list[str]:
    """Return a sentence for each target to which days must still be uploaded."""
    return [
        f"{gap.target} lacks the archived {_list_days(gap.pending)}: the next runs that reach it upload "
        f"{'it' if len(gap.pending) == 1 else 'them'}; until then its list of days has broken links"
        for gap in gaps
        if gap.pending
    ]


def describe_missing(market: str, gaps: Sequence[Gap]) -> list[str]:
    """Return a line for each target that lacks days which this machine no longer has."""
    return [
        f"{gap.target} lacks {_count_days(gap.missing)}, which this machine no longer has: copy {market}/"
        f"{wording.day_folder(gap.missing[0])} and so on from another target"
        for gap in gaps
        if gap.missing
    ]


def as_json(gaps: Sequence[Gap]) -> list[dict[str, Any]]:
    """Return the gaps as JSON values."""
    return [
        {
            "target": gap.target,
            "pending": [day.isoformat() for day in gap.pending],
            "missing": [day.isoformat() for day in gap.missing],
        }
        for gap in gaps
    ]


def _list_days(days: Sequence[date]) -> str:
    """Return "map of …" or "maps of …" for some days, as part of a sentence."""
    texts = [wording.format_day(day) for day in days]
    if len(texts) > MOST_NAMED:
        texts = [*texts[: MOST_NAMED - 1], f"{len(texts) - MOST_NAMED + 1} later days"]
    return f"map of {texts[0]}" if len(texts) == 1 else f"maps of {', '.join(texts[:-1])} and {texts[-1]}"


def _count_days(days: Sequence[date]) -> str:
    if len(days) == 1:
        return f"the archived map of {wording.format_day(days[0])}"
    return f"{len(days)} archived maps, from {wording.format_day(days[0])} to {wording.format_day(days[-1])}"
