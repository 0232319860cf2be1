"""Child processes, each in a process group of its own: a child ends together with all that it started."""

from __future__ import annotations

import os
from contextlib import nullcontext, suppress
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from subprocess import Popen

    from heatmap.system.deadline import Deadline


class CompletedProcess(NamedTuple):
    """How a process ended. `code` is its exit code; below 0: the number of the signal that killed it.

    `stderr` is empty unless it is a pipe.
    """

    code: int
    stdout: bytes
    stderr: bytes


def run(
    command: Sequence[str],
    seconds: float,
    *,
    environment: Mapping[str, str],
    content: bytes | None = None,
    stderr: int | None = None,
    deadline: Deadline | None = None,
) -> CompletedProcess:
    """Run a command to its end, and return its output.

    The command reads `content`; None: it has nothing to read. `stderr` is one of the constants of
    `subprocess`; None: DEVNULL. After `seconds`, or when `deadline` comes, its process group is killed.
    Raises OSError if the command cannot be started, and TimeoutError after `seconds`.
    """
    from subprocess import DEVNULL, PIPE, TimeoutExpired

    stdin = DEVNULL if content is None else PIPE
    process = start(command, environment, stdin=stdin, stderr=DEVNULL if stderr is None else stderr)
    with process:
        try:
            with deadline.abort_at_deadline(lambda: kill(process)) if deadline else nullcontext():
                output, errors = process.communicate(content, timeout=seconds)
        except TimeoutExpired:
            raise TimeoutError from None
        finally:
            kill(process)
    return CompletedProcess(process.returncode, output or b"", errors or b"")


def start(
    command: Sequence[str],
    environment: Mapping[str, str],
    *,
    stdin: int,
    stderr: int,
    pass_fds: Collection[int] = (),
    bufsize: int = -1,
) -> Popen[bytes]:
    """Start a command whose output is read by a pipe. The parameters are those of `Popen`. Raises OSError."""
    from subprocess import PIPE, Popen

    return Popen(
        command,
        stdin=stdin,
        stdout=PIPE,
        stderr=stderr,
        env=environment,
        pass_fds=pass_fds,
        bufsize=bufsize,
        start_new_session=True,
    )


def kill(process: Popen[bytes]) -> None:
    """Kill a process that has not ended, with its group."""
    if process.returncode is None:
        kill_group(process.pid)


def kill_group(group: int) -> None:
    """Kill all processes of a process group, if any are left."""
    import signal

    with suppress(ProcessLookupError, PermissionError):  # it has just ended by itself
        os.killpg(group, signal.SIGKILL)
