"""Parses the command line, runs the command, and turns its error into a sentence and an exit code."""

from __future__ import annotations

import argparse
import os
from datetime import UTC, datetime
from importlib import import_module
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from heatmap import __version__
from heatmap.cli import command_line
from heatmap.errors import (
    EXIT_INTERRUPTED,
    EXIT_OK,
    EXIT_TEMPORARY,
    ConfigError,
    HeatmapError,
    StoppedError,
    UsageError,
    common_exit_code,
)
from heatmap.system import stop, suggestions

if TYPE_CHECKING:
    from collections.abc import Sequence

COMMANDS = ("run", "demo", "init", "check", "session", "status", "embed", "schedule", "history", "calendar")
LOG_FORMAT = "--log-format"
HELP_WIDTH = 100  # columns
CONFIG = "--config"
WITH_ACTIONS = ("history", "calendar")  # commands that need an action


def dispatch(argv: Sequence[str]) -> int:
    """Run one command and return its exit code."""
    command_line.configuration_path = None
    try:
        argv = _reorder(argv)
        arguments = _parser(argv).parse_args(argv)
        command_line.configuration_path = arguments.config
        if arguments.config is None or not arguments.config.is_absolute():
            _refuse_missing_folder()
        with stop.handlers():
            return int(arguments.command.run(arguments))
    except (HeatmapError, StoppedError) as error:
        _print_error(argv, error)
        return error.exit_code
    except BrokenPipeError:  # the reader has ended, as in `heatmap session | head -1`
        return EXIT_TEMPORARY if argv[:1] == ["check"] else EXIT_OK
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    except Exception as error:  # noqa: BLE001 -- an unknown exception is a bug, and is shown whole
        from heatmap.system.resource_errors import as_known_error

        known = as_known_error(error)
        _print_error(argv, known)
        return common_exit_code([known])


def _refuse_missing_folder() -> None:
    """Raise ConfigError if the current folder was deleted: relative paths start there."""
    try:
        os.getcwd()
    except OSError as error:
        problem = (
            f"the current folder cannot be found ({error.strerror}): change to another one, "
            "or give --config an absolute path"
        )
        raise ConfigError([problem]) from error


def _reorder(argv: Sequence[str]) -> list[str]:
    """Return the words in the order of the parser.

    --config may come before the command. A line without a command gets --help.
    """
    first, *rest = argv or ["--help"]
    if first == CONFIG and len(rest) > 1:
        first, rest = rest[1], [CONFIG, rest[0], *rest[2:]]
    elif first.startswith(f"{CONFIG}=") and rest:
        first, rest = rest[0], [first, *rest[1:]]
    if first == "help":
        return [*rest[:1], "--help"]
    return [first, "--help"] if first in WITH_ACTIONS and not rest else [first, *rest]


def _print_error(argv: Sequence[str], error: BaseException) -> None:
    """Print an error that no command has printed, in the log format of the command line."""
    formats = [value for word, value in pairwise(argv) if word == LOG_FORMAT]
    formats += [word.removeprefix(f"{LOG_FORMAT}=") for word in argv]
    from heatmap.cli.log import FORMATS, Console

    form = next((each for each in FORMATS if each in formats), None)
    Console(form, datetime.now(UTC), verbose=False).error(error)


class _Parser(argparse.ArgumentParser):
    """An argparse parser that raises UsageError: one sentence, exit 64."""

    def _get_formatter(self) -> argparse.HelpFormatter:
        # Argparse makes one for each option. With a width it does not import shutil.
        return argparse.HelpFormatter(self.prog, width=HELP_WIDTH)

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:  # noqa: ANN401 -- argparse's own
        # The parser of the command, or of its action, has the options for a suggestion.
        namespace, extra_words = super().parse_known_args(args, namespace)
        for word in extra_words:
            name = word.partition("=")[0]
            options = [*self._option_string_actions]
            if name.startswith("-") and name not in options:
                self.error(f"there is no option {name!r}{suggestions.suggestion(name, options, cutoff=0.6)}")
        if extra_words:
            self.error(f"unexpected words: {' '.join(extra_words)!r}")
        return namespace, extra_words

    def _check_value(self, action: argparse.Action, value: Any) -> None:  # noqa: ANN401 -- argparse's own
        if action.choices is None or value in action.choices:
            return
        name = "/".join(action.option_strings) or str(action.metavar).lower()
        known = list(action.choices)
        if action.option_strings:
            self.error(f"{name} cannot be {value!r}{suggestions.suggestion(value, known)}")
        self.error(f"there is no {name} {value!r}{suggestions.suggestion(value, known, cutoff=0.6)}")

    def error(self, message: str) -> NoReturn:
        end = "" if message.endswith("?") else "."
        raise UsageError(f"{message}{end} For all commands and options: `{self.prog} --help`")


def _parser(argv: Sequence[str]) -> argparse.ArgumentParser:
    """Return the parser. Only the requested command is imported: the others would slow each run."""
    parser = _Parser(
        prog="heatmap", description="Draws a market as one web page and puts it on a web server."
    )
    parser.add_argument("--version", action="version", version=f"heatmap {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    requested = [name for name in COMMANDS if name in argv[:1]]
    for name in requested or COMMANDS:
        module = import_module(f"heatmap.cli.{name}")
        command = commands.add_parser(name, help=module.HELP, description=module.HELP)
        command.add_argument(
            CONFIG,
            type=Path,
            metavar="FILE",
            help="the configuration file (default: heatmap.toml in this folder, if any)",
        )
        module.add_arguments(command)
        command.set_defaults(command=module)
    return parser
