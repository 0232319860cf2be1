"""Targets for the tests of SFTP: the same server reached by a key, through OpenSSH, or by a password."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from heatmap.publishers.sftp.publisher import SftpPublisher
from tests.servers.ftp import ProftpdSftp
from tests.servers.ssh import Sshd

SECRET = "HEATMAP_TEST_PASSWORD"
LOGINS = ("key", "password")

SshServer = Sshd | ProftpdSftp


def target(
    server: SshServer, folder: str = "", *, login: str = "key", port: int | None = None, **options: Any
) -> Any:
    """Return a publisher for a server, or for the proxy at `port` in front of it, whose key is then known too."""
    if port:
        trust(server, port)
    if login == "password":
        options = {"password_env": SECRET, **options}
    else:
        options = {"identity_file": server.identity_file, **options}
    return SftpPublisher(server.url(folder, port), **{"known_hosts_file": server.known_hosts_file, **options})


def trust(server: SshServer, port: int) -> None:
    """Let the server be known at another port of this machine."""
    kind, key = (server.folder / "host_key.pub").read_text("utf-8").split()[:2]
    with server.known_hosts_file.open("a", encoding="utf-8") as file:
        file.write(f"[127.0.0.1]:{port} {kind} {key}\n")


def files(root: Path) -> dict[str, bytes]:
    """Every file that arrived, hidden ones too."""
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}
