"""An FTP server over files in memory, any step of which can be made to go wrong.

    with ScriptedFtp({"RNTO": Fault.LOST}, times=1) as server:
        ...                                        # connect to 127.0.0.1, server.port; any user, `password`
    assert server.files["/web/index.html"] == b"..."
    assert server.commands[-1] == "RNTO index.html"

A step is a command, "GREETING", or "STORED" and "SENT", the answers after the data. What goes wrong is a reply that takes the place of the step ("553 no"),
one of `Fault`, or several of those in a tuple, one after the other, None being well. A fault strikes each
time, or the first `times` times, so that a retry does well. Where a `certificate` is given, clients may say
AUTH TLS. There are no active data connections.

`files` and `modes` are what there is, by absolute path; folders are `folders`. `commands` are the lines that
came, "PASS" without the password; `logins` the number of control connections.
"""

from __future__ import annotations

import posixpath
import socket
import ssl
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Self

from tests.servers.certificates import Certificate
from tests.servers.ftp_dialogue import HOST, Fault, Login, Script, close

__all__ = ["Fault", "ScriptedFtp"]


class ScriptedFtp:
    """The server; a context manager. See the top of this file."""

    home = "/"  # where logins end
    place = '257 "{}" is where you are.'  # the answer to PWD
    facts = ""  # that MLSD tells first of each file
    user = "blogger"
    password = "canary-5ecret"

    def __init__(
        self,
        faults: Mapping[str, Script | tuple[Script, ...]] | None = None,
        *,
        times: int | None = None,
        files: Mapping[str, bytes] | None = None,
        certificate: Certificate | None = None,
    ) -> None:
        self.files = dict(files or {})
        self.folders = {"/"} | {folder for path in self.files for folder in _above(path)}
        self.modes: dict[str, int] = {}
        self.commands: list[str] = []
        self.logins = 0
        self.scheme = "ftps" if certificate else "ftp"
        self.ca_file = certificate and certificate.ca_file
        self.ending = threading.Event()
        self.context: ssl.SSLContext | None = None
        if certificate:
            self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.context.load_cert_chain(certificate.certificate, certificate.key)
        self._faults = dict(faults or {})
        self._times = times
        self._seen: dict[str, int] = {}
        self._sockets: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self._listener = self.listen()
        self.port = int(self._listener.getsockname()[1])

    def __enter__(self) -> Self:
        self._spawn(self._serve)
        return self

    def __exit__(self, *_: object) -> None:
        self.ending.set()
        for each in self._sockets:
            close(each)
        for thread in self._threads:
            thread.join()

    def url(self, path: str = "", port: int | None = None, host: str = HOST) -> str:
        """The address of a folder on it, relative to the login folder; or the way there by a proxy."""
        return f"{self.scheme}://{self.user}@{host}:{port or self.port}/{path}"

    def fault(self, step: str) -> Script:
        """Return what goes wrong at this step this time."""
        number = self._seen[step] = self._seen.get(step, -1) + 1
        fault = self._faults.get(step)
        if isinstance(fault, tuple):
            return fault[number] if number < len(fault) else None
        return fault if self._times is None or number < self._times else None

    def listen(self) -> socket.socket:
        """Return a listening socket that does not outlive the server."""
        return self.held(socket.create_server((HOST, 0)))

    def held(self, connection: socket.socket) -> socket.socket:
        """Return a socket that does not outlive the server."""
        self._sockets.append(connection)
        return connection

    def _spawn(self, work: Callable[[], None]) -> None:
        thread = threading.Thread(target=work, name=f"scripted FTP on port {self.port}")
        self._threads.append(thread)
        thread.start()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                connection = self.held(self._listener.accept()[0])
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self.logins += 1
                self._spawn(Login(self, connection).serve)


def _above(path: str) -> list[str]:
    folders = [posixpath.dirname(path)]
    while folders[-1] != "/":
        folders.append(posixpath.dirname(folders[-1]))
    return folders
