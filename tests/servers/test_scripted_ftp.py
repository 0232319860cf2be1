"""The scripted FTP server behaves, and misbehaves, as it is told: seen with the standard library's client."""

from __future__ import annotations

import ftplib
import io
import socket
import ssl
import threading
from collections.abc import Callable

import pytest

from tests.servers.certificates import Certificate
from tests.servers.ftp_dialogue import Script
from tests.servers.proxy import FtpProxy
from tests.servers.scripted_ftp import Fault, ScriptedFtp

PAGE = bytes(range(256)) * 400
SECONDS = 5
SHORT_SECONDS = 0.2


def log_in(server: ScriptedFtp, timeout: float = SECONDS, ftp: ftplib.FTP | None = None) -> ftplib.FTP:
    """Return a login to it."""
    ftp = ftp or ftplib.FTP(timeout=timeout)
    try:
        ftp.connect("127.0.0.1", server.port, timeout=timeout)
        ftp.login(server.user, server.password)
    except BaseException:
        ftp.close()
        raise
    return ftp


def put(ftp: ftplib.FTP, name: str = "page") -> str:
    """Store the page; return the last reply."""
    return ftp.storbinary(f"STOR {name}", io.BytesIO(PAGE))


def test_a_whole_upload() -> None:
    """Folders, files, sizes, lists, modes and renaming over what exists."""
    with ScriptedFtp(files={"/web/index.html": b"old"}) as server, log_in(server) as ftp:
        assert "/web/new" == ftp.mkd("/web/new")
        ftp.cwd("web")
        assert "226 All done." == put(ftp, "été.tmp")
        assert len(PAGE) == ftp.size("été.tmp")
        assert "200 Mode changed." == ftp.sendcmd("SITE CHMOD 644 été.tmp")
        assert ["index.html", "new", "été.tmp"] == ftp.nlst()
        assert "250 Renamed." == ftp.rename("été.tmp", "index.html")
        listed = {name: facts["type"] for name, facts in ftp.mlsd("/web")}
        back = io.BytesIO()
        ftp.retrbinary("RETR /web/index.html", back.write)
        ftp.delete("index.html")
        assert "/web" == ftp.pwd()
        ftp.quit()

    assert {"index.html": "file", "new": "dir"} == listed
    assert PAGE == back.getvalue()
    assert {} == server.files
    assert {"/", "/web", "/web/new"} == server.folders
    assert 0o644 == server.modes["/web/index.html"]
    assert ["USER blogger", "PASS", "MKD /web/new", "CWD web", "TYPE I"] == server.commands[:5]
    assert ["DELE index.html", "PWD", "QUIT"] == server.commands[-3:]
    assert 1 == server.logins


@pytest.mark.parametrize(
    "act",
    [
        lambda ftp: ftp.cwd("nowhere"),
        lambda ftp: ftp.mkd("nowhere/new"),
        lambda ftp: ftp.mkd("web"),
        lambda ftp: ftp.delete("nothing"),
        lambda ftp: ftp.rename("nothing", "x"),
        lambda ftp: ftp.rename("web/a", "web"),
        lambda ftp: ftp.retrbinary("RETR nothing", print),
        lambda ftp: put(ftp, "nowhere/page"),
        lambda ftp: put(ftp, "web"),
        lambda ftp: ftp.size("web/a"),  # ASCII
        lambda ftp: ftp.sendcmd("FROB"),
    ],
)
def test_what_cannot_be_is_refused(act: Callable[[ftplib.FTP], object]) -> None:
    """As by any server, with the login going on."""
    with ScriptedFtp(files={"/web/a": b"x"}) as server, log_in(server) as ftp:
        with pytest.raises(ftplib.error_perm):
            act(ftp)
        assert "200 Nothing done." == ftp.sendcmd("NOOP")

    assert {"/web/a": b"x"} == server.files


def test_a_wrong_password() -> None:
    """It is refused, nothing is allowed, and the password is not kept."""
    with ScriptedFtp() as server, ftplib.FTP(timeout=SECONDS) as ftp:
        ftp.connect("127.0.0.1", server.port)
        with pytest.raises(ftplib.error_perm, match="530"):
            ftp.login("x", "secret-guess")
        with pytest.raises(ftplib.error_perm, match="530"):
            ftp.pwd()

    assert ["USER x", "PASS", "PWD", "QUIT"] == server.commands


