"""Work on the side that may fail, and is left behind where it takes too long."""

from __future__ import annotations

import time
from threading import Thread
from typing import TYPE_CHECKING

from heatmap.system import stop

if TYPE_CHECKING:
    from collections.abc import Callable

MOST_SECONDS = 5.0  # for one errand, from its start, where nothing else is said


class BackgroundTask:
    """A piece of work in a thread of its own, begun at once. `work` returns what went wrong, None if nothing.

    No timeout ends a silent name server, a server that answers a byte a second, or a network drive that
    hangs; a daemon thread left behind does not keep the process from ending.
    """

    def __init__(self, work: Callable[[], str | None], seconds: float = MOST_SECONDS) -> None:
        self._until = time.monotonic() + seconds
        self._answer: str | None = "did not end in time"
        self._work = work
        self._thread = Thread(target=self._run, name="heatmap-errand", daemon=True)
        self._thread.start()

    def wait(self, seconds: float) -> str | None:
        """Wait for the end, at most `seconds`, and return what went wrong; None where all went well.

        Where the run is asked to end, the wait is short: see `stop`.
        """
        until = min(self._until, time.monotonic() + seconds)
        while self._thread.is_alive() and (left := min(until - time.monotonic(), stop.seconds_left())) > 0:
            self._thread.join(min(left, stop.LOOK_SECONDS))
        return self._answer

    def _run(self) -> None:
        try:
            answer = self._work()
        except Exception as error:  # noqa: BLE001 -- its text may hold the secret address, and no errand fails a run
            answer = f"ended in a bug ({type(error).__name__})"
        self._answer = answer
