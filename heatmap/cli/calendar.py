"""`heatmap calendar`: compares the exchange's holiday list with the calendar, and updates the overrides."""

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

HELP = "compare the calendar with the exchange's holiday list, or update it"


class _Destination(NamedTuple):
    """The files that a list can be written into, and the markets that use them."""

    files: tuple[HolidayFile, ...]  # at least one, in the order of the attempts
    markets: tuple[str, ...]
    calendar: Calendar  # of the markets, as it is now


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the actions and their options."""
    actions = parser.add_subparsers(metavar="ACTION", required=True)
    update = _action(actions, "update", "write the list's missing entries into the overrides file")
    update.add_argument(
        "--dry-run", action="store_true", help="show the changes of the file, but write nothing"
    )
    _action(actions, "check", "print the differences between calendar and list; exit 65 if there are any")


def _action(
    actions: argparse._SubParsersAction[argparse.ArgumentParser], name: str, description: str
) -> argparse.ArgumentParser:
    action = actions.add_parser(name, help=description, description=description)
    # --config may also come after the action's name. Then its default must not replace an earlier value.
    action.add_argument(
        "--config", type=Path, metavar="FILE", default=argparse.SUPPRESS, help="the configuration file"
    )
    action.add_argument("--from", dest="body", type=Path, metavar="FILE", help="read a downloaded list")
    action.add_argument("--market", metavar="NAME", help="only this market's calendar")
    action.add_argument(
        "--now", metavar="TIME", help="use this time instead of the clock (ISO 8601 with offset)"
    )
    action.set_defaults(action=_update if name == "update" else _check)
    return action


def run(arguments: argparse.Namespace) -> int:
    """Do one action for every file with a list. Raises ConfigError if no market uses a listed calendar."""
    config = load(arguments.config)
    now = parse_now(arguments.now)
    markets = [
        market for market in config.select_markets(arguments.market) if packaged.is_listed(market.session)
    ]
    if not markets:
        names = " and ".join(packaged.LISTED)
        raise ConfigError([f"no market uses {names}, the only calendar with a list of the exchange"])
    lists = holiday_files.drop_incomplete_years(_load_lists(arguments.body, markets))
    if arguments.action is _check or _is_terminal():
        for sentence in (sentence for holidays in lists for sentence in holidays.derivatives_differences):
            print(f"note: {sentence}")
    try:
        return max(
            int(arguments.action(place, lists, now, arguments))
            for place in _find_destinations(config, markets)
        )
    except SourceError as error:
        raise _with_subject(arguments.body, error) from error


def _is_terminal() -> bool:
    """Whether the output is a terminal. Without one, cron would mail each day that nothing is new."""
    return sys.stdout is not None and sys.stdout.isatty()


def _find_destinations(config: Config, markets: Sequence[Market]) -> list[_Destination]:
    """Return the files of the markets, each file once. Raises ConfigError."""
    base = config.files[0].parent
    destinations: dict[Path, _Destination] = {}
    for market in markets:
        files = tuple(holiday_files.find_files(market.session, base, config.state_directory))
        path = files[0].path
        names = (*destinations[path].markets, market.name) if path in destinations else (market.name,)
        destinations[path] = _Destination(files, names, market.calendar)
    return list(destinations.values())


def _load_lists(body: Path | None, markets: Sequence[Market]) -> tuple[Holidays, ...]:
    """Return the exchange's lists, from a file or from the exchange. Raises ConfigError and SourceError."""
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
    """Return the same error; its sentence begins with the name of the list."""
    return error.with_sentence(f"{body or 'the list of the exchange'} {error}")


def _update(
    place: _Destination, lists: Sequence[Holidays], now: datetime, arguments: argparse.Namespace
) -> int:
    """Write missing entries into one file, or with --dry-run show them."""
    today = now.astimezone(ZoneInfo(place.calendar.time_zone)).date()
    if arguments.dry_run:
        file = place.files[0]
        text, updates = holiday_files.merge(file, lists, today)
    else:
        file, updates = holiday_files.save(place.files, lists, today)
        text = updates[-1].text
    is_new = text != file.text
    if not is_new and not _is_terminal():
        return EXIT_OK
    for holidays, update in zip(lists, updates, strict=True):
        _print_update(place, holidays, update)
    if not is_new:
        print("  nothing to write")
    elif arguments.dry_run:
        _print_diff(file.path, file.text, text)
    else:
        if file is not place.files[0]:
            print(f"  {place.files[0].path} cannot be written, so the list is in the state directory")
        print(f"  written: {file.path}")
    return EXIT_OK


def _print_update(place: _Destination, holidays: Holidays, update: Update) -> None:
    """Print the entries that a list adds, and the user's entries that differ from it."""
    print(f"{', '.join(place.markets)}: the exchange's list of {holidays.year}")
    for change in update.new:
        print(f"  new     {change}")
    for change in update.user_differences:
        print(f"  kept    your own entry; the list has {change}")
    last = update.after.last
    if last != update.before.last:
        print(f"  the calendar now ends on {last}, not on {update.before.last}")
    elif last and last.year < holidays.year:
        print(
            f"  the list is not complete (no {', no '.join(holidays.missing)}): "
            f"the calendar still ends on {last}"
        )


def _check(
    place: _Destination, lists: Sequence[Holidays], now: datetime, _arguments: argparse.Namespace
) -> int:
    """Print differences between calendar and lists, and future sessions whose hours are not known."""
    calendar, names = place.calendar, ", ".join(place.markets)
    today = now.astimezone(ZoneInfo(calendar.time_zone)).date()
    for holidays in lists:
        calendar_update.refuse_year(holidays, calendar)
    for day, hours in sorted(calendar.special.items()):
        if day >= today and not hours.windows:
            print(
                f"note: {names}: {hours.name} on {day}: add a [[session]] with its windows "
                "when they are published"
            )
    return max(_compare(calendar, holidays, names) for holidays in lists)


def _compare(calendar: Calendar, holidays: Holidays, names: str) -> int:
    """Print the differences between the calendar and one list, and return the exit code."""
    changes = calendar_update.compare(holidays, calendar)
    ends_early = calendar.last is not None and calendar.last < date(holidays.year, 12, 31)
    if not changes and not ends_early:
        print(f"{names}: the calendar agrees with the exchange's list of {holidays.year}")
        return EXIT_OK
    command = commands.heatmap("calendar update")
    print(f"{names}: the calendar and the exchange's list of {holidays.year} differ. To update it: {command}")
    if ends_early:
        print(f"  the calendar ends on {calendar.last}")
    for change in changes:
        print(f"  the list has {change}")
    return EXIT_DATA


def _print_diff(path: Path, before: str, after: str) -> None:
    """Print the changes of the file as a diff."""
    from difflib import unified_diff

    for line in unified_diff(before.splitlines(), after.splitlines(), str(path), str(path), lineterm=""):
        print(line)