@pytest.mark.parametrize(
    ("step", "reply", "act"),
    [
        ("STOR", "552 full", put),
        ("STORED", "452 full", put),
        ("RNTO", "553 no", lambda ftp: ftp.rename("a", "b")),
        ("RNFR", "500 what?", lambda ftp: ftp.rename("a", "b")),
        ("PASV", "421 too many", put),
        ("SIZE", "550 no", lambda ftp: ftp.size("a")),
    ],
)
def test_a_reply_in_the_place_of_a_step(step: str, reply: str, act: Callable[[ftplib.FTP], object]) -> None:
    """It is given instead of doing the step, so many times."""
    with ScriptedFtp({step: reply}, times=1, files={"/a": b"x"}) as server:
        with log_in(server) as ftp, pytest.raises(ftplib.Error, match=reply):
            act(ftp)
        with log_in(server) as ftp:
            ftp.voidcmd("TYPE I")
            act(ftp)


def test_refused_at_the_door() -> None:
    """421 instead of a greeting, then a second login that does well."""
    with ScriptedFtp({"GREETING": "421 Come back later."}, times=1) as server:
        with pytest.raises(ftplib.error_temp, match="421"):
            log_in(server)
        with log_in(server) as ftp:
            assert "/" == ftp.pwd()

    assert 2 == server.logins


@pytest.mark.parametrize("step", ["GREETING", "USER", "PASV", "STOR", "STORED", "RNFR", "QUIT"])
@pytest.mark.parametrize(
    ("fault", "seen"), [(Fault.SILENCE, TimeoutError), (Fault.HANG_UP, (EOFError, ConnectionError))]
)
def test_silence_and_hanging_up(
    step: str, fault: Fault, seen: type[Exception] | tuple[type[Exception], ...]
) -> None:
    """At any step, the step itself is not done."""
    with ScriptedFtp({step: fault}, files={"/a": b"x"}) as server:
        with pytest.raises(seen):
            ftp = log_in(server, SHORT_SECONDS)
            with ftp:
                put(ftp)
                ftp.rename("a", "b")
                ftp.voidcmd("QUIT")
        assert ("/b" in server.files) == (step == "QUIT")


def test_an_endless_greeting() -> None:
    """Line after line, as long as somebody listens."""
    with ScriptedFtp({"GREETING": Fault.ENDLESS}) as server:
        with socket.create_connection(("127.0.0.1", server.port), SECONDS) as connection:
            heard = b"".join(connection.recv(4096) for _ in range(20))

    assert heard.count(b"220-") >= 20
    assert b"220 " not in heard


@pytest.mark.parametrize(
    ("fault", "seen"), [(Fault.MUTE, TimeoutError), (Fault.LOST, EOFError), (Fault.UNDONE, None)]
)
def test_a_rename_and_its_reply(fault: Fault, seen: type[Exception] | None) -> None:
    """Done without a reply, or a reply without being done."""
    with ScriptedFtp({"RNTO": fault}, files={"/a": b"new", "/b": b"old"}) as server:
        with log_in(server, SHORT_SECONDS) as ftp:
            if seen is None:
                assert "250 Renamed." == ftp.rename("a", "b")
            else:
                with pytest.raises(seen):
                    ftp.rename("a", "b")
        assert ({"/b": b"new"} if seen else {"/a": b"new", "/b": b"old"}) == server.files


