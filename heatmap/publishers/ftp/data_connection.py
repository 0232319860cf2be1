"""FTP's data connections: made by us or by the server, secured where the control connection is."""

from __future__ import annotations

import ftplib
import socket
import ssl
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from heatmap.publishers.ftp import replies as ftp_replies
from heatmap.publishers.ftp.control import REFUSALS, ReplyError
from heatmap.publishers.options import BLOCK_BYTES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from heatmap.publishers.ftp.control import Control

GOODBYE_SECONDS = 3.0  # what a server may take to end TLS properly; some never do


class DataError(ftplib.Error):
    """There is no data connection, or it did not carry everything."""


class Data:
    """What goes beside the commands and replies of `control`. Not `passive`: the server connects to us.

    Where the control connection has a TLS context, no data connection carries a byte in clear.
    """

    def __init__(self, control: Control, *, passive: bool) -> None:
        self._control = control
        self._passive = passive

    def send(self, command: str, content: bytes) -> None:
        """Send `content` as the data of a command."""
        try:
            with self._data(command) as connection:
                for start in range(0, len(content), BLOCK_BYTES):
                    connection.settimeout(self._control.seconds())
                    connection.sendall(content[start : start + BLOCK_BYTES])
        except (ConnectionError, ssl.SSLError):
            with suppress(OSError, EOFError):
                self._control.voidresp()  # the server may say why, such as that its disk is full
            raise
        self._control.voidresp()

    def receive(self, command: str, most: int, *, cut: bool = False) -> bytes:
        """Return the data of a command. Raises ReplyError where it is more than `most` bytes.

        With `cut` the transfer is broken off there instead, and what came is returned, more than `most`. Then
        the control connection is of no use any more: servers differ in what they say to that. One of REFUSALS
        here means that the command itself was refused.
        """
        content = bytearray()
        with self._data(command) as connection:
            while len(content) <= most:
                connection.settimeout(self._control.seconds())
                block = connection.recv(BLOCK_BYTES)
                if not block:
                    break
                content += block
        if len(content) > most:
            if cut:
                return bytes(content)
            raise ReplyError(f"more than {most:,} bytes came back")
        try:
            self._control.voidresp()
        except REFUSALS as error:
            raise DataError(str(error)) from None
        return bytes(content)

    @contextmanager
    def _data(self, command: str) -> Iterator[socket.socket]:
        """Give a command, and its data connection until the block ends."""
        connection = self._called(command) if self._passive else self._awaited(command)
        try:
            if self._control.context:
                connection = self._control.secured(connection)
            yield connection
            if isinstance(connection, ssl.SSLSocket):
                connection.settimeout(min(self._control.seconds(), GOODBYE_SECONDS))
                with suppress(OSError, ValueError):  # the final reply and the size decide
                    connection.unwrap()
        finally:
            connection.close()

    def _called(self, command: str) -> socket.socket:
        """Give a command, over a data connection that we make.

        It goes to the server's own host, whatever host it names: behind NAT that is an address of the inside.
        """
        host, port = self._control.connection.getpeername()[0], self._passive_port()
        try:
            connection = self._control.connected(host, port)
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
        ways = [("EPSV", ftp_replies.extended_passive_port)]
        if self._control.af == socket.AF_INET:
            ways.insert(0, ("PASV", ftp_replies.passive_port))
        replies = []
        for command, parse in ways:
            try:
                replies.append(self._control.sendcmd(command))
            except (*REFUSALS, ftplib.error_proto) as error:
                replies.append(str(error))
            port = parse(replies[-1])
            if port is not None:
                return port
        raise DataError(f"no data connection: {replies[0]}")

    def _awaited(self, command: str) -> socket.socket:
        """Give a command, over a data connection that the server makes."""
        here, there = self._control.connection.getsockname()[0], self._control.connection.getpeername()[0]
        with socket.create_server((here, 0), family=self._control.af, backlog=1) as listener:
            self._control.adopt(listener)
            port = listener.getsockname()[1]
            tell = self._control.sendport if self._control.af == socket.AF_INET else self._control.sendeprt
            try:
                tell(here, port)
            except REFUSALS as error:
                raise DataError(f"no data connection: {error}") from None
            self._begin(command)
            listener.settimeout(self._control.seconds())
            try:
                connection, caller = listener.accept()
            except OSError as error:
                raise DataError(f"no data connection: no call at port {port}") from error
        if caller[0] != there:
            connection.close()
            raise DataError(f"no data connection: {caller[0]} called instead of the server")
        return self._control.adopt(connection)

    def _begin(self, command: str) -> None:
        said = self._control.sendcmd(command)
        if said.startswith("2"):  # a reply too many, which some servers give before the one that is due
            said = self._control.getresp()
        if not said.startswith("1"):
            raise ReplyError(said)
