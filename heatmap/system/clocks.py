"""Compares this machine's clock with that of a source's server, and both with the figures' own time. Pure."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

TOLERANCE = timedelta(minutes=2)  # a run's own length, and two clocks that are kept well
FUTURE_TOLERANCE = timedelta(minutes=5)  # how far a source's figures may run ahead of a clock that is right
ONE_DAY = timedelta(days=1)
YEARS = range(1970, 9000)  # of a clock: with a time beyond them nothing can be reckoned in every zone
LONGEST_AGE_SECONDS = 24 * 3600


def read_offset(headers: Mapping[str, str], now: datetime) -> timedelta | None:
    """Return by how much a server's clock is ahead of `now`, which is this machine's clock at the reply.

    None where it does not tell its time. `headers` have names in lower case. A cache that answers adds the
    answer's Age (RFC 9111, 5.1). Some caches leave the origin's Date as it was, others set their own. So the
    time is Date at the earliest and Date + Age at the latest; of these the one nearest to `now` counts.
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
    """Return the time that a run goes by: `now`, or that of the source's clock, which is `offset` ahead.

    Where the two differ, the earlier one counts: so nothing is called final too early. It is refuted by
    figures that are later still. Then the later clock counts, if it is not far from the figures.
    """
    if offset is None or abs(offset) <= TOLERANCE:
        return now
    other = now + offset
    if as_of <= min(now, other) + FUTURE_TOLERANCE:
        return min(now, other)
    return other if other > now and _is_near(as_of, other) else now


def find_difference(now: datetime, offset: timedelta | None, as_of: datetime) -> timedelta | None:
    """Return by how much the source's clock is ahead, if that is worth telling; None where it is not.

    It is not where the figures refute the source's clock or confirm this machine's, nor where the source's
    is off by days and no figures confirm it.
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
    """Return a sentence on this machine's clock; `difference` is by how much the source's is ahead of it."""
    behind = "behind" if difference > timedelta(0) else "ahead of"
    return (
        f"this machine's clock is {_in_words(abs(difference))} {behind} that of the server that gave the "
        "figures: set it right, and let the system keep it so (NTP)"
    )


def _is_near(as_of: datetime, moment: datetime) -> bool:
    return moment - ONE_DAY <= as_of <= moment + FUTURE_TOLERANCE


def _in_words(length: timedelta) -> str:
    minutes = round(length / timedelta(minutes=1))
    if minutes < 120:
        return f"{minutes} minutes"
    hours = round(length / timedelta(hours=1), 1)
    return f"{hours:g} hours" if hours < 48 else f"{round(length / ONE_DAY):,} days"
