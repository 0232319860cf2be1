"""The figures of a simulated year."""

from __future__ import annotations

import os
import sys
from collections import Counter
from pathlib import Path
from random import Random
from typing import NamedTuple

from tests.promises.year import plan
from tests.promises.year.damages import STATE_NAME
from tests.promises.year.judge import MOST_MIB
from tests.promises.year.simulation import Simulation

SAMPLE, WHOLE = 4, 25  # sessions
DENSE = 14  # of them with every fault in turn
MOST_STATE_MIB = 4.0  # of all that is remembered, but the history
MOST_STATE_FILES = 50
COLUMNS = {  # of promises that the judge finds broken; all others are counted as failed
    "lost": ("lost", "unlisted", "history"),
    "worse": ("worse", "apart", "dead link", "way", "targets"),
    "wrong": ("wrong",),
    "amiss": ("alerts", "told twice", "not told", "feed"),
    "too_late": ("too late",),
    "untold": ("untold", "silent"),
    "left_behind": ("left behind",),
}


class Year(NamedTuple):
    """What became of an installation that nobody watched."""

    sessions: int
    runs: int
    with_trouble: int
    faults: int  # kinds of faults that were due
    blind: int  # of them, those that never struck, and files of the state directory that no fault strikes
    kills: int
    pages: int  # how often the page was replaced
    finals: int  # sessions whose final page stays
    without_a_chance: int  # sessions with no moment at which closing figures could be had
    alerts: int  # events that web hooks were told
    lost: int  # finals, days in the archive's list, moments and daily bars in the history, published files
    worse: int  # files that are older, smaller, torn, premature, apart, or with a link that leads nowhere
    wrong: int  # files with figures that were not true when they say
    amiss: int  # alerts and entries of the feed that are missing, or told twice
    failed: int  # good ticks at which the page was not renewed, wrong exit codes, bad words, unreadable files
    too_late: int  # runs that outlived deadline and grace
    untold: int  # failures without a line in the installation's own record, damage without a sentence
    left_behind: int  # temporary files that outlived the next whole run
    longest_run_s: int
    peak_MiB: int
    state_files: int
    state_MiB: float  # but for the history
    history_MiB: float

    @property
    def holds(self) -> bool:
        """Nothing is lost, worse, wrong, late, untold or left; memory and disk are within bounds."""
        broken = (
            *(self.lost, self.worse, self.wrong, self.amiss, self.failed),
            *(self.too_late, self.untold, self.left_behind, self.blind),
        )
        seen = (self.finals, self.pages, self.alerts, self.faults)
        is_small = self.peak_MiB <= MOST_MIB and self.state_MiB <= MOST_STATE_MIB
        return all(seen) and not any(broken) and is_small and self.state_files <= MOST_STATE_FILES


def figures(simulation: Simulation) -> Year:
    """Return what a simulation has come to, before its disk is gone."""
    judge = simulation.judge
    counts = judge.counts
    broken = Counter(violation.promise for violation in judge.violations)
    state = simulation.home / STATE_NAME
    history = sum(path.stat().st_size for path in state.glob("history*"))
    whole = sum(path.stat().st_size for path in state.rglob("*") if path.is_file())
    blind = simulation.blind_faults()
    for name in blind:
        print(f"it never struck: {name}", file=sys.stderr, flush=True)
    by_column = Counter(
        {column: sum(broken[promise] for promise in promises) for column, promises in COLUMNS.items()}
    )
    known = {promise for promises in COLUMNS.values() for promise in promises}
    return Year(
        sessions=counts["sessions"],
        runs=counts["runs"],
        with_trouble=counts["troubles"],
        faults=len(simulation.planned),
        blind=len(blind),
        kills=counts["kills"],
        pages=counts["pages"],
        finals=counts["finals"],
        without_a_chance=counts["without a chance"],
        alerts=counts["alerts"],
        lost=by_column["lost"],
        worse=by_column["worse"],
        wrong=by_column["wrong"],
        amiss=by_column["amiss"],
        failed=sum(count for promise, count in broken.items() if promise not in known),
        too_late=by_column["too_late"],
        untold=by_column["untold"],
        left_behind=by_column["left_behind"],
        longest_run_s=round(judge.longest_seconds),
        peak_MiB=round(judge.peak_kib / 1024),
        state_files=sum(path.is_file() for path in state.rglob("*")),
        state_MiB=round((whole - history) / 2**20, 1),
        history_MiB=round(history / 2**20, 1),
    )


def measure(folder: Path, rng: Random, amount: int) -> Year:
    """Simulate so many sessions; broken promises are told on stderr."""
    seed = rng.randrange(10**8)
    days = plan.make(seed, root=_is_root())
    return _simulated(
        folder, seed, plan.first(days, amount) if amount > SAMPLE else _sample(days, amount, rng)
    )


def measure_dense(folder: Path, rng: Random, amount: int) -> Year:
    """Simulate sessions with every fault in turn, DENSE of them at most."""
    seed = rng.randrange(10**8)
    days = plan.make(seed, root=_is_root())
    if amount > SAMPLE:
        return _simulated(folder, seed, plan.dense(days, min(amount, DENSE), rng, root=_is_root()))
    return _simulated(folder, seed, _sample(days, amount, rng))


def _sample(days: list[plan.Day], amount: int, rng: Random) -> list[plan.Day]:
    return plan.sample(days, amount, rng, root=_is_root())


def _simulated(folder: Path, seed: int, days: list[plan.Day]) -> Year:
    with Simulation(folder, seed) as simulation:
        simulation.run(days)
        return figures(simulation)


def _is_root() -> bool:
    return os.geteuid() == 0
