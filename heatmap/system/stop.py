"""Requests to end: SIGTERM and Ctrl-C become one exception in the main thread, without any loss.

Python raises a handler's exception between any two instructions of the main thread. So:

- It is no `Exception`: code with `except Exception` would take it for a bug.
- It is lost in callbacks from C, such as a finalizer or the callback of a weak reference. The request is
  remembered, and `raise_if_requested`, called between the steps of a run, raises it again.
- It must not be raised in the few lines of the standard library that take a lock and cannot release it yet:
  all other threads would wait for that lock for ever. There the exception is raised a moment later.
- It must not be raised between a delivery and the record of it. `postpone` holds it back; waits in such a
  block ask `seconds_left` for their limit.
"""

from __future__ import annotations

import math
import signal
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from heatmap.errors import StoppedError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

SENTENCE = "stopped by a signal before its end: what is published stays whole, and the next run does the rest"
INTERRUPTED = "interrupted from the keyboard: what is published stays whole, and the next run does the rest"
MOST_SECONDS = 2.0  # how long a run waits for anything after a request
LOOK_SECONDS = 0.1  # how often a wait looks for a request
AGAIN_SECONDS = 0.005  # the delay of a request that came at a bad moment
# Where Python takes and releases locks: files whose functions never wait for long, and functions.
_LOCKING_FILES = ("<frozen importlib._bootstrap>", "/contextlib.py", "/weakref.py", "/_weakrefset.py")
_LOCKING_FUNCTIONS = {"__enter__", "__exit__", "_release_save", "_acquire_restore", "_acquireLock"}


class _Request:
    """The state of this process. Signal handlers cannot get it in another way."""

    def __init__(self) -> None:
        self.number: signal.Signals | None = None  # the first signal; None: no request yet
        self.at = 0.0  # its time on the monotonic clock
        self.postponements = 0
        self.is_waiting = False  # whether it is postponed, and not raised yet
        self.is_due = False  # whether it came at a bad moment, and SIGALRM will raise it


_request = _Request()


@contextmanager
def handlers() -> Iterator[None]:
    """Raise StoppedError on SIGTERM, KeyboardInterrupt on SIGINT, in the block. For the main thread alone.

    A signal that is ignored already, as nohup sets it, stays ignored.
    """
    global _request  # noqa: PLW0603 -- see _Request
    _request = _Request()
    former = {
        number: signal.signal(number, _receive)
        for number in (signal.SIGTERM, signal.SIGINT)
        if signal.getsignal(number) is not signal.SIG_IGN
    }
    former[signal.SIGALRM] = signal.signal(signal.SIGALRM, _try_again)
    hook, sys.unraisablehook = sys.unraisablehook, _print_unraisable
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        sys.unraisablehook = hook
        for number, handler in former.items():
            signal.signal(number, handler)
        _request = _Request()


def is_requested() -> bool:
    """Return whether a signal has asked this process to end."""
    return _request.number is not None


def seconds_left() -> float:
    """Return how long a wait may still last after a request; infinite without one."""
    return math.inf if _request.number is None else max(0.0, _request.at + MOST_SECONDS - time.monotonic())


def raise_if_requested() -> None:
    """Raise the exception of a request, even if it was raised before and lost. Call it between steps."""
    if _request.number is not None:
        _request.is_waiting = _request.is_due = False  # once is enough
        _raise(_request.number)


@contextmanager
def postpone() -> Iterator[None]:
    """Hold a request back until the end of the block. No wait in the block may exceed `seconds_left`.

    A second Ctrl-C is not held back.
    """
    request = _request
    request.postponements += 1
    try:
        yield
    finally:
        request.postponements -= 1
    if request.is_waiting and request.number is not None and not request.postponements:
        request.is_waiting = False
        _raise(request.number)


def _receive(number: int, frame: FrameType | None) -> None:
    is_first = _request.number is None
    if is_first:
        _request.number, _request.at = signal.Signals(number), time.monotonic()
        _raise_here(_request, frame)
    elif number == signal.SIGINT:
        _raise(number)


def _try_again(_number: int, frame: FrameType | None) -> None:
    if _request.is_due:
        _request.is_due = False
        _raise_here(_request, frame)


def _raise_here(request: _Request, frame: FrameType | None) -> None:
    """Raise the exception of a signal, now or later. `frame` is the code that the signal interrupted."""
    if request.postponements:
        request.is_waiting = True
    elif frame is not None and _is_locking(frame):
        request.is_due = True
        signal.setitimer(signal.ITIMER_REAL, AGAIN_SECONDS)
    elif request.number is not None:
        _raise(request.number)


def _is_locking(frame: FrameType) -> bool:
    code = frame.f_code
    return code.co_filename.endswith(_LOCKING_FILES) or code.co_name in _LOCKING_FUNCTIONS


def _print_unraisable(event: sys.UnraisableHookArgs) -> None:
    """Print an exception that Python could not raise, except a request: that is raised again."""
    if event.exc_type is not StoppedError and event.exc_type is not KeyboardInterrupt:
        sys.__unraisablehook__(event)


def _raise(number: int) -> None:
    if number == signal.SIGINT:
        raise KeyboardInterrupt
    raise StoppedError(SENTENCE)
