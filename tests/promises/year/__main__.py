"""A simulated year on its own, or one session of it: to see what a broken promise was about.

    python -m tests.promises.year [--seed N] [--sessions N] [--only DATE] [--plan]

With --only, in a new installation: the session before it as if all were well, then that one as planned.
"""

from __future__ import annotations

import argparse
import os
import sys
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.promises import table
from tests.promises.year import measure, plan
from tests.promises.year.simulation import Simulation


def main() -> int:
    """Run it; return 1 where a promise was broken."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seed", type=int, default=20260917)
    parser.add_argument("--sessions", type=int, default=measure.WHOLE)
    parser.add_argument("--only", type=date.fromisoformat, metavar="DATE")
    parser.add_argument("--plan", action="store_true", help="print what will happen, and do nothing")
    asked = parser.parse_args()
    days = plan.make(asked.seed, root=os.geteuid() == 0)
    days = plan.only(days, asked.only) if asked.only else plan.first(days, asked.sessions)
    print(plan.summary(days), flush=True)
    if asked.plan:
        for tick in (tick for day in days for tick in day.ticks):
            print(f"{tick.at:%Y-%m-%d %H:%M} {tick.trouble}")
        return 0
    with (
        TemporaryDirectory(ignore_cleanup_errors=True) as folder,
        Simulation(Path(folder), asked.seed, _say, _say if asked.only else _quiet) as simulation,
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
