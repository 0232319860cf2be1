"""How the replies of FTP servers are parsed."""

from __future__ import annotations

import pytest

from heatmap.publishers.ftp import replies


@pytest.mark.parametrize(
    ("reply", "folder"),
    [
        ('257 "/" is the current directory', "/"),
        ('257 "/srv/web" is "your" folder', "/srv/web"),
        ('257 "/a ""b"" c"', '/a "b" c'),
        ('257 """/a"""', '"/a"'),
        ('257-"/srv/web"\n257 done', "/srv/web"),
        ('257-Hello.\n257 "/srv/web"', "/srv/web"),
        ('257 there is rubbish all over "/srv/web"', "/srv/web"),
        ('257 "C:\\\\inetpub"', "C:\\\\inetpub"),
        ("257 /srv/web is the current directory", None),
        ('257 "/srv/web', None),
        ('257 "/srv/web"" is the current directory', None),
        ('257 "" is the current directory', None),
        ('257 "" or "/srv"', None),
        ('257 "/srv\nweb"', None),
        ('250 "/srv/web"', None),
        ("257", None),
        ("", None),
    ],
)
def test_a_folder_in_quotation_marks(reply: str, folder: str | None) -> None:
    """RFC 959, appendix II: those inside the name are doubled; what has no end is no name."""
    assert folder == replies.parse_quoted_folder(reply)


@pytest.mark.parametrize(
    ("reply", "folders"),
    [
        ("257 /srv/my web is here.", ["/srv/my web is here.", "/srv/my web is", "/srv/my web", "/srv/my"]),
        ("257 /srv/web", ["/srv/web"]),
        ("257 is current", []),
        ("257 ", []),
        ("550 /srv", []),
        ("257-\n257 /srv", []),
    ],
)
def test_folders_without_quotation_marks(reply: str, folders: list[str]) -> None:
    """All that it may mean."""
    assert folders == replies.parse_unquoted_folders(reply)


@pytest.mark.parametrize(
    ("reply", "size"),
    [
        ("213 0", 0),
        ("213 15039 ", 15039),
        ("213  7", 7),
        ("213 15039 bytes", None),
        ("213 -1", None),
        ("213 1_000", None),
        ("213 0x10", None),
        ("213 \u0663", None),
        ("213 1e3", None),
        ("213 ", None),
        ("213 " + "9" * 19, None),
        ("213-1\n213 2", None),
        ("250 12", None),
    ],
)
def test_size(reply: str, size: int | None) -> None:
    """A number in ASCII and nothing else (RFC 3659, section 4); the rest is no size, and no fault."""
    assert size == replies.parse_size(reply)


@pytest.mark.parametrize(
    ("reply", "features"),
    [
        (
            "211-Features:\n MLST type*;UNIX.mode;\n size\n UTF8\n211 End",
            {"MLST": "TYPE*;UNIX.MODE;", "SIZE": "", "UTF8": ""},
        ),
        ("211-Extensions\n211-MLSD\n211-SIZE\n211 End", {"MLSD": "", "SIZE": ""}),
        ("211-No MLSD here\n AUTH TLS\n211 MLSD", {"AUTH": "TLS"}),
        ("211 MLSD is not known", {}),
        ("211-\n\n \n211 End", {}),
        ("", {}),
    ],
    ids=["RFC 2389", "with codes", "words", "none", "empty lines", "nothing"],
)
def test_features(reply: str, features: dict[str, str]) -> None:
    """The features are between the first line and the last, one per line; the first word is the name."""
    assert features == replies.parse_features(reply)


@pytest.mark.parametrize(
    ("reply", "port"),
    [
        ("227 Entering Passive Mode (127,0,0,1,195,149).", 50069),
        ("227 Entering Passive Mode 127,0,0,1,195,149", 50069),
        ("227 =127,0,0,1,0,21", 21),
        ("227 Passive (127, 0, 0, 1, 195, 149)", 50069),
        ("227 (127,0,0,1,256,1)", None),
        ("227 (1000,0,0,1,195,149)", None),
        ("227 (127,0,0,1,0,0)", None),
        ("227 (127,0,0,1,195)", None),
        ("227 (127,0,0,1,-1,149)", None),
        ("227 Entering Passive Mode.", None),
        ("200 (127,0,0,1,195,149)", None),
    ],
)
def test_passive_port(reply: str, port: int | None) -> None:
    """With or without parentheses (RFC 1123, section 4.1.2.6); no number is beyond a byte, no port is 0."""
    assert port == replies.parse_passive_port(reply)


@pytest.mark.parametrize(
    ("reply", "port"),
    [
        ("229 Entering Extended Passive Mode (|||6446|)", 6446),
        ("229 (really) Extended (!!!6446!)", 6446),
        ("229 Extended (|1|127.0.0.1|6446|)", 6446),
        ("229 Extended (|2|::1|6446|)", 6446),
        ("229 Extended (|||65536|)", None),
        ("229 Extended (|||0|)", None),
        ("229 Extended (|||-1|)", None),
        ("229 Extended (||6446|)", None),
        ("229 Extended |||6446|", None),
        ("229 Extended", None),
        ("200 (|||6446|)", None),
    ],
)
def test_extended_passive_port(reply: str, port: int | None) -> None:
    """Between the delimiters of RFC 2428, whatever sign they are."""
    assert port == replies.parse_extended_passive_port(reply)
