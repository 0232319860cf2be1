"""Cookies: whose they are, how long they stay, and what a file may hold that is none of ours."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heatmap.system.http.cookies import KEPT_SECONDS, MOST_COOKIES, Cookies

SITE = "https://www.a.example/x/y"


def row(**changes: Any) -> dict[str, Any]:
    """One cookie as it is kept."""
    return {
        "name": "a",
        "value": "1",
        "domain": "www.a.example",
        "path": "/",
        "secure": False,
        "expires": None,
        **changes,
    }


def write(file: Path, *rows: Any, age: float = 60) -> None:
    """Write a file as it is kept."""
    file.write_text(json.dumps({"kept_at": int(time.time() - age), "cookies": [*rows]}))


def test_taken_and_sent() -> None:
    """A cookie goes back to the same site and path, and to no other."""
    cookies = Cookies()
    cookies.take(
        SITE, ["a=1; Path=/", "b=2; Path=/api", "c=3; Domain=.a.example; Path=/", "d=4; Secure; Path=/"]
    )
    assert cookies.header(SITE) in ("c=3; a=1; d=4", "a=1; d=4; c=3")
    assert "b=2" in (cookies.header("https://www.a.example/api/z") or "")
    assert cookies.header("https://other.a.example/") == "c=3"
    assert cookies.header("https://b.example/") is None
    assert "d=4" not in (cookies.header("http://www.a.example/") or "")


def test_of_another_site() -> None:
    """A site sets no cookies for others, and no more than there is room for."""
    cookies = Cookies()
    cookies.take(SITE, ["a=1; Domain=b.example", "b=2; Domain=.example", "c=" + "x" * 5000, "d=\r\nX: y"])
    assert len(cookies) == 0
    cookies.take(SITE, [f"k{number}=1" for number in range(200)])
    assert len(cookies) == MOST_COOKIES


def test_kept(tmp_path: Path) -> None:
    """They are kept between runs, in a file that only its owner can read."""
    file = tmp_path / "sources/nse-fno-1/cookies.json"
    cookies = Cookies(file)
    cookies.take(SITE, ["a=1; Path=/", "b=2; Path=/; Max-Age=3600"])
    cookies.save()
    assert 0o600 == file.stat().st_mode & 0o777
    assert ["cookies.json"] == os.listdir(file.parent)
    again = Cookies(file)
    assert {"a=1", "b=2"} == set((again.header(SITE) or "").split("; "))
    again.clear()
    assert (0, False) == (len(again), file.exists())


def test_expired(tmp_path: Path) -> None:
    """Neither a cookie's own end nor the longest time that any is kept is overstepped; nor is the future believed."""
    file = tmp_path / "cookies.json"
    now = int(time.time())
    write(file, row(name="old", expires=now - 1), row(name="new", expires=now + 60))
    assert Cookies(file).header(SITE) == "new=1"
    for age in (KEPT_SECONDS + 60, -3600):
        write(file, row(), age=age)
        assert len(Cookies(file)) == 0
    cookies = Cookies()
    cookies.take(SITE, ["a=1"])
    cookies.take(SITE, ["a=1; Max-Age=0"])
    assert cookies.header(SITE) is None


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"{}",
        b"\xff",
        b'{"kept_at": "x", "cookies": []}',
        b'{"kept_at": 1e999, "cookies": []}',
        b"[" * 100_000,
        json.dumps({"kept_at": int(time.time()), "cookies": [7, None]}).encode(),
        json.dumps({"kept_at": int(time.time()), "cookies": [row(value="a\r\nX: y")]}).encode(),
        json.dumps({"kept_at": int(time.time()), "cookies": [row(value=None)]}).encode(),
        json.dumps({"kept_at": int(time.time()), "cookies": [row(expires="soon")]}).encode(),
        json.dumps({"kept_at": int(time.time()), "cookies": [row(expires=float("inf"))]}).encode(),
        json.dumps({"kept_at": int(time.time()), "cookies": {"a": 1}}).encode(),
        json.dumps({"kept_at": int(time.time()), "cookies": [row(value="x" * 5000)]}).encode(),
    ],
    ids=lambda content: repr(content[:12]),
)
def test_damaged_file(tmp_path: Path, content: bytes) -> None:
    """A file that is damaged, or is another's, costs a visit and nothing else."""
    file = tmp_path / "cookies.json"
    file.write_bytes(content)
    assert len(Cookies(file)) == 0


def test_no_room(tmp_path: Path) -> None:
    """Where the file cannot be written, nothing is kept and nothing is said."""
    (tmp_path / "sources").write_text("a file where a folder was due")
    cookies = Cookies(tmp_path / "sources/cookies.json")
    cookies.take(SITE, ["a=1"])
    cookies.save()
    cookies.clear()
    assert (tmp_path / "sources").read_text() == "a file where a folder was due"


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


@given(st.sampled_from(sorted(row())), json_values)
def test_anything_in_a_row(tmp_path_factory: pytest.TempPathFactory, key: str, value: Any) -> None:
    """Any row of the file is a cookie that fits in one line, or none."""
    file = tmp_path_factory.getbasetemp() / "fuzzed.json"
    write(file, row(**{key: value}), row(name="b"))
    header = Cookies(file).header("https://www.a.example/") or ""
    assert header.isascii()
    assert header.isprintable()


@given(st.lists(st.text(max_size=40) | st.just("a=1; Max-Age=9; Domain=.a.example"), max_size=4))
def test_anything_set(received: list[str]) -> None:
    """Any cookie of an answer goes back as one line."""
    cookies = Cookies()
    cookies.take(SITE, received)
    assert (cookies.header(SITE) or "").isprintable()
