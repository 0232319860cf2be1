"""The options of this command line that every command has."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

configuration_path: Path | None = None  # the value of --config; None without it
