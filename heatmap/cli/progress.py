"""One line on a terminal that tells how far a long work is; nothing where there is no terminal."""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import date
    from types import TracebackType
    from typing import Self, TextIO

BAR_CHARACTERS = 24


class Progress:
    """A context manager that is called with the session begun, how many are done, and how many there are."""

    def __init__(self, stream: TextIO | None, clock: Callable[[], float] = monotonic) -> None:
        self._stream = stream
        self._shows = stream is not None and stream.isatty()
        self._clock = clock
        self._began = clock()
        self._width = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._show("", end="\r")

    def __call__(self, day: date, done: int, total: int) -> None:
        """Show the line anew."""
        filled = BAR_CHARACTERS * done // total
        seconds = self._clock() - self._began
        pace = (
            f", {done / seconds:.1f}/s, {_format_duration(seconds / done * (total - done))} left"
            if done and seconds
            else ""
        )
        bar = "#" * filled + "-" * (BAR_CHARACTERS - filled)
        self._show(f"[{bar}] {day:%d %b %Y}: {done:,} done, {total - done:,} to go{pace}")

    def say(self, sentence: str) -> None:
        """Let a sentence stand above the line; without a terminal, too."""
        self._show("", end="\r")
        if self._stream is not None:
            print(sentence, file=self._stream, flush=True)

    def _show(self, line: str, end: str = "") -> None:
        if self._shows:
            print(f"\r{line:<{self._width}}", end=end, file=self._stream, flush=True)
            self._width = len(line)


def _format_duration(seconds: float) -> str:
    """Return a time in its largest unit."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
