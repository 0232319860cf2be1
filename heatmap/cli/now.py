"""The clock of a run: the system's time, or the time of --now."""

from __future__ import annotations

from datetime import UTC, datetime

from heatmap.errors import UsageError

YEARS = range(1970, 9999)  # at least a day from the limits of datetime, in every zone


def parse_now(text: str | None) -> datetime:
    """Return the time in `text` (ISO 8601 with an offset), or the system's time if it is None.

    Raises UsageError for other texts. A time without an offset is ambiguous.
    """
    if text is None:
        return datetime.now(UTC)
    try:
        now = datetime.fromisoformat(text)
    except ValueError as error:
        raise UsageError(f"--now {text!r} is no time: write it like 2026-11-20T11:30:00+05:30") from error
    if now.utcoffset() is None:
        raise UsageError(f"--now {text!r} has no offset: add Z or one like +05:30")
    if now.year not in YEARS:
        raise UsageError(f"--now {text!r} is out of range: give a year from {YEARS[0]} to {YEARS[-1]}")
    return now
