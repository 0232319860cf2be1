"""Asks the user whether a server's host key is the right one, and remembers it if it is."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from heatmap.errors import PublishRefused, as_write_error
from heatmap.publishers.sftp import known_hosts
from heatmap.system.deadline import Deadline

if TYPE_CHECKING:
    from collections.abc import Sequence

    from heatmap.publishers.sftp.known_hosts import HostKey
    from heatmap.publishers.sftp.publisher import SftpPublisher

OPTION = "--trust-host-key"


def confirm(target: SftpPublisher, fingerprints: Sequence[str], seconds: float) -> None:
    """Show the key that a server has; write it down if the user, or one of `fingerprints`, vouches for it.

    Without any the user is asked at the terminal. Raises PublishError where the key stays unknown,
    ConfigError where it cannot be written down.
    """
    key = target.read_host_key(Deadline(seconds))
    sort = key.kind.removeprefix("ssh-").partition("-")[0]  # as the server's files are called
    print(
        f"\n{target.name} shows a host key that nobody has vouched for yet:\n\n"
        f"    {key.kind}  {key.fingerprint}\n\n"
        "Compare it with what the provider publishes, or with what the server itself says to\n"
        f"    ssh-keygen -lf /etc/ssh/ssh_host_{sort}_key.pub\n",
        flush=True,
    )
    _ask(target.name, key, [fingerprint for fingerprint in fingerprints if fingerprint])
    try:
        known_hosts.add_key(target.known_hosts_file, key)
    except OSError as error:
        why = error.strerror or str(error)
        sentence = f"{target.known_hosts_file} cannot be written ({why}): make it writable"
        raise as_write_error(error, sentence) from error
    print(f"From now on it is trusted: {target.known_hosts_file} has it.\n", flush=True)


def _ask(name: str, key: HostKey, fingerprints: Sequence[str]) -> None:
    """Raise PublishRefused unless somebody vouches for the key."""
    if key.fingerprint in fingerprints:
        return
    if fingerprints:
        raise PublishRefused(
            f"{name}: the host's key is not the one you gave, so it is not trusted: ask the provider"
        )
    if sys.stdin is None or not sys.stdin.isatty():  # None: it was closed before the program began
        raise PublishRefused(
            f"{name}: the host's key is not known, and nobody is here to ask: once you have compared the "
            f"fingerprint, give it as {OPTION}=SHA256:..."
        )
    try:
        answer = input("Is it the same? Then type yes: ")
    except EOFError:
        answer = ""
    if answer.strip().lower() not in {"y", "yes"}:
        raise PublishRefused(f"{name}: the host's key is not known, and stays so")
