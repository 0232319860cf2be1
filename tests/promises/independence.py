"""Three targets in one run: one falls silent, one refuses the login, one is well."""

from __future__ import annotations

from pathlib import Path
from random import Random
from tempfile import mkdtemp
from typing import NamedTuple

from heatmap.errors import EXIT_OK, EXIT_TEMPORARY
from tests.promises.places import Place
from tests.promises.runs import Ended, Run, configuration, drawn, run
from tests.promises.versions import moment
from tests.servers.proxy import Fault

SAMPLE, WHOLE = 1, 3
DEADLINE_SECONDS = 8
DELAY_SECONDS = 3  # which the good target may come later than alone: machines are busy at times
NAMES = ("silent", "refused", "good")


class Independence(NamedTuple):
    """What became of the good target, and what was said of the others."""

    runs: int
    alone_seconds: float  # from the start until the good target has its page, where it is the only one
    beside_seconds: float  # the same beside the two others, at most
    end_seconds: float  # until the run ended, at most; its deadline is 8
    exit_75: int
    lines: int  # said in all: one for each target that failed
    unhealed: int

    @property
    def holds(self) -> bool:
        """The good one comes at once, each failure is told once, and the next run heals."""
        at_once = self.beside_seconds < self.alone_seconds + DELAY_SECONDS
        told = self.exit_75 == self.runs and self.lines == 2 * self.runs
        return at_once and told and not self.unhealed and self.end_seconds < DEADLINE_SECONDS + 5


def measure(place: Place, _: Random, amount: int) -> Independence:
    """Run `amount` times with two bad targets and a good one, each time in new folders."""
    alone = beside = end = 0.0
    temporary = lines = unhealed = 0
    pages = drawn(Path(mkdtemp(dir=place.folder)), moment(0))
    for number in range(amount):
        folder = Path(mkdtemp(dir=place.folder))
        under = [f"{name}{number}" for name in NAMES]
        first = configuration(folder, [place.table(under=f"alone{number}")])
        alone = max(alone, _until_there(place, f"alone{number}", first)[0])
        with place.proxy(Fault.stall(0, "received")) as proxy:
            tables = [
                place.table(proxy.port, proxy.host, under=under[0]),
                place.table(under=under[1], **place.wrong_login()),
                place.table(under=under[2]),
            ]
            path = configuration(folder / "three", tables, deadline_seconds=DEADLINE_SECONDS)
            there, ended = _until_there(place, under[2], path)
        beside, end = max(beside, there), max(end, ended.seconds)
        temporary += ended.code == EXIT_TEMPORARY
        lines += len(ended.said.splitlines())
        healing = configuration(folder / "three", [place.table(under=name) for name in under])
        unhealed += run(healing, moment(0)).code != EXIT_OK
        unhealed += any(place.files(name) != pages for name in under)
    return Independence(amount, round(alone, 1), round(beside, 1), round(end, 1), temporary, lines, unhealed)


def _until_there(place: Place, under: str, path: Path) -> tuple[float, Ended]:
    going = Run(path, moment(0))
    there = going.wait_until(lambda: "index.html" in place.files(under))
    return there, going.end()
