"""Coverage-guided fuzzing of the parsers, by hand: python -m tests.fuzz.guided --minutes 60 [TARGET …].

It takes atheris, which the tests do without: pip install atheris. The targets are run one after another,
each in a process of its own, in rounds of a minute; what was tried and found is kept in a folder, by default
below the system's temporary files, and the next call goes on from there. A fault is told once for each place
it comes from, and with the input that led to it. Ends with 1 where there is one.
"""

from __future__ import annotations

import argparse
import hashlib
import re
import subprocess
import sys
import tempfile
import time
import traceback
import warnings
from pathlib import Path
from random import Random
from typing import NamedTuple

ROUND_SECONDS = 60
LONGEST_INPUT = 8192  # bytes
SLOWEST_SECONDS = 30  # that one input may take, on a machine that has other work, too
MOST_MEMORY_MB = 1024


class Tally(NamedTuple):
    """The results of all rounds of a target."""

    executions: int = 0
    seconds: int = 0
    coverage: int = 0  # edges of the instrumented Python code that were passed


def main() -> int:
    """Run all targets in turn until the time is over, then print a table.

    Return 1 where a fault was found, or where a target was not run at all.
    """
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("targets", nargs="*", metavar="TARGET")
    parser.add_argument("--minutes", type=float, default=60.0, help="of all targets together")
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()) / "heatmap-fuzz")
    parser.add_argument(
        "--one", metavar="SECONDS", type=int, help=argparse.SUPPRESS
    )  # the process of one target
    arguments = parser.parse_args()
    if arguments.one:
        fuzz(arguments.targets[0], arguments.folder, arguments.one)
        return 0
    from tests.fuzz.targets import TARGETS

    names = arguments.targets or list(TARGETS)
    tallies = dict.fromkeys(names, Tally())
    end = time.monotonic() + arguments.minutes * 60
    while time.monotonic() < end:
        for name in names:
            seconds = min(ROUND_SECONDS, int(end - time.monotonic()))
            if seconds < 5:
                break
            tallies[name] = _round(name, arguments.folder, seconds, tallies[name])
            print(f"{name}: {tallies[name]}, {len(findings(arguments.folder, name))} findings", flush=True)
        else:
            continue
        break
    print("\n| target | executions | seconds | edges | findings |\n| --- | ---: | ---: | ---: | ---: |")
    for name, tally in tallies.items():
        found = len(findings(arguments.folder, name))
        print(f"| {name} | {tally.executions:,} | {tally.seconds} | {tally.coverage:,} | {found} |")
    idle = [name for name, tally in tallies.items() if not tally.executions]
    if idle:
        print(f"\nnever run: {', '.join(idle)}: give more minutes, or see {arguments.folder}/logs")
    return 1 if idle or any(findings(arguments.folder, name) for name in names) else 0


def findings(folder: Path, name: str) -> list[Path]:
    """Return the faults found: each an input, beside which a text tells what it did."""
    return sorted(path for path in (folder / "findings" / name).glob("*") if path.suffix != ".txt")


def _round(name: str, folder: Path, seconds: int, before: Tally) -> Tally:
    """Fuzz one target for some seconds in a process of its own."""
    command = [
        sys.executable,
        "-m",
        "tests.fuzz.guided",
        "--one",
        f"{seconds}",
        "--folder",
        str(folder),
        name,
    ]
    ended = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    (folder / "logs").mkdir(parents=True, exist_ok=True)
    (folder / "logs" / f"{name}.log").write_text(ended.stderr)
    runs = re.search(r"^stat::number_of_executed_units: +(\d+)", ended.stderr, re.MULTILINE)
    if not runs:
        print(f"{name}: exit {ended.returncode}; see {folder}/logs/{name}.log", flush=True)
    last = re.findall(r"^#(\d+)\s.*?cov: (\d+)", ended.stderr, re.MULTILINE)
    executions = int(runs[1]) if runs else int(last[-1][0]) if last else 0
    covered = max([before.coverage, *(int(edges) for _, edges in last)])
    return Tally(before.executions + executions, before.seconds + seconds, covered)


def fuzz(name: str, folder: Path, seconds: int) -> None:
    """Fuzz one target in this process, which ends with it."""
    import atheris

    with atheris.instrument_imports(
        include=["heatmap", "tomllib", "csv", "zipfile", "json", "http.cookiejar"]
    ):
        from tests.fuzz.targets import TARGETS
    from tests.fuzz.damage import damaged

    warnings.simplefilter("error")  # on a server each would be mailed
    target = TARGETS[name]
    corpus, found = folder / "corpus" / name, folder / "findings" / name
    for place in (corpus, found):
        place.mkdir(parents=True, exist_ok=True)
    for seed in target.seeds():
        (corpus / hashlib.sha256(seed).hexdigest()[:16]).write_bytes(seed)

    def once(body: bytes) -> None:
        try:
            target.run(body)
        except Exception as error:
            place = traceback.extract_tb(error.__traceback__)[-1]
            where = f"{type(error).__name__}-{Path(place.filename).stem}-{place.lineno}"
            if not (found / where).exists():
                (found / where).write_bytes(body)
                (found / f"{where}.txt").write_text(traceback.format_exc(), errors="replace")

    def mutated(body: bytes, most: int, seed: int) -> bytes:
        """Keep the form of a body half of the time, which changed bytes seldom do."""
        if seed % 2:
            return atheris.Mutate(body, most)
        return damaged(body, Random(seed))[:most]

    options = [
        f"-max_total_time={seconds}",
        f"-max_len={LONGEST_INPUT}",
        f"-timeout={SLOWEST_SECONDS}",
        f"-rss_limit_mb={MOST_MEMORY_MB}",
        f"-artifact_prefix={found}/",
        "-print_final_stats=1",
        "-verbosity=1",
        str(corpus),
    ]
    atheris.Setup(["fuzz", *options], once, custom_mutator=mutated)
    atheris.Fuzz()


if __name__ == "__main__":
    sys.exit(main())
