"""The rate limit of each site. It holds for the whole process, for all its clients together."""

from __future__ import annotations

from threading import Lock
from time import monotonic

SECONDS_BETWEEN_REQUESTS = 0.34  # at most three a second

_next_slots: dict[str, float] = {}  # site → when its next request may start, on the monotonic clock
_lock = Lock()


def reserve_slot(site: str, most_seconds: float) -> float | None:
    """Reserve the next slot of a site, and return the seconds until then.

    None if the slot is `most_seconds` from now or later: then nothing is reserved.
    """
    with _lock:
        now = monotonic()
        wait = max(0.0, _next_slots.get(site, now) - now)
        if wait >= most_seconds:
            return None
        _next_slots[site] = now + wait + SECONDS_BETWEEN_REQUESTS
        return wait
