"""The `[archive]` table of the configuration, and the settings of a run's archives."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from heatmap.pictures.options import PageOptions
    from heatmap.publishers.interface import Publisher


@dataclass(frozen=True, slots=True)
class ArchiveOptions:
    """The `[archive]` table."""

    enabled: bool = True  # whether each session's final map has a permanent address
    feed: bool = True  # whether a feed announces the final maps; it needs public_url


class ArchiveSettings(NamedTuple):
    """The settings of all markets' archives."""

    is_enabled: bool  # whether each session's final map is archived
    has_feed: bool  # whether a market can have a feed
    state_directory: Path
    page: PageOptions
    targets: Sequence[Publisher]
