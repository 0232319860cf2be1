"""Publishes by SFTP, through OpenSSH's own client."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from heatmap.errors import ConfigError, DeadlineError, PublishError
from heatmap.publishers import address, options
from heatmap.publishers.remote import Remote
from heatmap.system import secrets

if TYPE_CHECKING:
    from collections.abc import Sequence

    from heatmap.publishers.connection import Connection
    from heatmap.publishers.sftp.known_hosts import HostKey
    from heatmap.publishers.sftp.openssh import Server
    from heatmap.system.deadline import Deadline

PROGRAM = "sftp"


@dataclass(frozen=True, slots=True)
class SftpPublisher(Remote):
    """A folder on an SSH server: `sftp://user@host:port/folder`, relative to the login folder unless `//`.

    The login is by key, by `~/.ssh/config` or `config_file` and the agent, unless a password is named. The
    host's key must be known before the first login: to ssh itself, or in `known_hosts_file`. `identity_file`
    None: the keys that ssh finds.
    """

    url: str
    identity_file: Path | None = None
    known_hosts_file: Path = Path("known_hosts")
    config_file: Path | None = None
    password_env: str | None = None
    password_file: Path | None = None
    password_command: tuple[str, ...] | None = None
    timeout_seconds: float = 20
    verify: str = "page"
    replace: str = "rename"
    overwrite: bool = False

    def __post_init__(self) -> None:
        """Raise ConfigError with a sentence for each value that is not valid."""
        problems = options.find_problems(self.verify, self.replace, self.timeout_seconds)
        try:
            server_address = address.parse(self.url)
            if self.by_password and server_address.user is None:
                problems.append("a password is named but url has no user: write user@ before the host")
        except ConfigError as error:
            problems.extend(error.problems)
        for name, file in self._files():
            if file and any(letter < " " or letter == '"' for letter in str(file)):
                problems.append(f"{name} must not hold quotation marks or control characters")
        if self.by_password and (self.identity_file or self.config_file):
            problems.append(
                "a password is named, so identity_file and config_file have no effect: remove them"
            )
        if problems:
            raise ConfigError(problems)

    @property
    def by_password(self) -> bool:
        """Whether the login is by password."""
        return any((self.password_env, self.password_file, self.password_command))

    def problems(self) -> Sequence[str]:
        """Return a sentence for each thing that is missing: the client, the password, a file."""
        from shutil import which

        problems = secrets.problems(*self._password_places)
        if which(PROGRAM) is None:
            problems.append(
                "the command sftp is not installed: install OpenSSH's client (Debian: openssh-client)"
            )
        for name, file in self._files():
            if file and name != "known_hosts_file" and not file.is_file():
                problems.append(f"the {name} {file} is not there: name an existing file")
        return problems

    def make_connection(self, deadline: Deadline) -> Connection:
        """Return a new connection that is not open yet. Raises PublishError if the password is unknown."""
        from heatmap.publishers import secret
        from heatmap.publishers.sftp import connection

        password = secret.read(self.name, self._password_places, deadline)
        return connection.SftpConnection(self._server, deadline, password)

    def read_host_key(self, deadline: Deadline) -> HostKey:
        """Return the key that the server shows now. This proves nothing. Raises PublishError."""
        from heatmap.publishers.sftp import openssh

        try:
            return openssh.read_host_key(self._server, deadline)
        except DeadlineError as error:
            raise PublishError(f"{self.name}: its host key cannot be read ({error}): try again") from error

    @property
    def _password_places(self) -> tuple[str | None, Path | None, tuple[str, ...] | None]:
        return self.password_env, self.password_file, self.password_command

    @property
    def _server(self) -> Server:
        from heatmap.publishers.sftp.openssh import Server

        return Server(
            name=self.name,
            address=address.parse(self.url),
            timeout_seconds=self.timeout_seconds,
            known_hosts_file=self.known_hosts_file,
            by_password=self.by_password,
            identity_file=self.identity_file,
            config_file=self.config_file,
        )

    def _files(self) -> Sequence[tuple[str, Path | None]]:
        return [
            ("identity_file", self.identity_file),
            ("known_hosts_file", self.known_hosts_file),
            ("config_file", self.config_file),
        ]
