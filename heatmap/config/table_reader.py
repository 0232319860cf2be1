"""Tables of a configuration into dataclasses whose fields are their keys; every problem found is kept."""

from __future__ import annotations

from dataclasses import MISSING, fields
from typing import TYPE_CHECKING, Any

from heatmap.config import fields as keys
from heatmap.errors import ConfigError
from heatmap.system import suggestions

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path


class TableReader:
    """The tables of the document `file_name`, whose relative paths start at `base`."""

    def __init__(self, base: Path, file_name: str) -> None:
        self.base = base
        self.file_name = file_name
        self.problems: list[str] = []

    def located(self, plugin: Any) -> Any:  # noqa: ANN401 -- a source or a publisher, as it came
        """Return what was built with its relative paths beginning at `base`; None stays None."""
        return plugin.located(self.base) if hasattr(plugin, "located") else plugin

    def tables(self, value: object, where: str) -> list[Mapping[str, Any]]:
        """Return the tables of `[[where]]`, or one that stands alone; an empty one for what is no table."""
        if isinstance(value, dict):
            value = [value]
        if isinstance(value, list) and all(isinstance(table, dict) for table in value):
            return value
        self.problem(where, f"must be written as [[{where}]]")
        return [{}]

    def build(self, cls: type[Any], table: object, where: str, *, also: Sequence[str] = ()) -> Any:  # noqa: ANN401 -- an instance of `cls`, or None
        """Return `cls` made of the table's values, or None after noting what is wrong with them."""
        if not isinstance(table, dict):
            self.problem(where, "must be a table")
            return None
        known = {field.name: field for field in fields(cls)}
        values: dict[str, Any] = {}
        before = len(self.problems)
        for key, value in table.items():
            if key not in known:
                self.problem(where, f"key {key!r} is not known{self.hint(key, [*known, *also])}")
                continue
            try:
                values[key] = keys.convert(known[key], value)
            except TypeError as error:
                self.problem(where, f"{key} must be {error}, not {suggestions.abbreviated(value)}")
        for field in known.values():
            required = field.default is MISSING and field.default_factory is MISSING
            if required and field.name not in table:
                self.problem(where, f"{field.name} is missing")
        if len(self.problems) > before:
            return None
        return self.attempt(where, lambda: cls(**values))

    def hint(self, key: str, known: Sequence[str]) -> str:
        """Return, as the end of a sentence, what was probably meant by a key that a table does not know."""
        return suggestions.suggestion(key, known)

    def attempt(self, where: str, make: Callable[[], Any]) -> Any:  # noqa: ANN401 -- what `make` returns, or None
        """Return what `make` returns, or None after noting what ConfigError it raised."""
        try:
            return make()
        except ConfigError as error:
            for problem in error.problems:
                self.problem(where, problem)
            return None

    def problem(self, where: str, what: str) -> None:
        """Note what is wrong in a table; "" is what stands above all tables."""
        place = f"[{where}] " if where else ""
        self.problems.append(f"{self.file_name}: {place}{what}")
