"""The circuit breaker: how long a source that blocks is left alone, so that no ban is prolonged. Pure."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

from heatmap.errors import SourceBlocked, SourceError, SourceNonsense, SourceOverloaded, SourcePassed

if TYPE_CHECKING:
    from collections.abc import Mapping

BLOCKS = 3  # this many in a row open the breaker
LONGEST_COOLDOWN_SECONDS = 60 * 60.0
LONGEST_RETRY_AFTER_SECONDS = 6 * 60 * 60.0  # the most of a Retry-After that counts


class BlockRecord(NamedTuple):
    """The blocks of one source: how many in a row, and the last of them."""

    consecutive: int = 0
    last_at: str | None = None  # ISO, aware; None: there was none
    retry_after_seconds: float | None = None  # the Retry-After of the last block; None: it had none


NONE = BlockRecord()
KEYS = ("in_a_row", "last_at", "wish_seconds")  # of the fields, in the state file


def record_attempt(record: BlockRecord, error: SourceError | None, now: datetime) -> BlockRecord:
    """Return the record after a fetch at `now`. `error` is the fetch's error; None: it gave quotes.

    A source that answers, even with nonsense, does not block. A network fault changes nothing.
    """
    if isinstance(error, SourceOverloaded):
        seconds = error.retry_after_seconds
        if seconds is None:
            return record
        return BlockRecord(record.consecutive + 1, now.astimezone(UTC).isoformat(), seconds)
    if isinstance(error, SourceBlocked):
        return BlockRecord(record.consecutive + 1, now.astimezone(UTC).isoformat())
    if error is None or isinstance(error, (SourceNonsense, SourcePassed)) or error.kind == "gated":
        return NONE
    return record


def cooldown_seconds(record: BlockRecord, interval_minutes: int) -> float:
    """Return how long the breaker stays open after the last block; 0 as long as there are too few blocks.

    It is twice the interval, doubled with each further block, up to an hour; or the server's Retry-After, up
    to six hours. It is never less than the interval, since there is no run in between.
    """
    if record.consecutive < BLOCKS:
        return 0.0
    if record.retry_after_seconds is not None and record.retry_after_seconds > 0:
        return min(record.retry_after_seconds, LONGEST_RETRY_AFTER_SECONDS)
    doubled = 2.0 * interval_minutes * 60 * 2.0 ** min(record.consecutive - BLOCKS, 10)
    return min(doubled, max(LONGEST_COOLDOWN_SECONDS, interval_minutes * 60.0))


def open_until(record: BlockRecord, interval_minutes: int, now: datetime) -> datetime | None:
    """Return until when the breaker is open, in UTC; None if the source may be fetched at `now`.

    A block in the future was recorded by a clock that has jumped since. It does not count: otherwise the
    breaker could stay open for longer than any cooldown.
    """
    if record.last_at is None:
        return None
    blocked_at = datetime.fromisoformat(record.last_at)
    until = blocked_at + timedelta(seconds=cooldown_seconds(record, interval_minutes))
    return until if blocked_at <= now < until else None


def to_plain(sources: Mapping[str, BlockRecord]) -> dict[str, dict[str, object]]:
    """Return the records of sources, by their labels, as the state file has them."""
    return {label: dict(zip(KEYS, record, strict=True)) for label, record in sorted(sources.items())}


def from_plain(document: object) -> dict[str, BlockRecord]:
    """Return the records that `to_plain` wrote.

    Records that cannot be used are left out: at the worst, one request too many follows.
    """
    records: dict[str, BlockRecord] = {}
    for label, values in document.items() if isinstance(document, dict) else ():
        try:
            consecutive, last_at, seconds = (values.get(key) for key in KEYS)
            is_aware = datetime.fromisoformat(last_at).utcoffset() is not None
            is_duration = seconds is None or (type(seconds) in (int, float) and seconds >= 0)
            if is_aware and is_duration and type(consecutive) is int and consecutive > 0:
                records[str(label)] = BlockRecord(consecutive, last_at, seconds)
        except (AttributeError, TypeError, ValueError):
            continue
    return records
