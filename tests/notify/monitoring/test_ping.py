"""A ping goes where it should, tells no secret, and ends whatever the server does."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from heatmap.errors import ConfigError, PublishError, SourceBlocked
from heatmap.notify.monitoring import ping
from heatmap.notify.monitoring.options import MonitorOptions
from heatmap.system.background import BackgroundTask
from tests.servers.hooks import Hooks
from tests.servers.process import free_port

SECRET = "5b3c0ffe-e000-4000-8000-canary"


@pytest.mark.parametrize(
    ("url", "event", "expected"),
    [
        ("https://hc.example.org/ab-12", "start", "https://hc.example.org/ab-12/start"),
        ("https://hc.example.org/ab-12", "", "https://hc.example.org/ab-12"),
        ("https://hc.example.org/ab-12/", "fail", "https://hc.example.org/ab-12/fail"),
        (
            "https://hc.example.org/key/slug?create=1&x=%2F",
            "fail",
            "https://hc.example.org/key/slug/fail?create=1&x=%2F",
        ),
        (
            "https://u:p@hc.example.org:8443/ping/a#top",
            "start",
            "https://u:p@hc.example.org:8443/ping/a/start",
        ),
    ],
)
def test_the_event_goes_after_the_path(url: str, event: str, expected: str) -> None:
    """A query, a port and a user stay as they are."""
    assert expected == ping.endpoint_url(url, event)


def test_what_the_server_hears() -> None:
    """Start and success are GETs; a failure is a POST with its reason; queries arrive."""
    with Hooks() as hooks:
        url = f"{hooks.url}/{SECRET}?create=1"

        answers = [
            ping.send(url, ping.START),
            ping.send(url, ping.SUCCESS),
            ping.send(url, ping.FAIL, "exit 75\nit broke – mend it".encode()),
        ]

    assert [None, None, None] == answers
    assert [
        ("GET", f"/{SECRET}/start?create=1"),
        ("GET", f"/{SECRET}?create=1"),
        ("POST", f"/{SECRET}/fail?create=1"),
    ] == hooks.told
    assert "exit 75\nit broke – mend it" == hooks.calls[2].body.decode()
    assert "text/plain; charset=utf-8" == hooks.calls[2].headers["Content-Type"]


@pytest.mark.parametrize(
    ("manner", "told"), [("error", "was answered 500"), ("redirect", "302, a redirect"), ("rubbish", "reach")]
)
def test_a_server_that_answers_badly(manner: str, told: str) -> None:
    """It is asked once, no redirect is followed, and the sentence does not repeat the address."""
    with Hooks(manner) as hooks:
        answer = ping.send(f"{hooks.url}/{SECRET}", ping.SUCCESS)

    assert answer is not None
    assert told in answer
    assert SECRET not in answer
    assert [("GET", f"/{SECRET}")] == hooks.told


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:{port}/", "http://no.such.host.invalid/", "http://[::1]:{port}/"]
)
def test_a_server_that_is_not_there(url: str) -> None:
    """Nobody listens, or the name is unknown: one sentence without the address."""
    answer = ping.send(url.format(port=free_port()) + SECRET, ping.SUCCESS)

    assert answer == "did not reach the server"


@pytest.mark.serial
@pytest.mark.parametrize("manner", ["hang", "drip"])
def test_a_server_that_does_not_come_to_an_end(manner: str) -> None:
    """The errand is left behind when the time given to it is over."""
    with Hooks(manner) as hooks:
        begun = time.monotonic()
        errand = BackgroundTask(lambda: ping.send(f"{hooks.url}/{SECRET}", ping.SUCCESS))

        answer = errand.wait(0.5)

        assert time.monotonic() - begun < 2
    assert answer == "did not end in time"


def test_an_errand_that_is_a_bug_keeps_its_text_to_itself() -> None:
    """What it raises may hold the address: only its kind is told, and nothing is printed."""

    def work() -> None:
        raise KeyError(SECRET)

    assert BackgroundTask(work).wait(5) == "ended in a bug (KeyError)"


def test_the_reason_is_the_code_and_a_sentence_a_line() -> None:
    """Several problems of one error stand on lines of their own."""
    errors = [
        SourceBlocked("nse-fno: www.example.org answered 403: ask elsewhere"),
        ConfigError(["one: mend it", "two: mend it too"]),
    ]

    assert (
        b"exit 75\nnse-fno: www.example.org answered 403: ask elsewhere\none: mend it\ntwo: mend it too"
    ) == ping.describe_failure(75, errors, [])


@pytest.mark.parametrize(
    "planted", ["p@ss wörd/1", "p%40ss%20w%C3%B6rd%2F1", "p%40ss%20w%C3%B6rd/1", "p%40ss+w%C3%B6rd%2F1"]
)
def test_no_secret_is_in_the_reason(planted: str) -> None:
    """Neither as it is nor as an address would have it; what stands around it stays."""
    body = ping.describe_failure(75, [PublishError(f"ftp://me:{planted}@host: refused")], ["p@ss wörd/1", ""])

    assert b"exit 75\nftp://me:***@host: refused" == body


def test_a_bug_tells_its_kind_alone() -> None:
    """Its text could hold anything."""
    assert b"exit 70\na bug (ValueError): see the run's own output" == ping.describe_failure(
        70, [ValueError("canary")], []
    )


def test_the_reason_is_bounded() -> None:
    """At most 10,000 bytes of whole UTF-8 characters; what no encoding knows does no harm."""
    body = ping.describe_failure(75, [PublishError("ü" * 20_000)], [])
    odd = ping.describe_failure(75, [PublishError("file \udcff: gone")], [])

    assert 9_990 <= len(body) <= 10_000
    assert body.decode().startswith("exit 75\nüüü")
    assert odd == b"exit 75\nfile \\udcff: gone"


def test_the_address_comes_from_where_it_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An environment variable, or a file that only its owner can read."""
    file = tmp_path / "ping-url"
    file.write_text("https://hc.example.org/from-a-file\n")
    file.chmod(0o600)
    monkeypatch.setenv("HEATMAP_PING_URL", "https://hc.example.org/from-the-environment")

    assert ping.read_address(MonitorOptions(ping_url_env="HEATMAP_PING_URL")).endswith(
        "/from-the-environment"
    )
    assert ping.read_address(MonitorOptions(ping_url_file=file)).endswith("-file")


