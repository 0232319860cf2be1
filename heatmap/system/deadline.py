"""The deadline of a run, and what is aborted when it comes."""

from __future__ import annotations

import os
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

from heatmap.errors import DeadlineError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

T = TypeVar("T")
STDERR = 2
STACK_BYTES = 256 * 1024  # of the threads that end a process
INTERPRETER_SECONDS = 3.0  # the interpreter has so long to end the process; then C ends it


class Deadline:
    """A moment on the monotonic clock. Every wait asks it for its timeout. Threads may share one."""

    def __init__(self, seconds: float) -> None:
        """Set the moment: `seconds` from now."""
        self.seconds = seconds
        self._until = time.monotonic() + seconds
        self._aborts: list[Callable[[], None]] = []

    def remaining(self) -> float:
        """Return the seconds left; 0: none."""
        return max(0.0, self._until - time.monotonic())

    def timeout(self, most: float) -> float:
        """Return how long a wait may last: at most `most` seconds. Raises DeadlineError after the moment."""
        seconds = self.remaining()
        if not seconds:
            raise DeadlineError(f"not done within {self.seconds:.3g} seconds")
        return min(most, seconds)

    @contextmanager
    def abort_at_deadline(self, abort: Callable[[], None]) -> Iterator[None]:
        """Call `abort`, from another thread, if the moment comes while the block runs.

        No socket timeout ends a response of one byte a second; closing the socket does.
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
        """Make the moment come now, and abort everything that is waited for."""
        self._until = time.monotonic()
        for abort in tuple(self._aborts):
            abort()


@contextmanager
def end_process_at_deadline(seconds: float, line: bytes, code: int) -> Iterator[None]:
    """If the block takes longer than `seconds`, write `line` to stderr and end this process with `code`.

    It is the last resort for a process that hangs, also without memory: all that it needs is allocated at the
    start. If a library holds the interpreter's lock, a thread of C ends the process some seconds later, with
    exit code 1 and a traceback on stderr. Raises the errors of a shortage at the start, such as "can't start
    new thread".
    """
    import _thread
    import faulthandler
    import select

    stderr = select.poll()
    stderr.register(STDERR, select.POLLOUT)  # a pipe that nobody reads would block
    is_over = _thread.allocate_lock()
    is_over.acquire()
    start_lock = _thread.allocate_lock()
    start_lock.acquire()
    start, wait, can_write, write, leave = (
        start_lock.release,
        is_over.acquire,
        stderr.poll,
        os.write,
        os._exit,
    )

    def end() -> None:
        start()
        if wait(True, seconds):
            return
        try:
            if can_write(0):
                write(STDERR, line)
        finally:
            leave(code)

    former = _thread.stack_size(STACK_BYTES)  # there may be no memory for the usual eight megabytes
    try:
        # Not threading.Thread: it waits for the start of the new thread, which never comes without memory.
        _thread.start_new_thread(end, ())
        faulthandler.dump_traceback_later(seconds + INTERPRETER_SECONDS, exit=True, file=STDERR)
    finally:
        _thread.stack_size(former)
    try:
        if not start_lock.acquire(timeout=INTERPRETER_SECONDS):
            raise MemoryError
        yield
    finally:
        faulthandler.cancel_dump_traceback_later()
        is_over.release()


def run_with_timeout(seconds: float, work: Callable[[], T]) -> T:
    """Run `work` in a daemon thread, and return what it returns.

    After `seconds` the thread is left behind: see `background`. If there are no seconds, nothing is started.
    Raises DeadlineError, and what `work` raises.
    """
    from heatmap.system.background import Job

    job = Job(work) if seconds > 0 else None
    if job is None or not job.wait(seconds):
        raise DeadlineError(f"not done within {seconds:.3g} seconds")
    return job.result()
