"""The moment a run must be over by, and what is broken off when it comes."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

from heatmap.errors import DeadlineError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

T = TypeVar("T")


class Deadline:
    """A moment on the clock that never jumps. What waits asks it how long it may; threads may share one."""

    def __init__(self, seconds: float) -> None:
        """Begin to count: the moment is `seconds` from now."""
        self.seconds = seconds
        self._until = time.monotonic() + seconds
        self._aborts: list[Callable[[], None]] = []

    def remaining(self) -> float:
        """Return the seconds left, 0 when there are none."""
        return max(0.0, self._until - time.monotonic())

    def timeout(self, most: float) -> float:
        """Return how long a wait may last: `most` seconds or what is left. Raises DeadlineError."""
        left = self.remaining()
        if not left:
            raise DeadlineError(f"not done within {self.seconds:.3g} seconds")
        return min(most, left)

    @contextmanager
    def interrupting(self, abort: Callable[[], None]) -> Iterator[None]:
        """Call `abort`, from another thread, if the moment comes while the block runs.

        No timeout of a socket ends a server that says one byte a second; closing the socket does.
        """
        from threading import Timer

        timer = Timer(self.remaining(), abort)
        timer.daemon = True
        timer.start()
        self._aborts.append(abort)
        try:
            yield
        finally:
            self._aborts.remove(abort)
            timer.cancel()

    def expire(self) -> None:
        """Make the moment come now, and break off all that is being waited for."""
        self._until = time.monotonic()
        for abort in tuple(self._aborts):
            abort()


def within(seconds: float, work: Callable[[], T]) -> T:
    """Return what `work` returns, from a thread that is left behind where it takes longer.

    A name server's silence cannot be broken off; a daemon thread left behind costs nothing, and does not
    keep the process from ending. Without any seconds nothing is begun. Raises DeadlineError, and whatever
    `work` raises.
    """
    from threading import Thread

    answers: list[T] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            answers.append(work())
        except BaseException as error:  # noqa: BLE001 -- raised again in the thread that waits
            errors.append(error)

    if seconds > 0:
        thread = Thread(target=run, name="heatmap-within", daemon=True)
        thread.start()
        thread.join(seconds)
    if errors:
        raise errors[0]
    if not answers:
        raise DeadlineError(f"not done within {seconds:.3g} seconds")
    return answers[0]
