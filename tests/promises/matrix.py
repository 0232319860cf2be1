"""What is measured, on which targets, how often in a sample and how often in the whole."""

from __future__ import annotations

import signal
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

from tests.checkout import CHECKOUT
from tests.promises import (
    cuts,
    faults,
    independence,
    kills,
    kinds,
    months,
    repeats,
    rivals,
    shortages,
    stalls,
    strikes,
    torn,
)
from tests.promises.machines import measure as machines
from tests.promises.year import measure as year

TESTS = CHECKOUT / "tests"
FAULTS = (
    "publishers/**/test_*.py",
    "system/test_deadline.py",
    "run/test_publishing.py",
    "test_process.py",
    "system/test_secrets.py",
    "test_secrets.py",
)


@dataclass(frozen=True)
class Measurement:
    """`rows`: by what is measured, a function (an empty folder, chance, how often) -> figures that say if they hold."""

    name: str
    title: str
    what: str  # the heading of the first column
    rows: Mapping[str, Callable[[Path, Random, int], Any]]
    sample: int = 1
    whole: int = 1
    figures: type[Any] | None = None  # a named tuple, what each row comes to: its fields are the columns

    def measure(self, row: str, folder: Path, seed: int, amount: int) -> Any:
        """Return the figures of one row. Raises process.Missing where a server or a tool is not here."""
        return self.rows[row](folder, Random(f"{seed} {self.name} {row}"), amount)


def _on_targets(module: Any, names: tuple[str, ...]) -> dict[str, Callable[[Path, Random, int], Any]]:
    def measure(kind: str, folder: Path, rng: Random, amount: int) -> Any:
        with kinds.started(kind, folder) as place:
            return module.measure(place, rng, amount)

    return {kind: partial(measure, kind) for kind in names}


def _upload(tool: str, folder: Path, _: Random, amount: int) -> Any:
    with kinds.started(rivals.KIND, folder) as place:
        return rivals.measure(rivals.UPLOADS[tool], place, amount)


def _struck(
    number: signal.Signals, share: float, folder: Path, rng: Random, amount: int, *, shared: bool
) -> Any:
    return strikes.measure(folder, rng, int(share * amount), number, shared=shared)


def _faults() -> dict[str, Callable[[Path, Random, int], Any]]:
    files = sorted(file for pattern in FAULTS for file in TESTS.glob(pattern))
    names = [str(file.relative_to(TESTS.parent)) for file in files]
    return {name: lambda _folder, _rng, _amount, name=name: faults.measure(name) for name in names}


ALL = tuple(kinds.KINDS)
REMOTE = tuple(kind for kind in ALL if kind not in kinds.LOCAL)
MEASUREMENTS = (
    Measurement(
        "torn",
        "Two visitors fetch the page all the while that it is published (promise 1)",
        "target",
        _on_targets(torn, ALL),
        torn.SAMPLE,
        torn.WHOLE,
        torn.Torn,
    ),
    Measurement(
        "cuts",
        "Uploads cut at bytes spread over their whole way, with a single attempt (promise 2)",
        "target",
        _on_targets(cuts, ALL),
        cuts.SAMPLE,
        cuts.WHOLE,
        cuts.Cuts,
    ),
    Measurement(
        "kills",
        "SIGKILL to a real `heatmap run` at random instants (promises 2 and 9)",
        "target",
        _on_targets(kills, ALL),
        kills.SAMPLE,
        kills.WHOLE,
        kills.Kills,
    ),
    Measurement(
        "repeats",
        "The same files published twice (promise 4)",
        "target",
        _on_targets(repeats, ALL),
        repeats.SAMPLE,
        repeats.WHOLE,
        repeats.Repeats,
    ),
    Measurement(
        "stalls",
        "Real runs whose server falls silent on the way, with `deadline_seconds = 5` (promise 6)",
        "target",
        _on_targets(stalls, REMOTE),
        stalls.SAMPLE,
        stalls.WHOLE,
        stalls.Stalls,
    ),
    Measurement(
        "shortages",
        "Real runs with too little memory or too few files, with `deadline_seconds = 20` (promises 2 and 6)",
        "limit",
        shortages.ROWS,
        shortages.SAMPLE,
        shortages.WHOLE,
        shortages.Shortages,
    ),
    Measurement(
        "independence",
        "Three targets in one run: one silent, one that refuses the login, one good (promise 11)",
        "target",
        _on_targets(independence, tuple(kind for kind in REMOTE if not kind.startswith("s3"))),
        independence.SAMPLE,
        independence.WHOLE,
        independence.Independence,
    ),
    Measurement(
        "rivals",
        "The same page uploaded to the same vsftpd by the tools people use",
        "tool",
        {tool: partial(_upload, tool) for tool in rivals.UPLOADS},
        rivals.SAMPLE,
        rivals.WHOLE,
        rivals.Rivalry,
    ),
    Measurement(
        "months",
        "A simulated month of ticks through the real command, with SIGKILL at random instants (history)",
        "history",
        {"SQLite": months.measure},
        months.SAMPLE,
        months.WHOLE,
        months.Months,
    ),
    Measurement(
        "strikes",
        "Whole runs with every part on and four targets, ended by a signal at random instants",
        "signal, history",
        {
            "SIGKILL, SQLite": partial(_struck, signal.SIGKILL, 2.5, shared=False),
            "SIGKILL, PostgreSQL": partial(_struck, signal.SIGKILL, 2.5, shared=True),
            "SIGTERM, SQLite": partial(_struck, signal.SIGTERM, 1, shared=False),
            "SIGTERM, PostgreSQL": partial(_struck, signal.SIGTERM, 1, shared=True),
        },
        strikes.SAMPLE,
        strikes.WHOLE,
        strikes.Strikes,
    ),
    Measurement(
        "year",
        "A simulated year of real runs, at an exchange that misbehaves, on a machine that nobody watches",
        "installation",
        {"the year": year.measure, "every fault in turn": year.measure_dense},
        year.SAMPLE,
        year.WHOLE,
        year.Year,
    ),
    Measurement(
        "machines",
        "Two machines with one history in PostgreSQL, and a network that cuts, swallows and delays",
        "their ways to it",
        machines.ROWS,
        machines.SAMPLE,
        machines.WHOLE,
        machines.Machines,
    ),
    Measurement(
        "faults", "Named cases of faults (promises 3 to 12)", "tests", _faults(), figures=faults.Faults
    ),
)
BY_NAME = {measurement.name: measurement for measurement in MEASUREMENTS}
