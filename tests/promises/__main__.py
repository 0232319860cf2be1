"""Measures all that docs/promises.md promises, and writes the figures into it.

    python -m tests.promises [--seed N] [--only NAME ...] [--rows TEXT] [--sample]

It takes long: most of an hour. With --only or --rows part of it, which is printed and, where whole tables
were measured and all held, written as well. Ends with 1 where anything did not hold.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.promises import table
from tests.promises.matrix import BY_NAME, MEASUREMENTS
from tests.servers.process import Missing

SEED = 20260917


def main() -> int:
    """Measure; return the exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--only", nargs="+", choices=BY_NAME, default=list(BY_NAME), metavar="NAME")
    parser.add_argument("--rows", help="only rows with this in their name; nothing is written")
    parser.add_argument("--sample", action="store_true", help="as few as the tests take; nothing is written")
    asked = parser.parse_args()
    good = True
    for measurement in MEASUREMENTS:
        if measurement.name not in asked.only:
            continue
        figures, whole = {}, True
        for row in measurement.rows:
            if asked.rows and asked.rows not in row:
                continue
            amount = measurement.sample if asked.sample else measurement.whole
            begun = time.monotonic()
            _tell(f"{measurement.name}: {row} ... ", end="")
            try:
                with TemporaryDirectory(ignore_cleanup_errors=True) as folder:
                    figures[row] = measurement.measure(row, Path(folder), asked.seed, amount)
            except Missing as missing:
                _tell(f"left out: {missing}")
                continue
            except Exception as error:  # the other rows are worth having all the same
                _tell(f"ENDED BY AN ERROR: {error!r}")
                whole = False
                continue
            verdict = "" if figures[row].holds else "  DOES NOT HOLD"
            _tell(f"{table.words(figures[row])} ({time.monotonic() - begun:.0f} s){verdict}")
        if not figures and asked.rows:
            continue
        held = whole and all(found.holds for found in figures.values())
        good = good and held
        print(table.markdown(measurement, figures), flush=True)
        if held and not asked.rows and not asked.sample:
            table.write(measurement, figures, asked.seed)
    return 0 if good else 1


def _tell(words: str, end: str = "\n") -> None:
    print(words, end=end, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
