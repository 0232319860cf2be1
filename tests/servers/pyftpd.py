"""pyftpdlib in a thread, for what real servers do that cannot be had here.

with Pyftpd(folder, **IIS) as server: ...
with Pyftpd(folder, masquerade_address="10.255.255.1") as server: ...
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, Self

from pyftpdlib.authorizers import DummyAuthorizer
from pyftpdlib.filesystems import AbstractedFS
from pyftpdlib.handlers import FTPHandler
from pyftpdlib.ioloop import IOLoop
from pyftpdlib.servers import FTPServer

logging.getLogger("pyftpdlib").setLevel(logging.CRITICAL)


def _no_overwriting(reply: str) -> Any:
    def rename(self: FTPHandler, path: str) -> None:
        if self.fs.isfile(path):
            self._rnfr = None
            self.respond(reply)
        else:
            FTPHandler.ftp_RNTO(self, path)

    return rename


def _answer(reply: str) -> Any:
    return lambda self, *_, **__: self.respond(reply)


class _Half:
    """A file that keeps the first half of what is written."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.name = file.name
        self.closed = False

    def write(self, data: bytes) -> int:
        return self._file.write(data)

    def close(self) -> None:
        if not self.closed:
            self.closed = True
            self._file.truncate(self._file.tell() // 2)
            self._file.close()


class _StoresHalf(AbstractedFS):
    def open(self, filename: str, mode: str) -> Any:
        file = super().open(filename, mode)
        return _Half(file) if "w" in mode else file


class _StoresElsewhere(AbstractedFS):
    def open(self, filename: str, mode: str) -> Any:
        return super().open(f"{filename}.1" if "w" in mode else filename, mode)


class _HidesModes(AbstractedFS):
    """Files are for their owner alone, and its lists are those of DOS."""

    def open(self, filename: str, mode: str) -> Any:
        file = super().open(filename, mode)
        if "w" in mode:
            os.chmod(filename, 0o600)
        return file

    def format_list(self, basedir: str, listing: list[str], ignore_err: bool = True) -> Iterator[bytes]:
        for name in listing:
            size = os.path.getsize(os.path.join(basedir, name))
            yield f"11-21-26  08:30AM {size:20} {name}\r\n".encode()


class _HidesModesFromMachines(_HidesModes):
    def format_mlsx(self, basedir: str, listing: list[str], perms: str, facts: list[str], **more: Any) -> Any:
        shown = [fact for fact in facts if fact != "unix.mode"]
        return super().format_mlsx(basedir, listing, perms, shown, **more)


Settings = dict[str, Any]

IIS: Settings = {"ftp_RNTO": _no_overwriting("550 Cannot create a file when that file already exists. ")}
OLD_FILEZILLA: Settings = {
    "ftp_RNTO": _no_overwriting("553 file exists"),
    "ftp_SITE_CHMOD": _answer("500 Syntax error, command unrecognized."),
}
NO_RENAMING: Settings = {
    "ftp_RNFR": _answer("500 Unknown command."),
    "ftp_RNTO": _answer("500 Unknown command."),
}
NO_EPSV: Settings = {"ftp_EPSV": _answer("500 Unknown command.")}
MALFORMED_PASV: Settings = {"ftp_PASV": _answer("227 Entering Passive Mode.")}
NO_SIZE: Settings = {"ftp_SIZE": _answer("500 Unknown command.")}
NO_CHMOD: Settings = {"ftp_SITE_CHMOD": _answer("504 Not here.")}
DOS_LISTS: Settings = {**NO_CHMOD, "abstracted_fs": _HidesModes}
NO_MODES: Settings = {**NO_CHMOD, "abstracted_fs": _HidesModesFromMachines}
STORES_HALF: Settings = {"abstracted_fs": _StoresHalf}
STORES_ELSEWHERE: Settings = {"abstracted_fs": _StoresElsewhere}


class Pyftpd:
    """An FTP server; `settings` are attributes of its handler: one or several of the above, masquerade_address ..."""

    user = "blogger"
    password = "canary-5ecret"

    def __init__(self, folder: Path, host: str = "127.0.0.1", **settings: Any) -> None:
        self.root = folder / "root"
        self.root.mkdir(parents=True)
        accounts = DummyAuthorizer()
        accounts.add_user(self.user, self.password, str(self.root), perm="elradfmwMT")
        handler = type(
            "Handler", (FTPHandler,), {"authorizer": accounts, "auth_failed_timeout": 0, **settings}
        )
        self._loop = IOLoop()
        self._server = FTPServer((host, 0), handler, ioloop=self._loop)
        self.host, self.port = self._server.address[:2]
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._serve)

    def _serve(self) -> None:
        while not self._ending.is_set():
            self._loop.loop(timeout=0.02, blocking=False)
        self._server.close_all()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ending.set()
        self._thread.join()

    def url(self, path: str = "", port: int | None = None, host: str | None = None) -> str:
        """The address of a folder on it, relative to the login folder; or the way there by a proxy."""
        host = host or (f"[{self.host}]" if ":" in self.host else self.host)
        return f"ftp://{self.user}@{host}:{port or self.port}/{path}"
