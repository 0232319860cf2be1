"""Posts a message to a web hook, and retries. Pings, in contrast, are never retried."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from heatmap.system.http import webhook
from heatmap.system.retry import backoff_seconds

if TYPE_CHECKING:
    from heatmap.notify.alerts.options import AlertOptions

ATTEMPTS = 3
# The wait before the second attempt; it doubles before the third. A random factor of 0.5 to 1.5 is applied.
BACKOFF_SECONDS = 0.5
MEDIA_TYPE = "application/json; charset=utf-8"


def read_address(options: AlertOptions) -> str:
    """Return the web hook's address. Raises ConfigError, whose text never contains the address."""
    return webhook.read_address(options.url_env, options.url_file, name="url")


def deliver(url: str, body: bytes, seconds: float) -> str | None:
    """Post a message, with at most ATTEMPTS attempts within `seconds`. Return the problem; None if none.

    Retry only after a problem that may pass, and not before the time that the server asks for.
    """
    until = time.monotonic() + seconds
    for attempt in range(1, ATTEMPTS + 1):
        response = webhook.post("POST", url, body, MEDIA_TYPE)
        if response.problem is None:
            return None
        wait = backoff_seconds(BACKOFF_SECONDS, attempt)
        if response.wait_seconds is not None:
            wait = response.wait_seconds
        if not response.may_pass or attempt == ATTEMPTS or time.monotonic() + wait >= until:
            tries = "" if attempt == 1 else f" at each of {attempt} attempts"
            return f"{response.problem}{tries}"
        time.sleep(wait)
    raise AssertionError("the last attempt returns")
