"""Child processes: their end, in time, with all that they started."""

from __future__ import annotations

import os
import sys
import time
from contextlib import suppress
from subprocess import PIPE
from threading import Timer
from typing import TYPE_CHECKING

import pytest

from heatmap.system import processes
from heatmap.system.deadline import Deadline

pytestmark = pytest.mark.process

if TYPE_CHECKING:
    from pathlib import Path

# A shell that starts another process, notes its number, and waits for it.
PARENT = 'sleep 60 & echo $! > "$0"; wait'


def is_running(pid: int) -> bool:
    with suppress(ProcessLookupError):
        os.kill(pid, 0)
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    return False


def test_a_command_s_output_and_code() -> None:
    """Both outputs apart, what it read, its environment, and the code that it ended with."""
    script = "import os, sys; print(sys.stdin.read() + os.environ['X']); sys.stderr.write('no'); sys.exit(3)"

    ended = processes.run(
        [sys.executable, "-c", script], 30, environment={"X": "b"}, content=b"a", stderr=PIPE
    )

    assert (3, b"ab\n", b"no") == ended


def test_a_command_that_a_signal_kills() -> None:
    """Its code is the signal's number below 0."""
    assert -9 == processes.run(["sh", "-c", "kill -9 $$"], 30, environment=dict(os.environ)).code


def test_a_command_that_is_missing() -> None:
    """The system's own error, with its words."""
    with pytest.raises(FileNotFoundError):
        processes.run(["/no/such/command"], 5, environment={})


@pytest.mark.parametrize("way", ["seconds", "deadline"])
def test_a_command_that_takes_too_long(tmp_path: Path, way: str) -> None:
    """It ends with all that it started, by its own limit or by the deadline that others share."""
    note = tmp_path / "pid"
    deadline = Deadline(30)
    if way == "deadline":
        Timer(1.0, deadline.expire).start()
    started_at = time.monotonic()

    if way == "seconds":
        with pytest.raises(TimeoutError):
            processes.run(["sh", "-c", PARENT, str(note)], 1.0, environment=dict(os.environ))
    else:
        command = ["sh", "-c", PARENT, str(note)]
        assert -9 == processes.run(command, 30, environment=dict(os.environ), deadline=deadline).code

    assert time.monotonic() - started_at < 20
    until = time.monotonic() + 5
    while is_running(int(note.read_text())) and time.monotonic() < until:
        time.sleep(0.05)
    assert not is_running(int(note.read_text()))
