"""Host keys: whom a file vouches for, and what becomes of keys that are unknown, changed or revoked."""

from __future__ import annotations

import subprocess
from pathlib import Path
from socket import socket

import pytest

from heatmap.errors import PublishError, PublishRefused
from heatmap.publishers.sftp import known_hosts
from heatmap.publishers.sftp.known_hosts import HostKey, UnknownHostKey
from heatmap.system.deadline import Deadline
from heatmap.system.web_file import WebFile
from tests.conftest import started
from tests.publishers.sftp.logins import LOGINS, SECRET, files, target
from tests.servers.ftp import PASSWORD, ProftpdSftp
from tests.servers.ssh import Sshd

PAGE = [WebFile("index.html", b"x")]
OTHER = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIF1m0vfnkWyrHLyhzWfnSKY9+3DZcyFxo4HDPgVhAqcM"


@pytest.fixture(autouse=True)
def _prepared(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(SECRET, PASSWORD)
    monkeypatch.setattr(known_hosts, "USERS_FILES", (str(tmp_path / "users_own"),))
    monkeypatch.setattr(known_hosts, "SYSTEM_FILES", (str(tmp_path / "systems"),))


def serve(folder: Path, login: str) -> Sshd | ProftpdSftp:
    """Start a server for this way to log in."""
    return started(lambda: (Sshd if login == "key" else ProftpdSftp)(folder / "server"))


def words(file: Path) -> list[str]:
    """The kind and the key in a public key's file."""
    return file.read_text("utf-8").split()[:2]


@pytest.mark.real
@pytest.mark.parametrize("login", LOGINS)
def test_an_unknown_key(tmp_path: Path, login: str) -> None:
    """It is refused, not retried; the sentence names the command; nothing is written anywhere."""
    with serve(tmp_path, login) as server:
        server.known_hosts_file.unlink()
        with pytest.raises(UnknownHostKey, match="heatmap check --trust-host-key"):
            target(server, login=login).publish(PAGE, Deadline(30))

        assert {} == files(server.root)
        assert not server.known_hosts_file.exists()


@pytest.mark.real
@pytest.mark.parametrize("login", LOGINS)
def test_a_changed_key(tmp_path: Path, login: str) -> None:
    """It stops the run: the sentence has the new fingerprint, the line of the old key, and what to check."""
    with serve(tmp_path, login) as server:
        known = server.known_hosts_file
        shown = subprocess.run(
            ["ssh-keygen", "-lf", server.folder / "host_key.pub"], check=True, capture_output=True, text=True
        ).stdout.split()[1]
        known.write_text(f"# mine\n[127.0.0.1]:{server.port} {OTHER}\n", "utf-8")
        before = known.read_bytes()
        with pytest.raises(PublishRefused, match=f"has changed.*line 2 of {known} has another") as caught:
            target(server, login=login).publish(PAGE, Deadline(30))

        assert not isinstance(caught.value, UnknownHostKey)
        assert shown in str(caught.value)
        assert f"ssh-keygen -f {known} -R '[127.0.0.1]:{server.port}'" in str(caught.value)
        assert before == known.read_bytes()
        assert {} == files(server.root)


@pytest.mark.real
@pytest.mark.parametrize("login", LOGINS)
@pytest.mark.parametrize("hashed", [False, True], ids=["plain", "hashed"])
def test_a_known_key(tmp_path: Path, login: str, *, hashed: bool) -> None:
    """Names may be hashed, as many systems' ssh has them; a stale key of the host beside the right one is no harm."""
    with serve(tmp_path, login) as server:
        with server.known_hosts_file.open("a", encoding="utf-8") as file:
            file.write(f"[127.0.0.1]:{server.port} {OTHER}\n")
        if hashed:
            subprocess.run(
                ["ssh-keygen", "-q", "-H", "-f", server.known_hosts_file], check=True, capture_output=True
            )
            assert "127.0.0.1" not in server.known_hosts_file.read_text("utf-8")
        target(server, login=login).publish(PAGE, Deadline(30))

        assert {"index.html": b"x"} == files(server.root)


@pytest.mark.real
@pytest.mark.parametrize("login", LOGINS)
def test_a_revoked_key(tmp_path: Path, login: str) -> None:
    """A key that the user took back is refused, even where another line still has it."""
    with serve(tmp_path, login) as server:
        kind, key = words(server.folder / "host_key.pub")
        with server.known_hosts_file.open("a", encoding="utf-8") as file:
            file.write(f"@revoked * {kind} {key}\n")
        with pytest.raises(PublishRefused, match="revoked") as caught:
            target(server, login=login).publish(PAGE, Deadline(30))

        assert not isinstance(caught.value, UnknownHostKey)  # which could be added
        assert {} == files(server.root)


@pytest.mark.real
@pytest.mark.parametrize("login", LOGINS)
def test_a_key_that_the_user_knows_by_ssh(tmp_path: Path, login: str) -> None:
    """A key in ~/.ssh/known_hosts needs no file of ours."""
    with serve(tmp_path, login) as server:
        users = tmp_path / "users_own"
        server.known_hosts_file.rename(users)
        options = {}
        if login == "key":  # ssh takes its home from the system, so its configuration says where the file is
            options["config_file"] = tmp_path / "config"
            options["config_file"].write_text(f"UserKnownHostsFile {users}\n", "utf-8")
        target(server, login=login, **options).publish(PAGE, Deadline(30))

        assert {"index.html": b"x"} == files(server.root)


@pytest.mark.real
@pytest.mark.parametrize("login", LOGINS)
def test_the_key_that_is_shown(tmp_path: Path, login: str) -> None:
    """It is the server's, with the fingerprint that ssh-keygen gives, under the name that is then looked for."""
    with serve(tmp_path, login) as server:
        server.known_hosts_file.unlink()
        publisher = target(server, login=login)
        key = publisher.read_host_key(Deadline(30))
        shown = subprocess.run(
            ["ssh-keygen", "-lf", server.folder / "host_key.pub"], check=True, capture_output=True, text=True
        )
        assert [f"[127.0.0.1]:{server.port}", *words(server.folder / "host_key.pub")] == [*key]
        assert shown.stdout.split()[1] == key.fingerprint

        known_hosts.add_key(server.known_hosts_file, key)
        publisher.publish(PAGE, Deadline(30))

        assert {"index.html": b"x"} == files(server.root)
        assert 0o600 == server.known_hosts_file.stat().st_mode & 0o777


@pytest.mark.real
@pytest.mark.parametrize("login", LOGINS)
def test_no_key_is_shown(tmp_path: Path, login: str) -> None:
    """If no server listens, the error is one sentence."""
    with serve(tmp_path, login) as server, socket() as taken:
        taken.bind(("127.0.0.1", 0))  # but does not listen: no other process gets the port meanwhile
        publisher = target(server, login=login, port=taken.getsockname()[1])
        with pytest.raises(
            PublishError, match=r"no connection \(.*Connection refused\W*\): check host and port"
        ) as caught:
            publisher.read_host_key(Deadline(30))

    assert "\n" not in str(caught.value)


def test_adding_changes_nothing_else(tmp_path: Path) -> None:
    """A file that does not end in a line break gets one first."""
    file = tmp_path / "known_hosts"
    file.write_text("# mine\nother ssh-rsa AAAA comment", "utf-8")
    known_hosts.add_key(file, HostKey("host", *OTHER.split()))
    known_hosts.add_key(file, HostKey("[host]:2222", *OTHER.split()))

    assert f"# mine\nother ssh-rsa AAAA comment\nhost {OTHER}\n[host]:2222 {OTHER}\n" == file.read_text(
        "utf-8"
    )
