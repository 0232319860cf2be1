"""Asks a person at the terminal for a text, a choice or a secret. A bad answer is asked for again."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

UNREADABLE = "the terminal sent what is no text, such as an arrow key: type it again"


class BadAnswer(Exception):
    """An answer that cannot be used. `str()` of it says why."""


def ask(question: str, default: str | None = None, parse: Callable[[str], str] = str) -> str:
    """Return the answer to a question, as `parse` returns it.

    Enter alone gives `default`; without one an answer is needed. `parse` raises BadAnswer for an answer that
    cannot be used. Raises EOFError and KeyboardInterrupt where the person leaves.
    """
    shown = f"{question} [{default}]: " if default else f"{question}: "
    while True:
        try:
            answer = _require_printable(input(shown)).strip() or (default or "")
            if not answer and default is None:
                raise BadAnswer("an answer is needed, or Ctrl-C to leave")
            return parse(answer)
        except BadAnswer as error:
            print(f"  {error}")
        except UnicodeDecodeError:
            print(f"  {UNREADABLE}")


def choose(question: str, choices: Sequence[str]) -> int:
    """Return the number of the choice made, counted from 0; Enter alone is the first."""
    print(question)
    for number, choice in enumerate(choices, 1):
        print(f"  {number}  {choice}")

    def parse(answer: str) -> str:
        if not answer.isascii() or not answer.isdigit() or not 1 <= int(answer[:9]) <= len(choices):
            raise BadAnswer(f"type a number from 1 to {len(choices)}")
        return answer

    return int(ask("Your choice", "1", parse)) - 1


def confirm(question: str) -> bool:
    """Return whether the answer is yes; Enter alone is."""

    def parse(answer: str) -> str:
        if answer.lower() not in {"y", "yes", "n", "no"}:
            raise BadAnswer("type y or n")
        return answer.lower()[0]

    return ask(question, "y", parse) == "y"


def ask_secret(question: str, longest_bytes: int) -> str:
    """Return a secret that is typed without being shown. Raises EOFError and KeyboardInterrupt."""
    from getpass import getpass

    while True:
        try:
            secret = _require_printable(getpass(f"{question} (it is not shown): "))
        except BadAnswer as error:
            print(f"  {error}")
            continue
        except UnicodeDecodeError:
            print(f"  {UNREADABLE}")
            continue
        if not secret:
            print("  nothing was typed; Ctrl-C leaves")
        elif len(secret.encode()) > longest_bytes:
            print(f"  this is longer than {longest_bytes} bytes")
        else:
            return secret


def _require_printable(answer: str) -> str:
    """Return an answer that holds printable characters alone. Raises BadAnswer."""
    if not answer.isprintable():
        raise BadAnswer(UNREADABLE)
    return answer
