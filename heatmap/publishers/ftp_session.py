"""One FTP session: login, folders, uploads by temporary name, and what its faults mean.

Loads ftplib and ssl, so it is imported by the method that publishes.
"""

from __future__ import annotations

import ftplib
import ssl
from contextlib import suppress
from typing import TYPE_CHECKING, Self

from heatmap.errors import PublishError, PublishRefused
from heatmap.publishers import address

if TYPE_CHECKING:
    import socket
    from pathlib import Path
    from types import TracebackType

    from heatmap.publishers.address import Address

FAULTS = (ftplib.Error, OSError, EOFError, UnicodeError)
BLOCK_BYTES = 64 * 1024  # what must go through within one timeout


class _SizeError(ftplib.Error):
    """The server holds another number of bytes than it was sent."""


class _Tls(ftplib.FTP_TLS):
    """ftplib's client, whose data connections resume the TLS session of the control connection.

    Many servers demand that as the proof that both come from the same client.
    """

    def ntransfercmd(self, cmd: str, rest: int | str | None = None) -> tuple[socket.socket, int | None]:
        connection, size = ftplib.FTP.ntransfercmd(self, cmd, rest)
        control = self.sock
        assert isinstance(control, ssl.SSLSocket)  # noqa: S101 -- login() goes no further without TLS
        try:
            wrapped = self.context.wrap_socket(connection, server_hostname=self.host, session=control.session)
        except BaseException:
            connection.close()
            raise
        return wrapped, size


