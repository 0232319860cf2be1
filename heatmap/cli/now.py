"""The run's one clock: the system's, or the one the user pretends."""

from __future__ import annotations

from datetime import UTC, datetime

from heatmap.errors import UsageError

YEARS = range(1970, 9999)  # with a day to spare on either side, in every zone


def parse_now(text: str | None) -> datetime:
    """Return the time that `text` tells, in ISO 8601 with its offset; the system's time where it is None.

    Raises UsageError for anything else: a time without an offset could mean two things.
    """
    if text is None:
        return datetime.now(UTC)
    try:
        now = datetime.fromisoformat(text)
    except ValueError as error:
        raise UsageError(f"--now {text!r} is no time: write it like 2026-11-20T11:30:00+05:30") from error
    if now.utcoffset() is None:
        raise UsageError(f"--now {text!r} does not tell its offset: add Z or one like +05:30")
    if now.year not in YEARS:
        raise UsageError(f"--now {text!r} is no time for a market: give a year of {YEARS[0]} to {YEARS[-1]}")
    return now
