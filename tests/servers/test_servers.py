"""Each real server of the tests starts, takes a file from a plain client, shows its options, and leaves no process."""

from __future__ import annotations

import contextlib
import ctypes
import ftplib
import io
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import started
from tests.servers.apache import Apache
from tests.servers.certificates import Certificate
from tests.servers.clients import SECONDS, log_in, sftp
from tests.servers.clock import Clock
from tests.servers.disk import SmallDisk
from tests.servers.dns import SilentDns
from tests.servers.ftp import Proftpd, ProftpdSftp, Vsftpd
from tests.servers.process import free_ports
from tests.servers.pureftpd import Pureftpd
from tests.servers.ssh import Sshd
from tests.servers.web import Nginx

Start = Callable[..., Any]

PAGE = bytes(range(256)) * 2000
ROOM = 200_000
FTP = (Vsftpd, Proftpd, Pureftpd)
SFTP = (Sshd, ProftpdSftp)
SUBREAPER = 36  # PR_SET_CHILD_SUBREAPER


def put(ftp: ftplib.FTP, name: str = "page") -> None:
    """Store the page."""
    ftp.storbinary(f"STOR {name}", io.BytesIO(PAGE))


def mode(file: Path) -> int:
    """Return a file's permissions."""
    return file.stat().st_mode & 0o777


@pytest.fixture
def page(tmp_path: Path) -> Path:
    """The page as a file."""
    file = tmp_path / "page"
    file.write_bytes(PAGE)
    return file


def children() -> set[int]:
    """Return this process's living children; zombies are not."""
    found = set()
    for task in Path("/proc/self/task").iterdir():
        for child in (task / "children").read_text().split():
            with contextlib.suppress(OSError):
                if " Z " not in Path("/proc", child, "stat").read_text():
                    found.add(int(child))
    return found


@pytest.fixture
def left() -> Iterator[Callable[[], set[int]]]:
    """Returns what is left of the processes that a test began: orphans become children of this one meanwhile."""
    libc = ctypes.CDLL(None)
    if libc.prctl(SUBREAPER, 1, 0, 0, 0) != 0:
        pytest.skip("orphans cannot be adopted here: this test needs Linux")
    before = children()

    def find() -> set[int]:
        until = time.monotonic() + SECONDS
        while (found := children() - before) and time.monotonic() < until:
            time.sleep(0.02)
        return found

    yield find
    libc.prctl(SUBREAPER, 0, 0, 0, 0)
    for orphan in children() - before:
        os.kill(orphan, signal.SIGKILL)


@pytest.mark.real
@pytest.mark.parametrize("kind", [*FTP, *SFTP, Apache, Nginx])
def test_no_process_is_left(tmp_path: Path, left: Callable[[], set[int]], kind: Start) -> None:
    """A server that is stopped is gone with all that it began, while a client is still connected."""
    with started(lambda: kind(tmp_path / "server")) as server:
        client = socket.create_connection(("127.0.0.1", server.port), SECONDS)
        if kind in (*FTP, *SFTP):
            assert client.recv(1)
    with client:
        assert set() == left()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", server.port), 1)


@pytest.mark.parametrize("kind", FTP)
@pytest.mark.parametrize("tls", [False, True])
def test_ftp(start: Start, certificate: Certificate, kind: Start, tls: bool) -> None:
    """A file is stored, renamed over an older one and read back."""
    server = start(kind, certificate if tls else None)
    with log_in(server) as ftp:
        put(ftp, "index.html")
        put(ftp)
        ftp.rename("page", "index.html")
        back = io.BytesIO()
        ftp.retrbinary("RETR index.html", back.write)

    assert PAGE == back.getvalue()
    assert {"index.html": PAGE} == {file.name: file.read_bytes() for file in server.root.iterdir()}


@pytest.mark.parametrize("kind", [Vsftpd, Proftpd])
def test_implicit_tls(start: Start, certificate: Certificate, kind: Start) -> None:
    """TLS from the first byte on; there is no plain greeting."""
    server = start(kind, certificate, implicit=True)
    with log_in(server, implicit=True) as ftp:
        put(ftp)
    assert PAGE == (server.root / "page").read_bytes()

    with socket.create_connection(("127.0.0.1", server.port), SECONDS) as plain:
        plain.settimeout(0.3)
        with pytest.raises(TimeoutError):
            plain.recv(1)


