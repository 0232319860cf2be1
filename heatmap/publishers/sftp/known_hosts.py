"""Host keys: the trusted keys of servers, in a file of OpenSSH's format beside the configuration."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from heatmap.errors import PublishRefused
from heatmap.system import files

if TYPE_CHECKING:
    from pathlib import Path

FILE_MODE = 0o600
USERS_FILES = ("~/.ssh/known_hosts", "~/.ssh/known_hosts2")
SYSTEM_FILES = ("/etc/ssh/ssh_known_hosts", "/etc/ssh/ssh_known_hosts2")


class UnknownHostKey(PublishRefused):
    """The server's key is not trusted yet."""


class HostKey(NamedTuple):
    """A server's public key, and the server's name in the file: `host` or `[host]:port`."""

    name: str
    kind: str
    key: str  # base64

    @property
    def fingerprint(self) -> str:
        """The key's SHA256 as OpenSSH writes it, for people to compare. Raises ValueError if it is no key."""
        from base64 import b64decode, b64encode
        from hashlib import sha256

        digest = sha256(b64decode(self.key, validate=True)).digest()
        return "SHA256:" + b64encode(digest).decode().rstrip("=")


def parse(line: str) -> HostKey:
    """Return the key of a line such as `[host]:port ssh-ed25519 AAAA...`. Raises ValueError."""
    name, kind, key = line.split()[:3]
    return HostKey(name, kind, key)


def add_key(file: Path, key: HostKey) -> None:
    """Add a key to the file, which is trusted from now on. Other lines do not change. Raises OSError."""
    import os

    descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, FILE_MODE)
    with os.fdopen(descriptor, "r+b", buffering=0) as stream:
        size = os.fstat(descriptor).st_size
        is_cut = size > 0 and os.pread(descriptor, 1, size - 1) != b"\n"
        stream.write(("\n" * is_cut + " ".join(key) + "\n").encode())
        files.sync(descriptor)


def make_unknown_key_error(target: str) -> UnknownHostKey:
    """Return the error for a server whose key is not trusted."""
    return UnknownHostKey(
        f"{target}: the host's key is not known. To see it, compare it and accept it: "
        "`heatmap check --trust-host-key`"
    )


def make_revoked_key_error(target: str) -> PublishRefused:
    """Return the error for a server whose key is revoked."""
    return PublishRefused(
        f"{target}: the host's key is marked as revoked: somebody has it who should not, so ask the provider"
    )


def make_changed_key_error(target: str, name: str, fingerprint: str, file: str, line: str) -> PublishRefused:
    """Return the error for a server that has another key than `line` of `file`."""
    return PublishRefused(
        f"{target}: the host's key has changed (it shows {fingerprint}, line {line} of {file} has another): "
        "somebody may stand between, so ask the provider; only if the new key is theirs, remove the old one "
        f"by ssh-keygen -f {file} -R '{name}', then run `heatmap check --trust-host-key`"
    )
