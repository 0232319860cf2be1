"""Sentences about FTP servers and their replies."""

from __future__ import annotations

import ftplib
import ssl

import pytest

from heatmap.errors import DeadlineError
from heatmap.publishers.ftp import messages


@pytest.mark.parametrize(
    ("greeting", "name"),
    [
        ("220 (vsFTPd 3.0.3)", "(vsFTPd 3.0.3)"),
        (
            "220---------- Welcome to Pure-FTPd [TLS] ----------\n220-You are 1.\n220 Bye",
            "Welcome to Pure-FTPd [TLS]",
        ),
        ("220-\n220-***\n220 Microsoft FTP Service", "Microsoft FTP Service"),
        ("220 \x1b[31mred\x07 \udce9", "[31mred"),
        ("220 " + "long " * 1000, ("long " * 12)),
        ("220 ", "no name"),
    ],
    ids=["vsftpd", "pure-ftpd", "iis", "unprintable", "long", "none"],
)
def test_the_name_a_server_gives_itself(greeting: str, name: str) -> None:
    """The first line that is not empty: printable, and no longer than a name."""
    description = messages.describe_server(
        greeting, tls=None, sizes=True, machine_lists=False, modes="no modes"
    )

    assert f'an FTP server that calls itself "{name}", no TLS, ' in description
    assert description.isprintable()


def test_a_secret_is_hidden_wherever_it_is_cut() -> None:
    """It is hidden before the text is shortened, and in the system's messages, too."""
    secret = "s3cret"
    for words in ("x" * 197 + secret, f"530 {secret}", secret):
        assert "s3c" not in messages.quote_reply(OSError(1, words), secret)
        assert "s3c" not in messages.quote_reply(ssl.SSLError(1, words), secret)
    assert "its reply holds the password" == messages.quote_reply(OSError(1, secret), secret)


@pytest.mark.parametrize(
    ("secret", "words"),
    [
        ("s", "530 Login refused."),
        ("canary", "530 CANARY is wrong."),
        ("%4 &/", "530 No such user: u:%254%20%26%2F"),
        ("%4 &/", "530 No such user: u:%254+%26%2F"),
        ("p\u00e4ss", "530 u:p%C3%A4ss"),
        ("p\u00e4ss", "530 p\u00c3\u00a4ss"),
        ("p\u00e4ss", "530 p\udce4ss"),
        ("p\u00e4ss", r"530 b'p\xc3\xa4ss'"),
        ('a "\\', r"""530 'a "\\'"""),
        ('a "b', '530 "a ""b"'),
        ("a  b", "530 a b"),
    ],
    ids=[
        "short",
        "case",
        "quoted",
        "plus",
        "quoted-utf-8",
        "misread",
        "latin-1",
        "bytes",
        "repr",
        "doubled",
        "spaces",
    ],
)
def test_words_that_hold_a_secret_are_withheld(secret: str, words: str) -> None:
    """The whole text is withheld, for any form of the secret: a gap would show it."""
    assert "its reply holds the password" == messages.quote_reply(ftplib.error_perm(words), secret)


def test_other_replies_are_quoted() -> None:
    """Replies without the secret are quoted, and our own texts always."""
    assert "530 No." == messages.quote_reply(ftplib.error_perm("530 No."), "s3cret")
    assert "530 No." == messages.quote_reply(ftplib.error_perm("530 No."), None)
    assert "530 No." == messages.quote_reply(ftplib.error_perm("530 No."), "")
    assert "the run is over" == messages.quote_reply(DeadlineError("the run is over"), "run")
