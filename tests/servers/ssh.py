"""A real OpenSSH server that speaks SFTP only, to one key."""

from __future__ import annotations

import os
import pwd
import shlex
import subprocess
from pathlib import Path

from tests.servers.process import Server, needed


class Sshd(Server):
    """sshd with umask 077; its login folder is `root`.

    As root it wants a user and a folder under /run: it gets both in a mount namespace of its own.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.user = pwd.getpwuid(os.geteuid()).pw_name
        self.identity_file = folder / "client_key"
        self.known_hosts_file = folder / "known_hosts"
        program = needed("sshd")
        for name in ("client_key", "host_key"):
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / name], check=True)
        self.trust((folder / "host_key.pub").read_text("utf-8"))
        config = folder / "sshd_config"
        config.write_text(
            f"Port {self.port}\nListenAddress 127.0.0.1\nHostKey {folder}/host_key\nPidFile none\n"
            f"AuthorizedKeysFile {folder}/client_key.pub\nStrictModes no\nUsePAM no\nPermitRootLogin yes\n"
            "PasswordAuthentication no\nKbdInteractiveAuthentication no\nMaxStartups 100\n"
            "Subsystem sftp internal-sftp\n"
            f"ForceCommand internal-sftp -u 077 -d {self.root}\n",
            "utf-8",
        )
        command: list[str | Path] = [program, "-D", "-e", "-f", config]
        if os.geteuid() == 0:
            accounts = folder / "passwd"
            accounts.write_text(_with_sshd(Path("/etc/passwd").read_text("utf-8")), "utf-8")
            script = (
                f"mount --bind {shlex.quote(str(accounts))} /etc/passwd && mount -t tmpfs tmpfs /run"
                " && mkdir -m 755 /run/sshd && exec " + shlex.join(str(part) for part in command)
            )
            command = ["unshare", "-m", "sh", "-c", script]
        self.start(*command)

    def trust(self, host_key: str) -> None:
        """Make `host_key` the one that the known-hosts file has."""
        kind, key = host_key.split()[:2]
        self.known_hosts_file.write_text(f"[127.0.0.1]:{self.port} {kind} {key}\n", "utf-8")

    def url(self, path: str = "") -> str:
        """The address of a folder on it, relative to the login folder."""
        return f"sftp://{self.user}@127.0.0.1:{self.port}/{path}"


def _with_sshd(accounts: str) -> str:
    if any(line.startswith("sshd:") for line in accounts.splitlines()):
        return accounts
    return accounts.rstrip("\n") + "\nsshd:x:65533:65534::/run/sshd:/usr/sbin/nologin\n"
