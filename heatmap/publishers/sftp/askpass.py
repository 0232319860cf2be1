"""Gives a password to OpenSSH's client. The client runs a program of ours for it (SSH_ASKPASS, OpenSSH 8.4).

The password is in no file, argument or variable: the program reads it once, from a named pipe.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

FIRST_VERSION = (8, 4)
PROGRAM_NAME, PIPE_NAME = "askpass", "password"
# A second question gets no answer: the pipe is removed before it is read. After the run was killed, the pipe
# has no writer, and opening or reading it would never end. So the program opens it at both ends and writes an
# empty line behind the password: it reads that line if there is no password.
PROGRAM = f"""#!/bin/sh
pipe="${{0%/*}}/{PIPE_NAME}"
[ -p "$pipe" ] && exec 3<>"$pipe" || exit 1
rm -f "$pipe"
echo >&3
IFS= read -r password <&3 && [ -n "$password" ] && printf '%s\\n' "$password"
"""


@contextmanager
def serve_password(password: str | None) -> Iterator[dict[str, str]]:
    """Yield the variables with which ssh gets `password` once; none if `password` is None.

    The program and the pipe are removed at the end of the block. Raises OSError if they cannot be made.
    """
    if password is None:
        yield {}
        return
    from heatmap.system import temporary

    with temporary.make_folder() as folder:
        program, pipe = os.path.join(folder, PROGRAM_NAME), os.path.join(folder, PIPE_NAME)
        with open(program, "x", encoding="ascii", opener=_open_executable) as file:
            file.write(PROGRAM)
        os.mkfifo(pipe, 0o600)
        # Open at both ends, so that writing does not wait for the reader. A password fits into a pipe.
        descriptor = os.open(pipe, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            os.write(descriptor, f"{password}\n".encode())
            yield {"SSH_ASKPASS": program, "SSH_ASKPASS_REQUIRE": "force"}
        finally:
            os.close(descriptor)


def _open_executable(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_CLOEXEC, 0o700)
