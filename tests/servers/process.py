"""One server process of the tests: started, waited for until it listens, stopped by its process id."""

from __future__ import annotations

import os
import random
import resource
import signal
import socket
import subprocess
import time
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Self

from tests.servers import unpack

READY_SECONDS = 15
STOP_SECONDS = 5
PORT_TRIES = 200
PORTS = range(12_000, 32_000)  # where the system takes none for outgoing connections
WORKERS = 16
# Tests in several processes: each chooses ports in a range of its own, so that none is taken in between.
WORKER = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % WORKERS
_chance = random.SystemRandom()  # a test that seeds random must not repeat the ports
PORTS_OF_WORKER = PORTS[len(PORTS) // WORKERS * WORKER :][: len(PORTS) // WORKERS]
PACKAGES = {
    "proftpd": "proftpd-core",
    "sshd": "openssh-server",
    "apache2": "apache2-bin",
    "pure-pw": "pure-ftpd",
    "unshare": "util-linux",
    "systemd-analyze": "systemd",
}


class Missing(Exception):
    """A server that is not on this machine."""


def needed(name: str) -> Path:
    """Return a server's path. Raises Missing, saying how to get it."""
    found = unpack.program(name)
    if found is None:
        package = PACKAGES.get(name, name)
        raise Missing(f"{name} is not here: run python tests/servers/unpack.py, or install {package}")
    return found


def free_port() -> int:
    """Return a port that nothing listens on, and that no other worker of the tests will choose."""
    return free_ports(1).start


def free_ports(count: int) -> range:
    """Return `count` ports in a row that nothing listens on, here and on 127.0.0.2."""
    for _ in range(PORT_TRIES):
        first = _chance.choice(PORTS_OF_WORKER[:-count])
        try:
            with ExitStack() as held:
                for port in range(first, first + count):
                    for host in ("127.0.0.1", "127.0.0.2"):
                        held.enter_context(socket.create_server((host, port)))
        except (OSError, OverflowError):
            continue
        return range(first, first + count)
    raise RuntimeError(f"no {count} free ports in a row")


class Server:
    """The base of all: `start` runs a command in `folder`, its words go to `folder`/log.

    A server started with a `file_size_limit` cannot make a file longer than so many bytes: to who uploads,
    that is a full disk. `limit_file_size` changes or, by None, lifts it for logins from then on.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.root = folder / "root"  # what is served, or uploaded into
        self.root.mkdir(parents=True)
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def log(self) -> str:
        """The server's output so far."""
        return (self.folder / "log").read_text("utf-8", "replace")

    def start(self, *command: str | Path, listens: bool = True, file_size_limit: int | None = None) -> None:
        """Run the server; return once it accepts connections."""
        with (self.folder / "log").open("wb") as log:
            self._process = subprocess.Popen(
                command,
                stdout=log,
                stderr=log,
                env=unpack.environment(),
                start_new_session=True,
                # Python ignores SIGXFSZ: who inherits that gets an error from write() where others are killed.
                restore_signals=file_size_limit is None,
            )
        until = time.monotonic() + READY_SECONDS
        while listens:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                if file_size_limit is not None:
                    self.limit_file_size(file_size_limit)
                return
            except OSError:
                if self._process.poll() is not None or time.monotonic() > until:
                    self.stop()
                    raise RuntimeError(f"{command[0]} did not start: {self.log}") from None
                time.sleep(0.02)

    def limit_file_size(self, size: int | None) -> None:
        """Let what a server does for its next logins make no file longer than `size` bytes."""
        if self._process is not None:
            soft = resource.RLIM_INFINITY if size is None else size
            resource.prlimit(self._process.pid, resource.RLIMIT_FSIZE, (soft, resource.RLIM_INFINITY))

    def stop(self) -> None:
        """End the server and all that it started: by their ids, for some begin sessions of their own."""
        if self._process is not None:
            begun = _descendants(self._process.pid)
            try:
                os.killpg(self._process.pid, signal.SIGTERM)
                self._process.wait(STOP_SECONDS)
            except ProcessLookupError:
                pass
            except subprocess.TimeoutExpired:
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._process = None
            for process in begun:
                with suppress(ProcessLookupError):
                    os.kill(process, signal.SIGKILL)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def _descendants(process: int) -> list[int]:
    found = []
    with suppress(OSError):  # a process that ends meanwhile
        for tasks in Path("/proc", str(process), "task").glob("*/children"):
            for child in map(int, tasks.read_text().split()):
                found += [child, *_descendants(child)]
    return found
