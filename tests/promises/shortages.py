"""Real runs with less than they need: of memory, of open files, of processes."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from random import Random
from typing import NamedTuple

from heatmap.errors import EXIT_BUG, EXIT_OK, EXIT_TEMPORARY
from tests.checkout import CHECKOUT
from tests.promises.versions import moment
from tests.servers.process import Missing

SAMPLE, WHOLE = 8, 200  # steps
DEADLINE_SECONDS = 20  # enough for a run on a busy machine
LATEST_SECONDS = DEADLINE_SECONDS + 6 + 3  # the last resort, then that of C
MACHINE_SECONDS = 10  # by which a busy machine may be late
MIB = 1024 * 1024
CONFIGURATION = f"""deadline_seconds = {DEADLINE_SECONDS}
[[market]]
name = "nse-fno"
[market.source]
type = "recording"
"""


class Shortages(NamedTuple):
    """How runs with too little ended."""

    steps: int
    exit_0: int
    exit_75: int
    interpreter: int  # ended by the interpreter or the system's loader, with whatever code they have
    slowest_seconds: float
    too_late: int
    torn: int  # neither the old page nor the new one
    wrong: int  # told as a bug, or as what it is not
    unhealed: int

    @property
    def holds(self) -> bool:
        """Each ends in time, the page is whole, nothing is told as a bug, and the next run heals.

        Some steps had too little, or nothing was tried.
        """
        is_short = self.exit_75 + self.interpreter > 0
        return is_short and not (self.too_late or self.torn or self.wrong or self.unhealed)


def measure(limit: int, lowest: int, highest: int, folder: Path, _: Random, amount: int) -> Shortages:
    """Run at `amount` limits from `lowest` to `highest`, evenly, each after the page of the run before."""
    if limit == resource.RLIMIT_NPROC and os.geteuid() == 0:
        raise Missing("root may start any number of processes")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "heatmap.toml").write_text(CONFIGURATION)
    page = folder / "site/index.html"
    assert _run(folder, 0, None)[0] == EXIT_OK
    steps = sorted({lowest + (highest - lowest) * step // max(amount - 1, 1) for step in range(amount)})
    codes, slowest, late, torn, wrong = [], 0.0, 0, 0, 0
    for number, step in enumerate(steps, 1):
        before = page.read_bytes()
        code, said, seconds = _run(folder, number, (limit, step))
        after = page.read_bytes()
        codes.append(code)
        slowest = max(slowest, seconds)
        late += seconds > LATEST_SECONDS + MACHINE_SECONDS
        is_new = after.rstrip().endswith(b"</html>") and moment(number).isoformat().encode() in after
        torn += not (after == before or is_new)
        if code == EXIT_BUG or "install" in said.replace("must be installed for pthread_exit", ""):
            wrong += 1
            print(f"at {step:,}: exit {code}: {said}", file=sys.stderr)
    unhealed = _run(folder, len(steps) + 1, None)[0] != EXIT_OK
    known = codes.count(EXIT_OK), codes.count(EXIT_TEMPORARY)
    return Shortages(
        len(steps), *known, len(steps) - sum(known), round(slowest, 1), late, torn, wrong, int(unhealed)
    )


def _run(folder: Path, number: int, limit: tuple[int, int] | None) -> tuple[int, str, float]:
    """Return how one tick in a process of its own ended: exit code, what it said, seconds."""

    def lower() -> None:
        if limit:
            resource.setrlimit(limit[0], (limit[1], limit[1]))

    begun = time.monotonic()
    process = subprocess.Popen(
        [sys.executable, "-m", "heatmap", "run", "--now", moment(number).isoformat()],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(CHECKOUT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        preexec_fn=lower,
    )
    try:
        said, _ = process.communicate(timeout=90)
    except subprocess.TimeoutExpired:
        process.kill()
        said, _ = process.communicate()
    return process.returncode, said, time.monotonic() - begun


ROWS: Mapping[str, Callable[[Path, Random, int], Shortages]] = {
    "`ulimit -v`, 14 to 112 MiB": partial(measure, resource.RLIMIT_AS, 14 * MIB, 112 * MIB),
    "`ulimit -n`, 3 to 40": partial(measure, resource.RLIMIT_NOFILE, 3, 40),
    "`ulimit -u`, 1 to 20": partial(measure, resource.RLIMIT_NPROC, 1, 20),
}
