"""`heatmap history backfill`: the exchange's daily archives, read into the history."""

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
USUAL_DAYS = 366  # without --from: the longest period a page shows
MOST_SHOWN = 8  # days in one sentence
MOST_ACTIONS = 200  # lines; a year has about as many, a folder of nonsense thousands
ARCHIVE_SOURCE = "nse"  # the source whose archives are known


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `heatmap history backfill`."""
    add_date_options(parser)
    parser.add_argument(
        "--folder", type=Path, help="read files already downloaded, by the exchange's own names"
    )
    parser.add_argument(
        "--again", action="store_true", help="also sessions whose archive has been read before"
    )
    parser.add_argument(
        "--archive-url", metavar="URL", help="where the archives are: a relay of yours, a test"
    )
    parser.add_argument("--now", metavar="TIME", help="pretend it is this time (ISO 8601 with its offset)")


def add_date_options(parser: argparse.ArgumentParser) -> None:
    """Add --from and --to, whose values are `first` and `last`."""
    for name, what in (("from", "first"), ("to", "last")):
        parser.add_argument(
            f"--{name}",
            dest=what,
            type=_parse_date,
            metavar="DATE",
            help=f"the {what} day, such as 2026-07-20",
        )


def open_history(config: Config) -> Store:
    """Open the history; what is found damaged is told on stderr. Raises HistoryError."""
    from heatmap.history.store import open_store

    return open_store(config.history, config.state_directory, print_note)


def format_day(day: date) -> str:
    """Return a day in words."""
    return f"{day:%d %b %Y}"


def format_days(days: Sequence[date]) -> str:
    """Return days in words, of many the first ones and how many more."""
    shown = ", ".join(map(format_day, days[:MOST_SHOWN]))
    return f"{shown} and {len(days) - MOST_SHOWN:,} more" if len(days) > MOST_SHOWN else shown


def run(arguments: argparse.Namespace, config: Config) -> int:
    """Fill in the sessions asked for, compare closes, and return the exit code."""
    from heatmap.history import backfill
    from heatmap.pictures.market_map.past import forget_summaries
    from heatmap.sources.nse import symbols

    market = config.select_markets(arguments.market)[0]
    now = parse_now(arguments.now)
    with _open_archive(arguments, market) as shelf, open_history(config) as store:
        days = _find_days(arguments, market, shelf, now)
        known = () if arguments.again else store.archived_sessions(market.name)
        wanted = [day for day in days if day not in set(known)]
        with Progress(sys.stderr) as progress:
            filled = backfill.fill(
                store,
                market.name,
                wanted,
                shelf,
                aliases=symbols.with_saved_changes(market.calendar, config.state_directory).symbol_changes,
                say=lambda sentence: progress.say(f"heatmap: {sentence}"),
                progress=progress,
            )
        if filled.stored and not filled.stopped:
            _save_symbol_changes(shelf, config)
        forget_summaries(config.state_directory)
        calendar = symbols.with_saved_changes(market.calendar, config.state_directory)
        findings = backfill.verify(store, market.name, calendar, days[0], days[-1]) if days else None
    print(
        f"{market.name}: {filled.stored:,} sessions stored ({filled.bars:,} bars), "
        f"{len(days) - len(wanted):,} were there"
    )
    today = now.astimezone(ZoneInfo(market.calendar.time_zone)).date()
    return _report(filled, findings, today, is_all=arguments.folder is not None)


def _save_symbol_changes(shelf: ArchiveFolder | ArchiveServer, config: Config) -> None:
    """Keep the exchange's list of symbols that changed; say where it cannot be had, which fails nothing."""
    from heatmap.sources.nse import symbols
    from heatmap.sources.options import FOLDER

    name = shelf.locate(symbols.PATH)
    try:
        body = shelf.read(name) if name else None
        if body:
            json_files.make_state_directory(
                config.state_directory
            )  # with a database elsewhere, nothing else has made it
            symbols.save(config.state_directory / FOLDER, symbols.parse(body))
    except (HistoryError, SourceError, OSError) as error:
        print_note(f"the exchange's list of symbols that changed is left out: {error}")


