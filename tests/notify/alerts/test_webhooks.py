"""A message reaches its web hook, is retried only if that can help, and ends in time."""

from __future__ import annotations

import time

import pytest

from heatmap.notify.alerts import webhooks
from heatmap.system.background import BackgroundTask
from heatmap.system.http import webhook
from tests.servers.hooks import Hooks
from tests.servers.process import free_port

SECRET = "T000/B000/canary"
LIMIT_SECONDS = 10.0


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhooks, "BACKOFF_SECONDS", 0.01)


def test_the_request() -> None:
    """One POST of JSON to exactly this address."""
    with Hooks() as hooks:
        assert webhooks.deliver(f"{hooks.url}/{SECRET}?a=b", b'{"text": "x"}', LIMIT_SECONDS) is None

    assert [("POST", f"/{SECRET}?a=b")] == hooks.requests
    assert b'{"text": "x"}' == hooks.calls[0].body
    assert "application/json; charset=utf-8" == hooks.calls[0].headers["Content-Type"]


@pytest.mark.parametrize(
    ("first", "manner", "calls", "problem"),
    [
        (("error",), "ok", 2, None),
        (("error", "error"), "ok", 3, None),
        ((), "error", 3, "was answered 500 at each of 3 attempts"),
        (("rubbish",), "ok", 2, None),
        ((), "refuse", 1, "was answered 404"),
        ((), "redirect", 1, "was answered 302, a redirect, which is not followed: correct the address"),
    ],
)
def test_retries(first: tuple[str, ...], manner: str, calls: int, problem: str | None) -> None:
    """A failure of the server is retried; a refusal is not."""
    with Hooks(manner, first=first) as hooks:
        answer = webhooks.deliver(f"{hooks.url}/{SECRET}", b"{}", LIMIT_SECONDS)

    assert problem == answer
    assert calls == len(hooks.calls)


def test_a_server_that_asks_for_a_wait() -> None:
    """After 429 the message is retried, but not before the server's wait is over."""
    with Hooks(first=("throttle",), retry_after="1") as hooks:
        assert webhooks.deliver(hooks.url, b"{}", LIMIT_SECONDS) is None

    assert 1.0 <= hooks.times[1] - hooks.times[0] < 5


@pytest.mark.parametrize("retry_after", ["3600", "9" * 40])
def test_a_wait_that_is_longer_than_the_run(retry_after: str) -> None:
    """The run neither waits that long nor ignores the wait: the next run sends the message."""
    with Hooks("throttle", retry_after=retry_after) as hooks:
        started = time.monotonic()
        answer = webhooks.deliver(hooks.url, b"{}", LIMIT_SECONDS)

        assert time.monotonic() - started < 5
    assert "was answered 429" == answer
    assert 1 == len(hooks.calls)


@pytest.mark.parametrize("retry_after", ["", "-1", "1.5", "soon", "Thu, 17 Sep 2026 05:30:00 GMT", "²"])
def test_a_wait_that_is_no_number(retry_after: str) -> None:
    """The value is ignored, and the usual wait is used."""
    with Hooks(first=("throttle", "throttle"), retry_after=retry_after) as hooks:
        assert webhook.WebhookResponse("was answered 429", may_pass=True) == webhook.post(
            "POST", hooks.url, b"{}"
        )
        assert webhooks.deliver(hooks.url, b"{}", LIMIT_SECONDS) is None


@pytest.mark.parametrize("url", ["http://127.0.0.1:{port}/", "http://no.such.host.invalid/"])
def test_a_server_that_is_not_there(url: str) -> None:
    """The problem is one sentence without the address."""
    answer = webhooks.deliver(url.format(port=free_port()) + SECRET, b"{}", LIMIT_SECONDS)

    assert answer == "did not reach the server at each of 3 attempts"


@pytest.mark.serial
@pytest.mark.parametrize("manner", ["hang", "drip"])
def test_a_server_that_never_ends_its_answer(manner: str) -> None:
    """The post is abandoned when its time is over."""
    with Hooks(manner) as hooks:
        started = time.monotonic()
        post = BackgroundTask(lambda: webhooks.deliver(hooks.url, b"{}", 0.5), 0.5)

        assert "did not end in time" == post.wait(60)
        assert time.monotonic() - started < 3
