"""`heatmap history backfill`: reads the exchange's daily archives into the history."""

from __future__ import annotations

import argparse
import sys
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from heatmap.cli.commands import complete
from heatmap.cli.log import print_error
from heatmap.cli.now import parse_now
from heatmap.cli.progress import Progress
from heatmap.errors import EXIT_OK, ConfigError, HistoryError, SourceError, UsageError
from heatmap.sources.nse import site
from heatmap.state import json_files

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractContextManager
    from datetime import datetime

    from heatmap.config.loader import Config, Market
    from heatmap.history.backfill import BackfillResult
    from heatmap.history.corporate_actions import CorporateAction, Detection
    from heatmap.history.store import Store
    from heatmap.sources.nse.archive_files import ArchiveFolder, ArchiveServer

HELP = "read the exchange's daily archives"
USUAL_DAYS = 366  # without --from: the longest period of a page
MOST_SHOWN = 8  # dates in one sentence
MOST_ACTIONS = 200  # lines; a year has about as many, a folder of nonsense thousands
ARCHIVE_SOURCE = "nse"  # the source whose archives the program can read


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `heatmap history backfill`."""
    add_date_options(parser)
    parser.add_argument(
        "--folder", type=Path, help="read downloaded files; they must have the exchange's names"
    )
    parser.add_argument(
        "--again", action="store_true", help="also read sessions whose archive was read before"
    )
    parser.add_argument(
        "--archive-url",
        metavar="URL",
        help="the address of the archives, such as a relay (default: the exchange)",
    )
    parser.add_argument(
        "--now", metavar="TIME", help="use this time instead of the clock (ISO 8601 with offset)"
    )


def add_date_options(parser: argparse.ArgumentParser) -> None:
    """Add --from and --to; their values are `first` and `last`."""
    for name, end in (("from", "first"), ("to", "last")):
        parser.add_argument(
            f"--{name}",
            dest=end,
            type=_parse_date,
            metavar="DATE",
            help=f"the {end} day, such as 2026-07-20",
        )


def open_history(config: Config) -> Store:
    """Open the history; damage is reported on stderr. Raises HistoryError."""
    from heatmap.history.store import open_store

    return open_store(config.history, config.state_directory, print_note)


def format_day(day: date) -> str:
    """Return a date for people: 20 Jul 2026."""
    return f"{day:%d %b %Y}"


def format_days(days: Sequence[date]) -> str:
    """Return dates for people: the first MOST_SHOWN and the number of the others."""
    shown = ", ".join(map(format_day, days[:MOST_SHOWN]))
    return f"{shown} and {len(days) - MOST_SHOWN:,} more" if len(days) > MOST_SHOWN else shown


def run(arguments: argparse.Namespace, config: Config) -> int:
    """Fill in the requested sessions, compare closes, and return the exit code."""
    from heatmap.history import backfill
    from heatmap.pictures.market_map.past import forget_summaries
    from heatmap.sources.nse import symbols

    market = config.select_markets(arguments.market)[0]
    now = parse_now(arguments.now)
    with _open_archive(arguments, market) as archive, open_history(config) as store:
        days = _find_days(arguments, market, archive, now)
        archived = () if arguments.again else store.archived_sessions(market.name)
        missing = [day for day in days if day not in set(archived)]
        with Progress(sys.stderr) as progress:
            result = backfill.fill(
                store,
                market.name,
                missing,
                archive,
                aliases=symbols.with_saved_changes(market.calendar, config.state_directory).symbol_changes,
                say=lambda sentence: progress.print_above(f"heatmap: {sentence}"),
                progress=progress,
            )
        if result.stored and not result.stopped:
            _save_symbol_changes(archive, config)
        forget_summaries(config.state_directory)
        calendar = symbols.with_saved_changes(market.calendar, config.state_directory)
        detection = backfill.verify(store, market.name, calendar, days[0], days[-1]) if days else None
    print(
        f"{market.name}: {result.stored:,} sessions stored ({result.bars:,} bars), "
        f"{len(days) - len(missing):,} already there"
    )
    today = now.astimezone(ZoneInfo(market.calendar.time_zone)).date()
    return _report(result, detection, today, is_all=arguments.folder is not None)


def _save_symbol_changes(archive: ArchiveFolder | ArchiveServer, config: Config) -> None:
    """Save the exchange's list of symbol changes. If that fails, print a note: it is no failure."""
    from heatmap.sources.nse import symbols
    from heatmap.sources.options import FOLDER

    name = archive.locate(symbols.PATH)
    try:
        body = archive.read(name) if name else None
        if body:
            json_files.make_state_directory(
                config.state_directory
            )  # may be missing if the history is elsewhere
            symbols.save(config.state_directory / FOLDER, symbols.parse(body))
    except (HistoryError, SourceError, OSError) as error:
        print_note(f"the exchange's list of symbol changes is not used: {error}")


