"""Two machines on their own, and what they say: to see what a broken promise was about.

python -m tests.promises.machines [--seed N] [--sessions N] [--plan]
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.promises import table
from tests.promises.machines import measure, plan
from tests.promises.machines.simulation import Simulation


def main() -> int:
    """Run it; return 1 where a promise was broken."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seed", type=int, default=20260917)
    parser.add_argument("--sessions", type=int, default=measure.WHOLE)
    parser.add_argument("--plan", action="store_true", help="print what will happen, and do nothing")
    asked = parser.parse_args()
    ticks = plan.make(asked.seed, asked.sessions)
    if asked.plan:
        print(*(tick for day in ticks for tick in day), sep="\n")
        return 0
    with (
        TemporaryDirectory(ignore_cleanup_errors=True) as folder,
        Simulation(Path(folder), _say, _say) as simulation,
    ):
        simulation.run(ticks)
        found = measure.figures(simulation)
    print(table.words(found))
    return 0 if found.holds else 1


def _say(sentence: str) -> None:
    print(sentence, flush=True)


if __name__ == "__main__":
    sys.exit(main())
