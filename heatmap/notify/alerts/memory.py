"""The state of the alerts between runs: the session's events, the messages still to send, the feed's entries.

In the file, `told` holds the states, `waiting` the pending events and `notices` the feed's entries: version
0.2.0 wrote these keys.
"""

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
MAX_FEED_ENTRIES = 30  # for each market


class FeedEntry(NamedTuple):
    """One entry of the feed: the events that one run found for one alert."""

    alert: str
    session: str  # its date, as ISO text
    as_of: str  # ISO text, in the market's time zone
    title: str
    lines: tuple[str, ...]


class AlertState(NamedTuple):
    """The state of one alert in one session."""

    seen: frozenset[str] = frozenset()  # Event.key of each event that the alert found
    pending: tuple[Event, ...] = ()  # events that its web hook has not received yet


class MarketAlerts(NamedTuple):
    """The state of all alerts of one market."""

    session: str = ""  # the date, as ISO text, of the session that `states` belong to
    states: Mapping[str, AlertState] = {}  # by the alert's name; never changed in place
    feed_entries: tuple[FeedEntry, ...] = ()  # newest first

    def for_session(self, session: str) -> MarketAlerts:
        """Return the state for a session; in a new session all events are new again."""
        return self if self.session == session else MarketAlerts(session, {}, self.feed_entries)


def load(directory: Path, warn: Callable[[str], None]) -> dict[str, MarketAlerts]:
    """Return the alerts of each market. If the file cannot be used, call `warn` and return {}."""
    path = directory / FILE_NAME
    try:
        return json_files.load(path, VERSION, _from_document, warn, "markets") or {}
    except OSError as error:
        warn(f"{path} cannot be read or set aside ({error.strerror}): let this user write there")
        return {}


def save(directory: Path, alerts: Mapping[str, MarketAlerts]) -> None:
    """Write the alerts of all markets, completely or not at all. Raises OSError."""
    json_files.save(directory / FILE_NAME, VERSION, _to_document(alerts), checked=True)  # the feed shows it


def has_room(directory: Path, alerts: Mapping[str, MarketAlerts]) -> bool:
    """Return whether the disk has room for `save`. It leaves no file behind."""
    path = directory / f"{FILE_NAME}.room"
    try:
        json_files.save(path, VERSION, _to_document(alerts), checked=True)
        path.unlink()
    except OSError:
        return False
    return True


def encode(alerts: MarketAlerts) -> bytes:
    """Return one market's alerts as bytes, for other machines."""
    return json.dumps(_to_json(alerts), ensure_ascii=False).encode("utf-8", "replace")


def decode(content: bytes) -> MarketAlerts | None:
    """Return the alerts from the bytes of `encode`; None if they are damaged."""
    try:
        return _from_json(json.loads(content))
    except (ValueError, LookupError, TypeError, AttributeError, ArithmeticError, RecursionError):
        return None


def _to_document(alerts: Mapping[str, MarketAlerts]) -> dict[str, Any]:
    return {"markets": {name: _to_json(market_alerts) for name, market_alerts in alerts.items()}}


def _from_document(document: Mapping[str, Any]) -> dict[str, MarketAlerts]:
    return {name: _from_json(value) for name, value in document["markets"].items()}


def _to_json(alerts: MarketAlerts) -> dict[str, Any]:
    return {
        "session": alerts.session,
        "told": {
            name: {"seen": sorted(state.seen), "waiting": [event._asdict() for event in state.pending]}
            for name, state in alerts.states.items()
        },
        "notices": [entry._asdict() for entry in alerts.feed_entries[:MAX_FEED_ENTRIES]],
    }


def _from_json(value: Mapping[str, Any]) -> MarketAlerts:
    """Return the alerts of one market. Raises ValueError, KeyError, TypeError or AttributeError."""
    states = {
        str(name): AlertState(
            frozenset(map(str, state["seen"])), tuple(Event(**event) for event in state["waiting"])
        )
        for name, state in value["told"].items()
    }
    entries = [FeedEntry(**{**entry, "lines": tuple(map(str, entry["lines"]))}) for entry in value["notices"]]
    return MarketAlerts(str(value["session"]), states, tuple(entries))
