"""Compares this machine's clock with a server's clock, and both with the time of the figures. Pure."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

TOLERANCE = timedelta(minutes=2)  # for the length of a run, and for two clocks that are well set
FUTURE_TOLERANCE = timedelta(minutes=5)  # how far a source's figures may be ahead of a right clock
ONE_DAY = timedelta(days=1)
YEARS = range(1970, 9000)  # of a clock: times in these years exist in every time zone
LONGEST_AGE_SECONDS = 24 * 3600


def read_offset(headers: Mapping[str, str], now: datetime) -> timedelta | None:
    """Return how far a server's clock is ahead of `now`, which is this machine's clock at the response.

    None if the response has no time. `headers` have names in lower case. A cache adds the response's Age
    (RFC 9111, 5.1). Some caches keep the Date of the origin, others set their own. So the server's time is
    Date at the earliest and Date + Age at the latest. Of these times, the nearest to `now` counts.
    """
    from email.utils import parsedate_to_datetime

    try:
        date = parsedate_to_datetime(headers.get("date", ""))
        date = date.replace(tzinfo=UTC) if date.utcoffset() is None else date
        offset = date - now if date.year in YEARS else None
    except (ValueError, TypeError, OverflowError):
        return None
    if offset is None:
        return None
    age = headers.get("age", "").strip()
    seconds = min(int(age[:10]), LONGEST_AGE_SECONDS) if age.isascii() and age.isdigit() else 0
    return max(offset, min(offset + timedelta(seconds=seconds), timedelta(0)))


def correct(now: datetime, offset: timedelta | None, as_of: datetime) -> datetime:
    """Return the time that a run uses: `now`, or that of the source's clock, which is `offset` ahead.

    If the two clocks differ, the earlier one counts, so that nothing is called final too early. But figures
    that are later than this clock prove it wrong. Then the later clock counts, if it is near to the figures.
    """
    if offset is None or abs(offset) <= TOLERANCE:
        return now
    other = now + offset
    if as_of <= min(now, other) + FUTURE_TOLERANCE:
        return min(now, other)
    return other if other > now and _is_near(as_of, other) else now


def find_difference(now: datetime, offset: timedelta | None, as_of: datetime) -> timedelta | None:
    """Return how far the source's clock is ahead, if this machine's clock may be wrong; None if it is not.

    This machine's clock counts as right if the figures confirm it or prove the source's clock wrong, or if
    the source's clock is off by days and no figures confirm it.
    """
    if offset is None or abs(offset) <= TOLERANCE:
        return None
    other = now + offset
    if other < now:
        return offset if as_of <= other + FUTURE_TOLERANCE else None
    if as_of > now + FUTURE_TOLERANCE:
        return offset if _is_near(as_of, other) else None
    return offset if offset < ONE_DAY and as_of < now - FUTURE_TOLERANCE else None


def describe(difference: timedelta) -> str:
    """Return a sentence on this machine's clock; `difference`: how far the source's is ahead of it."""
    behind = "behind" if difference > timedelta(0) else "ahead of"
    return (
        f"this machine's clock is {_format_length(abs(difference))} {behind} that of the server that gave "
        "the figures: set it right, and let the system keep it so (NTP)"
    )


def _is_near(as_of: datetime, moment: datetime) -> bool:
    return moment - ONE_DAY <= as_of <= moment + FUTURE_TOLERANCE


def _format_length(length: timedelta) -> str:
    minutes = round(length / timedelta(minutes=1))
    if minutes < 120:
        return f"{minutes} minutes"
    hours = round(length / timedelta(hours=1), 1)
    return f"{hours:g} hours" if hours < 48 else f"{round(length / ONE_DAY):,} days"
