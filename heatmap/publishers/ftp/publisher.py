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

    Without a user the login is anonymous. `timeout_seconds` bounds each wait for the server. Not `passive`:
    the server makes the data connections. `verify`, `replace` and `overwrite` are as `delivery` has them.
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
        """Raise ConfigError for values that cannot be."""
        problems = options.problems(self.verify, self.replace, self.timeout_seconds)
        try:
            if address.parse(self.url).user is None and self._names_a_password:
                problems.append("a password is named but url has no user: write user@ before the host")
        except ConfigError as error:
            problems.extend(error.problems)
        if problems:
            raise ConfigError(problems)

    def problems(self) -> Sequence[str]:
        """Say what is missing: a password for a user."""
        found = secrets.problems(self.password_env, self.password_file, self.password_command)
        if address.parse(self.url).user and not self._names_a_password:
            found.append(
                "url names a user but no password: name its variable in password_env, "
                "or a password_file or password_command"
            )
        return found

    def session(self, deadline: Deadline) -> FtpConnection:
        """Return a new session, not yet open. Raises PublishError."""
        from heatmap.publishers import secret
        from heatmap.publishers.ftp import connection

        places = (self.password_env, self.password_file, self.password_command)
        password = secret.read(self.name, places, deadline)
        return connection.FtpConnection(
            address.parse(self.url),
            password,
            self._security(),
            deadline,
            timeout_seconds=self.timeout_seconds,
            passive=self.passive,
        )

    @property
    def _names_a_password(self) -> bool:
        return bool(self.password_env or self.password_file or self.password_command)

    def _security(self) -> Security | None:
        """How the connection is secured; None: not at all. Raises PublishImpossible."""
        return None


@dataclass(frozen=True, slots=True)
class FtpsPublisher(FtpPublisher):
    """The same over TLS, commands and data, certificate checked: `ftps://user@host/folder`.

    `ca_file` holds the authorities to trust, in PEM; None: those of the system. `implicit`: TLS from the
    first byte on, as it always is at port 990; else it begins before the login.
    """

    ca_file: Path | None = None
    implicit: bool = False

    def problems(self) -> Sequence[str]:
        """Say what is missing: a password for a user, the file of authorities."""
        found = [*FtpPublisher.problems(self)]
        if self.ca_file and not self.ca_file.is_file():
            found.append(f"the ca_file {self.ca_file} is not there: name a PEM file")
        return found

    def _security(self) -> Security | None:
        import ssl

        from heatmap.publishers.ftp.control import IMPLICIT_PORT, Security

        try:
            context = ssl.create_default_context(cafile=self.ca_file)
        except ssl.SSLError as error:  # OpenSSL's own words tell of lines of C
            what = "holds no certificate in PEM: name a PEM file"
            raise PublishImpossible(f"{self.name}: the ca_file {self.ca_file} {what}") from error
        except OSError as error:
            what = f"cannot be read ({error.strerror}): check its name and its owner"
            raise PublishImpossible(f"{self.name}: the ca_file {self.ca_file} {what}") from error
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        return Security(context, self.implicit or address.parse(self.url).port == IMPLICIT_PORT)
