"""Turns the tables of a configuration into dataclasses. A dataclass has one field for each key."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any

from heatmap.config import fields
from heatmap.errors import ConfigError
from heatmap.system import suggestions

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence


class TableReader:
    """Reads the tables of the document `file_name` and collects their problems.

    Relative paths start at the folder `base`.
    """

    def __init__(self, base: Path, file_name: str) -> None:
        self.base = base
        self.file_name = file_name
        self.problems: list[str] = []

    def list_tables(self, value: object, where: str) -> list[Mapping[str, Any]]:
        """Return the tables of `[[where]]`; a single table is a list of one.

        For any other value, add a problem and return one empty table.
        """
        if isinstance(value, dict):
            value = [value]
        if isinstance(value, list) and all(isinstance(table, dict) for table in value):
            return value
        self.add_problem(where, f"must be written as [[{where}]]")
        return [{}]

    def read(self, cls: type[Any], table: object, where: str, *, also: Sequence[str] = ()) -> Any:  # noqa: ANN401 -- an instance of `cls`, or None
        """Return an instance of `cls` with the table's values, or None after adding the problems.

        Relative paths start at `base`. `also` are keys of the table that another part of the program reads;
        they help to suggest a key.
        """
        if not isinstance(table, dict):
            self.add_problem(where, "must be a table")
            return None
        own_fields = {field.name: field for field in dataclasses.fields(cls)}
        values: dict[str, Any] = {}
        problem_count = len(self.problems)
        for key, value in table.items():
            if key not in own_fields:
                hint = self.suggest_key(key, [*own_fields, *also])
                self.add_problem(where, f"key {key!r} is not known{hint}")
                continue
            try:
                values[key] = fields.convert(own_fields[key], value)
            except TypeError as error:
                self.add_problem(where, f"{key} must be {error}, not {suggestions.abbreviated(value)}")
        for field in own_fields.values():
            is_required = (
                field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
            )
            if is_required and field.name not in table:
                self.add_problem(where, f"{field.name} is missing")
            path = values.get(field.name, field.default)
            if isinstance(path, Path):
                values[field.name] = self.base / path
        if len(self.problems) > problem_count:
            return None
        return self.attempt(where, lambda: self._resolve_paths(cls(**values)))

    def _resolve_paths(self, options: Any) -> Any:  # noqa: ANN401 -- an instance of any of the classes
        """Resolve the paths that are no field of type Path, such as the one in the URL of a folder."""
        return options.resolve_paths(self.base) if hasattr(options, "resolve_paths") else options

    def suggest_key(self, key: str, valid_keys: Sequence[str]) -> str:
        """Return a hint for an unknown key: the end of a sentence, such as ": did you mean 'title'?"."""
        return suggestions.suggestion(key, valid_keys)

    def attempt(self, where: str, make: Callable[[], Any]) -> Any:  # noqa: ANN401 -- what `make` returns, or None
        """Call `make` and return its result. If it raises ConfigError, add the problems and return None."""
        try:
            return make()
        except ConfigError as error:
            for problem in error.problems:
                self.add_problem(where, problem)
            return None

    def add_problem(self, where: str, problem: str) -> None:
        """Add a problem of the table `where`; "" stands for the lines above all tables."""
        place = f"[{where}] " if where else ""
        self.problems.append(f"{self.file_name}: {place}{problem}")
