"""Every parser, with whatever may come: nothing but our own errors leaves it, and what it takes is sound."""

from __future__ import annotations

import time
import tracemalloc
from random import Random

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
    """What fuzzing begins with is of the parser's form: at least one body of each is no refusal."""
    target = TARGETS[name]

    assert any(not isinstance(target.run(body), str) or name == "holidays" for body in target.seeds())


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
