"""pyftpdlib in a thread, for the faults real servers cannot be made to show."""

from __future__ import annotations

import logging
import threading
from pathlib import Path
from typing import Any, Self

from pyftpdlib.authorizers import DummyAuthorizer
from pyftpdlib.handlers import FTPHandler
from pyftpdlib.ioloop import IOLoop
from pyftpdlib.servers import FTPServer

logging.getLogger("pyftpdlib").setLevel(logging.CRITICAL)


class Pyftpd:
    """An FTP server; `settings` are attributes of its handler, such as masquerade_address."""

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

    def url(self, path: str = "") -> str:
        """The address of a folder on it, relative to the login folder."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"ftp://{self.user}@{host}:{self.port}/{path}"
