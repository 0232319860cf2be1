"""FTP's control connection: commands and replies, each bounded in time and length, in clear or by TLS.

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

IMPLICIT_PORT = 990  # TLS starts with the first byte there
MAX_REPLY_LINES = 500
CLOSING_CODE = "421"  # with it a server ends the connection, after any command

REFUSALS = (ftplib.error_perm, ftplib.error_temp)  # a complete reply that refuses: the connection is in step


class Security(NamedTuple):
    """How a connection is secured. If `implicit` is false, TLS starts before the login."""

    context: ssl.SSLContext
    implicit: bool


class ClosingError(ftplib.Error):
    """The server ends the connection by itself."""


class ReplyError(ftplib.Error):
    """The server's reply is not valid, or has no end."""


class Control(ftplib.FTP):
    """ftplib's client, with bounds: each wait takes at most `timeout_seconds`, and ends by the deadline.

    `context` None: the connection is never secured.
    """

    def __init__(self, deadline: Deadline, timeout_seconds: float, context: ssl.SSLContext | None) -> None:
        """Prepare, without connecting."""
        super().__init__()
        self._deadline = deadline
        self._timeout_seconds = timeout_seconds
        self.context = context
        self._sockets: list[socket.socket] = []  # all sockets of this client, for abort()

    def open_connection(self, host: str, port: int) -> None:
        """Connect to the first of the host's addresses that answers."""
        self.host = host
        self._use_socket(self.open_socket(host, port))

    def secure(self) -> None:
        """Use TLS from now on."""
        # With a new reader: bytes that came in clear must not be taken for bytes that came by TLS.
        self._use_socket(self.start_tls(self.connection))

    def read_greeting(self) -> str:
        """Return the server's greeting."""
        reply = self.getresp()
        if reply.startswith("1"):  # "ready in a minute"
            reply = self.getresp()
        if not reply.startswith("2"):
            raise ReplyError(reply)
        return reply

    @property
    def connection(self) -> socket.socket:
        """The socket that carries the commands. Raises EOFError if it is closed."""
        if self.sock is None:
            raise EOFError
        return self.sock

    def compute_timeout(self) -> float:
        """Return the seconds that the next wait may take. Raises DeadlineError."""
        return self._deadline.timeout(self._timeout_seconds)

    @property
    def tls_version(self) -> str | None:
        """The version of TLS, such as "TLSv1.3"; None without TLS."""
        return self.sock.version() if isinstance(self.sock, ssl.SSLSocket) else None

    def abort(self) -> None:  # type: ignore[override]  # ftplib's own sends a command, and waits
        """Make every wait end at once. Another thread calls this. Never raises."""
        for connection in tuple(self._sockets):
            with suppress(OSError):
                socket.socket.shutdown(
                    connection, socket.SHUT_RDWR
                )  # the shutdown of TLS would break the thread that reads

    def track_socket(self, connection: socket.socket) -> socket.socket:
        """Return the same socket. From now on abort() ends it."""
        self._sockets.append(connection)
        return connection

    def putline(self, line: str) -> None:
        """Send a line."""
        if "\r" in line or "\n" in line:
            raise ValueError("a command must be one line")
        self.connection.settimeout(self.compute_timeout())
        self.connection.sendall(f"{line}\r\n".encode(self.encoding, "surrogateescape"))

    def getline(self) -> str:
        """Return a line. Raises EOFError if the server hangs up before its end."""
        self.connection.settimeout(self.compute_timeout())
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
        # Only the code and a space end the reply: another line may start with the same digits ("2260 files").
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
            if self.lastresp == CLOSING_CODE:
                raise ClosingError(str(error)) from None
            raise

    def try_command(self, command: str) -> bool:
        """Send a command that a server may refuse. Return whether it was done."""
        try:
            self.voidcmd(command)
        except REFUSALS:
            return False
        return True

    def find_working_folder(self) -> str:
        """Return the server's working folder. Raises ReplyError if its reply names none, and REFUSALS.

        Text without quotation marks, or that does not begin at the root, may not be the complete path. It is
        the right one if the server can enter it twice, and then sends the same reply.
        """
        reply = self.sendcmd("PWD")
        quoted = replies.parse_quoted_folder(reply)
        if quoted and quoted.startswith("/"):
            return quoted
        for folder in [quoted] if quoted else replies.parse_unquoted_folders(reply):
            enter = f"CWD {folder}"
            if self.try_command(enter) and self.try_command(enter) and self.sendcmd("PWD") == reply:
                return folder
        raise ReplyError(reply)

    def open_socket(self, host: str, port: int) -> socket.socket:
        """Return a socket, connected to the first of a host's addresses that answers. Raises OSError."""
        failure = OSError("the host has no address")
        for family, kind, protocol, _, socket_address in socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM
        ):
            connection = socket.socket(family, kind, protocol)
            try:
                connection.settimeout(self.compute_timeout())
                connection.connect(socket_address)
            except OSError as error:
                connection.close()
                failure = error
            except BaseException:
                connection.close()
                raise
            else:
                return self.track_socket(connection)
        raise failure

    def start_tls(self, connection: socket.socket) -> ssl.SSLSocket:
        """Return a socket that uses `connection` by TLS.

        A data connection resumes the TLS session of the control connection: many servers require it, as the
        proof that both come from the same client.
        """
        assert self.context is not None  # noqa: S101 -- only a secured connection calls this
        session = self.sock.session if isinstance(self.sock, ssl.SSLSocket) else None
        tls_socket = self.context.wrap_socket(
            connection, server_hostname=self.host, session=session, do_handshake_on_connect=False
        )
        self.track_socket(tls_socket)
        try:
            tls_socket.settimeout(self.compute_timeout())
            tls_socket.do_handshake()
        except BaseException:
            tls_socket.close()
            raise
        return tls_socket

    def _use_socket(self, connection: socket.socket) -> None:
        self.sock, self.af = connection, connection.family
        # Names in any encoding must go back to the server byte for byte.
        self.file = connection.makefile("r", encoding=self.encoding, errors="surrogateescape")
