"""Host keys: who vouches for which server, in a file of OpenSSH's format beside the configuration."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from heatmap import files, limits
from heatmap.errors import PublishRefused

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

REVOKED = "@revoked"
FILE_MODE = 0o600
USERS_FILES = ("~/.ssh/known_hosts", "~/.ssh/known_hosts2")
SYSTEM_FILES = ("/etc/ssh/ssh_known_hosts", "/etc/ssh/ssh_known_hosts2")


class UnknownHostKey(PublishRefused):
    """Nobody has vouched for the server's key yet."""


class HostKey(NamedTuple):
    """A server's public key, and the name it is known by: `host`, or `[host]:port`."""

    name: str
    kind: str
    key: str  # base64

    @property
    def fingerprint(self) -> str:
        """What people compare: SHA256 as OpenSSH writes it. Raises ValueError where that is no key."""
        from base64 import b64decode, b64encode
        from hashlib import sha256

        digest = sha256(b64decode(self.key, validate=True)).digest()
        return "SHA256:" + b64encode(digest).decode().rstrip("=")


class _Entry(NamedTuple):
    """A line of a file of host keys. `mark` is "" but for authorities and keys that were taken back."""

    file: str
    line: str
    mark: str
    key: HostKey


def parse(line: str) -> HostKey:
    """Return the key of a line such as `[host]:port ssh-ed25519 AAAA...`. Raises ValueError."""
    name, kind, key = line.split()[:3]
    return HostKey(name, kind, key)


def verify(target: str, file: Path, name: str, key: HostKey) -> None:
    """Raise PublishRefused unless `file`, the user's own or the system's vouches for the key of `name`."""
    entries = list(_entries(file, name))
    same = [entry for entry in entries if entry.key == key]
    if any(entry.mark == REVOKED for entry in same):
        raise revoked(target)
    if any(entry.mark == "" for entry in same):
        return
    others = [entry for entry in entries if entry.mark == ""]
    if not others:
        raise unknown(target)
    raise changed(target, name, key.fingerprint, others[0].file, others[0].line)


def kinds(file: Path, name: str) -> list[str]:
    """Return the kinds of keys that are known of a host, each once: it is asked for one of them first."""
    return list(dict.fromkeys(entry.key.kind for entry in _entries(file, name) if entry.mark == ""))


def add(file: Path, key: HostKey) -> None:
    """Trust a key from now on. Nothing that is in the file changes. Raises OSError."""
    import os

    descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, FILE_MODE)
    with os.fdopen(descriptor, "r+b", buffering=0) as stream:
        size = os.fstat(descriptor).st_size
        unfinished = size > 0 and os.pread(descriptor, 1, size - 1) != b"\n"
        stream.write(("\n" * unfinished + " ".join(key) + "\n").encode())
        files.sync(descriptor)


def _entries(file: Path, name: str) -> Iterator[_Entry]:
    """Yield what is kept of a host."""
    import os

    for path in (str(file), *map(os.path.expanduser, (*USERS_FILES, *SYSTEM_FILES))):
        try:
            lines = files.read(path, limits.HOST_KEYS_BYTES).decode("utf-8", "replace").splitlines()
        except OSError:
            continue
        for number, line in enumerate(lines, 1):
            words = line.split()
            mark = words.pop(0) if words and words[0].startswith("@") else ""
            if len(words) >= 3 and not words[0].startswith("#") and _is_of(words[0], name):
                yield _Entry(path, str(number), mark, HostKey(name, words[1], words[2]))


def _is_of(names: str, name: str) -> bool:
    """Whether the first word of a line stands for a host: names, patterns, or one name hashed."""
    if names.startswith("|1|"):
        import hmac
        from base64 import b64decode

        try:
            salt, digest = map(b64decode, names.split("|")[2:])
        except ValueError:
            return False
        return hmac.digest(salt, name.encode(), "sha1") == digest
    from fnmatch import fnmatchcase

    patterns = [pattern.replace("[", "[[]") for pattern in names.split(",")]
    if any(fnmatchcase(name, pattern[1:]) for pattern in patterns if pattern.startswith("!")):
        return False
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def unknown(target: str) -> UnknownHostKey:
    """Return the refusal of a server whose key nobody knows."""
    return UnknownHostKey(
        f"{target}: the host's key is not known. To see it, compare it and accept it: "
        "`heatmap check --trust-host-key`"
    )


def revoked(target: str) -> PublishRefused:
    """Return the refusal of a server whose key was taken back."""
    return PublishRefused(
        f"{target}: the host's key is marked as revoked: somebody has it who should not, so ask the provider"
    )


def changed(target: str, name: str, fingerprint: str, file: str, line: str) -> PublishRefused:
    """Return the refusal of a server whose key is not the one that `file` has in `line`."""
    return PublishRefused(
        f"{target}: the host's key has changed (it shows {fingerprint}, line {line} of {file} has another): "
        "somebody may stand between, so ask the provider; only if the new key is theirs, remove the old one "
        f"by ssh-keygen -f {file} -R '{name}', then run `heatmap check --trust-host-key`"
    )
