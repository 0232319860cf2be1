"""When a site may be asked next: it is owed politeness by the whole process, whoever in it asks."""

from __future__ import annotations

from threading import Lock
from time import monotonic

SECONDS_BETWEEN_REQUESTS = 0.34  # the polite ceiling is three a second

_turns: dict[str, float] = {}  # site → the moment of its next turn, on the clock that never jumps
_lock = Lock()


def reserve_slot(site: str, most_seconds: float) -> float | None:
    """Return the seconds to wait until this request may go out; the next one's turn comes after it.

    None where that would be later than `most_seconds` from now: then no turn is taken.
    """
    with _lock:
        now = monotonic()
        wait = max(0.0, _turns.get(site, now) - now)
        if wait >= most_seconds:
            return None
        _turns[site] = now + wait + SECONDS_BETWEEN_REQUESTS
        return wait
