"""Finds the parts of a final that the configuration has, and those that are still missing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from heatmap.system.parts import ALERTS, ARCHIVE, BARS, FEED, LIST, OF_FINAL, OF_TARGETS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from heatmap.config.loader import Config
    from heatmap.state.memory import Memory


def has_archive(config: Config) -> bool:
    """Whether each session's final map is archived."""
    return config.archive is None or config.archive.enabled


def has_feed(config: Config) -> bool:
    """Whether there is a feed."""
    return config.public_url is not None and (config.archive is None or config.archive.feed)


def find_configured(config: Config) -> frozenset[str]:
    """Return those of OF_FINAL that a configuration has."""
    is_configured = {
        BARS: config.history.enabled,
        ARCHIVE: has_archive(config),
        FEED: has_feed(config),
        ALERTS: bool(config.alerts),
    }
    return frozenset(part for part, is_wanted in is_configured.items() if is_wanted)


def find_missing(config: Config, memory: Memory) -> frozenset[str]:
    """Return the parts that are still missing of the last final that a target has.

    If a target does not have the page itself, the parts for targets are not missing: the next run publishes
    the final again.
    """
    if memory.closed_date is None:
        return frozenset()
    marks = memory._asdict()
    missing = {part for part in find_configured(config) if (marks[f"{part}_date"] or "") < memory.closed_date}
    if memory.final_date != memory.closed_date:
        missing -= {*OF_TARGETS}
    return frozenset(missing)


def find_done(config: Config, faults: Mapping[str, str]) -> set[str]:
    """Return those of OF_FINAL that need no retry; `faults` says by part why it failed, "" if it did not.

    Without the list of days the archive is not done. A feed without the day's map does not announce that map,
    so it is not done before the archive.
    """
    failed = {ARCHIVE if part == LIST else part for part, why in faults.items() if why} & find_configured(
        config
    )
    if ARCHIVE in failed:
        failed.add(FEED)
    return {*OF_FINAL} - failed
