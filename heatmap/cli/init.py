"""`heatmap init`: a commented configuration to start from."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from heatmap.config import FILE_NAME
from heatmap.errors import UsageError, unwritable
from heatmap.render.templates import find_templates

if TYPE_CHECKING:
    import argparse

HELP = "write a commented heatmap.toml"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `heatmap init`."""
    parser.add_argument("--force", action="store_true", help="overwrite a file that is already there")


def run(arguments: argparse.Namespace) -> int:
    """Write the example configuration. Raises UsageError where a file is in the way."""
    path: Path = arguments.config or Path(FILE_NAME)
    example = (find_templates() / FILE_NAME).read_text("utf-8")
    try:
        with path.open("w" if arguments.force else "x", encoding="utf-8") as file:
            file.write(example)
    except FileExistsError as error:
        raise UsageError(f"{path} is already there: edit it, or overwrite it with --force") from error
    except OSError as error:
        raise unwritable(
            error, f"{path} cannot be written ({error.strerror}): choose another with --config"
        ) from error
    print(f"{path} is written. Read it, fill in where the page goes, then: heatmap check, heatmap run")
    return 0
