"""What Python raises where the machine has nothing more to give: foreseen, and told in one sentence."""

from __future__ import annotations

import errno
from contextlib import contextmanager
from typing import TYPE_CHECKING

from heatmap.errors import HeatmapError, ShortageError

if TYPE_CHECKING:
    from collections.abc import Iterator

SENTENCE = (
    "this machine has no memory left, or no room for another thread: visitors keep the last good pages, and "
    "the next run tries again; if that goes on, end what else runs here, or raise the limit"
)
FULL = "there is no room on the disk, or beyond this user's share of it: make some"
# What the system's loader and the standard library say, where they say it in words alone.
WORDS = ("can't start new thread", "failed to map segment", "cannot allocate memory", "out of memory")


def foreseen(error: BaseException) -> BaseException:
    """Return a ShortageError in place of an error that comes of one, and any other error as it is."""
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return ShortageError(FULL)
    is_system = isinstance(error, OSError) and error.errno == errno.ENOMEM
    is_told = isinstance(error, Exception) and any(words in str(error).lower() for words in WORDS)
    if isinstance(error, MemoryError) or (not isinstance(error, HeatmapError) and (is_system or is_told)):
        return ShortageError(SENTENCE)
    return error


@contextmanager
def told() -> Iterator[None]:
    """Turn what comes of a shortage within the block into ShortageError."""
    try:
        yield
    except Exception as error:
        known = foreseen(error)
        if known is error:
            raise
        raise known from None  # the frames it comes from hold what the memory went into