def _report(filled: BackfillResult, found: Detection | None, today: date, *, is_all: bool) -> int:
    """Print what is worth knowing, complain of what failed, and return the exit code.

    `is_all`: there is nothing but what was read, so that a missing session is no failure.
    """
    if filled.dropped:
        print(f"  left out   {filled.dropped:,} rows without a usable symbol or price")
    missing = [day for day in filled.missing if day != today]
    if len(missing) < len(filled.missing):
        print(f"  not yet    {format_day(today)}: the exchange publishes a day's archive in the evening")
    if missing and is_all:
        print(f"  missing    {format_days(missing)}")
    if found and found.compared:
        print(
            f"  compared   {found.compared:,} previous closes: {found.matches:,} meet the close before them"
        )
        _print_actions(found.actions)
    errors = list(filled.problems)
    if missing and not is_all:
        errors.append(HistoryError(f"the exchange has no archive of {format_days(missing)}: try again later"))
    if filled.stopped:
        errors.append(filled.stopped)
    for error in errors:
        print_error(error)
    return errors[-1].exit_code if errors else EXIT_OK


def _print_actions(found: Sequence[CorporateAction]) -> None:
    from heatmap.history import corporate_actions

    for action in found[:MOST_ACTIONS]:
        print(f"  {'adjusted ' if action.factor else 'see to   '}  {corporate_actions.describe(action)}")
    if len(found) > MOST_ACTIONS:
        print(f"  and        {len(found) - MOST_ACTIONS:,} more: ask for fewer sessions to see them")
    if any(action.factor is None for action in found):
        print("  if you know what it was, write an [[action]] into your overrides file: docs/calendar.md")


def _open_archive(
    arguments: argparse.Namespace, market: Market
) -> AbstractContextManager[ArchiveFolder | ArchiveServer]:
    """Return where the archives are. Raises UsageError, or HistoryImpossible."""
    from contextlib import nullcontext

    from heatmap.sources.nse import archive_files, bhavcopy

    if market.calendar.always:
        raise UsageError(f"{market.name} never closes, so there are no archives of its sessions")
    if arguments.folder is not None:
        return nullcontext(archive_files.ArchiveFolder(arguments.folder))
    names = [named.name for named in market.sources]
    if not any(name.startswith(ARCHIVE_SOURCE) for name in names):
        raise UsageError(
            f"{market.name} has the source {' and '.join(map(repr, names))}, and only the archives of "
            f"{ARCHIVE_SOURCE!r} are known: give files you have with --folder"
        )
    from heatmap.sources.nse import live

    if arguments.archive_url is None:
        return archive_files.ArchiveServer(bhavcopy.BASE_URL, live.BASE_URL, site.BROWSER_HEADERS)
    try:
        live.Nse(base_url=arguments.archive_url)  # which knows what such an address may be
    except ConfigError as error:
        raise UsageError(str(error).replace("base_url", "--archive-url")) from error
    return archive_files.ArchiveServer(arguments.archive_url, arguments.archive_url, site.BROWSER_HEADERS)


def _find_days(
    arguments: argparse.Namespace, market: Market, shelf: ArchiveFolder | ArchiveServer, now: datetime
) -> list[date]:
    """Return the sessions asked for that are over. Raises UsageError for a span that cannot be."""
    from heatmap.history import backfill
    from heatmap.sources.nse import archive_files

    calendar = market.calendar
    today = now.astimezone(ZoneInfo(calendar.time_zone)).date()
    folder = shelf.days if isinstance(shelf, archive_files.ArchiveFolder) else []
    lowest = calendar.first or date.min
    known = [day for day in folder if lowest <= day] or [today]
    last = arguments.last or known[-1]
    first = arguments.first or (known[0] if folder else max(last - timedelta(days=USUAL_DAYS), lowest))
    if arguments.first and arguments.last and first > last:
        raise UsageError(f"--from {first} lies after --to {last}")
    highest = max(calendar.last or date.max, today)  # past the calendar's end sessions are presumed
    if not lowest <= first <= highest or not lowest <= last <= highest:
        raise UsageError(
            f"the calendar {calendar.name} knows the sessions from {lowest} to {highest} only: ask for those"
        )
    days = backfill.find_settled_sessions(calendar, first, last, now)
    asked = [day for day in folder if (arguments.first or day) <= day <= (arguments.last or day)]
    if strange := sorted(set(asked) - set(days)):
        print_note(f"left out, for the calendar knows no session then that is over: {format_days(strange)}")
    return days


def _parse_date(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no date: write it like 2026-07-20") from None


def print_note(sentence: str) -> None:
    """Print a sentence on stderr."""
    print(f"heatmap: {complete(sentence)}", file=sys.stderr)
