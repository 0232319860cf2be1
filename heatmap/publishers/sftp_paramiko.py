"""A `steps.Session` by password, through paramiko: OpenSSH's own client takes none from a program.

Loads paramiko, so it is imported by the method that publishes.
"""

from __future__ import annotations

import logging
import socket
from contextlib import contextmanager, suppress
from stat import S_ISDIR, S_ISLNK, S_ISREG, filemode
from typing import TYPE_CHECKING

import paramiko
from paramiko.sftp import CMD_EXTENDED

from heatmap.deadline import Deadline
from heatmap.errors import PublishError, PublishRefused
from heatmap.publishers import address, known_hosts, secret, sftp_words
from heatmap.publishers.sftp_words import Broken, Lost
from heatmap.publishers.steps import CannotReplace, Hidden, Missing, Unreadable
from heatmap.redaction import redact

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from heatmap.publishers.known_hosts import HostKey
    from heatmap.publishers.sftp import SftpPublisher

SSH_PORT = 22
OTHERS_MAY_READ = 0o004
RSA_SIGNATURES = ("rsa-sha2-512", "rsa-sha2-256")  # what a key of kind ssh-rsa signs with nowadays
MOST_FAULTS = (OSError, EOFError, paramiko.SSHException, paramiko.SFTPError)

logging.getLogger("paramiko").addHandler(logging.NullHandler())  # else it prints tracebacks on stderr


