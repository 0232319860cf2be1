"""The figures of a simulated year."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path
from random import Random
from typing import NamedTuple

from tests.promises.year import plan
from tests.promises.year.judge import MOST_MIB
from tests.promises.year.mishaps import STATE_NAME
from tests.promises.year.simulation import Simulation

SAMPLE, WHOLE = 4, 250  # sessions
MOST_STATE_MIB = 4.0  # of all that is remembered, but the history
MOST_STATE_FILES = 50
STRAYS = ("*.tmp", "*/*.tmp", "**/.heatmap-*")


class Year(NamedTuple):
    """What became of an installation that nobody watched."""

    sessions: int
    runs: int
    with_trouble: int
    kills: int
    pages: int  # how often the page was replaced
    finals: int  # sessions whose final page stays
    without_a_chance: int  # sessions with no moment at which closing figures could be had
    lost: int  # sessions that had one, and have no final page
    worse: int  # pages replaced by an older, smaller, torn or premature one
    wrong: int  # pages with figures that were not true when they say
    failed: int  # good ticks at which the page was not renewed, wrong exit codes, bad words
    too_late: int  # runs that outlived deadline and grace
    untold: int  # failures without a line in the installation's own record
    left_behind: int  # temporary files left at the end
    longest_run_s: int
    peak_MiB: int
    state_files: int
    state_MiB: float  # but for the history
    history_MiB: float

    @property
    def holds(self) -> bool:
        """Nothing is lost, worse, wrong, late, untold or left; memory and disk are within bounds."""
        broken = (
            self.lost + self.worse + self.wrong + self.failed + self.too_late + self.untold + self.left_behind
        )
        return (
            self.finals > 0 and not broken and self.peak_MiB <= MOST_MIB and self.state_MiB <= MOST_STATE_MIB
        )


def figures(simulation: Simulation) -> Year:
    """Return what a simulation has come to, before its disk is gone."""
    judge = simulation.judge
    counts = judge.counts
    broken = Counter(violation.promise for violation in judge.violations)
    state = simulation.home / STATE_NAME
    history = sum(path.stat().st_size for path in state.glob("history*"))
    whole = sum(path.stat().st_size for path in state.rglob("*") if path.is_file())
    strays = {
        path
        for pattern in STRAYS
        for path in (*state.glob(pattern), *(simulation.home / "site").glob(pattern))
    }
    known = ("lost", "worse", "wrong", "too late", "untold")
    return Year(
        sessions=counts["sessions"],
        runs=counts["runs"],
        with_trouble=counts["troubles"],
        kills=counts["kills"],
        pages=counts["pages"],
        finals=counts["finals"],
        without_a_chance=counts["without a chance"],
        lost=broken["lost"],
        worse=broken["worse"],
        wrong=broken["wrong"],
        failed=sum(count for promise, count in broken.items() if promise not in known),
        too_late=broken["too late"],
        untold=broken["untold"],
        left_behind=len(strays),
        longest_run_s=round(judge.longest_seconds),
        peak_MiB=round(judge.peak_kib / 1024),
        state_files=sum(path.is_file() for path in state.rglob("*")),
        state_MiB=round((whole - history) / 2**20, 1),
        history_MiB=round(history / 2**20, 1),
    )


def measure(folder: Path, rng: Random, amount: int) -> Year:
    """Simulate so many sessions; broken promises are told on stderr."""
    seed = rng.randrange(10**8)
    days = plan.make(seed, root=os.geteuid() == 0)
    days = plan.first(days, amount) if amount > SAMPLE else plan.sample(days, amount, rng)
    with Simulation(folder, seed) as simulation:
        simulation.run(days)
        return figures(simulation)
