"""`heatmap run`: one tick."""

from __future__ import annotations

import gc
import os
import signal
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

from heatmap import nap, tick
from heatmap.cli.clock import parse_now
from heatmap.cli.parser import complain
from heatmap.config import load
from heatmap.errors import EXIT_TEMPORARY, DeadlineError, StoppedError

if TYPE_CHECKING:
    import argparse

LAST_WORD_SECONDS = 1.0
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
    terminal = sys.stdout is not None and sys.stdout.isatty()
    talk = arguments.verbose or (terminal and not arguments.quiet)

    def say(sentence: str) -> None:
        if talk:
            with suppress(OSError):  # who reads along may leave; the page goes on its way all the same
                print(sentence, flush=True)

    now = parse_now(arguments.now)
    signal.signal(signal.SIGTERM, _stop)
    report = tick.run(
        config,
        now=now,
        only=arguments.market,
        force=arguments.force,
        dry_run=arguments.dry_run,
        interactive=terminal,
        give_up=_give_up,
        say=say,
    )
    for warning in report.warnings:
        print(f"heatmap: {warning}", file=sys.stderr)
    for error in report.errors:
        complain(error)
    if report.idle_until and not terminal and arguments.market is None:
        given = str(arguments.config) if arguments.config else None
        nap.note(given, now.timestamp(), report.idle_until.timestamp(), map(str, config.files))
    return report.exit_code


def _give_up() -> None:
    """End the process where nothing else can: a name server's silence interrupts neither signals nor exit."""
    from threading import Thread

    sentence = DeadlineError("the run hung and was ended at its deadline: the next run tries again")
    telling = Thread(target=complain, args=[sentence], daemon=True)  # a pipe that nobody reads would block it
    telling.start()
    telling.join(LAST_WORD_SECONDS)
    os._exit(EXIT_TEMPORARY)


def _stop(_number: int, _frame: object) -> None:
    """Leave in good order when the system asks for it."""
    raise StoppedError("stopped by a signal before its end: visitors keep the last good pages")