class ParamikoSession:
    """A connection by password. Paths that do not begin with "/" start at the login folder."""

    atomic = False
    faults = (*MOST_FAULTS, Broken)

    def __init__(self, target: SftpPublisher, secret: str, deadline: Deadline) -> None:
        self._target = target
        self._secret = secret
        self._deadline = deadline
        self._socket: socket.socket | None = None
        self._transport: paramiko.Transport | None = None
        self._channel: paramiko.Channel | None = None
        self._client: paramiko.SFTPClient | None = None
        self._step, self._what = "connect", ""
        self._stored = ""  # what was put last
        self.made: list[str] = []
        self._renames = self._syncs = True  # until the server says otherwise

    def open(self) -> None:
        """Connect, see that it is the server it should be, log in."""
        name, key = self.meet()
        known_hosts.verify(self._target.name, self._target.known_hosts_file, name, key)
        self._step = "login"
        transport = self._transport
        assert transport is not None  # noqa: S101 -- meet() made it
        user = address.parse(self._target.url).user or ""
        with self._within_timeout():
            if transport.auth_password(user, self._secret):
                raise paramiko.AuthenticationException("the server wants more than a password")
            self._step = "connect"
            self._channel = transport.open_session(timeout=self._seconds)
            self._channel.invoke_subsystem("sftp")
            self._channel.settimeout(self._seconds)
            self._client = paramiko.SFTPClient(self._channel)

    def meet(self) -> tuple[str, HostKey]:
        """Connect; return the name the server is known by and the key it shows. Raises one of `faults`."""
        where = address.parse(self._target.url)
        port = where.port or SSH_PORT
        name = where.host if port == SSH_PORT else f"[{where.host}]:{port}"
        known = known_hosts.kinds(self._target.known_hosts_file, name)
        with self._within_timeout():
            self._socket = socket.create_connection((where.host, port), self._seconds)
            transport = self._transport = paramiko.Transport(self._socket)
            transport.banner_timeout = transport.handshake_timeout = transport.auth_timeout = self._seconds
            options = transport.get_security_options()
            wanted = [kind for old in known for kind in (RSA_SIGNATURES if old == "ssh-rsa" else (old,))]
            first = [kind for kind in wanted if kind in options.key_types]
            options.key_types = [*first, *(kind for kind in options.key_types if kind not in first)]
            transport.start_client(timeout=self._seconds)
            key = transport.get_remote_server_key()
        return name, known_hosts.HostKey(name, key.get_name(), key.get_base64())

    def size(self, path: str) -> int | None:
        """Return a file's size, None where it is not told. Raises Missing; Hidden where none may read it."""
        with self._within_step("look", path) as client:
            try:
                found = client.lstat(path)
            except FileNotFoundError:
                raise Missing from None
        mode = found.st_mode
        if mode is not None and not S_ISREG(mode):
            what = "a folder" if S_ISDIR(mode) else "a symbolic link" if S_ISLNK(mode) else "no ordinary file"
            raise sftp_words.in_the_way(self._target.name, path, what)
        if mode is not None and not mode & OTHERS_MAY_READ:
            if path == self._stored:
                raise sftp_words.kept_from_visitors(self._target.name, path, filemode(mode))
            raise Hidden(found.st_size)
        return found.st_size

    def read(self, path: str, most: int | None = None) -> bytes:
        """Return what a file holds, or its first `most` bytes. Raises Missing, Unreadable."""
        with self._within_step("read", path) as client:
            try:
                with client.open(path, "rb") as file:
                    return file.read(most or address.MAX_BYTES)
            except FileNotFoundError:
                raise Missing from None
            except PermissionError as error:
                raise Unreadable(str(self.explain(error))) from None

    def put(self, path: str, content: bytes) -> None:
        """Store under exactly this name, readable for visitors, in folders made where they are missing."""
        with self._within_step("store", path):
            try:
                self._store(path, content)
            except FileNotFoundError:
                self._make_folders(address.parent(path))
                self._store(path, content)
        self._stored = path

    def replace(self, temporary: str, path: str) -> None:
        """Rename over what is there, in one step. Raises CannotReplace."""
        with self._within_step("replace", path) as client:
            if self._renames:
                try:
                    client.posix_rename(temporary, path)
                    return
                except OSError as error:
                    _raise_if_lost(error)
                    self._renames = False
            try:
                client.rename(temporary, path)
            except PermissionError:
                raise
            except OSError as error:
                _raise_if_lost(error)
                with suppress(FileNotFoundError):
                    client.lstat(path)
                    raise CannotReplace(_said(error)) from None
                raise

    def remove(self, path: str) -> None:
        """Delete a file. Raises Missing."""
        with self._within_step("delete", path) as client:
            try:
                client.remove(path)
            except FileNotFoundError:
                raise Missing from None

    def names(self, folder: str) -> Sequence[str]:
        """Return the bare names in a folder, hidden ones too; nothing where there is no such folder."""
        with self._within_step("list", folder) as client:
            try:
                return client.listdir(folder or ".")
            except FileNotFoundError:
                return ()

    def describe(self) -> str:
        """Say which server this is, and whether it replaces in one step."""
        software = self._transport.remote_version.split("-", 2)[-1] if self._transport else ""
        return sftp_words.description(
            redact(software, [self._secret]), "3", renames=self._renames, syncs=self._syncs
        )

    def explain(self, error: BaseException) -> PublishError:
        """Return a fault as a sentence, by the step it came at."""
        said = redact(_said(error), [self._secret])
        if self._step == "login" and isinstance(error, paramiko.AuthenticationException):
            advice = "check user and password, and whether the server takes passwords at all"
            return PublishRefused(f"{self._target.name}: the login was refused ({said}): {advice}")
        if isinstance(error, EOFError | paramiko.SSHException | paramiko.SFTPError):
            error = Lost(said)
        elif isinstance(error, OSError) and not isinstance(error, TimeoutError) and not _is_lost(error):
            error = Broken(said)
        step = "connect" if self._step == "login" else self._step
        return sftp_words.explain(self._target.name, step, self._what, error)

    def abort(self) -> None:
        """Close the connection under whatever waits for it."""
        if self._socket:
            with suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Let go of the connection; its thread ends by itself."""
        self.abort()
        if self._transport:
            with suppress(*MOST_FAULTS):
                self._transport.close()
        if self._socket:
            self._socket.close()

    @property
    def _seconds(self) -> float:
        return self._deadline.timeout(self._target.timeout_seconds)

    @contextmanager
    def _within_timeout(self) -> Iterator[None]:
        """Break off what has not ended after one timeout: some waits of the library know none."""
        limit = Deadline(self._seconds)
        try:
            with limit.interrupting(self.abort):
                yield
        except MOST_FAULTS:
            if not limit.remaining():
                raise TimeoutError from None
            raise

    @contextmanager
    def _within_step(self, step: str, what: str) -> Iterator[paramiko.SFTPClient]:
        """Give each wait for the server one timeout, and remember what it was that may fail."""
        self._step, self._what = step, what
        if self._client is None or self._channel is None:
            raise Lost("there is no connection")
        self._channel.settimeout(self._seconds)
        yield self._client

    def _store(self, path: str, content: bytes) -> None:
        client = self._client
        assert client is not None  # noqa: S101 -- _within_step() has seen it
        with client.open(path, "wb") as file:
            file.write(content)
            if self._syncs:
                # An extension that the library has no method for.
                request = client._request  # type: ignore[attr-defined]  # noqa: SLF001 -- the stubs lack it
                try:
                    request(CMD_EXTENDED, "fsync@openssh.com", file.handle)
                except OSError as error:
                    _raise_if_lost(error)
                    self._syncs = False
        self._change_mode(path, address.FILE_MODE)

    def _change_mode(self, path: str, mode: int) -> None:
        try:
            if self._client:
                self._client.chmod(path, mode)
        except OSError as error:  # then the umask decides, and `size` looks
            _raise_if_lost(error)

    def _make_folders(self, folder: str) -> None:
        self._step, self._what = "make", folder
        for level in address.levels(folder):
            try:
                if self._client:
                    self._client.mkdir(level)
            except OSError as error:  # it is there, or the next step tells
                _raise_if_lost(error)
            else:
                self.made.append(level)
                self._change_mode(level, address.FOLDER_MODE)


def session(target: SftpPublisher, deadline: Deadline) -> ParamikoSession:
    """Return a new session, not yet open. Raises PublishError where the password cannot be had."""
    places = (target.password_env, target.password_file, target.password_command)
    return ParamikoSession(target, secret.read(target.name, places, deadline) or "", deadline)


def host_key(target: SftpPublisher, deadline: Deadline) -> HostKey:
    """Return the key that a server shows. Raises PublishError."""
    visit = ParamikoSession(target, "", deadline)
    try:
        return visit.meet()[1]
    except visit.faults as error:
        raise visit.explain(error) from None
    finally:
        visit.close()


def _is_lost(error: OSError) -> bool:
    """Whether the connection is gone. What a server answers has no number, or that of a file's fault."""
    return isinstance(error, ConnectionError | socket.gaierror) or str(error) == "Socket is closed"


def _raise_if_lost(error: OSError) -> None:
    if isinstance(error, TimeoutError) or _is_lost(error):
        raise error


def _said(error: BaseException) -> str:
    why = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return " ".join(why.split()).rstrip(":") or type(error).__name__
