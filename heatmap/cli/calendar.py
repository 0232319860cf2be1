"""`heatmap calendar`: the exchange's holiday list, compared with the calendar and written into overrides."""

from __future__ import annotations

import argparse
import sys
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from zoneinfo import ZoneInfo

from heatmap.cli import commands
from heatmap.cli.now import parse_now
from heatmap.config.loader import load
from heatmap.errors import EXIT_DATA, EXIT_OK, ConfigError, SourceError
from heatmap.market.calendar import packaged
from heatmap.sources.nse import calendar_update, holiday_files
from heatmap.sources.nse import holidays as nse_holidays
from heatmap.sources.nse.live import Nse
from heatmap.system import files, limits

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from heatmap.config.loader import Config, Market
    from heatmap.market.calendar.phases import Calendar
    from heatmap.sources.nse.calendar_update import Update
    from heatmap.sources.nse.holiday_files import HolidayFile
    from heatmap.sources.nse.holidays import Holidays

HELP = "compare the calendar with the exchange's holiday list, or bring it up to date"


class _Destination(NamedTuple):
    """The files that may keep a list, and the markets that go by them."""

    files: tuple[HolidayFile, ...]  # at least one, in the order in which they are tried
    markets: tuple[str, ...]
    calendar: Calendar  # as the markets have it now


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the actions and their options."""
    actions = parser.add_subparsers(metavar="ACTION", required=True)
    update = _action(
        actions, "update", "write what the list has and the calendar lacks into the overrides file"
    )
    update.add_argument(
        "--dry-run", action="store_true", help="show what would change in the file, and leave it"
    )
    _action(actions, "check", "tell where the calendar and the list differ, with exit 65 where they do")


def _action(
    actions: argparse._SubParsersAction[argparse.ArgumentParser], name: str, what: str
) -> argparse.ArgumentParser:
    action = actions.add_parser(name, help=what, description=what)
    # Also after the action's name; there it must not undo what stood before it.
    action.add_argument(
        "--config", type=Path, metavar="FILE", default=argparse.SUPPRESS, help="the configuration"
    )
    action.add_argument(
        "--from", dest="body", type=Path, metavar="FILE", help="read a list downloaded before"
    )
    action.add_argument("--market", metavar="NAME", help="only this market's calendar")
    action.add_argument("--now", metavar="TIME", help="pretend it is this time (ISO 8601 with its offset)")
    action.set_defaults(action=_update if name == "update" else _check)
    return action


def run(arguments: argparse.Namespace) -> int:
    """Do one action for every file that keeps a list. Raises ConfigError where no market has one."""
    config = load(arguments.config)
    now = parse_now(arguments.now)
    markets = [
        market for market in config.select_markets(arguments.market) if packaged.is_listed(market.session)
    ]
    if not markets:
        known = " and ".join(packaged.LISTED)
        raise ConfigError([f"no market here goes by {known}, the calendar of which the exchange has a list"])
    lists = holiday_files.drop_incomplete_years(_load_lists(arguments.body, markets))
    if arguments.action is _check or _is_terminal():
        for sentence in (sentence for listed in lists for sentence in listed.derivatives_differences):
            print(f"note: {sentence}")
    try:
        return max(
            int(arguments.action(kept, lists, now, arguments)) for kept in _find_destinations(config, markets)
        )
    except SourceError as error:
        raise _with_subject(arguments.body, error) from error


def _is_terminal() -> bool:
    """Whether somebody reads along; cron would mail each day that nothing is new."""
    return sys.stdout is not None and sys.stdout.isatty()


def _find_destinations(config: Config, markets: Sequence[Market]) -> list[_Destination]:
    """Return the files of the markets, each once. Raises ConfigError."""
    base = config.files[0].parent
    found: dict[Path, _Destination] = {}
    for market in markets:
        files = tuple(holiday_files.find_files(market.session, base, config.state_directory))
        path = files[0].path
        named = (*found[path].markets, market.name) if path in found else (market.name,)
        found[path] = _Destination(files, named, market.calendar)
    return list(found.values())


def _load_lists(body: Path | None, markets: Sequence[Market]) -> tuple[Holidays, ...]:
    """Return the exchange's lists, from a file or asked for. Raises ConfigError and SourceError."""
    if body is None:
        sources = (named.source for market in markets for named in market.sources)
        return nse_holidays.fetch(next((each for each in sources if isinstance(each, Nse)), Nse()))
    try:
        return nse_holidays.parse(files.read(body, limits.LIST_BYTES))
    except OSError as error:
        raise ConfigError([f"{body} cannot be read ({error.strerror}): name another with --from"]) from error
    except SourceError as error:
        raise _with_subject(body, error) from error


