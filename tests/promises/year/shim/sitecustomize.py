"""Makes `time.sleep` work under libfaketime, which refuses the absolute monotonic waits that Python asks for."""

import select
import time


def _sleep(seconds: float) -> None:
    if seconds < 0:
        raise ValueError("sleep length must be non-negative")
    select.select([], [], [], seconds)


time.sleep = _sleep
