"""Recognises errors from a shortage of memory, disk, files or processes, and gives each a sentence."""

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
    errno.EAGAIN: PROCESSES,  # from fork; connections handle theirs themselves
}
# Messages of the interpreter, the system's loader and libraries, in errors without a number.
BY_TEXT = {
    "can't start new thread": SENTENCE,  # the reason may be memory or the number of threads
    "can't allocate lock": SENTENCE,
    "cannot allocate memory": SENTENCE,
    "out of memory": SENTENCE,
    "insufficient memory": SENTENCE,
    "failed to map segment": SENTENCE,
    "can't load unicodedata": SENTENCE,
    "without exception set": SENTENCE,  # a SystemError: C code had no memory for its exception
    "without setting an exception": SENTENCE,
    "codec configuration error": SENTENCE,  # Pillow's encoder without memory
    "too many open files": FILES,
    "cannot open shared object file: error 24": FILES,
}
HEADROOM_BYTES = 16 * MIB  # a process this near to its limit may have been refused memory

is_met = False  # whether this process has had a shortage


def as_known_error(error: BaseException) -> BaseException:
    """Return a ShortageError for an error that comes from a shortage, and any other error as it is."""
    global is_met  # noqa: PLW0603 -- how the process ends depends on it
    sentence = _describe(error)
    if sentence is None:
        return error
    is_met = True
    return ShortageError(sentence)


def refuse(error: OSError) -> None:
    """Raise ShortageError if an error comes from a shortage."""
    known_error = as_known_error(error)
    if known_error is not error:
        raise known_error from error


@contextmanager
def translating_resource_errors() -> Iterator[None]:
    """Turn errors in the block that come from a shortage into ShortageError."""
    try:
        yield
    except Exception as error:
        known_error = as_known_error(error)
        if known_error is error:
            raise
        raise known_error from None  # the frames of the cause hold the memory


def _describe(error: BaseException) -> str | None:
    """Return the sentence for an error that comes from a shortage; None for any other error."""
    if isinstance(error, MemoryError):
        return SENTENCE
    if isinstance(error, HeatmapError) or not isinstance(error, Exception):
        return None
    if isinstance(error, OSError) and error.errno in BY_NUMBER:
        return BY_NUMBER[error.errno]
    text = str(error).lower()
    sentence = next((sentence for part, sentence in BY_TEXT.items() if part in text), None)
    if sentence is None and not isinstance(error, OSError) and _is_at_limit():
        return SENTENCE  # without memory, libraries fail in many other ways
    return sentence


def _is_at_limit() -> bool:
    """Whether this process has used nearly all memory that `ulimit -v` allows. False except on Linux."""
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
