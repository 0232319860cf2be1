"""What every publisher must do, whatever server is behind it."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from heatmap.errors import PublishError, PublishRefused
from heatmap.model import Page
from heatmap.publishers.file import FilePublisher
from heatmap.publishers.ftp import FtpPublisher, FtpsPublisher
from heatmap.publishers.sftp import SftpPublisher
from tests.servers.process import free_port
from tests.servers.pyftpd import Pyftpd

KINDS = ("file", "ftp@vsftpd", "ftp@proftpd", "ftp@pyftpdlib", "ftps@vsftpd", "ftps@proftpd", "sftp@openssh")
REMOTE = tuple(kind for kind in KINDS if kind != "file")
SECRET = "HEATMAP_TEST_PASSWORD"
DEAD_SECONDS = 5


@dataclass
class Target:
    """A publisher, made for a folder, and where its files arrive."""

    make: Callable[[str], Any]
    root: Path


@pytest.fixture(params=KINDS)
def target(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Target]:
    """Each publisher, on each server."""
    scheme, _, name = request.param.partition("@")
    if scheme == "file":
        root = tmp_path / "site"
        yield Target(lambda folder: FilePublisher(f"file:{root}/{folder}"), root)
        return
    if name == "pyftpdlib":
        with Pyftpd(tmp_path / "pyftpd") as server:
            monkeypatch.setenv(SECRET, server.password)
            yield Target(lambda folder: FtpPublisher(server.url(folder), password_env=SECRET), server.root)
        return
    fixture = {"openssh": "sshd"}.get(name, name) + ("_tls" if scheme == "ftps" else "")
    server = request.getfixturevalue(fixture)
    if scheme == "sftp":
        keys = {"identity_file": server.identity_file, "known_hosts_file": server.known_hosts_file}
        yield Target(lambda folder: SftpPublisher(server.url(folder), **keys), server.root)
        return
    monkeypatch.setenv(SECRET, server.password)
    more = {"ca_file": server.ca_file} if scheme == "ftps" else {}
    cls = FtpsPublisher if scheme == "ftps" else FtpPublisher
    yield Target(lambda folder: cls(server.url(folder), password_env=SECRET, **more), server.root)


def files(folder: Path) -> dict[str, bytes]:
    """Every file below a folder, hidden ones too."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_puts_replaces_and_leaves_nothing_else(target: Target) -> None:
    """New pages appear in folders made for them, older ones are replaced, and no temporary file stays."""
    publisher = target.make("web/heat")
    publisher.publish([Page("nse/index.html", b"one" * 50_000), Page("index.html", b"first")])
    publisher.publish([Page("nse/index.html", b"two"), Page("index.html", b"")])

    assert {"web/heat/nse/index.html": b"two", "web/heat/index.html": b""} == files(target.root)


def test_visitors_may_read(target: Target) -> None:
    """Files are 0644 and new folders 0755, whatever the server's umask."""
    target.make("web").publish([Page("nse/index.html", b"x")])

    file = target.root / "web/nse/index.html"
    assert [0o755, 0o755, 0o644] == [
        path.stat().st_mode & 0o777 for path in (file.parents[1], file.parent, file)
    ]


def test_a_folder_that_is_there_keeps_its_mode(target: Target) -> None:
    """The user's own folders are not touched."""
    (target.root / "web").mkdir(parents=True)
    (target.root / "web").chmod(0o750)
    target.make("web").publish([Page("nse/index.html", b"x")])

    assert 0o750 == (target.root / "web").stat().st_mode & 0o777


def test_order_is_kept(target: Target) -> None:
    """The page that refers to the others arrives last."""
    names = ["c.html", "a.html", "d/b.html", "index.html"]
    target.make("").publish([Page(name, name.encode()) for name in names])

    assert names == sorted(names, key=lambda name: (target.root / name).stat().st_mtime_ns)


def test_spaces_and_other_alphabets(target: Target) -> None:
    """A folder's name may hold what names hold, percent-encoded in the address."""
    target.make("my%20site/%C3%A9t%C3%A9%20%5B1%5D").publish([Page("a.html", b"x")])

    assert {"my site/été [1]/a.html": b"x"} == files(target.root)


def test_check_leaves_nothing(target: Target) -> None:
    """The probe is written, replaced and deleted."""
    target.root.mkdir(exist_ok=True)

    assert "writes, replaces and deletes" == target.make("").check()
    assert {} == files(target.root)


def test_a_folder_in_the_place_of_a_file(target: Target) -> None:
    """It is one sentence, the folder keeps what it holds, and the temporary file goes."""
    (target.root / "index.html").mkdir(parents=True)
    (target.root / "index.html/mine").write_bytes(b"mine")
    with pytest.raises(PublishError, match="index.html") as caught:
        target.make("").publish([Page("index.html", b"x")])

    assert "\n" not in str(caught.value)
    assert {"index.html/mine": b"mine"} == files(target.root)


def test_a_reader_never_sees_half_a_file(target: Target) -> None:
    """While 30 publishes run, every read gives a whole file."""
    publisher = target.make("")
    versions = [bytes([65 + n % 26]) * 200_000 for n in range(30)]
    publisher.publish([Page("index.html", versions[0])])
    seen: set[bytes] = set()
    done = threading.Event()

    def read() -> None:
        while not done.is_set():
            seen.add((target.root / "index.html").read_bytes())
            time.sleep(0.001)

    reader = threading.Thread(target=read)
    reader.start()
    try:
        for version in versions:
            publisher.publish([Page("index.html", version)])
    finally:
        done.set()
        reader.join()

    assert len(seen) > 1
    assert seen <= set(versions)


@pytest.mark.parametrize("target", REMOTE, indirect=True)
def test_a_dead_port_is_told_quickly(target: Target) -> None:
    """Nothing listens: PublishError, naming the target."""
    publisher = target.make("")
    url = publisher.url.replace(publisher.url.rpartition(":")[2].partition("/")[0], str(free_port()))
    publisher = replace(publisher, url=url)
    begun = time.monotonic()
    with pytest.raises(PublishError) as caught:
        publisher.publish([Page("index.html", b"x")])

    assert PublishError is type(caught.value)
    assert str(caught.value).startswith(publisher.name)
    assert time.monotonic() - begun < DEAD_SECONDS


@pytest.mark.parametrize("target", REMOTE, indirect=True)
def test_a_refused_login(target: Target, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A wrong password or key is PublishRefused, and the password is nowhere in it."""
    publisher = target.make("")
    if isinstance(publisher, SftpPublisher):
        import subprocess

        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", tmp_path / "other"], check=True)
        publisher = replace(publisher, identity_file=tmp_path / "other")
    else:
        monkeypatch.setenv(SECRET, "wrong-canary")
    with pytest.raises(PublishRefused, match="login was refused") as caught:
        publisher.publish([Page("index.html", b"x")])

    assert "wrong-canary" not in f"{caught.value!r}{publisher!r}"


@pytest.mark.parametrize("target", REMOTE, indirect=True)
def test_a_stalled_server_is_left(target: Target) -> None:
    """A server that accepts and says nothing ends within its timeout."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        publisher = target.make("")
        url = publisher.url.replace(
            publisher.url.rpartition(":")[2].partition("/")[0], str(silent.getsockname()[1])
        )
        begun = time.monotonic()
        with pytest.raises(PublishError):
            replace(publisher, url=url, timeout_seconds=1).publish([Page("index.html", b"x")])

    assert time.monotonic() - begun < DEAD_SECONDS
