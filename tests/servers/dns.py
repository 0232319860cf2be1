"""Name servers that never answer, for a command under test.

    with SilentDns(folder) as dns:
        subprocess.run(dns.command("heatmap", "run"), env=dns.environment())

As root the command sees another /etc/resolv.conf, which names an address where questions are taken and not
answered: all that asks is real, OpenSSH's client too. An ordinary user gets a substitute (`real` is False):
in Python alone, getaddrinfo blocks in C for good, as the real one does for as long as it waits, and a signal
does not end it either.
"""

from __future__ import annotations

import os
import shlex
import socket
import subprocess
from pathlib import Path
from typing import Self

ADDRESS = "127.53.53.53"
PORT = 53
WAIT_SECONDS = 30  # glibc's own most for one question; five by default

SUBSTITUTE = """\
import ctypes
import socket

_known = socket.getaddrinfo
_libc = ctypes.CDLL(None)
_lock = ctypes.create_string_buffer(64)


def getaddrinfo(host, *arguments, **words):
    text = host.decode() if isinstance(host, bytes) else host
    if text is None or text == "localhost" or text.replace(".", "").isdigit() or ":" in text:
        return _known(host, *arguments, **words)
    _libc.pthread_mutex_lock(_lock)
    while True:
        _libc.pthread_mutex_lock(_lock)  # held already, by us: this never returns


socket.getaddrinfo = getaddrinfo
"""


class SilentDns:
    """`asked` tells whether a question came, where it is `real`."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True)
        self._folder = folder
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.real = self._prepare()
        if not self.real:
            (folder / "sitecustomize.py").write_text(SUBSTITUTE, "utf-8")

    def _prepare(self) -> bool:
        try:
            self._socket.bind((ADDRESS, PORT))
        except OSError:
            return False
        (self._folder / "resolv.conf").write_text(
            f"nameserver {ADDRESS}\noptions timeout:{WAIT_SECONDS} attempts:2\n", "utf-8"
        )
        (self._folder / "nsswitch.conf").write_text(
            "passwd: files\ngroup: files\nhosts: files dns\n", "utf-8"
        )
        try:
            tried = subprocess.run([*self._secluded(), "true"], check=False, capture_output=True)
        except FileNotFoundError:
            return False
        return tried.returncode == 0

    def _secluded(self) -> list[str]:
        steps = [
            f"mount --bind {shlex.quote(str(self._folder / name))} /etc/{name}"
            for name in ("resolv.conf", "nsswitch.conf")
            if Path("/etc", name).exists()
        ]
        return ["unshare", "-m", "sh", "-c", " && ".join([*steps, 'exec "$@"']), "sh"]

    def command(self, *words: str | Path) -> list[str | Path]:
        """Return the words with which to run a command that gets no answer."""
        return [*self._secluded(), *words] if self.real else [*words]

    def environment(self) -> dict[str, str]:
        """Return the environment to run it in."""
        if self.real:
            return {**os.environ}
        folders = [str(self._folder), *filter(None, [os.environ.get("PYTHONPATH")])]
        return {**os.environ, "PYTHONPATH": os.pathsep.join(folders)}

    @property
    def asked(self) -> bool:
        """Whether a question came that was not counted yet."""
        try:
            return bool(self._socket.recv(512, socket.MSG_DONTWAIT))
        except BlockingIOError:
            return False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()
