"""OpenSSH's client gets the password once, and never waits for a run that was killed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from heatmap.publishers.sftp import askpass

pytestmark = pytest.mark.process

SERVING = """
import sys
from heatmap.publishers.sftp import askpass
with askpass.serve_password("canary-5ecret") as variables:
    print(variables["SSH_ASKPASS"], flush=True)
    sys.stdin.read()  # until the end: this process is killed
"""


def ask(program: str) -> tuple[int, str]:
    """Run the program as the client does; return its exit code and its answer."""
    done = subprocess.run(
        [program, "password: "],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=10,
        check=False,
    )
    return done.returncode, done.stdout


@pytest.mark.parametrize("password", ["canary-5ecret", " spaces \\ and a backslash ", "ünïcödé"])
def test_the_password_is_given_once(password: str) -> None:
    """The second question gets no answer: a server may not ask again and again."""
    with askpass.serve_password(password) as variables:
        assert (0, f"{password}\n") == ask(variables["SSH_ASKPASS"])
        assert (1, "") == ask(variables["SSH_ASKPASS"])


def test_a_killed_run_leaves_nothing_that_waits(tmp_path: Path) -> None:
    """The client may ask after the run was killed: the program ends without an answer, and so does the client."""
    with subprocess.Popen(
        [sys.executable, "-c", SERVING],
        env={**os.environ, "TMPDIR": str(tmp_path)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as run:
        assert run.stdout
        program = run.stdout.readline().strip()
        run.kill()
    assert (1, "") == ask(program)
