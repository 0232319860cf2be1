"""What alerts remember between runs: this session's events, what is still to be told, the feed's entries."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

from heatmap.notify.alerts.rules import Event
from heatmap.state import json_files

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

FILE_NAME = "alerts.json"
VERSION = 1
MOST_NOTICES = 30  # of a market, in the feed


class FeedEntry(NamedTuple):
    """One entry of the feed: the events that one tick found for one alert."""

    alert: str
    session: str  # its date, as ISO text
    as_of: str  # ISO text, in the market's zone
    title: str
    lines: tuple[str, ...]


class AlertState(NamedTuple):
    """What one alert has found in the session, by Event.key, and what its web hook has not taken yet."""

    seen: frozenset[str] = frozenset()
    waiting: tuple[Event, ...] = ()


class MarketAlerts(NamedTuple):
    """What is remembered of one market."""

    session: str = ""  # its date, as ISO text: what was told in another session is forgotten
    told: Mapping[str, AlertState] = {}  # by the alert's name; never changed
    notices: tuple[FeedEntry, ...] = ()  # newest first

    def of(self, session: str) -> MarketAlerts:
        """Return what holds in this session."""
        return self if self.session == session else MarketAlerts(session, {}, self.notices)


def load(directory: Path, warn: Callable[[str], None]) -> dict[str, MarketAlerts]:
    """Return what is remembered of each market; a file that cannot be used is forgotten, and `warn` told."""
    path = directory / FILE_NAME
    try:
        return json_files.load(path, VERSION, _memories, warn, "markets") or {}
    except OSError as error:
        warn(f"{path} cannot be read or set aside ({error.strerror}): let this user write there")
        return {}


def save(directory: Path, memories: Mapping[str, MarketAlerts]) -> None:
    """Write it down, whole or not at all. Raises OSError."""
    json_files.save(directory / FILE_NAME, VERSION, _content(memories), checked=True)  # the feed shows it


def has_room(directory: Path, memories: Mapping[str, MarketAlerts]) -> bool:
    """Whether `save` would find room for it. Nothing is left behind."""
    path = directory / f"{FILE_NAME}.room"
    try:
        json_files.save(path, VERSION, _content(memories), checked=True)
        path.unlink()
    except OSError:
        return False
    return True


def _content(memories: Mapping[str, MarketAlerts]) -> dict[str, Any]:
    return {"markets": {name: _plain(memory) for name, memory in memories.items()}}


def _memories(document: Mapping[str, Any]) -> dict[str, MarketAlerts]:
    return {name: _memory(kept) for name, kept in document["markets"].items()}


def encode(memory: MarketAlerts) -> bytes:
    """Return one market's memory as other machines get it."""
    return json.dumps(_plain(memory), ensure_ascii=False).encode("utf-8", "replace")


def decode(content: bytes) -> MarketAlerts | None:
    """Return a memory that was packed; None where it is damaged."""
    try:
        return _memory(json.loads(content))
    except (ValueError, LookupError, TypeError, AttributeError, ArithmeticError, RecursionError):
        return None


def _plain(memory: MarketAlerts) -> dict[str, Any]:
    return {
        "session": memory.session,
        "told": {
            name: {"seen": sorted(told.seen), "waiting": [event._asdict() for event in told.waiting]}
            for name, told in memory.told.items()
        },
        "notices": [notice._asdict() for notice in memory.notices[:MOST_NOTICES]],
    }


def _memory(kept: Mapping[str, Any]) -> MarketAlerts:
    """Return a memory as it was kept. Raises ValueError, KeyError, TypeError or AttributeError."""
    told = {
        str(name): AlertState(
            frozenset(map(str, one["seen"])), tuple(Event(**event) for event in one["waiting"])
        )
        for name, one in kept["told"].items()
    }
    notices = [FeedEntry(**{**one, "lines": tuple(map(str, one["lines"]))}) for one in kept["notices"]]
    return MarketAlerts(str(kept["session"]), told, tuple(notices))
