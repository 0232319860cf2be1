"""Real runs of the command, as cron starts them, and what is left of them afterwards."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import NamedTuple
from uuid import uuid4

from tests.checkout import CHECKOUT
from tests.servers.dns import SilentDns

END_SECONDS = 120
GONE_SECONDS = 10
POLL_SECONDS = 0.0005
HEAD = """state_directory = "state"
{keys}
[[market]]
name = "nse-fno"
[market.source]
type = "recording"
[monitor]
status = false  # it tells of the runs before, so no two are the same
[history]
enabled = false  # so does this; months.py has a history
"""


class Ended(NamedTuple):
    """How a run ended: exit code (negative: the signal that killed it), what it said, seconds it took."""

    code: int
    said: str
    seconds: float


def configuration(folder: Path, tables: Sequence[str], **keys: str | float) -> Path:
    """Write a configuration of the recorded market with these [[publish]] tables; return its path."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "heatmap.toml"
    top = "\n".join(f"{key} = {value}" for key, value in keys.items())
    path.write_text("\n".join([HEAD.format(keys=top), *tables]), "utf-8")
    return path


class Run:
    """`heatmap run` at a pretended time, in a process of its own; no terminal, as under cron."""

    def __init__(self, path: Path, now: datetime, dns: SilentDns | None = None) -> None:
        name, value = "HEATMAP_TEST_RUN", str(uuid4())
        self._mark = f"{name}={value}".encode()
        self._begun = time.monotonic()
        words = [sys.executable, "-m", "heatmap", "run", "--config", path, "--now", now.isoformat()]
        self._process = subprocess.Popen(
            dns.command(*words) if dns else words,
            cwd=CHECKOUT,
            env={**(dns.environment() if dns else os.environ), name: value},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    @property
    def seconds(self) -> float:
        """How long ago it began."""
        return time.monotonic() - self._begun

    def wait_until(self, begun: Callable[[], bool]) -> float:
        """Return, as soon as something has begun or the run has ended, how many seconds that took."""
        while self._process.poll() is None and not begun():
            time.sleep(POLL_SECONDS)
        return self.seconds

    def end(self) -> Ended:
        """Wait for its end."""
        return self._ended(END_SECONDS)

    def kill(self, after: float) -> Ended:
        """Kill it `after` so many seconds, unless it ends before."""
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(after)
        self._process.kill()
        return self._ended(END_SECONDS)

    def _ended(self, limit: float) -> Ended:
        try:
            said = self._process.communicate(timeout=limit)[0]
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.communicate()
            raise
        return Ended(self._process.returncode, said, self.seconds)

    def children(self) -> list[int]:
        """The processes that the run started and that are still there; those about to leave may do so first."""
        until = time.monotonic() + GONE_SECONDS
        while (alive := self._alive()) and time.monotonic() < until:
            time.sleep(0.02)
        return alive

    def _alive(self) -> list[int]:
        found = []
        for process in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                if self._mark in (process / "environ").read_bytes().split(b"\0"):
                    found.append(int(process.name))
        return found


def drawn(folder: Path, now: datetime) -> dict[str, bytes]:
    """Return every file of the recorded market's pages at a time, as it must arrive."""
    ended = run(configuration(folder, ['[[publish]]\nurl = "file:site"']), now)
    assert ended.code == 0, ended.said
    site = folder / "site"
    found = {str(file.relative_to(site)): file.read_bytes() for file in site.rglob("*") if file.is_file()}
    assert "index.html" in found
    return found


def run(path: Path, now: datetime) -> Ended:
    """Run the command once, to its end."""
    return Run(path, now).end()
