"""The answers of `heatmap init` on targets, and the tables that they become."""

from __future__ import annotations

import builtins
import getpass
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from heatmap.cli import interview
from heatmap.cli.interview import Secret
from heatmap.cli.new_configuration import Answers, fill
from heatmap.config import loader
from tests.checkout import CHECKOUT

EXAMPLE = (CHECKOUT / "templates/heatmap.toml").read_text("utf-8")


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Give these answers, one after another; a secret is asked for in its own way."""

    def give(*typed: str, secret: str = "") -> None:
        lines: Iterator[str] = iter(typed)
        monkeypatch.setattr(builtins, "input", lambda _: next(lines))
        monkeypatch.setattr(getpass, "getpass", lambda _: secret)

    return give


@pytest.mark.parametrize(
    ("typed", "table", "secret"),
    [
        (["/var/www/my map"], {"url": "file:/var/www/my%20map"}, None),
        (["~/site"], {"url": "file:~/site"}, None),
        (["git+file:clone"], {"url": "git+file:clone"}, None),
        (
            ["FTPS://me@host/x", "1"],
            {"url": "FTPS://me@host/x", "password_file": "ftp-password"},
            Secret("ftp-password", "hunter2"),
        ),
        (
            ["ftps://host/x", "me", "3", "printf 'a b'"],
            {"url": "ftps://me@host/x", "password_command": ["printf", "a b"]},
            None,
        ),
        (["sftp://me@host/x", "1", ""], {"url": "sftp://me@host/x"}, None),
        (
            ["sftp://me@host/x", "2", "1"],
            {"url": "sftp://me@host/x", "password_file": "sftp-password"},
            Secret("sftp-password", "hunter2"),
        ),
        (
            ["s3://pages/x", "https://s3.example.org", "", "AKIA1", "1"],
            {
                "url": "s3://pages/x",
                "endpoint_url": "https://s3.example.org",
                "region": "us-east-1",
                "access_key_id": "AKIA1",
                "secret_access_key_file": "s3-key",
            },
            Secret("s3-key", "hunter2"),
        ),
        (
            ["s3://pages/x", "", "eu-central-1", "AKIA1", "2", ""],
            {
                "url": "s3://pages/x",
                "region": "eu-central-1",
                "access_key_id": "AKIA1",
                "secret_access_key_env": "AWS_SECRET_ACCESS_KEY",
            },
            None,
        ),
    ],
)
def test_each_kind_of_target(
    tmp_path: Path,
    answers: Callable[..., None],
    typed: list[str],
    table: dict[str, object],
    secret: Secret | None,
) -> None:
    """The interview asks for what the target needs; the table loads, and the secret is not in it."""
    answers(*typed, secret="hunter2")

    found = interview.ask_target(lambda _: False)

    assert (table, secret) == (found.table, found.secret)
    text = fill(EXAMPLE, Answers("T", "x", found.table, {"type": "recording"}))
    assert "hunter2" not in text
    (tmp_path / "heatmap.toml").write_text(text, "utf-8")
    assert 1 == len(loader.load(tmp_path / "heatmap.toml").publishers)


def test_another_index(answers: Callable[..., None]) -> None:
    """Its name becomes the market's, as a folder may be called."""
    answers("2", "NIFTY MIDCAP 100", "")

    found = interview.ask_market()

    assert ("NIFTY MIDCAP 100", "nifty-midcap-100", "NIFTY MIDCAP 100 heatmap") == (
        found.index,
        found.name,
        found.title,
    )


@pytest.mark.parametrize(
    ("typed", "url"),
    [
        ("", None),
        ("www.example.org/heatmap", "https://www.example.org/heatmap/"),
        ("http://192.0.2.1:8080", "http://192.0.2.1:8080/"),
        ("https://www.example.org/a/", "https://www.example.org/a/"),
    ],
)
def test_the_public_address(answers: Callable[..., None], typed: str, url: str | None) -> None:
    """With a scheme, and a slash at its end; without an answer there is none."""
    answers(typed)

    assert url == interview.ask_public_url()


@pytest.mark.parametrize(
    "typed", ["https://[::1", "[::1]x", "a..b", "https://h:99999/", "me:x@h.example", "https://h/?a"]
)
def test_a_public_address_that_cannot_be(answers: Callable[..., None], typed: str) -> None:
    """It is asked for again, and never written into a configuration."""
    answers(typed, "www.example.org")

    assert "https://www.example.org/" == interview.ask_public_url()
