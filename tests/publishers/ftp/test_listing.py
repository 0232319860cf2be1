"""How the lists of FTP servers are parsed."""

from __future__ import annotations

import pytest

from heatmap.publishers.ftp import listing


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
    assert names == listing.parse_names(lines)


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
def test_mlsd_names(line: str, names: list[str]) -> None:
    """MLSD's facts end at a semicolon and a space; the name follows (RFC 3659, section 7.2).

    Values with a space in them are proftpd's, where names of groups have one.
    """
    assert names == listing.parse_mlsd_names([line])


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
    """It is read from a long list of the usual form. In other lists it is unknown."""
    assert mode == listing.parse_mode(["total 8", line], "page")


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
def test_mlsd_mode(line: str, mode: str | None) -> None:
    """It is read from MLSD, if it is there, and returned in the form of the long list."""
    assert mode == listing.parse_mlsd_mode(["type=cdir;UNIX.mode=0755; .", line, ""], "page")
