"""What FTP servers' words are taken to mean."""

from __future__ import annotations

import ftplib
import ssl

import pytest

from heatmap.errors import DeadlineError
from heatmap.publishers.ftp import messages


@pytest.mark.parametrize(
    ("lines", "names"),
    [
        (["index.html", ".hidden", "a b"], ["index.html", ".hidden", "a b"]),
        ([".", "..", "x", ""], ["x"]),
        (["./x", "web/y", "/srv/web/z"], ["x", "y", "z"]),
        ([], []),
    ],
    ids=["bare", "the folder itself", "paths", "nothing"],
)
def test_names(lines: list[str], names: list[str]) -> None:
    """NLST answers with names or with paths."""
    assert names == messages.names(lines)


@pytest.mark.parametrize(
    ("line", "names"),
    [
        ("type=file;size=3;modify=20261121080000; index.html", ["index.html"]),
        ("Type=file;Size=3;  leading space", [" leading space"]),
        ("type=cdir;perm=flcdmpe; web", []),
        ("Type=pdir;Perm=el; ..", []),
        ("type=OS.unix=slink:/srv/web;size=1; link; with semicolons", ["link; with semicolons"]),
        ("type=file;UNIX.groupname=domain users;UNIX.mode=0644; index.html", ["index.html"]),
        ("UNIX.ownername=the web;UNIX.groupname=a b c; my page; 2.html", ["my page; 2.html"]),
        ("UNIX.groupname=a;x=;UNIX.mode=0644; ;index.html", [";index.html"]),
        ("type=file;size=3 index.html", ["index.html"]),
        ("type=file; a=b;c=d; e", ["a=b;c=d; e"]),
        (" a=b; c", ["a=b; c"]),
        ("media-type=cdir;type=file; page", ["page"]),
        ("X.type=pdir;type=file; page", ["page"]),
        ("type=file;type=cdir; page", ["page"]),
        ("type=file;index.html", []),
        (" no facts", ["no facts"]),
        ("", []),
    ],
)
def test_machine_names(line: str, names: list[str]) -> None:
    """MLSD's facts end at a semicolon and a space, and all behind is the name (RFC 3659, section 7.2).

    Values with a space in them are proftpd's, where names of groups have one.
    """
    assert names == messages.machine_names([line])


@pytest.mark.parametrize(
    ("line", "mode"),
    [
        ("-rw-------   1 ftp ftp  9000 Nov 21 08:30 page", "-rw-------"),
        ("-rw-r--r--+  1 ftp ftp  9000 Nov 21 08:30 page", "-rw-r--r--"),
        ("-rw-r--r--   1 ftp ftp  9000 Nov 21 08:30 another page", "-rw-r--r--"),
        ("-rw-------   1 ftp ftp  9000 Nov 21 08:30 frontpage", None),
        ("11-21-26  08:30AM                 9000 page", None),
    ],
    ids=["hidden", "with a list of rights", "ends like it", "other name", "IIS"],
)
def test_mode(line: str, mode: str | None) -> None:
    """It is read off the long list where that is of the usual form; no other answer is made up."""
    assert mode == messages.mode(["total 8", line], "page")


@pytest.mark.parametrize(
    ("line", "mode"),
    [
        ("modify=20261121080000;UNIX.mode=0600;type=file; page", "-rw-------"),
        ("type=file;unix.mode=0o644; page", "-rw-r--r--"),
        ("UNIX.mode=100640; page", "-rw-r-----"),
        ("UNIX.group=513;UNIX.groupname=domain users;UNIX.mode=0600; page", "-rw-------"),
        ("X.UNIX.mode=0644;type=file; page", None),
        ("type=file;UNIX.mode=0600; /srv/web/page", "-rw-------"),
        ("type=file;UNIX.mode=0600; a page", None),
        ("type=file;UNIX.mode=rw; page", None),
        ("type=file;size=3; page", None),
    ],
    ids=[
        "proftpd",
        "pyftpdlib",
        "with its kind",
        "group with a space",
        "another fact",
        "path",
        "other name",
        "nonsense",
        "untold",
    ],
)
def test_mode_for_machines(line: str, mode: str | None) -> None:
    """It is read off MLSD where that tells it, in the form of the long list."""
    assert mode == messages.machine_mode(["type=cdir;UNIX.mode=0755; .", line, ""], "page")


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
    """The first line that says something: printable, and no longer than a name is."""
    said = messages.description(greeting, tls=None, sizes=True, machine_lists=False, modes="no modes")

    assert f'an FTP server that calls itself "{name}", no TLS, ' in said
    assert said.isprintable()


def test_a_secret_is_hidden_wherever_it_is_cut() -> None:
    """Before the words are shortened, and in the system's words, too."""
    secret = "s3cret"
    for words in ("x" * 197 + secret, f"530 {secret}", secret):
        assert "s3c" not in messages.quote_reply(OSError(1, words), secret)
        assert "s3c" not in messages.quote_reply(ssl.SSLError(1, words), secret)
    assert "its words hold the password" == messages.quote_reply(OSError(1, secret), secret)


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
    """As a whole and in any form: what is left of a sentence gives the rest away."""
    assert "its words hold the password" == messages.quote_reply(ftplib.error_perm(words), secret)


def test_other_words_are_told() -> None:
    """Those without the secret, and ours, whatever it is."""
    assert "530 No." == messages.quote_reply(ftplib.error_perm("530 No."), "s3cret")
    assert "530 No." == messages.quote_reply(ftplib.error_perm("530 No."), None)
    assert "530 No." == messages.quote_reply(ftplib.error_perm("530 No."), "")
    assert "the run is over" == messages.quote_reply(DeadlineError("the run is over"), "run")