def _with_subject(body: Path | None, error: SourceError) -> SourceError:
    """Return the same error with its subject."""
    return error.with_sentence(f"{body or 'the list of the exchange'} {error}")


def _update(
    kept: _Destination, lists: Sequence[Holidays], now: datetime, arguments: argparse.Namespace
) -> int:
    """Write what is missing into one file, or show it."""
    today = now.astimezone(ZoneInfo(kept.calendar.time_zone)).date()
    if arguments.dry_run:
        file = kept.files[0]
        text, updates = holiday_files.merge(file, lists, today)
    else:
        file, updates = holiday_files.save(kept.files, lists, today)
        text = updates[-1].text
    is_new = text != file.text
    if not is_new and not _is_terminal():
        return EXIT_OK
    for listed, update in zip(lists, updates, strict=True):
        _print_update(kept, listed, update)
    if not is_new:
        print("  nothing to write")
    elif arguments.dry_run:
        _print_diff(file.path, file.text, text)
    else:
        if file is not kept.files[0]:
            print(f"  {kept.files[0].path} cannot be written, so the list is kept in the state directory")
        print(f"  written: {file.path}")
    return EXIT_OK


def _print_update(kept: _Destination, listed: Holidays, update: Update) -> None:
    """Print what a list adds, and where the user's own entries differ from it."""
    print(f"{', '.join(kept.markets)}: the exchange's list of {listed.year}")
    for change in update.new:
        print(f"  new     {change}")
    for change in update.user_differences:
        print(f"  kept    as your own entry has it; the list has {change}")
    last = update.after.last
    if last != update.before.last:
        print(f"  the calendar ends on {last}, before on {update.before.last}")
    elif last and last.year < listed.year:
        print(
            f"  the list is not whole (no {', no '.join(listed.missing)}): the calendar still ends on {last}"
        )


def _check(
    kept: _Destination, lists: Sequence[Holidays], now: datetime, _arguments: argparse.Namespace
) -> int:
    """Tell where calendar and lists differ, and which sessions to come have no hours yet."""
    calendar, names = kept.calendar, ", ".join(kept.markets)
    today = now.astimezone(ZoneInfo(calendar.time_zone)).date()
    for listed in lists:
        calendar_update.refuse_year(listed, calendar)
    for day, hours in sorted(calendar.special.items()):
        if day >= today and not hours.windows:
            print(
                f"note: {names}: {hours.name} on {day}: add a [[session]] with its windows once they are told"
            )
    return max(_compare(calendar, listed, names) for listed in lists)


def _compare(calendar: Calendar, listed: Holidays, names: str) -> int:
    """Tell where the calendar differs from one list."""
    changes = calendar_update.compare(listed, calendar)
    is_beyond = calendar.last is not None and calendar.last < date(listed.year, 12, 31)
    if not changes and not is_beyond:
        print(f"{names}: the calendar agrees with the exchange's list of {listed.year}")
        return EXIT_OK
    command = commands.heatmap("calendar update")
    print(
        f"{names}: the calendar and the exchange's list of {listed.year} differ. To take it over: {command}"
    )
    if is_beyond:
        print(f"  the calendar ends on {calendar.last}")
    for change in changes:
        print(f"  the list has {change}")
    return EXIT_DATA


def _print_diff(path: Path, before: str, after: str) -> None:
    """Print what would change in the file."""
    from difflib import unified_diff

    for line in unified_diff(before.splitlines(), after.splitlines(), str(path), str(path), lineterm=""):
        print(line)
