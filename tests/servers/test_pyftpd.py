"""pyftpdlib shows the quirks that it is given, and else behaves: seen with the standard library's client."""

from __future__ import annotations

import ftplib
import io
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.servers.clients import SECONDS

pytestmark = pytest.mark.server
pyftpd: Any = pytest.importorskip(
    "tests.servers.pyftpd", reason="pyftpdlib is not here: pip install pyftpdlib"
)

PAGE = bytes(range(256)) * 400


@pytest.fixture
def login(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[tuple[Any, ftplib.FTP]]:
    """A server with the quirks of the test's parameter, an older file on it, and a login there."""
    with pyftpd.Pyftpd(tmp_path / "pyftpd", **request.param) as server, ftplib.FTP(timeout=SECONDS) as ftp:
        (server.root / "old").write_bytes(b"old")
        ftp.connect(server.host, server.port)
        ftp.login(server.user, server.password)
        yield server, ftp


def put(ftp: ftplib.FTP, name: str = "page") -> str:
    """Store the page; return the last reply."""
    return ftp.storbinary(f"STOR {name}", io.BytesIO(PAGE))


def files(server: Any) -> dict[str, bytes]:
    """Return what is stored."""
    return {file.name: file.read_bytes() for file in server.root.iterdir()}


@pytest.mark.parametrize("login", [{}], indirect=True)
def test_without_quirks(login: tuple[Any, ftplib.FTP]) -> None:
    """A file is stored and renamed over an older one."""
    server, ftp = login
    put(ftp)
    ftp.rename("page", "old")

    assert {"old": PAGE} == files(server)


@pytest.mark.parametrize(
    ("login", "reply"),
    [(pyftpd.IIS, "550 Cannot create a file"), (pyftpd.OLD_FILEZILLA, "553 file exists")],
    indirect=["login"],
)
def test_no_renaming_over_what_exists(login: tuple[Any, ftplib.FTP], reply: str) -> None:
    """The older file stays, the new one keeps its name, and may still be given one that is free."""
    server, ftp = login
    put(ftp)
    with pytest.raises(ftplib.error_perm, match=reply):
        ftp.rename("page", "old")
    assert {"old": b"old", "page": PAGE} == files(server)
    ftp.rename("page", "free")

    assert {"old": b"old", "free": PAGE} == files(server)


@pytest.mark.parametrize(
    ("login", "command"),
    [
        (pyftpd.NO_RENAMING, "RNFR old"),
        (pyftpd.NO_EPSV, "EPSV"),
        (pyftpd.NO_SIZE, "SIZE old"),
        (pyftpd.NO_CHMOD, "SITE CHMOD 644 old"),
        (pyftpd.OLD_FILEZILLA, "SITE CHMOD 644 old"),
        ({**pyftpd.IIS, **pyftpd.NO_EPSV}, "EPSV"),
    ],
    indirect=["login"],
)
def test_commands_that_it_does_not_know(login: tuple[Any, ftplib.FTP], command: str) -> None:
    """They are refused, and uploads go on."""
    server, ftp = login
    ftp.voidcmd("TYPE I")
    with pytest.raises(ftplib.error_perm, match="^50"):
        ftp.sendcmd(command)
    put(ftp)

    assert PAGE == files(server)["page"]


@pytest.mark.parametrize(
    ("login", "stored"),
    [(pyftpd.STORES_HALF, {"page": PAGE[: len(PAGE) // 2]}), (pyftpd.STORES_ELSEWHERE, {"page.1": PAGE})],
    indirect=["login"],
)
def test_a_226_that_is_not_true(login: tuple[Any, ftplib.FTP], stored: dict[str, bytes]) -> None:
    """The client is told that all is well; its next command is answered only after the harm is done."""
    server, ftp = login
    assert put(ftp).startswith("226")
    ftp.voidcmd("NOOP")

    assert {"old": b"old", **stored} == files(server)


@pytest.mark.parametrize("login", [pyftpd.MALFORMED_PASV], indirect=True)
def test_a_passive_answer_without_an_address(login: tuple[Any, ftplib.FTP]) -> None:
    """The client cannot know where to go; EPSV still works."""
    server, ftp = login
    with pytest.raises(ftplib.error_proto):
        put(ftp)
    ftp.af = socket.AF_INET6
    put(ftp)

    assert PAGE == files(server)["page"]
