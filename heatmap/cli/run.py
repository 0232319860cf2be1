"""`heatmap run`: fetches, draws and publishes once, or with --every again and again."""

from __future__ import annotations

import gc
import os
import sys
from typing import TYPE_CHECKING

from heatmap.cli.log import FORMATS, Console
from heatmap.cli.now import parse_now
from heatmap.config.loader import load
from heatmap.errors import EXIT_INTERRUPTED, EXIT_TEMPORARY, DeadlineError, StoppedError, common_exit_code
from heatmap.run import one_run
from heatmap.state import idle
from heatmap.system import stop
from heatmap.system.deadline import end_process_at_deadline, run_with_timeout
from heatmap.system.resource_errors import as_known_error

if TYPE_CHECKING:
    import argparse
    from datetime import datetime

LAST_MESSAGE_SECONDS = 1.0
LAST_RESORT_SECONDS = 6.0  # after the deadline: longer than a run needs to report what it could not do
HUNG = "the run hung and was ended at its deadline: the next run tries again"
HELP = "fetch the quotes, draw the page and publish it, if the market is open"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `heatmap run`."""
    parser.add_argument(
        "--force",
        action="store_true",
        help="run even if the market is closed or figures look old, incomplete or unchanged",
    )
    parser.add_argument("--dry-run", action="store_true", help="draw, but publish nothing")
    parser.add_argument("--market", metavar="NAME", help="only this market")
    parser.add_argument(
        "--now", metavar="TIME", help="use this time instead of the clock (ISO 8601 with offset)"
    )
    parser.add_argument(
        "-v", "--verbose", action="store_true", help="print what is done, also without a terminal"
    )
    parser.add_argument(
        "--quiet", action="store_true", help="print errors and warnings only, also on a terminal"
    )
    parser.add_argument(
        "--log-format", choices=FORMATS, help="print lines with their time, plain or as JSON objects"
    )
    parser.add_argument(
        "--every",
        metavar="5m",
        help="run again and again until it is stopped, where there is no cron (1m to 1h)",
    )


def run(arguments: argparse.Namespace) -> int:
    """Run once, or again and again. Without a terminal it prints problems only."""
    terminal = sys.stdout is not None and sys.stdout.isatty()
    verbose = arguments.verbose or (terminal and not arguments.quiet)
    now = parse_now(arguments.now)
    console = Console(arguments.log_format, now, verbose=verbose)
    try:
        if arguments.every is not None:
            from heatmap.cli import repeat

            return repeat.run(arguments, console)
        return _run_once(arguments, now, console, interactive=terminal)
    except KeyboardInterrupt:
        console.error(StoppedError(stop.INTERRUPTED))
        console.summary(EXIT_INTERRUPTED)
        return EXIT_INTERRUPTED
    except (Exception, StoppedError) as error:
        if arguments.log_format is None:
            raise
        known = as_known_error(error)
        console.error(known)
        console.summary(common_exit_code([known]))
        return common_exit_code([known])


def _run_once(arguments: argparse.Namespace, now: datetime, console: Console, *, interactive: bool) -> int:
    gc.disable()  # a run is short and makes few cycles: searching them would be a tenth of its time
    config = load(arguments.config)
    console.markets = [market.name for market in config.markets]
    if interactive:
        from heatmap.cli import commands

        console.info(f"configuration: {commands.configuration(config)}")
    seconds = config.deadline_seconds + LAST_RESORT_SECONDS
    with end_process_at_deadline(seconds, console.error_line(DeadlineError(HUNG), seconds), EXIT_TEMPORARY):
        report = one_run.run(
            config,
            now=now,
            only=arguments.market,
            force=arguments.force,
            dry_run=arguments.dry_run,
            interactive=interactive,
            pretended=arguments.now is not None,
            give_up=lambda: _give_up(console),
            say=console.info,
        )
    for warning in report.warnings:
        console.warning(warning)
    for error in report.errors:
        console.error(error)
    stop.raise_if_requested()
    console.summary(report.exit_code, report.outcomes)
    config_path = str(arguments.config) if arguments.config else None
    is_scheduled = not interactive and arguments.market is None
    if (
        report.idle_until
        and is_scheduled
        and idle.is_default_directory(config_path, str(config.state_directory))
    ):
        idle.mark_idle(config_path, now.timestamp(), report.idle_until.timestamp(), map(str, config.files))
    return report.exit_code


def _give_up(console: Console) -> None:
    """End the process at once: a name server's silence would delay signals and a normal exit."""

    def print_error() -> None:
        console.error(DeadlineError(HUNG))
        console.summary(EXIT_TEMPORARY)

    try:
        run_with_timeout(LAST_MESSAGE_SECONDS, print_error)  # a pipe that nobody reads would block it
    finally:
        os._exit(EXIT_TEMPORARY)
