"""The moment a run must be over by, and what is broken off when it comes."""

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
INTERPRETER_SECONDS = 3.0  # that the interpreter has to end the process, before C does


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
    def abort_at_deadline(self, abort: Callable[[], None]) -> Iterator[None]:
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


@contextmanager
def end_process_at_deadline(seconds: float, line: bytes, code: int) -> Iterator[None]:
    """End this process with `code` if the block takes longer than `seconds`, and `line` on stderr.

    It is the last resort of a process that hangs, also for want of memory: what it needs is allocated here,
    and nothing when the time comes. Where even the interpreter stands still, because a library holds its
    lock, a thread of C ends the process some seconds later: with exit code 1, and a traceback on stderr.
    Raises what comes of a shortage at the start, such as "can't start new thread".
    """
    import _thread
    import faulthandler
    import select

    stderr = select.poll()
    stderr.register(STDERR, select.POLLOUT)  # a pipe that nobody reads would keep us waiting
    is_over = _thread.allocate_lock()
    is_over.acquire()
    has_begun = _thread.allocate_lock()
    has_begun.acquire()
    begin, wait, can_write, write, leave = has_begun.release, is_over.acquire, stderr.poll, os.write, os._exit

    def end() -> None:
        begin()
        if wait(True, seconds):
            return
        try:
            if can_write(0):
                write(STDERR, line)
        finally:
            leave(code)

    former = _thread.stack_size(STACK_BYTES)  # the usual eight megabytes each may be what is lacking
    try:
        # Not threading's Thread: it waits until the new thread has begun, which without memory it never does.
        _thread.start_new_thread(end, ())
        faulthandler.dump_traceback_later(seconds + INTERPRETER_SECONDS, exit=True, file=STDERR)
    finally:
        _thread.stack_size(former)
    try:
        if not has_begun.acquire(timeout=INTERPRETER_SECONDS):
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
