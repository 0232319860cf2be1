"""Measures all that docs/promises.md promises, and writes the figures into it.

    python -m tests.promises [--seed N] [--only NAME ...] [--rows TEXT] [--sample] [--jobs N]

It takes long: well over an hour. With --only or --rows part of it, which is printed and, where whole tables
were measured and all held, written as well. Ends with 1 where anything did not hold, or where nothing was measured.
"""

from __future__ import annotations

import argparse
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tests.promises import table
from tests.promises.matrix import BY_NAME, MEASUREMENTS, Measurement
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
    parser.add_argument("--jobs", type=int, default=1, help="rows measured at once; one for cuts")
    asked = parser.parse_args()
    good, measured = True, False
    for measurement in MEASUREMENTS:
        if measurement.name not in asked.only:
            continue
        rows = [row for row in measurement.rows if not asked.rows or asked.rows in row]
        with ThreadPoolExecutor(asked.jobs) as threads:
            done = list(threads.map(partial(_measured, measurement, asked), rows))
        figures = {
            row: found for row, found in zip(rows, done, strict=True) if not isinstance(found, Exception)
        }
        whole = not any(isinstance(found, Exception) and not isinstance(found, Missing) for found in done)
        if not rows:
            continue
        measured = measured or bool(figures)
        held = whole and bool(figures) and all(found.holds for found in figures.values())
        good = good and held
        print(table.markdown(measurement, figures), flush=True)
        if held and not asked.rows and not asked.sample:
            table.write(measurement, figures, asked.seed)
    return 0 if good and measured else 1


def _measured(measurement: Measurement, asked: argparse.Namespace, row: str) -> Any:
    """Return a row's figures, or what kept it from having any."""
    amount = measurement.sample if asked.sample else measurement.whole
    begun = time.monotonic()
    try:
        with TemporaryDirectory(ignore_cleanup_errors=True) as folder:
            found = measurement.measure(row, Path(folder), asked.seed, amount)
        said = table.words(found) + ("" if found.holds else "  DOES NOT HOLD")
    except Missing as missing:
        found, said = missing, f"left out: {missing}"
    except Exception as error:  # the other rows are worth having all the same
        found, said = error, f"ENDED BY AN ERROR: {error!r}"
    print(
        f"{measurement.name}: {row}: {said} ({time.monotonic() - begun:.0f} s)", file=sys.stderr, flush=True
    )
    return found


if __name__ == "__main__":
    sys.exit(main())
