"""How OpenSSH's programs are called for a target, and the questions that a call of their own answers."""

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
    """How an SSH server is reached. `name` is what messages call the target.

    `by_password`: the login is by password, and the user's configuration of ssh does not count. A jump host
    in it would ask for the password, too. `identity_file`, `config_file` None: as ssh finds them.
    """

    name: str
    address: Address
    timeout_seconds: float
    known_hosts_file: Path
    by_password: bool = False
    identity_file: Path | None = None
    config_file: Path | None = None


def make_arguments(server: Server, **more: str) -> list[str]:
    """Return the options and the host, alike for sftp and ssh.

    `more`: options that take the place of those.
    """
    where = server.address
    seconds = f"{max(1, round(server.timeout_seconds))}"
    system = " ".join(known_hosts.SYSTEM_FILES)
    options = {
        "BatchMode": "yes",
        "StrictHostKeyChecking": "yes",
        "NoHostAuthenticationForLocalhost": "no",
        "UpdateHostKeys": "no",  # which keys to trust is the user's act alone
        "GlobalKnownHostsFile": f'"{server.known_hosts_file}" {system}',  # so the user's own file holds too
        "ControlMaster": "no",
        "ControlPath": "none",  # a connection that others opened, they may have opened with less care
        "LogLevel": "ERROR",  # no greetings
        "ConnectTimeout": seconds,
        "ServerAliveInterval": seconds,  # with the next, also how long it waits while it logs in
        "ServerAliveCountMax": "1",
    }
    if server.by_password:
        options |= {
            "BatchMode": "no",  # in which ssh asks for nothing
            "PubkeyAuthentication": "no",
            "PreferredAuthentications": "password,keyboard-interactive",
            "UserKnownHostsFile": " ".join(known_hosts.USERS_FILES),
            "NumberOfPasswordPrompts": "1",  # a second wrong login brings some servers to ban an address
        }
    options |= more
    if where.user:
        options["User"] = where.user
    if where.port:
        options["Port"] = f"{where.port}"
    if server.identity_file:
        options |= {"IdentityFile": _quote(server.identity_file), "IdentitiesOnly": "yes"}
    host = f"[{where.host}]" if ":" in where.host else where.host
    file = "none" if server.by_password else server.config_file
    config = ["-F", str(file)] if file else []
    return [*config, *(f"-o{key}={value}" for key, value in options.items()), "--", host]


def make_sftp_command(server: Server, batch_file: str, *flags: str, **more: str) -> list[str]:
    """Return the command that obeys `batch_file` ("-": what it reads) without a terminal; `more` as above."""
    *options, end, host = make_arguments(server, **more)
    # ssh obeys the first of two values, and -b brings a BatchMode of its own.
    return ["sftp", *flags, *options, "-b", batch_file, end, host]


def make_environment() -> dict[str, str]:
    """Return the environment of ssh as the user has it, without secrets; its words are English."""
    return {**secrets.child_environment(), "LC_ALL": "C"}


def run(command: Sequence[str], seconds: float, more_environment: Mapping[str, str] | None = None) -> str:
    """Return all that a program says, in whatever order. Raises OSError, or TimeoutError after `seconds`."""
    from subprocess import STDOUT

    whole_environment = {**make_environment(), **(more_environment or {})}
    ended = processes.run(command, seconds, environment=whole_environment, stderr=STDOUT)
    return ended.stdout.decode(errors="replace")


def read_server_messages(server: Server, seconds: float, password: str | None = None) -> str:
    """Return what `sftp` tells of a server when it connects. Raises OSError."""
    command = make_sftp_command(server, os.devnull, "-vv", LogLevel="DEBUG2")
    with askpass.serve_password(password) as answers:
        return run(command, seconds, answers)


def read_version() -> tuple[int, int] | None:
    """Return the version of ssh, (8, 4) for instance; None where it is not told."""
    told = VERSION.match(_try(["ssh", "-V"]))
    return (int(told[1]), int(told[2])) if told else None


def read_host_key(server: Server, deadline: Deadline) -> HostKey:
    """Return the key that a server shows, reached as ssh reaches it, by aliases and jump hosts; no login.

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
            said = run(["ssh", "-T", *make_arguments(server, **options)], seconds)
        except OSError as error:
            resource_errors.refuse(error)
            why = error.strerror or "no answer in time"
            raise PublishError(f"{server.name}: its host key cannot be had ({why}): try again") from error
        try:
            with open(file, encoding="utf-8") as stream:
                return known_hosts.parse(stream.readline())
        except (OSError, ValueError):
            raise messages.make_connection_error(server.name, said) from None


def find_locked_key(server: Server) -> str:
    """Return the first file of a key that ssh would use but for its passphrase; "" for none."""
    if server.identity_file:
        files = [str(server.identity_file)]
    else:
        said = _try(["ssh", "-G", *make_arguments(server)])
        files = re.findall(r"^identityfile (.+)$", said, re.MULTILINE)
    for file in map(os.path.expanduser, files):
        if os.path.isfile(file) and "incorrect passphrase" in _try(
            ["ssh-keygen", "-y", "-P", "", "-f", file]
        ):
            return file
    return ""


def make_missing_command_error(target: str, error: OSError) -> PublishImpossible:
    """Return the sentence for a client that cannot be run."""
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
