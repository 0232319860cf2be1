"""Every kind of target, each on a real server of its own."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path
from shutil import which
from typing import Any

from tests.promises.places import BUCKET, FOLDER, Branch, Bucket, Place
from tests.servers import certificates
from tests.servers.certificates import Certificate
from tests.servers.ftp import Proftpd, ProftpdSftp, Vsftpd
from tests.servers.moto import Moto
from tests.servers.process import Missing, free_ports
from tests.servers.pureftpd import Pureftpd
from tests.servers.ssh import Sshd

LOCAL = ("file", "git+file")
PASSIVE_PORTS = 24
Start = Callable[[str, Path, "Certificate"], AbstractContextManager[Place]]


@contextmanager
def _file(kind: str, folder: Path, _: Certificate) -> Iterator[Place]:
    site = folder / "site"
    site.mkdir()
    yield Place(kind, folder, site, lambda _port, _host: f"file:{site}/{FOLDER}")


def _ftp(make: Callable[..., Any], **options: str | bool) -> Start:
    """Return the start of an FTP server; `options` are further keys of the [[publish]] table."""

    @contextmanager
    def start(kind: str, folder: Path, certificate: Certificate) -> Iterator[Place]:
        ports = free_ports(PASSIVE_PORTS)
        tls = kind.startswith("ftps")
        with make(folder / "server", certificate if tls else None, passive_ports=ports) as server:
            keys = {"password_file": _secret(folder, server.password), **options}
            if tls:
                keys["ca_file"] = str(server.ca_file)
            yield Place(
                kind,
                folder,
                server.root,
                lambda port, host: server.url(FOLDER, port, host),
                keys,
                server.port,
                ports,
                renames="replace" not in options,
            )

    return start


def _sftp(make: Callable[[Path], Any], *, by_password: bool = False) -> Start:
    """Return the start of an SSH server, with a login by key or by password."""

    @contextmanager
    def start(kind: str, folder: Path, _: Certificate) -> Iterator[Place]:
        with make(folder / "server") as server:
            known_hosts = server.known_hosts_file
            _, key_kind, key = known_hosts.read_text("utf-8").split()[:3]

            def trust(port: int, host: str) -> None:
                with known_hosts.open("a", encoding="utf-8") as file:
                    file.write(f"[{host}]:{port} {key_kind} {key}\n")

            keys = {"known_hosts_file": str(known_hosts)}
            if by_password:
                keys["password_file"] = _secret(folder, server.password)
            else:
                keys["identity_file"] = str(server.identity_file)
            yield Place(
                kind,
                folder,
                server.root,
                lambda port, host: server.url(FOLDER, port, host),
                keys,
                server.port,
                trust=trust,
            )

    return start


@contextmanager
def _s3(kind: str, folder: Path, _: Certificate) -> Iterator[Place]:
    with Moto(folder / "server") as server:
        client = server.client()
        client.create_bucket(Bucket=BUCKET)

        def by_way_of(port: int | None, host: str) -> dict[str, str]:
            scheme = "http" if host.startswith("127.") else "https"  # in clear to this machine alone
            return {"endpoint_url": f"{scheme}://{host}:{port or server.port}"}

        yield Bucket(
            kind,
            folder,
            server.root,
            lambda _port, _host: f"s3://{BUCKET}/{FOLDER}",
            {"access_key_id": "somebody", "secret_access_key_file": _secret(folder, "secret")},
            server.port,
            by_way_of=by_way_of,
            client=client,
        )


@contextmanager
def _git(kind: str, folder: Path, _: Certificate) -> Iterator[Place]:
    if which("git") is None:
        raise Missing("git is not here: install it (Debian: apt-get install git)")
    bare, clone = folder / "origin.git", folder / "clone"
    for command in (
        ["git", "init", "-q", "--bare", bare],
        ["git", "init", "-q", clone],
        ["git", "-C", clone, "remote", "add", "origin", bare],
    ):
        subprocess.run(command, check=True, capture_output=True)
    compressed = 30_000
    yield Branch(kind, folder, bare, lambda _port, _host: f"git+file:{clone}", write_bytes=compressed)


def _secret(folder: Path, secret: str) -> str:
    """Return the path of a file that holds a secret, for its owner alone."""
    file = folder / "secret"
    file.touch(0o600)
    file.write_text(secret, "utf-8")
    return str(file)


KINDS: dict[str, Start] = {
    "file": _file,
    "ftp@vsftpd": _ftp(Vsftpd),
    "ftp@proftpd": _ftp(Proftpd),
    "ftp@pure-ftpd": _ftp(Pureftpd),
    "ftp@proftpd, delete-then-rename": _ftp(
        partial(Proftpd, allow_overwrite=False), replace="delete-then-rename"
    ),
    "ftps@vsftpd": _ftp(Vsftpd),
    "ftps@proftpd": _ftp(Proftpd),
    "ftps@vsftpd, implicit": _ftp(partial(Vsftpd, implicit=True), implicit=True),
    "ftps@pure-ftpd": _ftp(Pureftpd),
    "sftp@openssh": _sftp(Sshd),
    "sftp@proftpd": _sftp(ProftpdSftp),
    "sftp@proftpd, password": _sftp(ProftpdSftp, by_password=True),
    "s3@moto": _s3,
    "git+file": _git,
}


@contextmanager
def started(kind: str, folder: Path) -> Iterator[Place]:
    """Start a target of this kind with all it needs in `folder`. Raises process.Missing."""
    folder.mkdir(parents=True, exist_ok=True)
    with KINDS[kind](kind, folder, certificates.make(folder / "certificate")) as place:
        yield place
