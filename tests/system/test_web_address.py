"""An address that cannot be is refused wherever one is given, by a sentence that does not repeat it."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from heatmap.config import loader
from heatmap.errors import ConfigError
from heatmap.notify.alerts import webhooks
from heatmap.notify.alerts.options import AlertOptions
from heatmap.notify.monitoring import ping
from heatmap.notify.monitoring.options import MonitorOptions
from heatmap.system.web_address import is_web_address

PUBLISH = '[[publish]]\nurl = "{}"'
MARKET = '[[market]]\nname = "nse-fno"\n[market.source]\n'
# Each key that holds an address, with the scheme that it needs and a path.
KEYS = {
    "public_url": ("https", "/heatmap/", 'public_url = "{}"'),
    "chart_url": ("https", "/{{symbol}}", '[page]\nchart_url = "{}"'),
    "base_url": ("https", "", f'{MARKET}type = "nse"\nbase_url = "{{}}"'),
    "base_url of the archive": ("https", "", f'{MARKET}type = "nse-archive"\nbase_url = "{{}}"'),
    "file": ("https", "/snapshot.json", f'{MARKET}type = "file"\nurl = "{{}}"'),
    "proxy": ("http", "", f'{MARKET}type = "nse"\nproxy = "{{}}"'),
    "endpoint_url": ("https", "", '[[publish]]\nurl = "s3://pages"\nendpoint_url = "{}"'),
    "history": ("postgresql", "/db", '[history]\nurl = "{}"'),
    **{scheme: (scheme, "/web", PUBLISH) for scheme in ("ftp", "ftps", "sftp", "s3")},
}
NO_PORT = ("s3",)  # of which the host is a bucket
PLACES = [
    "[::1",
    "::1]",
    "[::1]x",
    "[fe80::zz]",
    "[127.0.0.1]",
    "",
    ":443",
    "a..b",
    "\u2024",
    "a b",
    f"{'a' * 64}.org",
    "x\\y",
]
PORTS = ["h:0", "h:65536", "h:port", "h:-1", "h:\u0661", "h:80:80"]


def read(key: str, place: str) -> None:
    """Read a configuration with an address of that host and port."""
    scheme, path, table = KEYS[key]
    text = table.format(
        f"{scheme}://{place}{path}".replace("\\", "\\\\").replace("{{", "{").replace("}}", "}")
    )
    loader.read(tomllib.loads(text), base=Path("/nowhere"))


WRONG = [
    (key, place)
    for key in KEYS
    for place in (*PLACES, *PORTS)
    if key != "history" or place not in {"", ":443"}  # libpq has a host of its own
]


@pytest.mark.parametrize(("key", "place"), WRONG)
def test_what_cannot_be_an_address(key: str, place: str) -> None:
    """One sentence that names the key."""
    with pytest.raises(ConfigError) as caught:
        read(key, place)

    (problem,) = caught.value.problems[:1]
    assert "url" in problem or key in problem
    assert place not in problem or len(place) < 6


@pytest.mark.parametrize(
    "place",
    [
        "www.example.org",
        "www.example.org.",
        "localhost",
        "my_host",
        "192.0.2.1",
        "[2001:db8::1]",
        "b\u00fccher.example",
    ],
)
@pytest.mark.parametrize("key", KEYS)
def test_what_can_be_an_address(key: str, place: str) -> None:
    """Names, numbers and names of other alphabets, with and without a port."""
    read(key, place)
    if key not in NO_PORT:
        read(key, f"{place}:8443")


@pytest.mark.parametrize("key", ["public_url", "chart_url", "base_url", "file", "endpoint_url"])
def test_no_login_in_what_others_see(key: str) -> None:
    """A published address, and one that is sent as it is, names no user."""
    with pytest.raises(ConfigError):
        read(key, "me:canary@www.example.org")


@pytest.mark.parametrize("end", ["?a=b", "#x", "?"])
def test_pages_are_below_the_public_address(end: str) -> None:
    """A path after a query would be part of it."""
    with pytest.raises(ConfigError, match="without user, . and #"):
        loader.read({"public_url": f"https://www.example.org/{end}"}, base=Path("/nowhere"))


def test_several_hosts_of_a_database() -> None:
    """As libpq takes them: hosts in a list, the folder of a socket, or none."""
    for place in ("a:5432,b", "[::1]:5432,b", "%2Fvar%2Frun", "", ":5433"):
        read("history", place)
    for place in ("a,[::1", "a,b:99999"):
        with pytest.raises(ConfigError):
            read("history", place)


@pytest.mark.parametrize("place", ["[::1", "[::1]x", "a..b", "h:0", "h:99999", "256.1.1.1", "x y", "x\\y"])
def test_pings_and_web_hooks(monkeypatch: pytest.MonkeyPatch, place: str) -> None:
    """Their addresses come by a variable, and may hold a login."""
    monkeypatch.setenv("HOOK", f"https://{place}/canary")
    for read_address in (
        lambda: ping.read_address(MonitorOptions(ping_url_env="HOOK")),
        lambda: webhooks.read_address(AlertOptions(name="a", change_percent=1, url_env="HOOK")),
    ):
        with pytest.raises(ConfigError, match="HOOK holds no address") as caught:
            read_address()
        assert "canary" not in str(caught.value)
        monkeypatch.setenv("HOOK", "https://me:x@[2001:db8::1]:8443/canary?a=b")
        read_address()
        monkeypatch.setenv("HOOK", f"https://{place}/canary")


@pytest.mark.parametrize("url", ["https://1.2.3/", "https://0x.1/", "https://08/", "https://1.2.3.4.5/"])
def test_numbers_that_browsers_refuse(url: str) -> None:
    """A host whose last part is a number is one of four, or none."""
    assert not is_web_address(url)
