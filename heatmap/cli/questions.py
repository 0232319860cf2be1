"""Asks the user at the terminal for a text, a choice or a secret. After a bad answer it asks again."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

UNREADABLE = "the terminal sent a character that is no text, such as an arrow key: type it again"


class BadAnswer(Exception):
    """An answer that is not valid. `str()` of it is the reason."""


def ask(question: str, default: str | None = None, parse: Callable[[str], str] = str) -> str:
    """Return the answer to a question, as `parse` returns it.

    Enter alone gives `default`; without a default an answer is needed. `parse` raises BadAnswer for an
    answer that is not valid. Raises EOFError and KeyboardInterrupt if the user leaves.
    """
    prompt = f"{question} [{default}]: " if default else f"{question}: "
    while True:
        try:
            answer = _require_printable(input(prompt)).strip() or (default or "")
            if not answer and default is None:
                raise BadAnswer("an answer is needed, or Ctrl-C to leave")
            return parse(answer)
        except BadAnswer as error:
            print(f"  {error}")
        except UnicodeDecodeError:
            print(f"  {UNREADABLE}")


def choose(question: str, choices: Sequence[str]) -> int:
    """Return the index of the choice, from 0. Enter alone is the first choice."""
    print(question)
    for number, choice in enumerate(choices, 1):
        print(f"  {number}  {choice}")

    def parse(answer: str) -> str:
        if not answer.isascii() or not answer.isdigit() or not 1 <= int(answer[:9]) <= len(choices):
            raise BadAnswer(f"type a number from 1 to {len(choices)}")
        return answer

    return int(ask("Your choice", "1", parse)) - 1


def confirm(question: str) -> bool:
    """Return whether the answer is yes. Enter alone means yes."""

    def parse(answer: str) -> str:
        if answer.lower() not in {"y", "yes", "n", "no"}:
            raise BadAnswer("type y or n")
        return answer.lower()[0]

    return ask(question, "y", parse) == "y"


def ask_secret(question: str, longest_bytes: int) -> str:
    """Return a secret; it is not shown while the user types. Raises EOFError and KeyboardInterrupt."""
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
    """Return the answer. Raises BadAnswer unless all its characters are printable."""
    if not answer.isprintable():
        raise BadAnswer(UNREADABLE)
    return answer