@pytest.mark.parametrize("kind", FTP)
def test_passive_ports(start: Start, kind: Start) -> None:
    """Data connections come to the ports that are given."""
    ports = free_ports(10)
    with log_in(start(kind, passive_ports=ports)) as ftp:
        told = {ftp.makepasv()[1] for _ in range(5)}

    assert told
    assert told <= set(ports)


@pytest.mark.parametrize("kind", FTP)
def test_a_full_disk_for_everybody(start: Start, kind: Start) -> None:
    """A file that grows past the limit is a transfer that fails; with the limit lifted the next login does well."""
    server = start(kind, file_size_limit=ROOM)
    with pytest.raises((ftplib.Error, OSError, EOFError)), log_in(server) as ftp:
        put(ftp)
    assert (server.root / "page").stat().st_size <= ROOM
    server.limit_file_size(None)
    with log_in(server) as ftp:
        put(ftp, "again")

    assert PAGE == (server.root / "again").read_bytes()


@pytest.mark.parametrize("kind", SFTP)
def test_a_full_disk_over_sftp(start: Start, kind: Start, page: Path) -> None:
    """The same by SFTP."""
    server = start(kind, file_size_limit=ROOM)
    assert 0 != sftp(server, f"put {page} x").returncode or (server.root / "x").stat().st_size <= ROOM
    server.limit_file_size(None)

    assert 0 == sftp(server, f"put {page} again").returncode
    assert PAGE == (server.root / "again").read_bytes()


@pytest.mark.parametrize("kind", FTP)
def test_a_small_disk(start: Start, small_disk: Callable[[Path, int], SmallDisk], kind: Start) -> None:
    """A file system without room, which root can have, refuses the file as well."""
    server = start(kind)
    small_disk(server.root, 128)
    with pytest.raises((ftplib.Error, OSError, EOFError)), log_in(server) as ftp:
        put(ftp)

    assert (server.root / "page").stat().st_size <= 128 * 1024


@pytest.mark.parametrize(
    ("kind", "options", "expected"),
    [
        (Vsftpd, {}, 0o644),
        (Vsftpd, {"umask": "077"}, 0o600),
        (Proftpd, {}, 0o600),
        (Proftpd, {"umask": "022"}, 0o644),
        (Pureftpd, {}, 0o644),
        (Pureftpd, {"masks": "177:077"}, 0o600),
    ],
)
def test_umasks(start: Start, kind: Start, options: dict[str, str], expected: int) -> None:
    """New files get the modes that the server gives."""
    server = start(kind, **options)
    with log_in(server) as ftp:
        put(ftp)

    assert expected == mode(server.root / "page")


@pytest.mark.parametrize(("kind", "chmod"), [(Vsftpd, False), (Proftpd, True), (Pureftpd, True)])
def test_who_may_change_modes(start: Start, kind: Start, chmod: bool) -> None:
    """All but vsftpd's anonymous account."""
    server = start(kind)
    with log_in(server) as ftp:
        put(ftp)
        if chmod:
            ftp.sendcmd("SITE CHMOD 640 page")
        else:
            with pytest.raises(ftplib.error_perm):
                ftp.sendcmd("SITE CHMOD 640 page")

    assert (0o640 if chmod else 0o644) == mode(server.root / "page")


def test_vsftpd_active_only(start: Start) -> None:
    """No passive mode of either kind, while active transfers do."""
    server = start(Vsftpd, pasv_enable="NO")
    with log_in(server) as ftp:
        for command in ("PASV", "EPSV"):
            with pytest.raises(ftplib.error_perm):
                ftp.sendcmd(command)
        ftp.set_pasv(False)
        put(ftp)

    assert PAGE == (server.root / "page").read_bytes()


