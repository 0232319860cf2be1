"""How long a source that blocks is left alone, so that a ban is not prolonged. Pure."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

from heatmap.errors import SourceBlocked, SourceError, SourceNonsense, SourceOverloaded, SourcePassed

if TYPE_CHECKING:
    from collections.abc import Mapping

BLOCKS = 3  # in a row: then it opens
LONGEST_REST_SECONDS = 60 * 60.0
LONGEST_WISH_SECONDS = 6 * 60 * 60.0  # of what a server asks for with Retry-After


class BlockRecord(NamedTuple):
    """What is remembered of one source: how many blocks there were in a row, and the last of them."""

    in_a_row: int = 0
    last_at: str | None = None  # ISO, aware; None: there was none
    wish_seconds: float | None = None  # for how long the last one asked to be left alone; None: it did not


NONE = BlockRecord()


def record_attempt(blocks: BlockRecord, error: SourceError | None, now: datetime) -> BlockRecord:
    """Return what to remember of a source that was asked at `now`: `error` is what it came to, None: quotes.

    Whoever answers, with whatever nonsense, does not block. Trouble on the way proves neither.
    """
    if isinstance(error, SourceOverloaded):
        wish = error.retry_after_seconds
        if wish is None:
            return blocks
        return BlockRecord(blocks.in_a_row + 1, now.astimezone(UTC).isoformat(), wish)
    if isinstance(error, SourceBlocked):
        return BlockRecord(blocks.in_a_row + 1, now.astimezone(UTC).isoformat())
    if error is None or isinstance(error, (SourceNonsense, SourcePassed)) or error.kind == "gated":
        return NONE
    return blocks


def rest_seconds(blocks: BlockRecord, interval_minutes: int) -> float:
    """Return how long the source rests after its last block, 0 while there are too few of them.

    Twice the interval, doubled with each further block up to an hour; or what the server asks for, up to
    six hours. Never less than the interval, since nothing is asked in between.
    """
    if blocks.in_a_row < BLOCKS:
        return 0.0
    if blocks.wish_seconds is not None and blocks.wish_seconds > 0:
        return min(blocks.wish_seconds, LONGEST_WISH_SECONDS)
    doubled = 2.0 * interval_minutes * 60 * 2.0 ** min(blocks.in_a_row - BLOCKS, 10)
    return min(doubled, max(LONGEST_REST_SECONDS, interval_minutes * 60.0))


def open_until(blocks: BlockRecord, interval_minutes: int, now: datetime) -> datetime | None:
    """Return until when the source rests, in UTC; None where it may be asked at `now`.

    A block that is still to come was noted by a clock that has jumped since: it counts for nothing, or a
    rest could outlast its own length.
    """
    if blocks.last_at is None:
        return None
    blocked_at = datetime.fromisoformat(blocks.last_at)
    until = blocked_at + timedelta(seconds=rest_seconds(blocks, interval_minutes))
    return until if blocked_at <= now < until else None


def to_plain(sources: Mapping[str, BlockRecord]) -> dict[str, dict[str, object]]:
    """Return what is remembered of some sources, by their labels, as the state keeps it."""
    return {label: blocks._asdict() for label, blocks in sorted(sources.items())}


def from_plain(kept: object) -> dict[str, BlockRecord]:
    """Return what `to_plain` made; without what cannot be used: at the worst a request too many follows."""
    found: dict[str, BlockRecord] = {}
    for label, values in kept.items() if isinstance(kept, dict) else ():
        try:
            in_a_row, last_at, wish = (values.get(name) for name in BlockRecord._fields)
            is_aware = datetime.fromisoformat(last_at).utcoffset() is not None
            is_wish = wish is None or (type(wish) in (int, float) and wish >= 0)
            if is_aware and is_wish and type(in_a_row) is int and in_a_row > 0:
                found[str(label)] = BlockRecord(in_a_row, last_at, wish)
        except (AttributeError, TypeError, ValueError):
            continue
    return found
