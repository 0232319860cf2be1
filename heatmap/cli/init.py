"""`heatmap init`: makes a new configuration. On a terminal it asks questions, checks and publishes once."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from heatmap.cli import commands
from heatmap.config.loader import FILE_NAME
from heatmap.errors import AccessError, ConfigError, UsageError, as_write_error
from heatmap.pictures.templates import find_templates
from heatmap.system import files

if TYPE_CHECKING:
    import argparse

    from heatmap.cli.interview import Secret
    from heatmap.cli.new_configuration import Answers

HELP = "make a heatmap.toml: with questions on a terminal, else a commented example"
EXIT_INTERRUPTED = 130
SECRET_MODE = 0o600
NEXT_STEPS = ("check", "run", "schedule")  # the commands after this one


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `heatmap init`."""
    parser.add_argument("--force", action="store_true", help="overwrite a file that is already there")
    parser.add_argument(
        "--no-input", action="store_true", help="ask no questions: write the commented example"
    )


def run(arguments: argparse.Namespace) -> int:
    """Make the configuration. Raises UsageError if the file exists, ConfigError if it cannot be written."""
    path: Path = arguments.config or Path(FILE_NAME)
    if path.is_dir():
        raise UsageError(f"{path} is a folder: give a file in it, such as {path / FILE_NAME}")
    if path.exists() and not arguments.force:
        raise UsageError(f"{path} is already there: edit it, or overwrite it with --force")
    example = commands.complete_installs((find_templates() / FILE_NAME).read_text("utf-8"))
    if not arguments.no_input and _is_terminal():
        return _Setup(path.absolute(), example).run()
    _write(path, example, overwrite=arguments.force)
    print(f"{path} is written. Read it, and set the target of the pages. Then:")
    for words in NEXT_STEPS:
        print(f"  {commands.heatmap(words, path)}")
    return 0


def _is_terminal() -> bool:
    return all(stream is not None and stream.isatty() for stream in (sys.stdin, sys.stdout))


class _Setup:
    """The dialog from the first question to the first page. `path` is absolute."""

    def __init__(self, path: Path, example: str) -> None:
        self._path = path
        self._example = example
        self._is_written = False

    def run(self) -> int:
        """Ask, write, check, publish, and print the next steps. Return the exit code."""
        self._refuse_folder()
        try:
            return self._run()
        except (KeyboardInterrupt, EOFError):
            print()
            if self._is_written:
                self._print_next_steps()
            else:
                print("Nothing is written.")
            return EXIT_INTERRUPTED

    def _run(self) -> int:
        from heatmap.cli import interview
        from heatmap.cli.questions import confirm

        print(
            f"This makes {self._path}, tries it, and publishes once.\n"
            "Enter takes the answer in brackets. Ctrl-C leaves. Nothing is written before the last answer.\n"
        )
        answers = interview.ask_market()
        target = interview.ask_target(self._is_there)
        answers = replace(answers, target=target.table, public_url=interview.ask_public_url())
        paths = f"{self._path} and {target.secret.file}" if target.secret else f"{self._path}"
        write = "Overwrite" if self._path.exists() else "Write"
        if not confirm(f"\n{write} {paths}?"):
            print("Nothing is written.")
            return EXIT_INTERRUPTED
        self._write(answers, target.secret)
        code = self._check()
        while code:
            has_new_target = self._ask_next_step()
            if has_new_target is None:
                self._print_next_steps()
                return code
            if has_new_target:
                target = interview.ask_target(self._is_there)
                answers = replace(answers, target=target.table)
                self._write(answers, target.secret)
            code = self._check()
        return self._publish(answers)

    def _refuse_folder(self) -> None:
        """Raise ConfigError before the first question if the configuration could not be written."""
        folder = self._path.parent
        if not folder.is_dir():
            raise ConfigError([f"there is no folder {folder}: make it, or choose another with --config"])
        if not os.access(folder, os.W_OK | os.X_OK):
            raise AccessError([f"you may not write into {folder}: choose another folder with --config"])

    def _is_there(self, name: str) -> bool:
        return (self._path.parent / name).exists()

    def _write(self, answers: Answers, secret: Secret | None) -> None:
        """Write the secret, then the configuration that names its file. Raises ConfigError."""
        import tomllib

        from heatmap.cli.new_configuration import fill
        from heatmap.config import loader

        text = fill(self._example, answers)
        loader.read(tomllib.loads(text), base=self._path.parent, path=self._path)
        if secret:
            _write_secret(self._path.parent / secret.file, secret.value)
        _write(self._path, text, overwrite=True)
        self._is_written = True
        print(f"{self._path} is written.\n")

    def _check(self) -> int:
        return self._run_command("check", "--trust-host-key")

    @staticmethod
    def _ask_next_step() -> bool | None:
        """Return whether to ask for another target before the next check; None to stop."""
        from heatmap.cli.questions import choose

        print("\nSomething does not work yet: see the lines with FAIL.")
        choices = [
            "stop; the configuration stays",
            "check again",
            "change the target or the password",
        ]
        return (None, False, True)[choose("What now?", choices)]

    def _publish(self, answers: Answers) -> int:
        """Publish once, also when the market is closed, and print the schedule."""
        print("\nEverything works. Now the page is drawn and published once:\n")
        has_published = (self._path.parent / "state" / "state.json").exists()  # by an earlier configuration
        code = self._run_command("run", *(["--force"] if has_published else []))
        if code:
            self._print_next_steps()
            return code
        print("\nTo keep it up to date:\n")
        self._run_command("schedule")
        if answers.public_url:
            print("\nTo show the page on your blog:\n")
            self._run_command("embed")
        else:
            print("\nWhen you know its address, set public_url in the configuration. Then, for your blog:")
            print(f"  {self._command('embed')}")
        print("\nTo see at any time whether all is well:")
        print(f"  {self._command('status')}")
        return 0

    def _print_next_steps(self) -> None:
        print(f"\nThe configuration is {self._path}. To continue when it is right:")
        for words in NEXT_STEPS:
            print(f"  {self._command(words)}")

    def _command(self, words: str) -> str:
        return commands.heatmap(words, self._path)

    def _run_command(self, command: str, *options: str) -> int:
        """Run another command with the new configuration. Raises KeyboardInterrupt if it was interrupted."""
        from heatmap.cli import parser

        code = parser.dispatch([command, "--config", str(self._path), *options])
        if code == EXIT_INTERRUPTED:
            raise KeyboardInterrupt
        return code


def _write(path: Path, text: str, *, overwrite: bool) -> None:
    """Write the configuration. Raises UsageError if it exists, ConfigError if it cannot be written."""
    try:
        with path.open("w" if overwrite else "x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError as error:
        raise UsageError(f"{path} is already there: edit it, or overwrite it with --force") from error
    except OSError as error:
        sentence = f"{path} cannot be written ({error.strerror}): choose another with --config"
        raise as_write_error(error, sentence) from error


def _write_secret(path: Path, secret: str) -> None:
    """Write a secret, completely or not at all, into a file only this user can read. Raises ConfigError."""
    try:
        files.write(path, f"{secret}\n".encode(), mode=SECRET_MODE, make_folder=False)
    except OSError as error:
        raise as_write_error(
            error, f"{path} cannot be written ({error.strerror}): make it writable"
        ) from error
