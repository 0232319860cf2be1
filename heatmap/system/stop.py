"""Requests to end: SIGTERM and Ctrl-C become one exception in the main thread, where nothing is lost by it.

Python raises a handler's exception between any two instructions of the main thread. So:

- It is no `Exception`: the parts that are kept apart by `except Exception` would take it for a bug of theirs.
- It is lost where Python calls back from C, as in a finalizer or a weak reference's callback. The request is
  remembered, and `raise_if_requested`, called between the steps of a run, raises it again.
- It must not come in the few lines of the standard library that take a lock and have not yet said how it is
  given back: all other threads would wait for that lock, for good. There it is tried again a moment later.
- It must not come between a delivery and the note of it. `postpone` holds it back; what waits meanwhile asks
  `seconds_left` how long it still may.
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
MOST_SECONDS = 2.0  # for which a run that was asked to end still waits for anything
LOOK_SECONDS = 0.1  # how often those who wait look for a request
AGAIN_SECONDS = 0.005  # after which a request that came at a bad moment is tried again
# Where Python takes and gives back locks: files, none of whose functions waits for long, and functions.
_LOCKING_FILES = ("<frozen importlib._bootstrap>", "/contextlib.py", "/weakref.py", "/_weakrefset.py")
_LOCKING_FUNCTIONS = {"__enter__", "__exit__", "_release_save", "_acquire_restore", "_acquireLock"}


class _Request:
    """The state of this process: signal handlers have no other place for it."""

    def __init__(self) -> None:
        self.number: signal.Signals | None = None  # the signal that came first; None: no request yet
        self.at = 0.0  # when it came, on the monotonic clock
        self.postponements = 0
        self.is_waiting = False  # whether it came while it was postponed, and is still to be raised
        self.is_due = False  # whether it came at a bad moment, and is tried again by SIGALRM


_request = _Request()


@contextmanager
def handlers() -> Iterator[None]:
    """Raise StoppedError within the block on SIGTERM, KeyboardInterrupt on SIGINT. For the main thread alone.

    A signal that whoever started us has set to be ignored, as nohup does, stays ignored.
    """
    global _request  # noqa: PLW0603 -- see _Request
    _request = _Request()
    former = {
        number: signal.signal(number, _receive)
        for number in (signal.SIGTERM, signal.SIGINT)
        if signal.getsignal(number) is not signal.SIG_IGN
    }
    former[signal.SIGALRM] = signal.signal(signal.SIGALRM, _try_again)
    tell, sys.unraisablehook = sys.unraisablehook, _tell_unraisable
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        sys.unraisablehook = tell
        for number, handler in former.items():
            signal.signal(number, handler)
        _request = _Request()


def is_requested() -> bool:
    """Return whether somebody has asked this process to end."""
    return _request.number is not None


def seconds_left() -> float:
    """Return how long a wait may still last because of a request; infinite where there is none."""
    return math.inf if _request.number is None else max(0.0, _request.at + MOST_SECONDS - time.monotonic())


def raise_if_requested() -> None:
    """Raise what the signal stands for, even if it was raised before and lost. Call it between steps."""
    if _request.number is not None:
        _request.is_waiting = _request.is_due = False  # once is enough
        _raise(_request.number)


@contextmanager
def postpone() -> Iterator[None]:
    """Hold a request back until the end of the block, which may wait for nothing longer than `seconds_left`.

    Ctrl-C a second time is not held back.
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
    """Raise what the signal stands for, or see that it is raised later; `frame` is where it came."""
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


def _tell_unraisable(lost: sys.UnraisableHookArgs) -> None:
    """Print what Python could not raise, but for a request: that is raised again."""
    if lost.exc_type is not StoppedError and lost.exc_type is not KeyboardInterrupt:
        sys.__unraisablehook__(lost)


def _raise(number: int) -> None:
    if number == signal.SIGINT:
        raise KeyboardInterrupt
    raise StoppedError(SENTENCE)
