"""A real OpenSSH server that speaks SFTP only, to one key, and where asked to one password."""

from __future__ import annotations

import os
import pwd
import shlex
import subprocess
from pathlib import Path

from tests.servers.process import Missing, Server, needed

PASSWORD = "canary-5ecret"
INSIDE = "/run/inside"  # in the server's own mount namespace


class Sshd(Server):
    """sshd with umask 077; its login folder is `root`. An ordinary user gets all but `chroot` and `by_password`.

    As root it wants a user and a folder under /run: it gets both in a mount namespace of its own.

    - `chroot`: the login sees nothing but `root`, as "/".
    - `read_only`: nothing may be written.
    - `posix_rename` False: no renaming over what exists, as with servers that are not OpenSSH.
    - `passphrase`: what the client's key is encrypted with.
    - `by_password`: the login is by `password`, not by key.
    - `jump_host`: it forwards connections, so that another server is reached through it.
    - `change_host_key()`: a restart with another key, which `known_hosts_file` does not have.
    """

    def __init__(
        self,
        folder: Path,
        *,
        chroot: bool = False,
        read_only: bool = False,
        posix_rename: bool = True,
        passphrase: str = "",
        by_password: bool = False,
        password: str = PASSWORD,
        jump_host: bool = False,
        umask: str = "077",
        file_size_limit: int | None = None,
    ) -> None:
        if (chroot or by_password) and os.geteuid() != 0:
            raise Missing("sshd needs root for a chroot or a password: run the tests as root for this one")
        super().__init__(folder)
        self.password = password
        self.user = pwd.getpwuid(os.geteuid()).pw_name
        self.identity_file = folder / "client_key"
        self.known_hosts_file = folder / "known_hosts"
        program = needed("sshd")
        make_key(self.identity_file, passphrase)
        make_key(folder / "host_key")
        self.trust(self.host_key)
        sftp = ["internal-sftp", "-u", umask, "-d", "/" if chroot else str(self.root)]
        if read_only:
            sftp.append("-R")
        if not posix_rename:
            sftp += ["-P", "posix-rename"]
        options = {
            "Port": self.port,
            "ListenAddress": "127.0.0.1",
            "HostKey": folder / "host_key",
            "PidFile": "none",
            "AuthorizedKeysFile": folder / "client_key.pub",
            "StrictModes": "no",
            "UsePAM": "no",
            "PermitRootLogin": "yes",
            "PubkeyAuthentication": "no" if by_password else "yes",
            "PasswordAuthentication": "yes" if by_password else "no",
            "KbdInteractiveAuthentication": "no",
            "AllowTcpForwarding": "yes" if jump_host else "no",
            "MaxStartups": 100,
            "ChrootDirectory": INSIDE if chroot else "none",
            "Subsystem": "sftp internal-sftp",
            "ForceCommand": shlex.join(sftp),
        }
        config = folder / "sshd_config"
        config.write_text("".join(f"{key} {value}\n" for key, value in options.items()), "utf-8")
        command: list[str | Path] = [program, "-D", "-e", "-f", config]
        if os.geteuid() == 0:
            command = ["unshare", "-m", "sh", "-c", self._seclude(shlex.join(map(str, command)), by_password)]
        self._command, self._file_size_limit = command, file_size_limit
        self.start(*command, file_size_limit=file_size_limit)

    @property
    def host_key(self) -> str:
        """The public key by which clients know the server."""
        return (self.folder / "host_key.pub").read_text("utf-8")

    def trust(self, host_key: str) -> None:
        """Make `host_key` the one that the known-hosts file has."""
        kind, key = host_key.split()[:2]
        self.known_hosts_file.write_text(f"[127.0.0.1]:{self.port} {kind} {key}\n", "utf-8")

    def change_host_key(self) -> None:
        """Go on with another key on the same port, as a new or a false server would."""
        self.stop()
        (self.folder / "host_key").unlink()
        make_key(self.folder / "host_key")
        self.start(*self._command, file_size_limit=self._file_size_limit)

    def url(self, path: str = "", port: int | None = None, host: str = "127.0.0.1") -> str:
        """The address of a folder on it, relative to the login folder; or the way there by a proxy."""
        return f"sftp://{self.user}@{host}:{port or self.port}/{path}"

    def _seclude(self, command: str, by_password: bool) -> str:
        """Return the script that gives the server accounts and folders which the system knows nothing of."""
        accounts, shadow = self.folder / "passwd", self.folder / "shadow"
        accounts.write_text(_with_sshd(Path("/etc/passwd").read_text("utf-8")), "utf-8")
        steps = [f"mount --bind {shlex.quote(str(accounts))} /etc/passwd"]
        if by_password:
            hashed = subprocess.run(
                ["openssl", "passwd", "-6", "-stdin"],
                input=self.password,
                check=True,
                capture_output=True,
                text=True,
            ).stdout.strip()
            shadow.write_text(f"{self.user}:{hashed}:20000:0:99999:7:::\n", "utf-8")
            shadow.chmod(0o600)
            steps.append(f"mount --bind {shlex.quote(str(shadow))} /etc/shadow")
        steps += [
            "mount -t tmpfs -o mode=755 tmpfs /run",
            f"mkdir -m 755 /run/sshd {INSIDE}",
            f"mount --bind {shlex.quote(str(self.root))} {INSIDE}",
            f"exec {command}",
        ]
        return " && ".join(steps)


def make_key(file: Path, passphrase: str = "") -> None:
    """Make a key pair: `file` and `file`.pub."""
    file.with_name(f"{file.name}.pub").unlink(missing_ok=True)
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", passphrase, "-f", file], check=True)


def _with_sshd(accounts: str) -> str:
    if any(line.startswith("sshd:") for line in accounts.splitlines()):
        return accounts
    return accounts.rstrip("\n") + "\nsshd:x:65533:65534::/run/sshd:/usr/sbin/nologin\n"
