"""Brings a message to a web hook: the one place where a call, other than to a target, is tried again."""

from __future__ import annotations

import random
import time
from typing import TYPE_CHECKING

from heatmap.system.http import webhook

if TYPE_CHECKING:
    from heatmap.notify.alerts.options import AlertOptions

ATTEMPTS = 3
BACKOFF_SECONDS = (
    0.5  # before the second attempt; twice as long before the third; by chance half as much or more
)
MEDIA_TYPE = "application/json; charset=utf-8"


def address(options: AlertOptions) -> str:
    """Return the web hook's address. Raises ConfigError, which does not hold it."""
    return webhook.read_address(options.url_env, options.url_file, what="url")


def deliver(url: str, body: bytes, seconds: float) -> str | None:
    """Post a message, at most ATTEMPTS times within `seconds`. Return what went wrong; None: it was taken.

    Only what may pass is tried again, and not before the server wants to be asked again.
    """
    until = time.monotonic() + seconds
    for attempt in range(1, ATTEMPTS + 1):
        answer = webhook.post("POST", url, body, MEDIA_TYPE)
        if answer.problem is None:
            return None
        wait = BACKOFF_SECONDS * 2 ** (attempt - 1) * random.uniform(0.5, 1.5)  # noqa: S311 -- no secret
        if answer.wait_seconds is not None:
            wait = answer.wait_seconds
        if not answer.may_pass or attempt == ATTEMPTS or time.monotonic() + wait >= until:
            tries = "" if attempt == 1 else f" at each of {attempt} attempts"
            return f"{answer.problem}{tries}"
        time.sleep(wait)
    raise AssertionError("the last attempt returns")
