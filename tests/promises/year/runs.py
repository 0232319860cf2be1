"""Real ticks of an installation at another time, each a process of its own, weighed and timed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from tests.checkout import CHECKOUT
from tests.servers import unpack
from tests.servers.process import Missing

SHIM = Path(__file__).parent / "shim"
LIBRARY = "faketime/libfaketimeMT.so.1"
END_SECONDS = 120  # a run that takes longer hangs for ever
# A process is as large as the one it was forked from until it becomes another program, and that counts in its
# peak. So a small one forks it, which writes down the peak and ends as its child did.
WEIGHED = """import os, signal, sys
child = os.posix_spawn(sys.argv[2], sys.argv[2:], os.environ)
_, status, used = os.wait4(child, 0)
with open(sys.argv[1], "w") as file:
    file.write(str(used.ru_maxrss))
code = os.waitstatus_to_exitcode(status)
if code < 0:
    signal.signal(-code, signal.SIG_DFL)
    os.kill(os.getpid(), -code)
os._exit(code)
"""


class Blow(NamedTuple):
    """A signal that a run gets, after this share of the time that a whole run takes."""

    number: int
    after_share: float


class Ended(NamedTuple):
    """How a run ended. `peak_kib` is None where it was killed before that could be told."""

    code: int  # negative: the signal that killed it
    out: str
    err: str
    seconds: float
    peak_kib: int | None
    is_struck: bool = False  # by a blow: the run had not ended by then


def heatmap(
    home: Path,
    *words: str,
    clock: datetime,
    blow: Blow | None = None,
    usual_seconds: float = 1.0,
    closed_stdout: bool = False,
    weigh_in: Path,
) -> Ended:
    """Run the command in `home`, by the clock that it is to see. A whole run takes about `usual_seconds`."""
    weight = weigh_in / "peak"
    weight.unlink(missing_ok=True)
    command = [sys.executable, "-m", "heatmap", *words]
    begun = time.monotonic()
    process = subprocess.Popen(
        [sys.executable, "-S", "-E", "-I", "-c", WEIGHED, weight, *command],
        cwd=home,
        env=environment(clock),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL if closed_stdout else subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        start_new_session=True,
        preexec_fn=_close_stdout if closed_stdout else None,
    )
    is_struck = False
    try:
        if blow is not None:
            with suppress(subprocess.TimeoutExpired):
                process.wait(blow.after_share * usual_seconds)
            is_struck = _strike(process, blow.number)
        out, err = process.communicate(timeout=END_SECONDS)
    except subprocess.TimeoutExpired:
        _strike(process, signal.SIGKILL)
        process.communicate()
        raise
    seconds = time.monotonic() - begun
    told = weight.read_text() if weight.exists() else ""
    return Ended(process.returncode, out or "", err, seconds, int(told) if told else None, is_struck)


def environment(clock: datetime) -> Mapping[str, str]:
    """Return the environment in which it is that time. Raises Missing where libfaketime is not here."""
    library = unpack.library(LIBRARY)
    if library is None:
        raise Missing("libfaketime is not here: run python tests/servers/unpack.py, or install libfaketime")
    return os.environ | {
        "PYTHONPATH": f"{SHIM}{os.pathsep}{CHECKOUT}",
        "LD_PRELOAD": str(library),
        "FAKETIME": f"@{clock.astimezone(UTC):%Y-%m-%d %H:%M:%S}",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "TZ": "UTC",
        "PYTHONDONTWRITEBYTECODE": "",  # an installation has its compiled files
    }


def _strike(process: subprocess.Popen[str], number: int) -> bool:
    """Send a signal to a run that has not ended; return whether there was one to get it."""
    if process.poll() is not None:
        return False
    if number == signal.SIGKILL:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, number)
            return True
        return False
    # To the run itself, once it has been started; the small one that weighs it lives on.
    children: list[str] = []
    while not children and process.poll() is None:
        with suppress(OSError):
            children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    for child in children:
        with suppress(ProcessLookupError):
            os.kill(int(child), number)
            return True
    return False


def _close_stdout() -> None:
    os.close(1)
