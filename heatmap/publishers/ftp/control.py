"""One FTP connection: commands and replies, each bounded in time and length, in clear or by TLS.

Loads ftplib and ssl, so it is imported by the method that publishes.
"""

from __future__ import annotations

import ftplib
import socket
import ssl
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

from heatmap.publishers.ftp import replies

if TYPE_CHECKING:
    from heatmap.system.deadline import Deadline

IMPLICIT_PORT = 990  # where TLS begins with the first byte
MAX_REPLY_LINES = 500
CLOSING = "421"  # by it a server ends the connection, whatever it was asked

REFUSALS = (ftplib.error_perm, ftplib.error_temp)  # a whole reply that says no: the connection is in step


class Security(NamedTuple):
    """How a connection is secured. Not `implicit`: it begins in clear, and turns to TLS before the login."""

    context: ssl.SSLContext
    implicit: bool


class ClosingError(ftplib.Error):
    """The server ends the connection of its own accord."""


class ReplyError(ftplib.Error):
    """What the server says makes no sense, or has no end."""


class Control(ftplib.FTP):
    """ftplib's client, with bounds: each wait lasts `timeout_seconds`, or what is left until the deadline.

    `context` None: it will never be secured.
    """

    def __init__(self, deadline: Deadline, timeout_seconds: float, context: ssl.SSLContext | None) -> None:
        """Prepare, without connecting."""
        super().__init__()
        self._deadline = deadline
        self._timeout_seconds = timeout_seconds
        self.context = context
        self._sockets: list[socket.socket] = []  # all there ever were, for abort()

    def dial(self, host: str, port: int) -> None:
        """Connect, to the first of the host's addresses that answers."""
        self.host = host
        self._converse_by(self.connected(host, port))

    def secure(self) -> None:
        """Turn to TLS from here on."""
        # With a new reader: what came in clear before must not be taken for what comes by TLS.
        self._converse_by(self.secured(self.connection))

    def greet(self) -> str:
        """Return the server's greeting."""
        said = self.getresp()
        if said.startswith("1"):  # "ready in a minute"
            said = self.getresp()
        if not said.startswith("2"):
            raise ReplyError(said)
        return said

    @property
    def connection(self) -> socket.socket:
        """The connection that commands go by. Raises EOFError where there is none any more."""
        if self.sock is None:
            raise EOFError
        return self.sock

    def seconds(self) -> float:
        """Return how long the next wait may last. Raises DeadlineError."""
        return self._deadline.timeout(self._timeout_seconds)

    @property
    def tls_version(self) -> str | None:
        """Such as "TLSv1.3"; None without TLS."""
        return self.sock.version() if isinstance(self.sock, ssl.SSLSocket) else None

    def abort(self) -> None:  # type: ignore[override]  # ftplib's own asks the server, and waits
        """Make every wait end at once. Called from another thread; never raises."""
        for connection in tuple(self._sockets):
            with suppress(OSError):
                socket.socket.shutdown(connection, socket.SHUT_RDWR)  # TLS's own would trip who reads

    def adopt(self, connection: socket.socket) -> socket.socket:
        """Return a socket of this session, which abort() ends from now on."""
        self._sockets.append(connection)
        return connection

    def putline(self, line: str) -> None:
        """Send a line."""
        if "\r" in line or "\n" in line:
            raise ValueError("a command must be one line")
        self.connection.settimeout(self.seconds())
        self.connection.sendall(f"{line}\r\n".encode(self.encoding, "surrogateescape"))

    def getline(self) -> str:
        """Return a line. Raises EOFError where the server hangs up before its end."""
        self.connection.settimeout(self.seconds())
        line = self.file.readline(self.maxline) if self.file else ""
        if not line.endswith("\n"):
            if len(line) == self.maxline:
                raise ReplyError("its reply has no end")
            raise EOFError
        return line[:-1]

    def getmultiline(self) -> str:
        """Return a reply."""
        lines = [self.getline()]
        code = lines[0][:3]
        # Only the code and a space end it: a line between may begin with the same digits, as in "2260 files".
        while lines[0][3:4] == "-" and (lines[-1][:3] != code or lines[-1][3:4] not in ("", " ")):
            if len(lines) == MAX_REPLY_LINES:
                raise ReplyError("its reply has no end")
            lines.append(self.getline())
        return "\n".join(lines)

    def getresp(self) -> str:
        """Return a reply. Raises one of REFUSALS, ClosingError, or another ftplib.Error."""
        try:
            return super().getresp()
        except ftplib.error_temp as error:
            if self.lastresp == CLOSING:
                raise ClosingError(str(error)) from None
            raise

    def obeys(self, command: str) -> bool:
        """Give a command that a server need not know; return whether it was done."""
        try:
            self.voidcmd(command)
        except REFUSALS:
            return False
        return True

    def login_folder(self) -> str:
        """Return the folder that the server is in. Raises ReplyError where it does not say, and REFUSALS.

        What is not in quotation marks, or does not begin at the root, may only look like a whole path. One
        that the server can enter twice, and then gives the same answer, is the right one.
        """
        answer = self.sendcmd("PWD")
        quoted = replies.quoted_folder(answer)
        if quoted and quoted.startswith("/"):
            return quoted
        for folder in [quoted] if quoted else replies.unquoted_folders(answer):
            enter = f"CWD {folder}"
            if self.obeys(enter) and self.obeys(enter) and self.sendcmd("PWD") == answer:
                return folder
        raise ReplyError(answer)

    def connected(self, host: str, port: int) -> socket.socket:
        """Return a connection to the first of a host's addresses that answers. Raises OSError."""
        failed = OSError("the host has no address")
        for family, kind, protocol, _, where in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM):
            connection = socket.socket(family, kind, protocol)
            try:
                connection.settimeout(self.seconds())
                connection.connect(where)
            except OSError as error:
                connection.close()
                failed = error
            except BaseException:
                connection.close()
                raise
            else:
                return self.adopt(connection)
        raise failed

    def secured(self, connection: socket.socket) -> ssl.SSLSocket:
        """Return a connection by TLS.

        A data connection resumes the session of the control connection: many servers ask for that as the
        proof that both come from the same client.
        """
        assert self.context is not None  # noqa: S101 -- or there is nothing to secure it by
        session = self.sock.session if isinstance(self.sock, ssl.SSLSocket) else None
        secured = self.context.wrap_socket(
            connection, server_hostname=self.host, session=session, do_handshake_on_connect=False
        )
        self.adopt(secured)
        try:
            secured.settimeout(self.seconds())
            secured.do_handshake()
        except BaseException:
            secured.close()
            raise
        return secured

    def _converse_by(self, connection: socket.socket) -> None:
        self.sock, self.af = connection, connection.family
        # Whatever alphabet a server writes in must not matter, and its names must go back as they came.
        self.file = connection.makefile("r", encoding=self.encoding, errors="surrogateescape")
