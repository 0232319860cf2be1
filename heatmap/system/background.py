"""Work in daemon threads, which are left behind if the work takes too long.

No timeout ends the silence of a name server, an answer of one byte a second, or a network drive that hangs.
A daemon thread that is left behind does not keep the process from ending.
"""

from __future__ import annotations

import time
from threading import Event, Lock, Thread
from typing import TYPE_CHECKING, Generic, TypeVar

from heatmap.system import stop

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")
MOST_SECONDS = 5.0  # for one task, from its start, unless the caller says otherwise


class Job(Generic[T]):
    """A piece of work in a daemon thread. It starts at once."""

    def __init__(self, work: Callable[[], T], name: str = "heatmap-job") -> None:
        self.error: BaseException | None = None  # what `work` raised; None as long as it raised nothing
        self._work = work
        self._results: list[T] = []
        self._is_over = Event()
        self._lock = Lock()
        Thread(target=self._run, name=name, daemon=True).start()

    def wait(self, seconds: float) -> bool:
        """Wait for the end, at most `seconds`. Return whether the job is over."""
        return self._is_over.wait(seconds)

    def fail(self, error: BaseException) -> None:
        """End the job for all who wait for it, with an error. The thread is left behind."""
        with self._lock:
            if not self._is_over.is_set():
                self.error = error
                self._is_over.set()

    def result(self) -> T:
        """Return what the work returned. Raises what the work raised. The job must be over."""
        if self.error is not None:
            raise self.error
        return self._results[0]

    def _run(self) -> None:
        try:
            result = self._work()
        except BaseException as error:  # noqa: BLE001 -- raised again in the thread that waits
            self.fail(error)
            return
        with self._lock:
            if not self._is_over.is_set():
                self._results.append(result)
                self._is_over.set()


class BackgroundTask:
    """A piece of work beside the run, such as a ping. It may fail, and never fails the run.

    `work` returns what went wrong; None: nothing. It may take `seconds` from now.
    """

    def __init__(self, work: Callable[[], str | None], seconds: float = MOST_SECONDS) -> None:
        self._until = time.monotonic() + seconds
        self._job = Job(work, "heatmap-task")

    def wait(self, seconds: float) -> str | None:
        """Wait for the end, at most `seconds`. Return what went wrong; None: nothing.

        If the run is asked to end, the wait is short: see `stop`.
        """
        until = min(self._until, time.monotonic() + seconds)
        while (left := min(until - time.monotonic(), stop.seconds_left())) > 0:
            if self._job.wait(min(left, stop.LOOK_SECONDS)):
                break
        if not self._job.wait(0):
            return "did not end in time"
        if self._job.error is not None:  # its text may hold the secret address
            return f"ended in a bug ({type(self._job.error).__name__})"
        return self._job.result()
