"""A ping goes to the right address, contains no secret, and ends in time, whatever the server does."""

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


def test_the_requests() -> None:
    """Start and success are GETs; a failure is a POST with its reason; queries arrive."""
    with Hooks() as hooks:
        url = f"{hooks.url}/{SECRET}?create=1"

        problems = [
            ping.send(url, ping.START),
            ping.send(url, ping.SUCCESS),
            ping.send(url, ping.FAIL, "exit 75\nit broke – mend it".encode()),
        ]

    assert [None, None, None] == problems
    assert [
        ("GET", f"/{SECRET}/start?create=1"),
        ("GET", f"/{SECRET}?create=1"),
        ("POST", f"/{SECRET}/fail?create=1"),
    ] == hooks.requests
    assert "exit 75\nit broke – mend it" == hooks.calls[2].body.decode()
    assert "text/plain; charset=utf-8" == hooks.calls[2].headers["Content-Type"]


@pytest.mark.parametrize(
    ("manner", "message"),
    [("error", "was answered 500"), ("redirect", "302, a redirect"), ("rubbish", "reach")],
)
def test_a_server_that_answers_badly(manner: str, message: str) -> None:
    """There is one request, no redirect is followed, and the sentence does not repeat the address."""
    with Hooks(manner) as hooks:
        problem = ping.send(f"{hooks.url}/{SECRET}", ping.SUCCESS)

    assert problem is not None
    assert message in problem
    assert SECRET not in problem
    assert [("GET", f"/{SECRET}")] == hooks.requests


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:{port}/", "http://no.such.host.invalid/", "http://[::1]:{port}/"]
)
def test_a_server_that_is_not_there(url: str) -> None:
    """The port is closed, or the host is unknown: the problem is one sentence without the address."""
    problem = ping.send(url.format(port=free_port()) + SECRET, ping.SUCCESS)

    assert problem == "did not reach the server"


@pytest.mark.serial
@pytest.mark.parametrize("manner", ["hang", "drip"])
def test_a_server_that_never_ends_its_answer(manner: str) -> None:
    """The task is abandoned when its time is over."""
    with Hooks(manner) as hooks:
        started = time.monotonic()
        task = BackgroundTask(lambda: ping.send(f"{hooks.url}/{SECRET}", ping.SUCCESS))

        problem = task.wait(0.5)

        assert time.monotonic() - started < 2
    assert problem == "did not end in time"


def test_the_text_of_a_bug_in_a_task_is_hidden() -> None:
    """The text may contain the address: only the type is reported, and nothing is printed."""

    def work() -> None:
        raise KeyError(SECRET)

    assert BackgroundTask(work).wait(5) == "ended in a bug (KeyError)"


def test_the_reason_has_the_code_and_one_line_for_each_sentence() -> None:
    """Each problem of an error has its own line."""
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
    """Neither as plain text nor as in a URL; the text around it stays."""
    body = ping.describe_failure(75, [PublishError(f"ftp://me:{planted}@host: refused")], ["p@ss wörd/1", ""])

    assert b"exit 75\nftp://me:***@host: refused" == body


def test_the_reason_of_a_bug_is_its_type() -> None:
    """Its text may contain anything."""
    assert b"exit 70\na bug (ValueError): see the run's own output" == ping.describe_failure(
        70, [ValueError("canary")], []
    )


def test_the_reason_is_bounded() -> None:
    """At most 10,000 bytes of whole UTF-8 characters; text that UTF-8 cannot encode does no harm."""
    body = ping.describe_failure(75, [PublishError("ü" * 20_000)], [])
    odd = ping.describe_failure(75, [PublishError("file \udcff: gone")], [])

    assert 9_990 <= len(body) <= 10_000
    assert body.decode().startswith("exit 75\nüüü")
    assert odd == b"exit 75\nfile \\udcff: gone"


def test_the_address_is_read_from_its_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
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
def test_a_wrong_address_is_not_repeated(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    """The sentence names the variable and says what an address begins with."""
    monkeypatch.setenv("HEATMAP_PING_URL", value)

    with pytest.raises(ConfigError) as caught:
        ping.read_address(MonitorOptions(ping_url_env="HEATMAP_PING_URL"))

    assert "HEATMAP_PING_URL holds no address: it must begin with https:// or http:// and a host" == str(
        caught.value
    )
    assert SECRET not in repr(caught.value.__cause__) + repr(caught.value.__context__)


def test_the_message_for_a_missing_address_names_its_key(tmp_path: Path) -> None:
    """It does not speak of a password."""
    open_to_all = tmp_path / "ping-url"
    open_to_all.write_text("https://hc.example.org/x")
    open_to_all.chmod(0o644)

    for options, message in (
        (MonitorOptions(ping_url_env="NOT_SET_HERE"), "NOT_SET_HERE, which ping_url_env names, is not set"),
        (MonitorOptions(ping_url_file=open_to_all), "chmod 600"),
    ):
        with pytest.raises(ConfigError) as caught:
            ping.read_address(options)
        assert message in str(caught.value)
        assert "password_" not in str(caught.value)
