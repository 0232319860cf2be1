"""Publishes by FTP, and by FTP over TLS, explicit or implicit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from heatmap.errors import ConfigError, PublishImpossible
from heatmap.publishers import address, options
from heatmap.publishers.remote import Remote
from heatmap.system import secrets

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from heatmap.publishers.ftp.connection import FtpConnection
    from heatmap.publishers.ftp.control import Security
    from heatmap.system.deadline import Deadline


@dataclass(frozen=True, slots=True)
class FtpPublisher(Remote):
    """A folder on an FTP server: `ftp://user@host:port/folder`, relative to the login folder unless `//`.

    Without a user the login is anonymous. `timeout_seconds` is the limit of each wait for the server. If
    `passive` is false, the server opens the data connections. For `verify`, `replace` and `overwrite` see
    `connection.Target`.
    """

    url: str
    password_env: str | None = None
    password_file: Path | None = None
    password_command: tuple[str, ...] | None = None
    timeout_seconds: float = 20
    passive: bool = True
    verify: str = "page"
    replace: str = "rename"
    overwrite: bool = False

    def __post_init__(self) -> None:
        """Raise ConfigError with a sentence for each value that is not valid."""
        problems = options.find_problems(self.verify, self.replace, self.timeout_seconds)
        try:
            if address.parse(self.url).user is None and self._has_password:
                problems.append("a password is named but url has no user: write user@ before the host")
        except ConfigError as error:
            problems.extend(error.problems)
        if problems:
            raise ConfigError(problems)

    def problems(self) -> Sequence[str]:
        """Return a sentence for each thing that is missing: a password for a user."""
        problems = secrets.problems(self.password_env, self.password_file, self.password_command)
        if address.parse(self.url).user and not self._has_password:
            problems.append(
                "url names a user but no password: name its variable in password_env, "
                "or a password_file or password_command"
            )
        return problems

    def make_connection(self, deadline: Deadline) -> FtpConnection:
        """Return a new connection that is not open yet. Raises PublishError."""
        from heatmap.publishers import secret
        from heatmap.publishers.ftp import connection

        places = (self.password_env, self.password_file, self.password_command)
        password = secret.read(self.name, places, deadline)
        return connection.FtpConnection(
            address.parse(self.url),
            password,
            self._make_security(),
            deadline,
            timeout_seconds=self.timeout_seconds,
            passive=self.passive,
        )

    @property
    def _has_password(self) -> bool:
        return bool(self.password_env or self.password_file or self.password_command)

    def _make_security(self) -> Security | None:
        """Return how the connection is secured; None: in clear. Raises PublishImpossible."""
        return None


@dataclass(frozen=True, slots=True)
class FtpsPublisher(FtpPublisher):
    """The same over TLS, for commands and data, with a certificate check: `ftps://user@host/folder`.

    `ca_file` holds the certificates of the trusted authorities, in PEM; None: those of the system. If
    `implicit` is true, or the port is 990, TLS starts with the first byte; else before the login.
    """

    ca_file: Path | None = None
    implicit: bool = False

    def problems(self) -> Sequence[str]:
        """Return a sentence for each thing that is missing: a password, the file of certificates."""
        problems = [*FtpPublisher.problems(self)]
        if self.ca_file and not self.ca_file.is_file():
            problems.append(f"the ca_file {self.ca_file} is not there: name a PEM file")
        return problems

    def _make_security(self) -> Security | None:
        import ssl

        from heatmap.publishers.ftp.control import IMPLICIT_PORT, Security

        try:
            context = ssl.create_default_context(cafile=self.ca_file)
        except ssl.SSLError as error:  # OpenSSL's own message names lines of C code
            problem = "holds no certificate in PEM: name a PEM file"
            raise PublishImpossible(f"{self.name}: the ca_file {self.ca_file} {problem}") from error
        except OSError as error:
            problem = f"cannot be read ({error.strerror}): check its name and its owner"
            raise PublishImpossible(f"{self.name}: the ca_file {self.ca_file} {problem}") from error
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        return Security(context, self.implicit or address.parse(self.url).port == IMPLICIT_PORT)
