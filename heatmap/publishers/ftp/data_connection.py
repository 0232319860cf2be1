"""FTP's data connections: made by us or by the server, secured if the control connection is."""

from __future__ import annotations

import ftplib
import socket
import ssl
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from heatmap.publishers import address
from heatmap.publishers.ftp import replies
from heatmap.publishers.ftp.control import REFUSALS, ReplyError
from heatmap.publishers.options import BLOCK_BYTES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from heatmap.publishers.ftp.control import Control

GOODBYE_SECONDS = 3.0  # the time for a server to end TLS properly; some never do


class DataError(ftplib.Error):
    """There is no data connection, or it did not carry everything."""


class DataConnections:
    """Sends and receives data for commands of `control`. If `passive` is false, the server connects to us.

    If the control connection has a TLS context, no data connection carries a byte in clear.
    """

    def __init__(self, control: Control, *, passive: bool) -> None:
        self._control = control
        self._passive = passive
        self._type = ""

    def use_type(self, letter: str) -> None:
        """Have the server send bytes as they are (I), as it also counts them, or lines (A), as in lists."""
        if letter != self._type:
            self._control.voidcmd(f"TYPE {letter}")
            self._type = letter

    def send(self, command: str, content: bytes) -> None:
        """Send `content` as the data of a command."""
        self.use_type("I")
        try:
            with self._transfer(command) as connection:
                for start in range(0, len(content), BLOCK_BYTES):
                    connection.settimeout(self._control.compute_timeout())
                    connection.sendall(content[start : start + BLOCK_BYTES])
        except (ConnectionError, ssl.SSLError):
            with suppress(OSError, EOFError):
                self._control.voidresp()  # the server may give the reason: its disk is full, for example
            raise
        self._control.voidresp()

    def receive(self, command: str, max_bytes: int, *, stop_early: bool = False) -> bytes:
        """Return the data of a command. Raises ReplyError if it is more than `max_bytes`.

        If `stop_early` is true, the transfer is stopped there instead, and the data is returned, more than
        `max_bytes`. Then the control connection must not be used again: servers' replies to a stop differ.
        One of REFUSALS means that the command itself was refused.
        """
        self.use_type("I")
        return self._receive(command, max_bytes, stop_early=stop_early)

    def receive_lines(self, command: str) -> list[str]:
        """Return the lines of a list. Raises as `receive` does."""
        self.use_type("A")
        content = self._receive(command, address.MAX_BYTES)
        return content.decode(self._control.encoding, "surrogateescape").replace("\r\n", "\n").split("\n")

    def _receive(self, command: str, max_bytes: int, *, stop_early: bool = False) -> bytes:
        content = bytearray()
        with self._transfer(command) as connection:
            while len(content) <= max_bytes:
                connection.settimeout(self._control.compute_timeout())
                block = connection.recv(BLOCK_BYTES)
                if not block:
                    break
                content += block
        if len(content) > max_bytes:
            if stop_early:
                return bytes(content)
            raise ReplyError(f"more than {max_bytes:,} bytes came back")
        try:
            self._control.voidresp()
        except REFUSALS as error:
            raise DataError(str(error)) from None
        return bytes(content)

    @contextmanager
    def _transfer(self, command: str) -> Iterator[socket.socket]:
        """Send a command, and yield its data connection, which is closed at the end of the block."""
        connection = self._open_passive(command) if self._passive else self._open_active(command)
        try:
            if self._control.context:
                connection = self._control.start_tls(connection)
            yield connection
            if isinstance(connection, ssl.SSLSocket):
                connection.settimeout(min(self._control.compute_timeout(), GOODBYE_SECONDS))
                with suppress(OSError, ValueError):  # the last reply and the size decide
                    connection.unwrap()
        finally:
            connection.close()

    def _open_passive(self, command: str) -> socket.socket:
        """Send a command, and return its data connection, which we open.

        It goes to the host of the control connection, whatever host the server names: behind NAT the server
        names an address of its own network.
        """
        host, port = self._control.connection.getpeername()[0], self._read_passive_port()
        try:
            connection = self._control.open_socket(host, port)
        except OSError as error:
            raise DataError(f"no data connection: port {port}: {error.strerror or 'no answer'}") from error
        try:
            self._start_transfer(command)
        except BaseException:
            connection.close()
            raise
        return connection

    def _read_passive_port(self) -> int:
        """Return the port at which the server waits.

        On IPv4 PASV comes first: some firewalls know no other command. If the server does not know PASV, or
        a firewall damaged its reply, EPSV may still work.
        """
        commands = [("EPSV", replies.parse_extended_passive_port)]
        if self._control.af == socket.AF_INET:
            commands.insert(0, ("PASV", replies.parse_passive_port))
        answers = []
        for command, parse in commands:
            try:
                answers.append(self._control.sendcmd(command))
            except (*REFUSALS, ftplib.error_proto) as error:
                answers.append(str(error))
            port = parse(answers[-1])
            if port is not None:
                return port
        raise DataError(f"no data connection: {answers[0]}")

    def _open_active(self, command: str) -> socket.socket:
        """Send a command, and return its data connection, which the server opens."""
        our_host = self._control.connection.getsockname()[0]
        server_host = self._control.connection.getpeername()[0]
        with socket.create_server((our_host, 0), family=self._control.af, backlog=1) as listener:
            self._control.track_socket(listener)
            port = listener.getsockname()[1]
            is_ipv4 = self._control.af == socket.AF_INET
            send_port = self._control.sendport if is_ipv4 else self._control.sendeprt
            try:
                send_port(our_host, port)
            except REFUSALS as error:
                raise DataError(f"no data connection: {error}") from None
            self._start_transfer(command)
            listener.settimeout(self._control.compute_timeout())
            try:
                connection, caller = listener.accept()
            except OSError as error:
                raise DataError(f"no data connection: no call at port {port}") from error
        if caller[0] != server_host:
            connection.close()
            raise DataError(f"no data connection: {caller[0]} called instead of the server")
        return self._control.track_socket(connection)

    def _start_transfer(self, command: str) -> None:
        reply = self._control.sendcmd(command)
        if reply.startswith("2"):  # some servers send one reply too many before this one
            reply = self._control.getresp()
        if not reply.startswith("1"):
            raise ReplyError(reply)
