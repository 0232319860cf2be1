"""How long to wait before another attempt."""

from __future__ import annotations


def backoff_seconds(first_seconds: float, attempt: int) -> float:
    """Return the wait after the failed attempt of this number, which counts from 1.

    The mean of the first wait is `first_seconds`, that of each later one twice that of the wait before. Each
    is between half and one and a half times its mean, by chance: so clients that failed together do not come
    back together.
    """
    from random import uniform

    return first_seconds * 2.0 ** (attempt - 1) * uniform(0.5, 1.5)  # noqa: S311 -- no secret
