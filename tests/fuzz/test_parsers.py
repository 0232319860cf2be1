"""Every parser, with whatever may come: nothing but our own errors leaves it, and what it takes is sound."""

from __future__ import annotations

import time
import tracemalloc
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fuzz.damage import DEEP, damaged
from tests.fuzz.targets import TARGETS

# The same inputs at every call, so that no change fails for another one's reason; `guided` looks for new ones.
quick = settings(
    max_examples=40,
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
REFUSED = {"address": 1, "clock": 1}  # how many of the bodies to begin with are refused, by target
LONG = 100_000  # bytes
MOST_SECONDS = 3.0  # of CPU: what grows with the square of a body's length takes far more
MOST_BYTES_PER_BYTE = 200  # of memory: what grows with a body's length alone takes less
FROM_SERVERS = ("nse", "snapshot", "holidays", "web", "archive")  # whose answers nobody here has written
LONG_BODIES = {
    "brackets": b"[" * LONG,
    "braces": b'{"":' * (LONG // 4),
    "quotes": b'"' * LONG,
    "commas": b"," * LONG,
    "digits": b"1" * LONG,
    "spaces": b" " * LONG,
    "lines": b"\n" * LONG,
    "zeros": b"\0" * LONG,
    "slashes": b"/" * LONG,
    "dashes": b"-" * LONG,
    "letters": b"a" * LONG,
    "wide": "\U0001f600".encode() * (LONG // 4),
    "escapes": b'"' + b"\\ud800" * (LONG // 6) + b'"',
    "tags": b"<Code>" * (LONG // 6),
    "rows": b"[" + b"{}," * (LONG // 3) + b"{}]",
    "keys": b"a.b.c = 1\n" * (LONG // 10),
    "tables": b"[[closed]]\n" * (LONG // 11),
    "marks": b"# >>> holidays of 2027\n" * (LONG // 23),
    "headers": b"a: b\n" * (LONG // 5),
}
ODD_BODIES = {
    "nothing": b"",
    "BOM": b"\xef\xbb\xbf",
    "UTF-16": '{"a": 1}'.encode("utf-16"),
    "nesting": DEEP.encode(),
    "nested in an object": b'{"data": ' + DEEP.encode() + b', "CM": ' + DEEP.encode() + b"}",
    "5,000 digits": b"1" * 5000,
    "NaN": b'{"version": NaN, "markets": Infinity}',
    "version": b'{"version": 1e999}',
    "half a character": b'{"markets": {"\\ud800": {"published_at": "\\udfff"}}}',
    "null": b"null",
    "HTML": b"\n<!DOCTYPE html><title>Access Denied</title>",
    "PK": b"PK\x03\x04",
}


@pytest.mark.parametrize("name", TARGETS)
def test_good_bodies_are_understood(name: str) -> None:
    """The seeds of the fuzzer have the parser's form, but for a few that it refuses."""
    target = TARGETS[name]
    refused = [body for body in target.seeds() if isinstance(target.run(body), str) and name != "holidays"]

    assert REFUSED.get(name, 0) == len(refused) < len(target.seeds())


@pytest.mark.parametrize("name", ["state", "documents", "notes", "outcomes"])
def test_good_bodies_reach_every_field(name: str) -> None:
    """A field that no body fills in is never damaged either."""
    target = TARGETS[name]
    seen: dict[str, bool] = {}
    for body in target.seeds():
        _look_at_fields(target.run(body), seen)

    assert seen
    assert [] == [field for field, is_filled in seen.items() if not is_filled]


def _look_at_fields(value: Any, seen: dict[str, bool]) -> None:
    """Note of each field of each named tuple in `value` whether it ever has a value."""
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        for field, held in zip(value._fields, value, strict=True):
            name = f"{type(value).__name__}.{field}"
            seen[name] = seen.get(name, False) or held not in (None, (), "") and held != {}
    for held in (
        value.values() if isinstance(value, dict) else value if isinstance(value, list | tuple) else ()
    ):
        _look_at_fields(held, seen)


def test_good_bodies_reach_every_reader() -> None:
    """Where one target has several readers, each understands a body."""

    def made(name: str) -> list[Any]:
        return [TARGETS[name].run(body) for body in TARGETS[name].seeds()]

    reached = {
        "nap": any(first[0] for first, _, _ in made("kept")),
        "kept with a checksum": any(first[1] is not None for first, _, _ in made("kept")),
        "cookies": any(count for _, _, count in made("kept")),
        "last tick": any(found[0] for found, _ in made("documents")),
        "alerts": any(found[1] for found, _ in made("documents")),
        "archive's record": any(found[2] for found, _ in made("documents")),
        "a day": any(days[0] for days in made("days")),
        "a page of 0.2": any(days[1] for days in made("days")),
        "a day without a checksum of its own": any(days[2] for days in made("days")),
        "record of others": any(found[0] for found, _ in made("notes")),
        "days of others": any(found[2][0] is None and found[1] for found, _ in made("notes")),
        "pages of others": any(found[2][1] is None and found[1] for found, _ in made("notes")),
        "alerts of others": any(memory for _, memory in made("notes")),
        "outcomes": any(found for found, _, _ in made("outcomes")),
        "mark": any(mark for _, mark, _ in made("outcomes")),
        "outcomes of 0.2": any(kept for found, _, kept in made("outcomes") if not found),
    }

    assert [] == [name for name, is_reached in reached.items() if not is_reached]


@pytest.mark.slow
@pytest.mark.parametrize("name", TARGETS)
@quick
@given(chance=st.integers(0, 2**32 - 1).map(Random))
def test_damaged_bodies(name: str, chance: Random) -> None:
    """Values dropped, doubled, retyped or nested, words changed, bytes cut: sound or refused, and alike twice."""
    target = TARGETS[name]
    for _ in range(5):
        body = damaged(chance.choice(target.seeds()), chance)

        assert target.run(body) == target.run(body), body


@pytest.mark.parametrize("name", TARGETS)
@quick
@given(
    body=st.binary(max_size=300)
    | st.text(max_size=200).map(lambda text: text.encode("utf-8", "surrogatepass"))
)
def test_any_bytes(name: str, body: bytes) -> None:
    """Bytes or text without any form."""
    TARGETS[name].run(body)


@pytest.mark.parametrize("body", ODD_BODIES.values(), ids=ODD_BODIES)
@pytest.mark.parametrize("name", TARGETS)
def test_odd_bodies(name: str, body: bytes) -> None:
    """Bodies that other programs have stumbled over."""
    TARGETS[name].run(body)


@pytest.mark.slow
@pytest.mark.parametrize("name", TARGETS)
def test_long_bodies_take_bounded_time(name: str) -> None:
    """A body of any one thing over and over costs what its length does, not its length's square."""
    for kind, body in LONG_BODIES.items():
        begun = time.process_time()

        TARGETS[name].run(body)

        assert time.process_time() - begun < MOST_SECONDS, kind


@pytest.mark.parametrize("name", FROM_SERVERS)
def test_long_bodies_take_bounded_memory(name: str) -> None:
    """Nobody can fill this machine's memory by an answer of a size that is still taken."""
    for kind, body in LONG_BODIES.items():
        tracemalloc.start()
        try:
            TARGETS[name].run(body)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()

        assert peak < MOST_BYTES_PER_BYTE * LONG, kind