def test_vsftpd_without_epsv(start: Start) -> None:
    """Only the older command opens a data connection."""
    with log_in(start(Vsftpd, cmds_denied="EPSV")) as ftp:
        with pytest.raises(ftplib.error_perm):
            ftp.sendcmd("EPSV")
        put(ftp)


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        (Vsftpd, {"pasv_address": "10.0.0.7"}),
        (Proftpd, {"settings": {"MasqueradeAddress": "10.0.0.7"}}),
        (Pureftpd, {"options": ("-P", "10.0.0.7")}),
    ],
)
def test_an_address_behind_the_server(start: Start, kind: Start, options: dict[str, Any]) -> None:
    """Passive answers name a network that the client cannot reach."""
    with log_in(start(kind, **options)) as ftp:
        assert "(10,0,0,7," in ftp.sendcmd("PASV")


def test_proftpd_without_overwriting(start: Start) -> None:
    """Its own default: what exists can neither be stored nor renamed over."""
    server = start(Proftpd, allow_overwrite=False)
    (server.root / "index.html").write_bytes(b"old")
    with log_in(server) as ftp:
        put(ftp)
        for act in (lambda: put(ftp, "index.html"), lambda: ftp.rename("page", "index.html")):
            with pytest.raises(ftplib.error_perm, match="550"):
                act()

    assert b"old" == (server.root / "index.html").read_bytes()


def test_proftpd_with_hidden_stores(start: Start) -> None:
    """An upload on its way has a name of the server's own making."""
    server = start(Proftpd, hidden_stores=True)
    ftp = log_in(server)
    ftp.voidcmd("TYPE I")
    data = ftp.transfercmd("STOR page")
    data.sendall(b"part")
    until = time.monotonic() + SECONDS
    while not (names := [file.name for file in server.root.iterdir()]) and time.monotonic() < until:
        time.sleep(0.02)
    data.close()
    ftp.close()

    assert [".in.page."] == names


def test_pureftpd_with_autorename(start: Start) -> None:
    """226 for a file that is stored under another name."""
    server = start(Pureftpd, autorename=True)
    (server.root / "page").write_bytes(b"old")
    with log_in(server) as ftp:
        put(ftp)

    assert {"page": b"old", "page.1": PAGE} == {
        file.name: file.read_bytes() for file in server.root.iterdir()
    }


@pytest.mark.parametrize("kind", SFTP)
def test_sftp_by_key(start: Start, page: Path, kind: Start) -> None:
    """A file is stored and renamed over an older one."""
    server = start(kind)
    (server.root / "index.html").write_bytes(b"old")
    done = sftp(server, f"put {page} x", "rename x index.html")

    assert (0, "") == (done.returncode, done.stderr)
    assert {"index.html": PAGE} == {file.name: file.read_bytes() for file in server.root.iterdir()}


@pytest.mark.parametrize(
    ("kind", "options"), [(ProftpdSftp, {"methods": "password"}), (Sshd, {"by_password": True})]
)
def test_sftp_by_password(start: Start, page: Path, kind: Start, options: dict[str, Any]) -> None:
    """The right password lets in, another does not, nor does a key."""
    server = start(kind, **options)

    assert 0 == sftp(server, f"put {page} x", answer=server.password).returncode
    assert PAGE == (server.root / "x").read_bytes()
    assert 255 == sftp(server, "pwd", answer="another").returncode
    assert 255 == sftp(server, "pwd").returncode


def test_sshd_with_an_encrypted_key(start: Start) -> None:
    """The key does nothing without its passphrase."""
    server = start(Sshd, passphrase="canary-phrase")

    assert 0 == sftp(server, "pwd", answer="canary-phrase").returncode
    assert 255 == sftp(server, "pwd", answer="another").returncode
    assert 255 == sftp(server, "pwd").returncode


def test_sshd_in_a_chroot(start: Start, page: Path) -> None:
    """The login sees its own folder as the whole world, and may write there."""
    server = start(Sshd, chroot=True)
    done = sftp(server, "pwd", f"put {page} x", "ls /")

    assert "Remote working directory: /\n" in done.stdout
    assert "/x" in done.stdout
    assert PAGE == (server.root / "x").read_bytes()