def _report(result: BackfillResult, detection: Detection | None, today: date, *, is_all: bool) -> int:
    """Print the result and its errors, and return the exit code.

    `is_all`: all available files were read, so a missing session is no failure.
    """
    if result.dropped:
        print(f"  left out   {result.dropped:,} rows without a valid symbol or price")
    missing = [day for day in result.missing if day != today]
    if len(missing) < len(result.missing):
        print(f"  not yet    {format_day(today)}: the exchange publishes a day's archive in the evening")
    if missing and is_all:
        print(f"  missing    {format_days(missing)}")
    if detection and detection.compared:
        print(
            f"  compared   {detection.compared:,} previous closes: "
            f"{detection.matches:,} equal the close before them"
        )
        _print_actions(detection.actions)
    errors = list(result.problems)
    if missing and not is_all:
        errors.append(HistoryError(f"the exchange has no archive of {format_days(missing)}: try again later"))
    if result.stopped:
        errors.append(result.stopped)
    for error in errors:
        print_error(error)
    return errors[-1].exit_code if errors else EXIT_OK


def _print_actions(actions: Sequence[CorporateAction]) -> None:
    from heatmap.history import corporate_actions

    for action in actions[:MOST_ACTIONS]:
        print(f"  {'adjusted ' if action.factor else 'check    '}  {corporate_actions.describe(action)}")
    if len(actions) > MOST_ACTIONS:
        print(f"  and        {len(actions) - MOST_ACTIONS:,} more: choose fewer sessions to see them")
    if any(action.factor is None for action in actions):
        print("  if you know the cause, write an [[action]] into your overrides file: docs/calendar.md")


def _open_archive(
    arguments: argparse.Namespace, market: Market
) -> AbstractContextManager[ArchiveFolder | ArchiveServer]:
    """Return the folder or the server of the archives. Raises UsageError and HistoryImpossible."""
    from contextlib import nullcontext

    from heatmap.sources.nse import archive_files, bhavcopy

    if market.calendar.always:
        raise UsageError(f"{market.name} never closes, so it has no archives of sessions")
    if arguments.folder is not None:
        return nullcontext(archive_files.ArchiveFolder(arguments.folder))
    names = [source.name for source in market.sources]
    if not any(name.startswith(ARCHIVE_SOURCE) for name in names):
        raise UsageError(
            f"{market.name} has the source {' and '.join(map(repr, names))}, but only archives of "
            f"{ARCHIVE_SOURCE!r} can be fetched: give downloaded files with --folder"
        )
    from heatmap.sources.nse import live

    if arguments.archive_url is None:
        return archive_files.ArchiveServer(bhavcopy.BASE_URL, live.BASE_URL, site.BROWSER_HEADERS)
    try:
        live.Nse(base_url=arguments.archive_url)  # checks the address
    except ConfigError as error:
        raise UsageError(str(error).replace("base_url", "--archive-url")) from error
    return archive_files.ArchiveServer(arguments.archive_url, arguments.archive_url, site.BROWSER_HEADERS)


def _find_days(
    arguments: argparse.Namespace, market: Market, archive: ArchiveFolder | ArchiveServer, now: datetime
) -> list[date]:
    """Return the requested sessions that are over. Raises UsageError for impossible dates."""
    from heatmap.history import backfill
    from heatmap.sources.nse import archive_files

    calendar = market.calendar
    today = now.astimezone(ZoneInfo(calendar.time_zone)).date()
    folder_days = archive.days if isinstance(archive, archive_files.ArchiveFolder) else []
    lowest = calendar.first or date.min
    available = [day for day in folder_days if lowest <= day] or [today]
    last = arguments.last or available[-1]
    first = arguments.first or (
        available[0] if folder_days else max(last - timedelta(days=USUAL_DAYS), lowest)
    )
    if arguments.first and arguments.last and first > last:
        raise UsageError(f"--from {first} lies after --to {last}")
    highest = max(calendar.last or date.max, today)  # after the calendar's end sessions are presumed
    if not lowest <= first <= highest or not lowest <= last <= highest:
        raise UsageError(
            f"the calendar {calendar.name} has sessions from {lowest} to {highest} only: choose other dates"
        )
    days = backfill.find_settled_sessions(calendar, first, last, now)
    requested = [day for day in folder_days if (arguments.first or day) <= day <= (arguments.last or day)]
    if others := sorted(set(requested) - set(days)):
        print_note(
            f"not read, because the calendar has no finished session on these days: {format_days(others)}"
        )
    return days


def _parse_date(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no date: write it like 2026-07-20") from None


def print_note(sentence: str) -> None:
    """Print a sentence on stderr."""
    print(f"heatmap: {complete(sentence)}", file=sys.stderr)
