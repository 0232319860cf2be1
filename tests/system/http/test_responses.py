"""The meaning of a response follows from its status, headers and bytes alone."""

from __future__ import annotations

import gzip
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heatmap.errors import (
    SourceBlocked,
    SourceError,
    SourceNonsense,
    SourceOverloaded,
    SourceRenamed,
    SourceUntrusted,
)
from heatmap.system.http import responses
from heatmap.system.http.responses import RawResponse


def reply(status: int, **headers: str) -> RawResponse:
    """A reply without a body."""
    return RawResponse(status, {name.replace("_", "-"): value for name, value in headers.items()}, (), b"")


@pytest.mark.parametrize(
    ("status", "kind", "words"),
    [
        (401, SourceBlocked, "answered 401: it does not let this address in"),
        (403, SourceBlocked, "answered 403"),
        (421, SourceBlocked, "answered 421"),
        (451, SourceBlocked, "answered 451"),
        (404, SourceRenamed, "answered 404: there is nothing"),
        (410, SourceRenamed, "answered 410"),
        (407, SourceUntrusted, "the proxy refuses the login"),
        (408, SourceOverloaded, "answered 408: the server has trouble"),
        (429, SourceOverloaded, "answered 429: it was asked too often"),
        (500, SourceOverloaded, "answered 500: the server has trouble"),
        (503, SourceOverloaded, "answered 503"),
        (599, SourceOverloaded, "answered 599"),
        (204, SourceNonsense, "answered 204, where 200 was due"),
        (304, SourceNonsense, "answered 304, where 200 was due"),
        (400, SourceNonsense, "answered 400, where 200 was due"),
    ],
)
def test_status(status: int, kind: type[SourceError], words: str) -> None:
    """Each status has its class, its sentence, and is remembered."""
    with pytest.raises(SourceError, match=words) as caught:
        responses.raise_for_status(reply(status))
    assert kind is type(caught.value)
    assert caught.value.status == (None if status == 407 else status)


def test_well() -> None:
    """200 means nothing bad."""
    responses.raise_for_status(reply(200))


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry_after": "3"}, 3.0),
        ({"retry_after": " 21600 "}, 21_600.0),
        ({"retry_after": "0"}, 0.0),
        ({"retry_after": "9" * 500}, 604_800.0),
        (
            {
                "retry_after": "Thu, 17 Sep 2026 05:30:07 GMT",
                "date": "Thu, 17 Sep 2026 05:30:00 GMT",
            },
            7.0,
        ),
        (
            {
                "retry_after": "Thu, 17 Sep 2026 05:29:00 GMT",
                "date": "Thu, 17 Sep 2026 05:30:00 GMT",
            },
            0.0,
        ),
        ({"retry_after": "Thu, 17 Sep 2026 05:30:07 GMT"}, None),
        ({"retry_after": "Thu, 99 Sep 99999 05:30:07 GMT", "date": "x"}, None),
        ({"retry_after": "-3"}, None),
        ({"retry_after": "٣"}, None),
        ({"retry_after": "soon"}, None),
        ({}, None),
    ],
)
def test_wish(headers: dict[str, str], seconds: float | None) -> None:
    """Seconds are believed up to a week; a date counts from the server's own; anything else says nothing."""
    with pytest.raises(SourceOverloaded) as caught:
        responses.raise_for_status(reply(429, **headers))
    assert seconds == caught.value.retry_after_seconds


def test_wish_in_words() -> None:
    """The sentence says how long."""
    with pytest.raises(SourceOverloaded, match="answered 429 and asks to wait 21,600 seconds: "):
        responses.raise_for_status(reply(429, retry_after="21600"))


