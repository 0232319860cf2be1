"""Finds the table that a misplaced key belongs to. It is imported only for an error message."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Any

from heatmap.config import plugins
from heatmap.config.tables import MarketTable, TopLevel
from heatmap.history.options import HistoryOptions
from heatmap.market.calendar.packaged import SessionOptions
from heatmap.market.gates import GateOptions
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


def describe_place(key: str, valid_keys: Sequence[str]) -> str:
    """Return the place of a key, such as "it belongs to [history] or [archive]"; "" if no table has the key.

    `valid_keys` are the valid keys of the table in which the key stands. If that is a `[[publish]]` table,
    the answer lists the schemes whose tables have the key.
    """
    if key in _HEADERS:
        return f"this table begins with {_HEADERS[key]}"
    if key == "type":
        return "it belongs to [[market.source]]"
    places = [table for table, options in _TABLES.items() if _has_key(options, key)]
    schemes = [f"{name}:" for name in plugins.PUBLISHERS if _has_key(plugins.publisher_class(name), key)]
    if schemes:
        is_common = len(schemes) >= len(plugins.PUBLISHERS) / 2
        is_short = is_common and not _is_publish_table(valid_keys)
        places.append("[[publish]]" if is_short else f"a [[publish]] of {', '.join(schemes)}")
    types = [f'"{name}"' for name in plugins.SOURCES if _has_key(plugins.source_class(name), key)]
    if types:
        places.append(f"a [[market.source]] of type {', '.join(types)}")
    return f"it belongs to {' or '.join(places)}" if places else ""


def _is_publish_table(valid_keys: Sequence[str]) -> bool:
    """Return whether these are the keys of a `[[publish]]` table with any scheme."""
    classes: list[type[Any]] = [plugins.publisher_class(name) for name in plugins.PUBLISHERS]
    return any({*valid_keys} == {field.name for field in fields(cls)} for cls in classes)


def _has_key(options: type[Any], key: str) -> bool:
    return any(field.name == key for field in fields(options))
