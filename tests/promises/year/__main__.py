"""A simulated year on its own, or one session of it: to see what a broken promise was about.

    python -m tests.promises.year [--seed N] [--sessions N] [--dense | --only DATE] [--plan]

With --dense every fault strikes in turn, at most of the runs. With --only, in a new installation: that session
as planned, between the ones before and after it as if all were well.
"""

from __future__ import annotations

import argparse
import os
import sys
from datetime import date
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

from tests.promises import table
from tests.promises.year import measure, plan
from tests.promises.year.simulation import Simulation

YEAR = 250  # sessions


def main() -> int:
    """Run it; return 1 where a promise was broken."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seed", type=int, default=20260917)
    parser.add_argument("--sessions", type=int, default=YEAR)
    parser.add_argument("--only", type=date.fromisoformat, metavar="DATE")
    parser.add_argument("--dense", action="store_true", help="every fault in turn, at most of the runs")
    parser.add_argument("--plan", action="store_true", help="print what will happen, and do nothing")
    asked = parser.parse_args()
    root = os.geteuid() == 0
    days = plan.make(asked.seed, root=root)
    if asked.dense:
        days = plan.dense(days, min(asked.sessions, measure.DENSE), Random(asked.seed), root=root)
    else:
        days = plan.only(days, asked.only) if asked.only else plan.first(days, asked.sessions)
    print(plan.summary(days), flush=True)
    if asked.plan:
        for tick in (tick for day in days for tick in day.ticks):
            print(f"{tick.at:%Y-%m-%d %H:%M} {tick.trouble}")
        return 0
    with (
        TemporaryDirectory(ignore_cleanup_errors=True) as folder,
        Simulation(
            Path(folder), asked.seed, _say, _say if asked.only or asked.dense else _quiet
        ) as simulation,
    ):
        simulation.run(days)
        found = measure.figures(simulation)
    print(table.words(found))
    return 0 if found.holds else 1


def _say(sentence: str) -> None:
    print(sentence, flush=True)


def _quiet(_: str) -> None:
    """Say nothing."""


if __name__ == "__main__":
    sys.exit(main())
