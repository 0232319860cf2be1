"""The `[archive]` table of the configuration."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ArchiveOptions:
    """The `[archive]` table."""

    enabled: bool = True  # whether each session's final map stays at an address of its own
    feed: bool = True  # whether a feed announces it; it needs public_url
