"""Makes the commands of OpenSSH's programs for a target, and runs those that only answer a question."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, NamedTuple

from heatmap.errors import PublishError, PublishImpossible
from heatmap.publishers.sftp import askpass, known_hosts, messages
from heatmap.system import processes, resource_errors, secrets

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from heatmap.publishers.address import Address
    from heatmap.publishers.sftp.known_hosts import HostKey
    from heatmap.system.deadline import Deadline

VERSION = re.compile(r"OpenSSH\w*_(\d+)\.(\d+)")


class Server(NamedTuple):
    """How an SSH server is reached. `name` is the target's name in messages.

    If `by_password` is true, the login is by password, and the user's configuration of ssh is not used: a
    jump host in it would get the password, too. `identity_file`, `config_file` None: as ssh finds them.
    """

    name: str
    address: Address
    timeout_seconds: float
    known_hosts_file: Path
    by_password: bool = False
    identity_file: Path | None = None
    config_file: Path | None = None


def make_arguments(server: Server, **more: str) -> list[str]:
    """Return the options and the host, the same for sftp and ssh.

    `more` are options that replace the usual ones.
    """
    address = server.address
    seconds = f"{max(1, round(server.timeout_seconds))}"
    system = " ".join(known_hosts.SYSTEM_FILES)
    options = {
        "BatchMode": "yes",
        "StrictHostKeyChecking": "yes",
        "NoHostAuthenticationForLocalhost": "no",
        "UpdateHostKeys": "no",  # only the user decides which keys to trust
        "GlobalKnownHostsFile": f'"{server.known_hosts_file}" {system}',  # so the user's own file counts, too
        "ControlMaster": "no",
        "ControlPath": "none",  # a shared connection may have been opened with less strict options
        "LogLevel": "ERROR",  # no greetings
        "ConnectTimeout": seconds,
        "ServerAliveInterval": seconds,  # with the next option this also limits the login
        "ServerAliveCountMax": "1",
    }
    if server.by_password:
        options |= {
            "BatchMode": "no",  # in batch mode ssh asks for no password
            "PubkeyAuthentication": "no",
            "PreferredAuthentications": "password,keyboard-interactive",
            "UserKnownHostsFile": " ".join(known_hosts.USERS_FILES),
            "NumberOfPasswordPrompts": "1",  # some servers ban an address after a second wrong login
        }
    options |= more
    if address.user:
        options["User"] = address.user
    if address.port:
        options["Port"] = f"{address.port}"
    if server.identity_file:
        options |= {"IdentityFile": _quote(server.identity_file), "IdentitiesOnly": "yes"}
    host = f"[{address.host}]" if ":" in address.host else address.host
    file = "none" if server.by_password else server.config_file
    config = ["-F", str(file)] if file else []
    return [*config, *(f"-o{key}={value}" for key, value in options.items()), "--", host]


def make_sftp_command(server: Server, batch_file: str, *flags: str, **more: str) -> list[str]:
    """Return the command that runs the commands in `batch_file` ("-": from its input). `more`: as above."""
    *options, end, host = make_arguments(server, **more)
    # ssh uses the first of two values, and -b adds a BatchMode of its own.
    return ["sftp", *flags, *options, "-b", batch_file, end, host]


def make_environment() -> dict[str, str]:
    """Return the user's environment for ssh, without secrets. ssh's messages are then in English."""
    return {**secrets.child_environment(), "LC_ALL": "C"}


def run(command: Sequence[str], seconds: float, more_environment: Mapping[str, str] | None = None) -> str:
    """Return all output of a program, in its order. Raises OSError, or TimeoutError after `seconds`."""
    from subprocess import STDOUT

    whole_environment = {**make_environment(), **(more_environment or {})}
    result = processes.run(command, seconds, environment=whole_environment, stderr=STDOUT)
    return result.stdout.decode(errors="replace")


def read_server_messages(server: Server, seconds: float, password: str | None = None) -> str:
    """Return the verbose output of `sftp` when it connects. Raises OSError."""
    command = make_sftp_command(server, os.devnull, "-vv", LogLevel="DEBUG2")
    with askpass.serve_password(password) as password_variables:
        return run(command, seconds, password_variables)


def read_version() -> tuple[int, int] | None:
    """Return the version of ssh, such as (8, 4); None if it is not known."""
    match = VERSION.match(_try(["ssh", "-V"]))
    return (int(match[1]), int(match[2])) if match else None


def read_host_key(server: Server, deadline: Deadline) -> HostKey:
    """Return the key that a server shows, without a login. ssh uses its aliases and jump hosts.

    Raises PublishError.
    """
    from heatmap.system import temporary

    seconds = deadline.timeout(server.timeout_seconds)
    with temporary.make_folder() as folder:
        file = f"{folder}/known_hosts"
        options = {
            "StrictHostKeyChecking": "accept-new",
            "UserKnownHostsFile": file,
            "GlobalKnownHostsFile": os.devnull,
            "HashKnownHosts": "no",
            "PreferredAuthentications": "none",
            "BatchMode": "yes",
        }
        try:
            output = run(["ssh", "-T", *make_arguments(server, **options)], seconds)
        except OSError as error:
            resource_errors.refuse(error)
            reason = error.strerror or "no answer in time"
            raise PublishError(f"{server.name}: its host key cannot be read ({reason}): try again") from error
        try:
            with open(file, encoding="utf-8") as stream:
                return known_hosts.parse(stream.readline())
        except (OSError, ValueError):
            raise messages.make_connection_error(server.name, output) from None


def find_locked_key(server: Server) -> str:
    """Return the first key file that ssh cannot use because it has a passphrase; "" if there is none."""
    if server.identity_file:
        files = [str(server.identity_file)]
    else:
        output = _try(["ssh", "-G", *make_arguments(server)])
        files = re.findall(r"^identityfile (.+)$", output, re.MULTILINE)
    for file in map(os.path.expanduser, files):
        if os.path.isfile(file) and "incorrect passphrase" in _try(
            ["ssh-keygen", "-y", "-P", "", "-f", file]
        ):
            return file
    return ""


def make_missing_command_error(target: str, error: OSError) -> PublishImpossible:
    """Return the error for a client that cannot be run."""
    return PublishImpossible(
        f"{target}: the command sftp cannot be run ({error.strerror}): "
        "install OpenSSH's client (Debian: openssh-client)"
    )


def _try(command: Sequence[str]) -> str:
    try:
        return run(command, 5)
    except OSError:
        return ""


def _quote(file: Path) -> str:
    return '"' + str(file).replace("%", "%%") + '"'
