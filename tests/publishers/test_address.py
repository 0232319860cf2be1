"""Addresses of targets: what is understood, what is refused, and that a password is never repeated."""

from __future__ import annotations

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
    first, second = address.temporary("a/b.html"), address.temporary("a/b.html")

    assert first.startswith("a/.heatmap-")
    assert first.endswith(".tmp")
    assert first != second
