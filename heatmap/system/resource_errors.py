"""Errors that come of a machine with nothing more to give: recognised, and told in one sentence each."""

from __future__ import annotations

import errno
from contextlib import contextmanager
from typing import TYPE_CHECKING

from heatmap.errors import HeatmapError, ShortageError
from heatmap.system.limits import MIB

if TYPE_CHECKING:
    from collections.abc import Iterator

KEPT = "visitors keep the last good pages, and the next run tries again"
SENTENCE = (
    f"this machine has no memory left, or no room for another thread: {KEPT}; "
    "if that goes on, end what else runs here, or raise the limit"
)
FULL = "there is no room on the disk, or beyond this user's share of it: make some"
FILES = (
    f"no more files can be opened, by this process or on this machine: {KEPT}; "
    "if that goes on, end what else runs here, or raise the limit (`ulimit -n`)"
)
PROCESSES = (
    f"no further process can be started: {KEPT}; "
    "if that goes on, end what else this user runs, or raise the limit (`ulimit -u`)"
)
BY_NUMBER = {
    errno.ENOSPC: FULL,
    errno.EDQUOT: FULL,
    errno.ENOMEM: SENTENCE,
    errno.EMFILE: FILES,
    errno.ENFILE: FILES,
    errno.EAGAIN: PROCESSES,  # of fork; waits for servers handle their own
}
# What the interpreter, the system's loader and libraries say where they say it in words alone.
BY_WORDS = {
    "can't start new thread": SENTENCE,  # the system refuses one for want of memory and of numbers alike
    "can't allocate lock": SENTENCE,
    "cannot allocate memory": SENTENCE,
    "out of memory": SENTENCE,
    "insufficient memory": SENTENCE,
    "failed to map segment": SENTENCE,
    "can't load unicodedata": SENTENCE,
    "without exception set": SENTENCE,  # a SystemError: C code that had no memory for its exception
    "without setting an exception": SENTENCE,
    "codec configuration error": SENTENCE,  # Pillow's encoder without memory
    "too many open files": FILES,
    "cannot open shared object file: error 24": FILES,
}
HEADROOM_BYTES = 16 * MIB  # within which of its limit a process may have been refused memory

is_met = False  # whether this process has met a shortage


def as_known_error(error: BaseException) -> BaseException:
    """Return a ShortageError in place of an error that comes of one, and any other error as it is."""
    global is_met  # noqa: PLW0603 -- how the process ends depends on it
    sentence = _sentence(error)
    if sentence is None:
        return error
    is_met = True
    return ShortageError(sentence)


def refuse(error: OSError) -> None:
    """Raise ShortageError where an error comes of a shortage, and so not of what was asked for."""
    known = as_known_error(error)
    if known is not error:
        raise known from error


@contextmanager
def translating_resource_errors() -> Iterator[None]:
    """Turn what comes of a shortage within the block into ShortageError."""
    try:
        yield
    except Exception as error:
        known = as_known_error(error)
        if known is error:
            raise
        raise known from None  # the frames it comes from hold what the memory went into


def _sentence(error: BaseException) -> str | None:
    """Return what to tell of an error that comes of a shortage; None for any other."""
    if isinstance(error, MemoryError):
        return SENTENCE
    if isinstance(error, HeatmapError) or not isinstance(error, Exception):
        return None
    if isinstance(error, OSError) and error.errno in BY_NUMBER:
        return BY_NUMBER[error.errno]
    said = str(error).lower()
    found = next((sentence for words, sentence in BY_WORDS.items() if words in said), None)
    if found is None and not isinstance(error, OSError) and _is_at_limit():
        return SENTENCE  # libraries that are refused memory fail in many other ways
    return found


def _is_at_limit() -> bool:
    """Whether this process has had nearly all the memory that `ulimit -v` leaves it. Linux alone tells."""
    try:
        import resource

        most, _ = resource.getrlimit(resource.RLIMIT_AS)
        if most == resource.RLIM_INFINITY:
            return False
        with open("/proc/self/status", "rb") as file:
            peak = next(int(line.split()[1]) * 1024 for line in file if line.startswith(b"VmPeak:"))
    except (ImportError, OSError, StopIteration, ValueError):
        return False
    return most - peak < HEADROOM_BYTES