@pytest.mark.parametrize(
    ("old", "place", "target"),
    [
        ("https://a.example/x", "/y", "https://a.example/y"),
        ("https://a.example/x/y", "z?q=1", "https://a.example/x/z?q=1"),
        ("https://a.example/x", "https://www.a.example/y", "https://www.a.example/y"),
        ("https://a.example/x", "https://a.example:443/y", "https://a.example:443/y"),
        ("http://a.example/x", "https://a.example/x", "https://a.example/x"),
        ("http://127.0.0.1:8080/x", "/y", "http://127.0.0.1:8080/y"),
        ("http://[::1]:8080/x", "/y", "http://[::1]:8080/y"),
        ("https://a.example/x", "http://a.example/x", None),
        ("http://a.example/x", "/y", None),
        ("https://a.example/x", "https://b.example/x", None),
        ("https://a.example/x", "//b.example/x", None),
        ("https://a.example/x", "https://a.example.evil/x", None),
        ("https://a.example/x", "https://a.example@evil.example/x", None),
        ("https://a.example/x", "https://a.example:444/x", None),
        ("https://a.example/x", "file:///etc/passwd", None),
        ("https://a.example/x", "ftp://a.example/x", None),
        ("https://a.example/x", "javascript:alert(1)", None),
        ("https://a.example/x", "https://[::1", None),
        ("http://127.0.0.1:8080/x", "http://127.0.0.1:8081/x", None),
        ("http://localhost/x", "ftp://localhost/x", None),
    ],
)
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects(old: str, place: str, target: str | None, status: int) -> None:
    """They stay with the site and its port, and on https, but for this machine itself."""
    if target is not None:
        assert target == responses.find_redirect(old, reply(status, location=place))
        return
    with pytest.raises(SourceBlocked, match="redirects to another site, or off https"):
        responses.find_redirect(old, reply(status, location=place))


@pytest.mark.parametrize("answer", [reply(200, location="/y"), reply(302), reply(304, location="/y")])
def test_no_redirects(answer: RawResponse) -> None:
    """Without a place, or with another status, there is nowhere to go."""
    assert responses.find_redirect("https://a.example/x", answer) is None


def raw_deflate(body: bytes) -> bytes:
    """Deflate without a header, as some servers send it."""
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(body) + packer.flush()


@pytest.mark.parametrize(
    ("coding", "wire"),
    [
        ("", b"[1]"),
        ("identity", b"[1]"),
        (" GZIP ", gzip.compress(b"[1]", mtime=0)),
        ("x-gzip", gzip.compress(b"[1]", mtime=0)),
        ("deflate", zlib.compress(b"[1]")),
        ("deflate", raw_deflate(b"[1]")),
    ],
)
def test_unpacked(coding: str, wire: bytes) -> None:
    """Each coding that was asked for is understood."""
    assert responses.decompress(wire, coding, 3) == b"[1]"


@pytest.mark.parametrize(
    ("coding", "wire", "kind", "words"),
    [
        ("gzip", gzip.compress(b"x" * 101, mtime=0), SourceNonsense, "unpacks to more than 100 bytes"),
        ("", b"x" * 101, SourceNonsense, "unpacks to more than 100 bytes"),
        ("gzip", gzip.compress(b"x" * 99, mtime=0)[:-12], SourceError, "broke off"),
        ("gzip", b"not gzip", SourceError, "damaged"),
        ("br", b"?", SourceNonsense, "not asked for"),
        ("gzip, gzip", gzip.compress(gzip.compress(b"x", mtime=0), mtime=0), SourceNonsense, "not asked for"),
    ],
)
def test_not_unpacked(coding: str, wire: bytes, kind: type[SourceError], words: str) -> None:
    """Too large, cut, damaged, packed in a way that nobody asked for."""
    with pytest.raises(SourceError, match=words) as caught:
        responses.decompress(wire, coding, 100)
    assert kind is type(caught.value)


def test_shown() -> None:
    """An address in a message has no user, password, query or fragment."""
    assert (
        responses.redacted_url("https://me:pw@a.example:8443/x/y?token=1#f") == "https://a.example:8443/x/y"
    )
    assert responses.redacted_url("http://[::1") == "an address that cannot be read"


texts = st.text(max_size=40) | st.sampled_from(
    ["/y", "//b.example", "https://[::1", "Thu, 17 Sep 2026 05:30:07 GMT"]
)


@given(st.integers(0, 999), st.dictionaries(st.sampled_from(["location", "retry-after", "date"]), texts))
def test_any_reply(status: int, headers: dict[str, str]) -> None:
    """Any answer of a server means a place on the same site, nothing, or an error of ours."""
    answer = RawResponse(status, headers, (), b"")
    try:
        target = responses.find_redirect("https://a.example/x", answer)
        responses.raise_for_status(answer)
    except SourceError as error:
        wish = getattr(error, "retry_after_seconds", None)
        assert wish is None or 0 <= wish <= 604_800
        return
    assert status == 200
    assert target is None


@given(st.binary(max_size=60), st.sampled_from(["", "gzip", "deflate", "br", "gzip, gzip"]))
def test_any_bytes(wire: bytes, coding: str) -> None:
    """Any bytes give no more than the limit, or an error of ours."""
    try:
        assert len(responses.decompress(wire, coding, 30)) <= 30
    except SourceError:
        pass
