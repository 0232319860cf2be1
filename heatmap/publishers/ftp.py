"""Publishes by FTP, and by FTP over explicit TLS."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from heatmap import credentials
from heatmap.errors import ConfigError, PublishRefused
from heatmap.publishers import address

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from heatmap.model import Page
    from heatmap.publishers.ftp_session import Session


@dataclass(frozen=True, slots=True)
class FtpPublisher:
    """A folder on an FTP server: `ftp://user@host:port/folder`, relative to the login folder unless `//`.

    Without a user the login is anonymous. `timeout_seconds` bounds each wait for the server.
    """

    url: str
    password_env: str | None = None
    password_file: Path | None = None
    timeout_seconds: float = 20

    def __post_init__(self) -> None:
        """Raise ConfigError for values that cannot be."""
        problems = address.timeout_problems(self.timeout_seconds)
        try:
            where = address.parse(self.url)
            if where.user is None and (self.password_env or self.password_file):
                problems.append("a password is named but url has no user: write user@ before the host")
        except ConfigError as error:
            problems.extend(error.problems)
        if problems:
            raise ConfigError(problems)

    @property
    def name(self) -> str:
        """What messages call this target."""
        return address.parse(self.url).name

    def located(self, base: Path) -> FtpPublisher:
        """Return the same target with relative paths taken from `base`."""
        return replace(self, password_file=self.password_file and base / self.password_file)

    def problems(self) -> Sequence[str]:
        """Say what is missing: a password for a user."""
        found = credentials.problems(self.password_env, self.password_file)
        if address.parse(self.url).user and not self.password_env and not self.password_file:
            found.append(
                "url names a user but no password: name its variable in password_env, or a password_file"
            )
        return found

    def publish(self, pages: Sequence[Page]) -> None:
        """Put every page in place, in order. Raises PublishError."""

        def put_all(session: Session) -> None:
            for page in pages:
                session.put(page.path, page.content)

        self._run(put_all)

    def check(self) -> str:
        """Write, replace and delete a probe file. Raises PublishError."""
        name = address.probe()

        def probe(session: Session) -> None:
            session.put(name, b"first")
            session.put(name, b"second")
            session.delete(name)

        self._run(probe)
        return address.CHECKED

    def _tls(self) -> tuple[bool, Path | None]:
        """Whether to use TLS, and the file of the authorities to trust; None: the system's."""
        return False, None

    def _run(self, task: Callable[[Session], None]) -> None:
        """Do `task` in a session. After a fault its connection is thrown away: it may be one reply behind."""
        from heatmap.publishers import ftp_session

        where = address.parse(self.url)
        try:
            secret = credentials.read(self.password_env, self.password_file)
            session = ftp_session.Session(where, secret, self.timeout_seconds, *self._tls())
        except ConfigError as error:
            raise PublishRefused(f"{where.name}: {error}") from error
        except OSError as error:
            raise PublishRefused(f"{where.name}: the ca_file cannot be used ({error.strerror})") from error
        with session:
            try:
                session.open()
                task(session)
                return
            except ftp_session.FAULTS as error:
                kind, sentence = session.explain(error)
                cause = None if secret and secret in str(error) else error
                gone = isinstance(error, TimeoutError)
        if session.unfinished and not gone:
            self._sweep(session)
        raise kind(sentence) from cause

    def _sweep(self, failed: Session) -> None:
        """Delete, on a new connection, the temporary file that a failed session left; as well as can be."""
        from contextlib import suppress

        from heatmap.publishers import ftp_session

        with suppress(*ftp_session.FAULTS), failed.again() as session:
            session.open()
            session.remove(failed.unfinished)


@dataclass(frozen=True, slots=True)
class FtpsPublisher(FtpPublisher):
    """The same over explicit TLS, commands and data, certificate checked: `ftps://user@host/folder`.

    `ca_file` holds the authorities to trust, in PEM; None: those of the system.
    """

    ca_file: Path | None = None

    def located(self, base: Path) -> FtpsPublisher:
        """Return the same target with relative paths taken from `base`."""
        password_file = self.password_file and base / self.password_file
        return replace(self, password_file=password_file, ca_file=self.ca_file and base / self.ca_file)

    def problems(self) -> Sequence[str]:
        """Say what is missing: a password for a user, the file of authorities."""
        found = [*FtpPublisher.problems(self)]
        if self.ca_file and not self.ca_file.is_file():
            found.append(f"the ca_file {self.ca_file} is not there: name a PEM file")
        return found

    def _tls(self) -> tuple[bool, Path | None]:
        return True, self.ca_file
