"""Asks the user whether a server's host key is right, and saves it if it is."""

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
    """Show the key of a server. Save it if the user confirms it, or if it matches one of `fingerprints`.

    Without fingerprints, ask the user at the terminal. Raises PublishError if the key stays unknown,
    ConfigError if it cannot be saved.
    """
    key = target.read_host_key(Deadline(seconds))
    kind = key.kind.removeprefix("ssh-").partition("-")[0]  # as in the names of the server's files
    print(
        f"\n{target.name} has a host key that nobody has confirmed yet:\n\n"
        f"    {key.kind}  {key.fingerprint}\n\n"
        "Compare it with the key that the provider publishes, or with the output on the server of\n"
        f"    ssh-keygen -lf /etc/ssh/ssh_host_{kind}_key.pub\n",
        flush=True,
    )
    _ask(target.name, key, [fingerprint for fingerprint in fingerprints if fingerprint])
    try:
        known_hosts.add_key(target.known_hosts_file, key)
    except OSError as error:
        reason = error.strerror or str(error)
        sentence = f"{target.known_hosts_file} cannot be written ({reason}): make it writable"
        raise as_write_error(error, sentence) from error
    print(f"The key is now trusted, and saved in {target.known_hosts_file}.\n", flush=True)


def _ask(name: str, key: HostKey, fingerprints: Sequence[str]) -> None:
    """Raise PublishRefused unless the user or a fingerprint confirms the key."""
    if key.fingerprint in fingerprints:
        return
    if fingerprints:
        raise PublishRefused(
            f"{name}: the host's key is not the one you gave, so it is not trusted: ask the provider"
        )
    if sys.stdin is None or not sys.stdin.isatty():  # None: it was closed before the program started
        raise PublishRefused(
            f"{name}: the host's key is not known, and there is no terminal for a question: compare the "
            f"fingerprint, then give it as {OPTION}=SHA256:..."
        )
    try:
        answer = input("Is it the same? Then type yes: ")
    except EOFError:
        answer = ""
    if answer.strip().lower() not in {"y", "yes"}:
        raise PublishRefused(f"{name}: the host's key is not known, and was not confirmed")
