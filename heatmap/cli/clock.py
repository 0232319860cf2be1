"""`--now`: the one clock of a run, the system's or one that is pretended."""

from __future__ import annotations

from datetime import UTC, datetime

from heatmap.errors import UsageError


def parse_now(text: str | None) -> datetime:
    """Return the moment that `text` names, in UTC; the system's clock where it is None.

    Raises UsageError for what is not ISO 8601 or does not say its offset from UTC.
    """
    if text is None:
        return datetime.now(UTC)
    try:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is not None:
            return moment.astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    message = f"--now must be a time with its offset, such as 2026-09-17T11:00:00+05:30, not {text!r}"
    raise UsageError(message)