class Session:
    """A connection to one target. `unfinished` is the temporary file on the server, "" for none."""

    def __init__(
        self, where: Address, secret: str | None, timeout_seconds: float, tls: bool, ca_file: Path | None
    ) -> None:
        """Prepare, without connecting. Raises OSError where `ca_file` cannot be used."""
        self._settings = (where, secret, timeout_seconds, tls, ca_file)
        self._where = where
        self._secret = secret
        self._step = "connect"
        self._what = ""
        self._home = ""
        self._folders: set[str] = set()
        self.unfinished = ""
        if tls:
            context = ssl.create_default_context(cafile=ca_file)
            self._ftp: ftplib.FTP = _Tls(context=context, timeout=timeout_seconds)
        else:
            self._ftp = ftplib.FTP(timeout=timeout_seconds)
        # Servers behind NAT name an address inside it.
        self._ftp.trust_server_pasv_ipv4_address = False  # type: ignore[attr-defined]  # ftplib's stubs lack it

    def __enter__(self) -> Self:
        """Return the session itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the connection, whatever its state."""
        self._ftp.close()

    def again(self) -> Session:
        """Return a new session with the same target."""
        return Session(*self._settings)

    def open(self) -> None:
        """Connect and log in."""
        self._ftp.connect(self._where.host, self._where.port or ftplib.FTP_PORT)
        if isinstance(self._ftp, _Tls):
            self._step = "tls"
            self._ftp.auth()
        self._step = "login"
        self._ftp.login(self._where.user or "", self._secret or "")  # without a user: anonymous
        if isinstance(self._ftp, _Tls):
            self._step = "tls"
            self._ftp.prot_p()
        self._step, self._what = "find", "the login folder"
        if not self._where.folder.isascii():
            with suppress(ftplib.error_perm):  # most speak UTF-8 unasked; some must be asked
                self._ftp.sendcmd("OPTS UTF8 ON")
        self._ftp.voidcmd("TYPE I")
        self._home = self._where.folder
        if not self._home.startswith("/"):
            self._home = f"{self._ftp.pwd().rstrip('/')}/{self._home}"

    def put(self, path: str, content: bytes) -> None:
        """Upload under a temporary name, compare sizes, make it readable, rename."""
        target = address.join(self._home, path)
        self._enter(address.parent(target) or "/")
        temporary = address.temporary(target)
        self._step, self._what, self.unfinished = "store", target, temporary
        with self._ftp.transfercmd(f"STOR {temporary}") as connection:
            for start in range(0, len(content), BLOCK_BYTES):
                connection.sendall(content[start : start + BLOCK_BYTES])
            if isinstance(connection, ssl.SSLSocket):
                with suppress(OSError):  # some servers never say goodbye: the reply and the size decide
                    connection.unwrap()
        self._ftp.voidresp()
        self._compare_size(temporary, len(content))
        with suppress(ftplib.error_perm):  # an extension; without it the server's umask holds
            self._ftp.sendcmd(f"SITE CHMOD {address.FILE_MODE:o} {temporary}")
        self._step = "replace"
        self._ftp.rename(temporary, target)
        self.unfinished = ""

    def delete(self, path: str) -> None:
        """Delete a page."""
        self._step, self._what = "delete", address.join(self._home, path)
        self._ftp.delete(self._what)

    def remove(self, file: str) -> None:
        """Delete a file by its full path on the server, such as another session's `unfinished`."""
        self._ftp.delete(file)

    def explain(self, error: BaseException) -> tuple[type[PublishError], str]:
        """Say what a fault means, by the step it came at: the same refusal bears many codes."""
        said = str(error).strip().replace("\n", " ") or type(error).__name__
        if self._secret:
            said = said.replace(self._secret, "***")
        name, what = self._where.name, self._what
        if isinstance(error, ssl.SSLCertVerificationError):
            advice = "check the host's name, or give the authority that signed it as ca_file"
            why = error.verify_message
            return PublishRefused, f"{name}: the server's certificate is not accepted ({why}): {advice}"
        refused = isinstance(error, ftplib.error_perm)
        if refused and self._step == "tls":
            return (
                PublishRefused,
                f"{name}: the server offers no TLS ({said}), and without it nothing is sent",
            )
        if refused and self._step == "login":
            advice = "check user and password, and whether the server wants ftps:"
            return PublishRefused, f"{name}: the login was refused ({said}): {advice}"
        if isinstance(error, TimeoutError):
            said = "no answer in time"
        elif isinstance(error, EOFError):
            said = "the server hung up"
        elif isinstance(error, UnicodeError):
            said = "the server's words are not UTF-8"
        answered = isinstance(error, ftplib.Error)
        sentence = {
            "connect": f"no connection ({said}): check host and port, or wait",
            "tls": f"no TLS connection ({said}): check that the server offers explicit TLS on this port",
            "login": f"the login failed ({said}): the next run tries again",
            "find": f"{what} cannot be found ({said})",
            "enter": f"the folder {what} cannot be entered or made ({said}): make it and let the user write",
            "store": f"{what} cannot be stored ({said})"
            + (
                ": look at the folder's permissions and the space left"
                if answered
                else ": the next run tries again"
            ),
            "replace": f"{what} cannot be replaced by renaming ({said})"
            + (
                ": let the server overwrite (proftpd: AllowOverwrite on)"
                if answered
                else ": the next run tries again"
            ),
            "delete": f"{what} cannot be deleted ({said}): let the user delete in this folder",
        }[self._step]
        return PublishError, f"{name}: {sentence}"

    def _enter(self, folder: str) -> None:
        """See that a folder is there; make it and those above it where they are not."""
        if folder in self._folders:
            return
        self._step, self._what = "enter", folder
        try:
            self._ftp.cwd(folder)
        except ftplib.error_perm:
            for level in address.levels(folder):
                with suppress(ftplib.error_perm):  # is there already; if not, the last command tells
                    self._ftp.mkd(level)
                    self._ftp.sendcmd(f"SITE CHMOD {address.FOLDER_MODE:o} {level}")
            self._ftp.cwd(folder)
        self._folders.add(folder)

    def _compare_size(self, file: str, sent: int) -> None:
        try:
            stored = self._ftp.size(file)
        except ftplib.error_perm:  # an extension
            return
        if stored is not None and stored != sent:
            raise _SizeError(f"{stored} of {sent} bytes arrived")
