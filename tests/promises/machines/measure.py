"""The figures of two machines that share a history."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from random import Random
from typing import NamedTuple

from tests.promises.machines import plan
from tests.promises.machines.simulation import Simulation

SAMPLE, WHOLE = 1, 5  # sessions


class Machines(NamedTuple):
    """What visitors and readers of alerts met while so much went wrong."""

    sessions: int
    ticks: int
    with_trouble: int
    runs: int
    kills: int
    pages: int  # how often the page was replaced
    not_renewed: int  # ticks at which it was not: machines were killed, asleep or blocked
    events: int  # that the web hook was told
    repeated: int  # of them, told once more in the documented window
    old: int  # pages that only the database kept from being renewed
    untold: int  # pages older than two ticks of which nobody said a word
    worse: int  # pages that went back in time, or were not whole
    wrong: int  # pages with figures that were not true when they say
    lost: int  # final pages, daily bars, ticks of the history, events
    doubled: int  # events told twice though nothing befell either machine
    failed: int  # wrong exit codes, bad words
    too_late: int  # runs that outlived deadline and grace
    longest_run_s: int

    @property
    def holds(self) -> bool:
        """Nothing is old without a word, worse, wrong, lost, doubled or late."""
        broken = self.old + self.untold + self.worse + self.wrong + self.lost + self.doubled
        return self.pages > 0 and not broken + self.failed + self.too_late


def figures(simulation: Simulation) -> Machines:
    """Return what a simulation has come to."""
    judge = simulation.judge
    counts, broken = judge.counts, judge.broken
    return Machines(
        sessions=counts["sessions"],
        ticks=counts["ticks"],
        with_trouble=counts["troubled"],
        runs=counts["runs"],
        kills=counts["killed"],
        pages=counts["drawn"],
        not_renewed=counts["not renewed"],
        events=counts["events"],
        repeated=counts["repeated"],
        old=broken["old"],
        untold=broken["untold"],
        worse=broken["worse"],
        wrong=broken["wrong"],
        lost=broken["lost"],
        doubled=broken["doubled"],
        failed=broken["failed"],
        too_late=broken["too late"],
        longest_run_s=round(judge.longest_seconds),
    )


def measure(folder: Path, rng: Random, amount: int, *, pooled: bool = True) -> Machines:
    """Simulate so many sessions; broken promises are told on stderr. `pooled`: B goes through PgBouncer."""
    ticks = plan.make(rng.randrange(10**8), amount)
    with Simulation(folder, _say, pooled=pooled) as simulation:
        simulation.run(ticks)
        return figures(simulation)


def _say(sentence: str) -> None:
    print(sentence, file=sys.stderr, flush=True)


ROWS = {"one through PgBouncer": measure, "both direct": partial(measure, pooled=False)}
