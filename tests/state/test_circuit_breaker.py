"""How long a source that blocks is left alone."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heatmap.errors import (
    SourceBlocked,
    SourceEmpty,
    SourceError,
    SourceGated,
    SourceOverloaded,
    SourcePassed,
    SourceRenamed,
    SourceUntrusted,
)
from heatmap.state import circuit_breaker
from heatmap.state.circuit_breaker import NONE, BlockRecord

NOON = datetime(2026, 9, 17, 12, 0, tzinfo=UTC)
FIVE_MINUTES = 5


def asks_to_wait(seconds: float | None) -> SourceOverloaded:
    """The error of a server that has too much to do."""
    error = SourceOverloaded("too many")
    error.retry_after_seconds = seconds
    return error


def blocked(times: int, error: SourceError | None = None) -> BlockRecord:
    """The record after so many blocks in a row, the last at noon."""
    blocks = NONE
    for _ in range(times):
        blocks = circuit_breaker.record_attempt(blocks, error or SourceBlocked("no"), NOON)
    return blocks


@pytest.mark.parametrize(
    ("times", "minutes"), [(1, 0), (2, 0), (3, 10), (4, 20), (5, 40), (6, 60), (7, 60), (5000, 60)]
)
def test_the_rest_grows_from_the_third_block_on(times: int, minutes: int) -> None:
    """Two intervals, then twice as long after each further block, up to an hour."""
    assert minutes * 60 == circuit_breaker.cooldown_seconds(blocked(times), FIVE_MINUTES)


def test_who_is_asked_seldom_is_not_asked_more_often() -> None:
    """With an interval of two hours the rest is an interval, not an hour."""
    assert circuit_breaker.cooldown_seconds(blocked(3), 120) == 7200


@pytest.mark.parametrize(
    ("wish", "seconds"), [(900.0, 900), (21_600.0, 21_600), (86_400.0, 21_600), (0.0, 600)]
)
def test_a_server_may_say_for_how_long(wish: float, seconds: int) -> None:
    """The server's wish counts, up to six hours; a wish for no time is none."""
    assert seconds == circuit_breaker.cooldown_seconds(blocked(3, asks_to_wait(wish)), FIVE_MINUTES)


@pytest.mark.parametrize(
    "answer", [None, SourceRenamed("x"), SourceEmpty("x"), SourceGated("x"), SourcePassed("x")]
)
def test_it_closes_by_itself(answer: SourceError | None) -> None:
    """Any answer ends the row of blocks, even a useless one."""
    assert circuit_breaker.record_attempt(blocked(9), answer, NOON) == NONE


@pytest.mark.parametrize("answer", [SourceError("x"), SourceUntrusted("x"), asks_to_wait(None)])
def test_what_proves_nothing_changes_nothing(answer: SourceError) -> None:
    """A network that is down, and a server in trouble, are neither a block nor the end of one."""
    assert circuit_breaker.record_attempt(blocked(2), answer, NOON) == blocked(2)


def test_one_question_after_each_rest() -> None:
    """It is asked again as the rest ends, and not a second earlier."""
    blocks, end = blocked(3), NOON + timedelta(minutes=10)

    assert circuit_breaker.open_until(blocks, FIVE_MINUTES, end - timedelta(seconds=1)) == end
    assert circuit_breaker.open_until(blocks, FIVE_MINUTES, end) is None
    probed = circuit_breaker.record_attempt(blocks, SourceBlocked("no"), end)
    assert circuit_breaker.open_until(probed, FIVE_MINUTES, end) == end + timedelta(minutes=20)


@given(
    st.integers(0, 40),
    st.none() | st.floats(0, 1e7),
    st.integers(-400_000, 400_000),
    st.integers(1, 1440),
)
def test_no_rest_outlasts_its_length(times: int, wish: float | None, jump: int, interval: int) -> None:
    """A pause ends within its own length from now, also if the clock was set."""
    blocks = blocked(times, None if wish is None else asks_to_wait(wish))
    now = NOON + timedelta(minutes=jump)

    until = circuit_breaker.open_until(blocks, interval, now)

    longest = max(6 * 3600, interval * 60)
    assert until is None or 0 < (until - now).total_seconds() <= min(
        circuit_breaker.cooldown_seconds(blocks, interval), longest
    )


def test_it_is_kept_as_json() -> None:
    """The records survive their way through a file."""
    sources = {"nse": blocked(3), "file": blocked(4, asks_to_wait(60.0))}

    assert circuit_breaker.from_plain(json.loads(json.dumps(circuit_breaker.to_plain(sources)))) == sources


@pytest.mark.parametrize(
    "kept",
    [None, [], "x", {"nse": 3}, {"nse": {}}, {"nse": {"in_a_row": True, "last_at": NOON.isoformat()}},
     {"nse": {"in_a_row": 3, "last_at": "2026-09-17T12:00:00"}}, {"nse": {"in_a_row": 3, "last_at": 5}},
     {"nse": {"in_a_row": 3, "last_at": NOON.isoformat(), "wish_seconds": "long"}},
     {"nse": {"in_a_row": 3, "last_at": NOON.isoformat(), "wish_seconds": float("nan")}}],
)  # fmt: skip
def test_what_cannot_be_used_is_left_out(kept: object) -> None:
    """A state that somebody has changed by hand costs a request too many, not a run."""
    assert circuit_breaker.from_plain(kept) == {}