@pytest.mark.parametrize(
    ("fault", "files"),
    [
        (Fault.HALF, {"/page": PAGE[: len(PAGE) // 2]}),
        (Fault.ELSEWHERE, {"/page.1": PAGE}),
        (Fault.UNDONE, {}),
    ],
)
def test_a_226_that_is_not_true(fault: Fault, files: dict[str, bytes]) -> None:
    """The client is told that all is well."""
    with ScriptedFtp({"STOR": fault}) as server, log_in(server) as ftp:
        assert "226 All done." == put(ftp)

    assert files == server.files


@pytest.mark.parametrize(
    ("fault", "seen"),
    [
        ({"STOR": Fault.MUTE}, TimeoutError),
        ({"STOR": Fault.LOST}, EOFError),
        ({"STORED": Fault.SILENCE}, TimeoutError),
        ({"STOR": Fault.DATA_IGNORED}, TimeoutError),
        ({"PASV": Fault.REFUSED}, ConnectionRefusedError),
        ({"PASV": Fault.MALFORMED}, ftplib.error_proto),
    ],
)
def test_an_upload_that_fails(fault: dict[str, Script], seen: type[Exception]) -> None:
    """By a missing 226, or a data connection that is none; stored is what came before that."""
    with ScriptedFtp(fault) as server, log_in(server, SHORT_SECONDS) as ftp:
        with pytest.raises(seen):
            put(ftp)

        assert ("STORED" in fault or fault.get("STOR") in (Fault.MUTE, Fault.LOST)) == (
            "/page" in server.files
        )


def test_a_broken_data_connection() -> None:
    """An upload that breaks leaves a part of the file; so does a download."""
    with ScriptedFtp({"STOR": Fault.DATA_RESET, "RETR": Fault.DATA_RESET}, files={"/a": PAGE}) as server:
        with pytest.raises((OSError, ftplib.error_temp)), log_in(server) as ftp:
            ftp.storbinary("STOR page", io.BytesIO(PAGE * 100))
        with pytest.raises((OSError, ftplib.error_temp)), log_in(server) as ftp:
            ftp.retrbinary("RETR a", lambda _: None)

        assert len(server.files["/page"]) < len(PAGE * 100)


def test_a_private_address() -> None:
    """The right port, but the address of a network behind the server: a client does well not to believe it."""
    with ScriptedFtp({"PASV": Fault.PRIVATE}) as server, log_in(server) as ftp:
        assert "10,11,12,13" in ftp.sendcmd("PASV")
        put(ftp)

    assert PAGE == server.files["/page"]


def test_no_extended_passive() -> None:
    """EPSV may be refused, where PASV is not."""
    with ScriptedFtp({"EPSV": "500 What?"}) as server, log_in(server) as ftp:
        ftp.af = socket.AF_INET6
        with pytest.raises(ftplib.error_perm, match="500"):
            put(ftp)
        ftp.af = socket.AF_INET
        put(ftp)

    assert ["EPSV", "PASV", "STOR page"] == [line for line in server.commands if line[:4] in "EPSV PASV STOR"]


def test_faults_one_after_the_other() -> None:
    """Each time another, and then none."""
    with ScriptedFtp({"NOOP": ("500 a", None, "421 b")}) as server, log_in(server) as ftp:
        with pytest.raises(ftplib.error_perm, match="500 a"):
            ftp.sendcmd("NOOP")
        assert "200 Nothing done." == ftp.sendcmd("NOOP")
        with pytest.raises(ftplib.error_temp, match="421 b"):
            ftp.sendcmd("NOOP")
        with log_in(server) as again:
            assert "200 Nothing done." == again.sendcmd("NOOP")


@pytest.mark.parametrize("fault", [None, Fault.DATA_BARE])
def test_tls(certificate: Certificate, fault: Fault | None) -> None:
    """All works over TLS; the data connection may end without the word that it does, and is stored all the same."""
    context = ssl.create_default_context(cafile=certificate.ca_file)
    tls = ftplib.FTP_TLS(context=context, timeout=SECONDS)
    with ScriptedFtp({"STOR": fault}, certificate=certificate) as server, log_in(server, ftp=tls):
        tls.prot_p()
        if fault:
            with pytest.raises(OSError, match="EOF|UNEXPECTED|violation|closed"):
                put(tls)
            assert "226 All done." == tls.getresp()
        else:
            put(tls)
            names = tls.nlst()
            assert ["page"] == names

    assert PAGE == server.files["/page"]
    assert ["AUTH TLS", "USER blogger", "PASS", "PBSZ 0", "PROT P"] == server.commands[:5]


def test_through_the_proxy() -> None:
    """Its passive answers are ones that the proxy can rewrite."""
    with ScriptedFtp() as server, FtpProxy(server.port) as proxy, ftplib.FTP(timeout=SECONDS) as ftp:
        ftp.connect(proxy.host, proxy.port)
        ftp.login(server.user, server.password)
        put(ftp)

        assert PAGE == server.files["/page"] == proxy.data.sent


def test_nothing_is_left() -> None:
    """Leaving the server ends its threads, whatever they wait for."""
    before = set(threading.enumerate())
    with ScriptedFtp({"STOR": Fault.DATA_IGNORED, "PWD": Fault.SILENCE}) as server:
        clients = [log_in(server, SHORT_SECONDS) for _ in range(3)]
        with pytest.raises(TimeoutError):
            put(clients[0])
        with pytest.raises(TimeoutError):
            clients[1].pwd()
        clients[2].sendcmd("PASV")
        clients[2].putcmd("STOR never")
        for client in clients:
            client.close()

    assert before == set(threading.enumerate())
