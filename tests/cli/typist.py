"""Types at a program as a person does: at a terminal of its own, answer by answer."""

from __future__ import annotations

import fcntl
import os
import select
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.checkout import CHECKOUT

PATIENCE_SECONDS = 60


def _take_terminal() -> None:
    """Let Ctrl-C reach a command, even where the tests run in the background and ignore it."""
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    signal.signal(signal.SIGINT, signal.SIG_DFL)


class Typist:
    """A command of the program on a pseudo-terminal, in `folder`, with nothing but `environment` around it."""

    def __init__(
        self, folder: Path, argv: Sequence[str], environment: Mapping[str, str] | None = None
    ) -> None:
        self._terminal, slave = os.openpty()
        self.screen = ""
        self._seen = 0
        plain = {"HOME": str(folder), "PATH": "/usr/bin:/bin", "TERM": "dumb", "LANG": "C.UTF-8"}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "heatmap", *argv],
            cwd=folder,
            env={**plain, **(environment or {}), "PYTHONPATH": str(CHECKOUT)},
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
            preexec_fn=_take_terminal,
        )
        os.close(slave)

    def answer(self, question: str, typed: str) -> None:
        """Wait until a question is on the screen, not counting what was answered before, and type a line."""
        self.wait(question)
        self.type(f"{typed}\n")

    def wait(self, text: str) -> None:
        """Wait until the screen shows a text beyond what was waited for so far."""
        end = time.monotonic() + PATIENCE_SECONDS
        while text not in self.screen[self._seen :]:
            assert time.monotonic() < end and self._read(), f"{text!r} never came:\n{self.screen}"
        self._seen = self.screen.index(text, self._seen) + len(text)

    def type(self, keys: str) -> None:
        """Press keys; "\x03" is Ctrl-C, "\x04" is Ctrl-D."""
        if keys in "\x03\x04":
            time.sleep(0.3)  # the terminal takes them for what they are once the program reads
        os.write(self._terminal, keys.encode())

    def end(self) -> int:
        """Wait for the program's end and return its exit code."""
        while self._read():
            pass
        os.close(self._terminal)
        return self.process.wait(PATIENCE_SECONDS)

    def _read(self) -> bool:
        """Take what the screen shows; False at its end."""
        ready, _, _ = select.select([self._terminal], [], [], 1)
        if not ready:
            return True
        try:
            block = os.read(self._terminal, 65536)
        except OSError:  # Linux says EIO once the other end is closed
            return False
        self.screen += block.decode("utf-8", "replace").replace("\r\n", "\n")
        return bool(block)
