"""Shows the progress of a long operation in one line on a terminal; nothing without a terminal."""

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
    """A context manager. Call it with the current session, the number done and the total."""

    def __init__(self, stream: TextIO | None, clock: Callable[[], float] = monotonic) -> None:
        self._stream = stream
        self._is_terminal = stream is not None and stream.isatty()
        self._clock = clock
        self._start = clock()
        self._width = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._show("", end="\r")

    def __call__(self, day: date, done: int, total: int) -> None:
        """Update the line."""
        hashes = BAR_CHARACTERS * done // total
        seconds = self._clock() - self._start
        pace = (
            f", {done / seconds:.1f}/s, {_format_duration(seconds / done * (total - done))} left"
            if done and seconds
            else ""
        )
        bar = "#" * hashes + "-" * (BAR_CHARACTERS - hashes)
        self._show(f"[{bar}] {day:%d %b %Y}: {done:,} done, {total - done:,} to go{pace}")

    def print_above(self, sentence: str) -> None:
        """Print a sentence above the line, also without a terminal."""
        self._show("", end="\r")
        if self._stream is not None:
            print(sentence, file=self._stream, flush=True)

    def _show(self, line: str, end: str = "") -> None:
        if self._is_terminal:
            print(f"\r{line:<{self._width}}", end=end, file=self._stream, flush=True)
            self._width = len(line)


def _format_duration(seconds: float) -> str:
    """Return a duration in its largest unit."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