@pytest.mark.parametrize("value", [SECRET, f"ftp://host/{SECRET}", f"https:///{SECRET}", f"https://h:x/{SECRET}", f"https://h/ {SECRET}", f"https://[h/{SECRET}"])  # fmt: skip
def test_what_is_no_address_is_not_repeated(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    """The sentence names the variable and says what an address begins with."""
    monkeypatch.setenv("HEATMAP_PING_URL", value)

    with pytest.raises(ConfigError) as caught:
        ping.read_address(MonitorOptions(ping_url_env="HEATMAP_PING_URL"))

    assert "HEATMAP_PING_URL holds no address: it must begin with https:// or http:// and a host" == str(
        caught.value
    )
    assert SECRET not in repr(caught.value.__cause__) + repr(caught.value.__context__)


def test_an_address_that_is_missing_is_told_of_by_its_own_key(tmp_path: Path) -> None:
    """Not as a password, which it is not."""
    open_to_all = tmp_path / "ping-url"
    open_to_all.write_text("https://hc.example.org/x")
    open_to_all.chmod(0o644)

    for options, told in (
        (MonitorOptions(ping_url_env="NOT_SET_HERE"), "NOT_SET_HERE, which ping_url_env names, is not set"),
        (MonitorOptions(ping_url_file=open_to_all), "chmod 600"),
    ):
        with pytest.raises(ConfigError) as caught:
            ping.read_address(options)
        assert told in str(caught.value)
        assert "password_" not in str(caught.value)
