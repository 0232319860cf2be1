"""Addresses of targets: what is understood, what is refused, and that a password is never repeated."""

from __future__ import annotations

import time

import pytest

from heatmap.errors import ConfigError
from heatmap.publishers import address


@pytest.mark.parametrize(
    ("url", "folder"),
    [
        ("ftp://a@h/web/heat/", "web/heat"),
        ("ftp://a@h//srv/web", "/srv/web"),
        ("ftp://a@h", ""),
        ("ftp://a@h//", "/"),
        ("ftp://a@h/my%20site", "my site"),
    ],
)
def test_folders(url: str, folder: str) -> None:
    """A folder is relative to the login folder unless it begins with two slashes."""
    assert folder == address.parse(url).folder


@pytest.mark.parametrize(
    "url",
    [
        "ftp://a:canary@h/web",
        "ftp:///web",
        "ftp://a@h:99999/web",
        "ftp://a@h:0/web",
        "ftp://a@h:port/web",
        "ftp://a@h/web?x=canary",
        "ftp://a@h/web#x",
        "ftp://a@h/web%0d%0aDELE x",
        "ftp://a%0a@h/web",
        "ftp://a@h/web\r\nDELE x",
        "ftp://a@-oProxyCommand=x/web",
        "ftp://a@h/../web",
        "ftp://a@h/%ff",
    ],
)
def test_what_cannot_be(url: str) -> None:
    """Each is a ConfigError that repeats nothing of the address."""
    with pytest.raises(ConfigError) as caught:
        address.parse(url)

    assert "canary" not in str(caught.value)


def test_temporary_names() -> None:
    """They are in the target's folder, hidden, known as ours, and never the same."""
    first, second = address.make_temporary_name("a/b.html"), address.make_temporary_name("a/b.html")

    assert first.startswith("a/.heatmap-")
    assert first.endswith(".tmp")
    assert first != second


NOW = 0x6B000000
HOUR = 3600


@pytest.mark.parametrize(
    ("name", "stale"),
    [
        (f".heatmap-{NOW - HOUR - 1:08x}-0123456789abcdef.tmp", True),
        (f".heatmap-{NOW - HOUR + 1:08x}-0123456789abcdef.tmp", False),
        (
            f".heatmap-{NOW + HOUR:08x}-0123456789abcdef.tmp",
            False,
        ),  # a clock was ahead: not before it is over
        (f".heatmap-{1:08x}-0123456789abcdef.probe", True),
        (f".heatmap-{1:08x}-0123456789abcdef.tmp.1", True),
        (f".in..heatmap-{1:08x}-0123456789abcdef.tmp.", True),
        (f"heatmap-{1:08x}-0123456789abcdef.probe.txt", True),
        (f"heatmap-{NOW - HOUR + 1:08x}-0123456789abcdef.probe.txt", False),
        (f"heatmap-{1:08x}-0123456789abcdef.txt", False),
        (f"heatmap-{1:08x}-0123456789abcdef.tmp", False),
        (f".heatmap-{1:08x}-0123456789abcdef.tmp.old", False),
        (f".heatmap-{1:08x}-0123456789abcdef.html", False),
        (f".heatmap-{1:08x}-0123456789ABCDEF.tmp", False),
        (f"x.heatmap-{1:08x}-0123456789abcdef.tmp", False),
        (f".heatmap-{1:08x}-0123456789abcdef.tmp\n", False),
        (f"a/.heatmap-{1:08x}-0123456789abcdef.tmp", False),
        (".heatmap-0123456789abcdef.tmp", False),
        ("index.html", False),
        ("", False),
    ],
)
def test_what_is_swept(name: str, *, stale: bool) -> None:
    """Files of ours that are more than an hour old by their names, and nothing else, ever."""
    assert stale == address.is_stale(name, NOW)


def test_a_temporary_name_tells_its_age() -> None:
    """It is not stale now, and will be in little more than an hour."""
    name = address.make_temporary_name("a/b.html").removeprefix("a/")

    assert [False, True] == [address.is_stale(name, time.time() + HOUR + add) for add in (-10, 10)]


@pytest.mark.parametrize(
    ("path", "folder", "is_way"),
    [
        ("web", "web/heat", True),
        ("web/heat", "web/heat", True),
        ("web/heat/nse", "web/heat", False),
        ("we", "web", False),
        ("/srv", "/srv/web", True),
        ("web", "", False),
        ("web", "/", False),
    ],
)
def test_the_way_to_a_folder(path: str, folder: str, *, is_way: bool) -> None:
    """It is the folder itself and those above it."""
    assert is_way == address.is_same_or_parent(path, folder)


def test_a_name_for_visitors() -> None:
    """It is not hidden, for web servers keep hidden files back, and it is swept when it is old."""
    name = address.make_visible_probe_name()

    assert not name.startswith(".")
    assert address.is_stale(name, time.time() + HOUR + 10)
