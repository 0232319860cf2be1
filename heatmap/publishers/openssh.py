"""How OpenSSH's programs are called for a target, and the questions that a call of their own answers."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from heatmap import credentials, shortage
from heatmap.errors import PublishError, PublishImpossible
from heatmap.publishers import address, known_hosts, sftp_words

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from heatmap.deadline import Deadline
    from heatmap.publishers.known_hosts import HostKey
    from heatmap.publishers.sftp import SftpPublisher


def arguments(target: SftpPublisher, **more: str) -> list[str]:
    """Return the options and the host, alike for sftp and ssh. What the user's configuration says counts too.

    `more`: options that take the place of those.
    """
    where = address.parse(target.url)
    seconds = f"{max(1, round(target.timeout_seconds))}"
    system = " ".join(known_hosts.SYSTEM_FILES)
    options = {
        "BatchMode": "yes",
        "StrictHostKeyChecking": "yes",
        "NoHostAuthenticationForLocalhost": "no",
        "UpdateHostKeys": "no",  # which keys to trust is the user's act alone
        "GlobalKnownHostsFile": f'"{target.known_hosts_file}" {system}',  # so the user's own file holds too
        "ControlMaster": "no",
        "ControlPath": "none",  # a connection that others opened, they may have opened with less care
        "LogLevel": "ERROR",  # no greetings
        "ConnectTimeout": seconds,
        "ServerAliveInterval": seconds,  # with the next, also how long it waits while it logs in
        "ServerAliveCountMax": "1",
    }
    options |= more
    if where.user:
        options["User"] = where.user
    if where.port:
        options["Port"] = f"{where.port}"
    if target.identity_file:
        options |= {"IdentityFile": _quoted(target.identity_file), "IdentitiesOnly": "yes"}
    host = f"[{where.host}]" if ":" in where.host else where.host
    config = ["-F", str(target.config_file)] if target.config_file else []
    return [*config, *(f"-o{key}={value}" for key, value in options.items()), "--", host]


def environment() -> dict[str, str]:
    """Return the environment of ssh as the user has it, without secrets; its words are English."""
    return {**credentials.child_environment(), "LC_ALL": "C"}


def run(command: Sequence[str], seconds: float) -> str:
    """Return all that a program says, in whatever order. Raises OSError, or TimeoutError after `seconds`."""
    import signal
    from subprocess import DEVNULL, PIPE, STDOUT, Popen, TimeoutExpired

    with Popen(
        command, stdin=DEVNULL, stdout=PIPE, stderr=STDOUT, env=environment(), start_new_session=True
    ) as child:
        try:
            return child.communicate(timeout=seconds)[0].decode(errors="replace")
        except TimeoutExpired:
            raise TimeoutError from None
        finally:
            if child.returncode is None:
                os.killpg(child.pid, signal.SIGKILL)  # with all that it started


def description(target: SftpPublisher, seconds: float) -> str:
    """Return what `sftp` tells of a server when it connects. Raises OSError."""
    return run(["sftp", "-vv", "-b", os.devnull, *arguments(target, LogLevel="DEBUG2")], seconds)


def host_key(target: SftpPublisher, deadline: Deadline) -> HostKey:
    """Return the key that a server shows, reached as ssh reaches it, by aliases and jump hosts; no login.

    Raises PublishError.
    """
    from heatmap import temporary

    seconds = deadline.timeout(target.timeout_seconds)
    with temporary.make_folder() as folder:
        file = f"{folder}/known_hosts"
        options = {
            "StrictHostKeyChecking": "accept-new",
            "UserKnownHostsFile": file,
            "GlobalKnownHostsFile": os.devnull,
            "HashKnownHosts": "no",
            "PreferredAuthentications": "none",
        }
        try:
            said = run(["ssh", "-T", *arguments(target, **options)], seconds)
        except OSError as error:
            shortage.refuse(error)
            why = error.strerror or "no answer in time"
            raise PublishError(f"{target.name}: its host key cannot be had ({why}): try again") from error
        try:
            with open(file, encoding="utf-8") as stream:
                return known_hosts.parse(stream.readline())
        except (OSError, ValueError):
            raise sftp_words.refusal(target.name, said) from None


def locked_key(target: SftpPublisher) -> str:
    """Return the first file of a key that ssh would use for a target but for its passphrase; "" for none."""
    if target.identity_file:
        files = [str(target.identity_file)]
    else:
        said = _tried(["ssh", "-G", *arguments(target)])
        files = re.findall(r"^identityfile (.+)$", said, re.MULTILINE)
    for file in map(os.path.expanduser, files):
        if os.path.isfile(file) and "incorrect passphrase" in _tried(
            ["ssh-keygen", "-y", "-P", "", "-f", file]
        ):
            return file
    return ""


def missing(target: str, error: OSError) -> PublishImpossible:
    """Return the sentence for a client that cannot be run."""
    return PublishImpossible(
        f"{target}: the command sftp cannot be run ({error.strerror}): "
        "install OpenSSH's client (Debian: openssh-client)"
    )


def _tried(command: Sequence[str]) -> str:
    try:
        return run(command, 5)
    except OSError:
        return ""


def _quoted(file: Path) -> str:
    return '"' + str(file).replace("%", "%%") + '"'