@pytest.mark.parametrize("chroot", [False, True])
def test_sshd_read_only(start: Start, page: Path, chroot: bool) -> None:
    """Nothing can be written, renamed or deleted."""
    server = start(Sshd, read_only=True, chroot=chroot)
    (server.root / "old").write_bytes(b"old")
    done = sftp(server, f"-put {page} x", "-rename old new", "-rm old", "ls")

    assert 3 == done.stderr.count("ermission denied")
    assert {"old": b"old"} == {file.name: file.read_bytes() for file in server.root.iterdir()}


def test_sshd_without_posix_rename(start: Start, page: Path) -> None:
    """A name that is free can be renamed to, one that is taken not."""
    server = start(Sshd, posix_rename=False)
    done = sftp(server, f"put {page} x", "rename x y", f"put {page} x", "-rename x y")

    assert "Failure" in done.stderr
    assert {"x", "y"} == {file.name for file in server.root.iterdir()}


def test_sshd_umask(start: Start, page: Path) -> None:
    """New files are closed to others, unless it is told otherwise."""
    for options, expected in (({}, 0o600), ({"umask": "022"}, 0o644)):
        server = start(Sshd, **options)
        page.chmod(0o666)
        sftp(server, f"put {page} x")

        assert expected == mode(server.root / "x")


def test_sshd_with_another_host_key(start: Start) -> None:
    """A client that knows the old key goes no further; with the new one known it does."""
    server = start(Sshd)
    assert 0 == sftp(server, "pwd").returncode
    old = server.host_key
    server.change_host_key()

    assert old != server.host_key
    assert 255 == sftp(server, "pwd").returncode
    server.trust(server.host_key)
    assert 0 == sftp(server, "pwd").returncode


@pytest.mark.parametrize("forwards", [True, False])
def test_sshd_behind_a_jump_host(start: Start, tmp_path: Path, page: Path, forwards: bool) -> None:
    """One server is reached through another that forwards connections, and not through one that does not."""
    jump, target = start(Sshd, jump_host=forwards), start(Sshd)
    (tmp_path / "known").write_text(jump.known_hosts_file.read_text() + target.known_hosts_file.read_text())
    hosts = [
        f"Host {name}\nHostName 127.0.0.1\nPort {server.port}\nUser {server.user}\nIdentityFile {server.identity_file}\n"
        for name, server in (("jump", jump), ("target", target))
    ]
    config = tmp_path / "config"
    config.write_text(
        "".join(hosts) + f"ProxyJump jump\nHost *\nUserKnownHostsFile {tmp_path}/known\nIdentitiesOnly yes\n"
    )
    done = sftp(target, f"put {page} x", config=config, host="target")

    assert forwards == (done.returncode == 0) == (target.root / "x").exists()


@pytest.mark.process
def test_names_that_nobody_resolves(silent_dns: SilentDns) -> None:
    """A question for a name gets no answer, and a signal does not end the waiting; a number needs none."""
    script = (
        "import signal, socket, time\n"
        "print(socket.getaddrinfo('127.0.0.1', 80)[0][4][0], flush=True)\n"
        "signal.signal(signal.SIGALRM, lambda *_: print('woken', flush=True))\n"
        "signal.alarm(1)\n"
        "socket.getaddrinfo('www.example.org', 80)\n"
    )
    process = subprocess.Popen(
        silent_dns.command(sys.executable, "-c", script),
        env=silent_dns.environment(),
        stdout=subprocess.PIPE,
        text=True,
    )
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(2)
    process.kill()
    words, _ = process.communicate()

    assert "127.0.0.1\n" == words
    assert silent_dns.asked == silent_dns.real


def test_a_clock_that_jumps(clock: Clock) -> None:
    """Years pass between two lines of a command, but not on the clock by which it waits."""
    script = "import time\nfor _ in range(2):\n print(time.strftime('%Y', time.gmtime()), time.monotonic()); input()"
    clock.set("@2030-06-01 00:00:00")
    with subprocess.Popen(
        [sys.executable, "-uc", script],
        env=clock.environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        bufsize=1,
    ) as process:
        assert process.stdin
        assert process.stdout
        first = process.stdout.readline().split()
        clock.set("@2035-06-01 00:00:00")
        process.stdin.write("\n\n")
        second = process.stdout.readline().split()

    assert ["2030", "2035"] == [first[0], second[0]]
    assert float(second[1]) - float(first[1]) < SECONDS
