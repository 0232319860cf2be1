"""Finds the table of the configuration that a misplaced key belongs to. Only imported for the error."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Any

from heatmap.config import plugins
from heatmap.config.tables import MarketTable, TopLevel
from heatmap.history.options import HistoryOptions
from heatmap.market.calendar.packaged import SessionOptions
from heatmap.market.quality import GateOptions
from heatmap.notify.alerts.options import AlertOptions
from heatmap.notify.monitoring.options import MonitorOptions
from heatmap.pages.archive.options import ArchiveOptions
from heatmap.pictures.options import PageOptions

if TYPE_CHECKING:
    from collections.abc import Sequence

_TABLES: dict[str, type[Any]] = {
    "the lines above the first table": TopLevel,
    "[[market]]": MarketTable,
    "[market.session]": SessionOptions,
    "[page]": PageOptions,
    "[history]": HistoryOptions,
    "[monitor]": MonitorOptions,
    "[gates]": GateOptions,
    "[archive]": ArchiveOptions,
    "[[alert]]": AlertOptions,
}


_HEADERS = {
    **{name: f"[{name}]" for name in ("page", "history", "monitor", "gates", "archive")},
    **{name: f"[[{name}]]" for name in ("market", "publish", "alert")},
    "source": "[[market.source]]",
    "session": "[market.session]",
}


def find(key: str, known: Sequence[str]) -> str:
    """Return where a key belongs, as "it belongs to [history] or [archive]"; "" if nothing knows it.

    `known` are the keys of the table that has it: a `[[publish]]` of another kind reads which kinds know it.
    """
    if key in _HEADERS:
        return f"this table begins with {_HEADERS[key]}"
    if key == "type":
        return "it belongs to [[market.source]]"
    homes = [table for table, options in _TABLES.items() if _knows(options, key)]
    schemes = [f"{name}:" for name in plugins.PUBLISHERS if _knows(plugins.publisher(name), key)]
    if schemes:
        are_most = len(schemes) >= len(plugins.PUBLISHERS) / 2
        is_plain = are_most and not _is_of_publisher(known)
        homes.append("[[publish]]" if is_plain else f"a [[publish]] of {', '.join(schemes)}")
    types = [f'"{name}"' for name in plugins.SOURCES if _knows(plugins.source(name), key)]
    if types:
        homes.append(f"a [[market.source]] of type {', '.join(types)}")
    return f"it belongs to {' or '.join(homes)}" if homes else ""


def _is_of_publisher(known: Sequence[str]) -> bool:
    """Whether these are the keys of a `[[publish]]`, of whatever kind."""
    kinds: list[type[Any]] = [plugins.publisher(name) for name in plugins.PUBLISHERS]
    return any({*known} == {field.name for field in fields(kind)} for kind in kinds)


def _knows(options: type[Any], key: str) -> bool:
    return any(field.name == key for field in fields(options))
