"""The `[archive]` table of the configuration, and what else the archives of a run go by."""

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

    enabled: bool = True  # whether each session's final map stays at an address of its own
    feed: bool = True  # whether a feed announces it; it needs public_url


class ArchiveSettings(NamedTuple):
    """What the archives of all markets take from the configuration."""

    is_enabled: bool  # whether each session's final map is kept
    has_feed: bool  # whether a market can have a feed
    state_directory: Path
    page: PageOptions
    targets: Sequence[Publisher]
