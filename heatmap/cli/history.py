"""`heatmap history`: fills the history from archives, shows it, exports it, and deletes old data."""

from __future__ import annotations

import argparse
import sys
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from heatmap.cli import backfill, commands
from heatmap.config.loader import load
from heatmap.errors import EXIT_OK, ConfigError, UsageError, as_write_error
from heatmap.history import symbol_changes
from heatmap.system import files

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from datetime import datetime
    from typing import BinaryIO

    from heatmap.config.loader import Config, Market
    from heatmap.history.store import Store
    from heatmap.market.bars import Bar
    from heatmap.market.calendar.phases import Calendar

HELP = "fill the history from the exchange's archives, show, export or prune it"
FORMATS = ("csv", "json", "parquet")  # of heatmap.history.export, which other actions do not import


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the actions and their options."""
    actions = parser.add_subparsers(metavar="ACTION", required=True)
    backfill.add_arguments(_action(actions, "backfill", backfill.HELP, backfill.run))
    _action(actions, "status", "show the stored data and the missing sessions", _status)
    export = _action(actions, "export", "export the daily bars", _export)
    backfill.add_date_options(export)
    export.add_argument(
        "--format", choices=FORMATS, default="csv", help="the format (default: csv; parquet is an extra)"
    )
    export.add_argument("--output", type=Path, metavar="FILE", help="the file (default: standard output)")
    export.add_argument(
        "--adjusted", action="store_true", help="adjust for splits and bonuses, and use today's symbols"
    )
    _action(actions, "prune", "delete data that is older than the configuration keeps", _prune)


def run(arguments: argparse.Namespace) -> int:
    """Do one action. Raises ConfigError if the history is switched off."""
    config = load(arguments.config)
    if not config.history.enabled:
        raise ConfigError(["the history is switched off: set enabled = true under [history]"])
    return int(arguments.action(arguments, config))


def _action(
    actions: argparse._SubParsersAction[argparse.ArgumentParser],
    name: str,
    description: str,
    do: Callable[[argparse.Namespace, Config], int],
) -> argparse.ArgumentParser:
    action = actions.add_parser(name, help=description, description=description)
    # --config may also come after the action's name. Then its default must not replace an earlier value.
    action.add_argument(
        "--config", type=Path, metavar="FILE", default=argparse.SUPPRESS, help="the configuration file"
    )
    action.set_defaults(action=do)
    if name != "prune":
        action.add_argument("--market", metavar="NAME", help="which market (default: the first)")
    return action


def _status(arguments: argparse.Namespace, config: Config) -> int:
    """Print the stored data of each requested market."""
    from heatmap.cli import pending_text
    from heatmap.history import pending_actions
    from heatmap.history.backfill import find_gaps
    from heatmap.history.period_starts import count_sessions_needed
    from heatmap.sources.nse import symbols as nse_symbols

    markets = config.select_markets(arguments.market)
    with backfill.open_history(config) as store:
        stats_by_market = {stats.market: stats for stats in store.status()}
        for market in markets:
            stats = stats_by_market.get(market.name)
            if stats is None:
                command = commands.heatmap("history backfill")
                print(
                    f"{market.name}: nothing yet. The first run with the day's figures creates it. "
                    f"For earlier sessions: {command}"
                )
                continue
            sessions = store.sessions(market.name)
            print(f"{market.name}: {stats.sessions:,} sessions with daily bars")
            if sessions:
                archived = len(store.archived_sessions(market.name))
                print(f"  first      {backfill.format_day(sessions[0])}")
                print(f"  last       {backfill.format_day(sessions[-1])}")
                print(f"  archives   {archived:,} of them")
            print(f"  missing    {backfill.format_days(find_gaps(market.calendar, sessions)) or 'none'}")
            needed = count_sessions_needed(config.history.periods)
            if stats.sessions < needed:
                command = commands.heatmap("history backfill")
                print(f"  periods    the longest needs {needed:,} sessions. To get earlier ones: {command}")
            print(f"  ticks      {stats.ticks:,}{_format_span(stats.first_tick, stats.last_tick, market)}")
            symbols = store.newest_symbols(market.name) or None
            calendar = nse_symbols.with_saved_changes(market.calendar, config.state_directory, symbols)
            pending_text.print_pending(pending_actions.read_store(store, market.name, calendar))
        print(f"size: {store.size_bytes() / 1e6:,.1f} MB")
    return EXIT_OK


def _format_span(first: datetime | None, last: datetime | None, market: Market) -> str:
    if first is None or last is None:
        return ""
    zone = ZoneInfo(market.calendar.time_zone)
    return f", {first.astimezone(zone):%d %b %Y %H:%M} to {last.astimezone(zone):%d %b %Y %H:%M}"


def _export(arguments: argparse.Namespace, config: Config) -> int:
    """Write the bars of one market."""
    from heatmap.history import export
    from heatmap.sources.nse import symbols as nse_symbols

    market = config.select_markets(arguments.market)[0]
    if arguments.format == "parquet" and arguments.output is None and sys.stdout.isatty():
        raise UsageError("Parquet is no text: give a file with --output")
    write = export.FORMATS[arguments.format]
    with backfill.open_history(config) as store:
        calendar = nse_symbols.with_saved_changes(market.calendar, config.state_directory)
        bars = _read_bars(store, market.name, calendar, arguments)
        try:
            if arguments.output is None:
                write(bars, market.name, sys.stdout.buffer)
            else:
                _write_whole(arguments.output, lambda file: write(bars, market.name, file))
        except BrokenPipeError:
            raise
        except OSError as error:
            output = arguments.output or "standard output"
            sentence = f"{output} cannot be written ({error.strerror}): give another file with --output"
            raise as_write_error(error, sentence) from error
    return EXIT_OK


def _write_whole(path: Path, write: Callable[[BinaryIO], None]) -> None:
    """Write a file completely or not at all. Raises OSError."""
    name = f".{path.name}.part"  # always the same, so killed commands leave at most one file
    with files.open_replacement(path, to_disk=False, make_folder=False, temporary=name) as file:
        write(file)


def _read_bars(
    store: Store, market: str, calendar: Calendar, arguments: argparse.Namespace
) -> Iterator[Sequence[Bar]]:
    """Yield the requested sessions one by one, so years of them need no memory."""
    from heatmap.history import adjustment, corporate_actions
    from heatmap.history.backfill import verify

    first, last = arguments.first or date.min, arguments.last or date.max
    days = [day for day in store.sessions(market) if first <= day <= last]
    actions: tuple[corporate_actions.CorporateAction, ...] = ()
    if arguments.adjusted and days:
        actions = verify(store, market, calendar, days[0], days[-1]).actions
        actions = tuple(action for action in actions if action.date <= days[-1])
        if unexplained := sorted({action.symbol for action in actions if action.factor is None}):
            more = len(unexplained) - backfill.MOST_SHOWN
            names = ", ".join(unexplained[: backfill.MOST_SHOWN]) + (
                f" and {more:,} more" if more > 0 else ""
            )
            backfill.print_note(
                f"the bars of {names} are on different terms before and after an event that no split or "
                "bonus explains. To see them: `heatmap history status`"
            )
    for day in days:
        bars = store.bars(market, day, 1)
        if arguments.adjusted:
            bars = adjustment.adjust(symbol_changes.rename(bars, calendar.symbol_changes), actions)
        yield bars


def _prune(_: argparse.Namespace, config: Config) -> int:
    """Delete old data, and print how much."""
    with backfill.open_history(config) as store:
        before = store.size_bytes()
        pruned = store.prune(config.history)
        print(
            f"{pruned.ticks:,} ticks and the daily bars of {pruned.sessions:,} sessions are deleted; "
            f"the history now has {store.size_bytes() / 1e6:,.1f} MB, not {before / 1e6:,.1f}"
        )
    return EXIT_OK
