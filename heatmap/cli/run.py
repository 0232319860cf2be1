"""`heatmap run`: one tick."""

from __future__ import annotations

import gc
import sys
from typing import TYPE_CHECKING

from heatmap import nap, tick
from heatmap.cli.clock import parse_now
from heatmap.cli.parser import complain
from heatmap.config import load

if TYPE_CHECKING:
    import argparse

HELP = "fetch the quotes, draw the page and publish it, if the market is open"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `heatmap run`."""
    parser.add_argument(
        "--force", action="store_true", help="whatever the calendar and the source's date say"
    )
    parser.add_argument("--dry-run", action="store_true", help="draw, but publish nothing")
    parser.add_argument("--market", metavar="NAME", help="only this market")
    parser.add_argument("--now", metavar="TIME", help="pretend it is this time (ISO 8601 with its offset)")
    parser.add_argument(
        "-v", "--verbose", action="store_true", help="say what is done, even without a terminal"
    )
    parser.add_argument("--quiet", action="store_true", help="say nothing but errors, even on a terminal")


def run(arguments: argparse.Namespace) -> int:
    """Run one tick; silent without a terminal unless something is wrong."""
    gc.disable()  # a tick is short and makes few cycles: looking for them would be a tenth of its cost
    config = load(arguments.config)
    terminal = sys.stdout.isatty()
    talk = arguments.verbose or (terminal and not arguments.quiet)

    def say(sentence: str) -> None:
        if talk:
            print(sentence, flush=True)

    now = parse_now(arguments.now)
    report = tick.run(
        config,
        now=now,
        only=arguments.market,
        force=arguments.force,
        dry_run=arguments.dry_run,
        interactive=terminal,
        say=say,
    )
    for error in report.errors:
        complain(error)
    if report.idle_until and not terminal and arguments.market is None:
        given = str(arguments.config) if arguments.config else None
        nap.note(given, now.timestamp(), report.idle_until.timestamp(), map(str, config.files))
    return report.exit_code
