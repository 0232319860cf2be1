"""One FTP connection: commands and replies, each bounded in time and length, and the data beside them.

Loads ftplib and ssl, so it is imported by the method that publishes.
"""

from __future__ import annotations

import ftplib
import socket
import ssl
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from heatmap.deadline import Deadline

BLOCK_BYTES = 64 * 1024  # what must go through within one timeout
GOODBYE_SECONDS = 3.0  # what a server may take to end TLS properly; some never do
MAX_REPLY_LINES = 500
CLOSING = "421"  # by it a server ends the connection, whatever it was asked

REFUSALS = (ftplib.error_perm, ftplib.error_temp)  # a whole reply that says no: the connection is in step


class ClosingError(ftplib.Error):
    """The server ends the connection of its own accord."""


class ReplyError(ftplib.Error):
    """What the server says makes no sense, or has no end."""


class DataError(ftplib.Error):
    """There is no data connection."""


class Control(ftplib.FTP):
    """ftplib's client, with bounds: each wait lasts `timeout_seconds`, or what is left until the deadline.

    Where it has a TLS `context` no data connection carries a byte before it is secured.
    """

    def __init__(
        self, deadline: Deadline, timeout_seconds: float, context: ssl.SSLContext | None, *, passive: bool
    ) -> None:
        """Prepare, without connecting. Not `passive`: the server connects to us for data."""
        super().__init__()
        self._deadline = deadline
        self._timeout_seconds = timeout_seconds
        self._context = context
        self._passive = passive
        self._sockets: list[socket.socket] = []  # all there ever were, for abort()

    # Commands and replies.

    def dial(self, host: str, port: int) -> None:
        """Connect, to the first of the host's addresses that answers."""
        self.host = host
        self._converse_by(self._connected(host, port))

    def secure(self) -> None:
        """Turn to TLS from here on."""
        # With a new reader: what came in clear before must not be taken for what comes by TLS.
        self._converse_by(self._secured(self._socket))

    def greet(self) -> str:
        """Return the server's greeting."""
        said = self.getresp()
        if said.startswith("1"):  # "ready in a minute"
            said = self.getresp()
        if not said.startswith("2"):
            raise ReplyError(said)
        return said

    @property
    def tls_version(self) -> str | None:
        """Such as "TLSv1.3"; None without TLS."""
        return self.sock.version() if isinstance(self.sock, ssl.SSLSocket) else None

    def abort(self) -> None:  # type: ignore[override]  # ftplib's own asks the server, and waits
        """Make every wait end at once. Called from another thread; never raises."""
        for connection in tuple(self._sockets):
            with suppress(OSError):
                socket.socket.shutdown(connection, socket.SHUT_RDWR)  # TLS's own would trip who reads

    def putline(self, line: str) -> None:
        """Send a line."""
        if "\r" in line or "\n" in line:
            raise ValueError("a command must be one line")
        self._socket.settimeout(self._seconds())
        self._socket.sendall(f"{line}\r\n".encode(self.encoding, "surrogateescape"))

    def getline(self) -> str:
        """Return a line. Raises EOFError where the server hangs up before its end."""
        self._socket.settimeout(self._seconds())
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
        while lines[0][3:4] == "-" and (lines[-1][:3] != code or lines[-1][3:4] == "-"):
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

    # Data.

    def send(self, command: str, content: bytes) -> None:
        """Send `content` as the data of a command."""
        try:
            with self._data(command) as connection:
                for start in range(0, len(content), BLOCK_BYTES):
                    connection.settimeout(self._seconds())
                    connection.sendall(content[start : start + BLOCK_BYTES])
        except ConnectionError:
            with suppress(OSError, EOFError):
                self.voidresp()  # the server may say why, such as that its disk is full
            raise
        self.voidresp()

    def receive(self, command: str, most: int) -> bytes:
        """Return the data of a command. Raises ReplyError where it is more than `most` bytes.

        One of REFUSALS here means that the command itself was refused.
        """
        content = bytearray()
        with self._data(command) as connection:
            while len(content) <= most:
                connection.settimeout(self._seconds())
                block = connection.recv(BLOCK_BYTES)
                if not block:
                    break
                content += block
        if len(content) > most:
            raise ReplyError(f"more than {most:,} bytes came back")
        try:
            self.voidresp()
        except REFUSALS as error:
            raise DataError(str(error)) from None
        return bytes(content)

    @contextmanager
    def _data(self, command: str) -> Iterator[socket.socket]:
        """Give a command, and its data connection until the block ends."""
        connection = self._called(command) if self._passive else self._awaited(command)
        try:
            if self._context:
                connection = self._secured(connection)
            yield connection
            if isinstance(connection, ssl.SSLSocket):
                connection.settimeout(min(self._seconds(), GOODBYE_SECONDS))
                with suppress(OSError, ValueError):  # the final reply and the size decide
                    connection.unwrap()
        finally:
            connection.close()

    def _called(self, command: str) -> socket.socket:
        """Give a command, over a data connection that we make.

        It goes to the server's own host, whatever host it names: behind NAT that is an address of the inside.
        """
        host, port = self._socket.getpeername()[0], self._passive_port()
        try:
            connection = self._connected(host, port)
        except OSError as error:
            raise DataError(f"no data connection: port {port}: {error.strerror or 'no answer'}") from error
        try:
            self._begin(command)
        except BaseException:
            connection.close()
            raise
        return connection

    def _passive_port(self) -> int:
        """Return the port at which the server waits.

        On IPv4 PASV is asked first: there are firewalls that follow nothing else. Where a server does not
        know it, or its answer was mangled on the way, EPSV may still do.
        """
        said = None
        try:
            if self.af == socket.AF_INET:
                said = self.sendcmd("PASV")
                return _checked(ftplib.parse227(said)[1])
        except (*REFUSALS, ftplib.error_proto, ftplib.error_reply, ValueError) as error:
            said = said or str(error)
        try:
            return _checked(ftplib.parse229(self.sendcmd("EPSV"), self._socket.getpeername())[1])
        except (*REFUSALS, ftplib.error_proto, ftplib.error_reply, ValueError, IndexError) as error:
            raise DataError(f"no data connection: {said or error}") from None

    def _awaited(self, command: str) -> socket.socket:
        """Give a command, over a data connection that the server makes."""
        here, there = self._socket.getsockname()[0], self._socket.getpeername()[0]
        with socket.create_server((here, 0), family=self.af, backlog=1) as listener:
            self._sockets.append(listener)
            port = listener.getsockname()[1]
            try:
                (self.sendport if self.af == socket.AF_INET else self.sendeprt)(here, port)
            except REFUSALS as error:
                raise DataError(f"no data connection: {error}") from None
            self._begin(command)
            listener.settimeout(self._seconds())
            try:
                connection, caller = listener.accept()
            except OSError as error:
                raise DataError(f"no data connection: no call at port {port}") from error
        self._sockets.append(connection)
        if caller[0] != there:
            connection.close()
            raise DataError(f"no data connection: {caller[0]} called instead of the server")
        return connection

    def _begin(self, command: str) -> None:
        said = self.sendcmd(command)
        if said.startswith("2"):  # a reply too many, which some servers give before the one that is due
            said = self.getresp()
        if not said.startswith("1"):
            raise ReplyError(said)

    # Sockets.

    @property
    def _socket(self) -> socket.socket:
        if self.sock is None:
            raise EOFError
        return self.sock

    def _seconds(self) -> float:
        return self._deadline.timeout(self._timeout_seconds)

    def _converse_by(self, connection: socket.socket) -> None:
        self.sock, self.af = connection, connection.family
        # Whatever alphabet a server writes in must not matter, and its names must go back as they came.
        self.file = connection.makefile("r", encoding=self.encoding, errors="surrogateescape")

    def _connected(self, host: str, port: int) -> socket.socket:
        failed = OSError("the host has no address")
        for family, kind, protocol, _, where in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM):
            connection = socket.socket(family, kind, protocol)
            try:
                connection.settimeout(self._seconds())
                connection.connect(where)
            except OSError as error:
                connection.close()
                failed = error
            except BaseException:
                connection.close()
                raise
            else:
                self._sockets.append(connection)
                return connection
        raise failed

    def _secured(self, connection: socket.socket) -> ssl.SSLSocket:
        """Return a connection by TLS.

        A data connection resumes the session of the control connection: many servers ask for that as the
        proof that both come from the same client.
        """
        assert self._context is not None  # noqa: S101 -- or there is nothing to secure it by
        session = self.sock.session if isinstance(self.sock, ssl.SSLSocket) else None
        secured = self._context.wrap_socket(
            connection, server_hostname=self.host, session=session, do_handshake_on_connect=False
        )
        self._sockets.append(secured)  # before the handshake, which abort() must be able to end
        try:
            secured.settimeout(self._seconds())
            secured.do_handshake()
        except BaseException:
            secured.close()
            raise
        return secured


def _checked(port: int) -> int:
    if not 0 < port <= 0xFFFF:
        raise ValueError(port)
    return port
