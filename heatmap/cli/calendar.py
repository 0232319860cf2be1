"""`heatmap calendar`: the exchange's holiday list, compared with the calendar and written into overrides."""

from __future__ import annotations

import argparse
import os
import sys
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from zoneinfo import ZoneInfo

from heatmap import calendars, guard, holidays, overrides
from heatmap.cli.clock import parse_now
from heatmap.config import load
from heatmap.errors import EXIT_DATA, EXIT_OK, ConfigError, SourceError
from heatmap.sources import nse_holidays
from heatmap.sources.nse import Nse

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from heatmap.calendars import SessionOptions
    from heatmap.config import Config, Market
    from heatmap.sources.nse_holidays import Holidays

HELP = "compare the calendar with the exchange's holiday list, or bring it up to date"
OVERRIDES = Path("holidays.toml")  # beside the configuration, where it names none


class _Kept(NamedTuple):
    """One overrides file, and the markets that go by it, or would. `text` is "" where there is none yet."""

    path: Path
    text: str
    markets: tuple[str, ...]
    options: SessionOptions
    is_configured: bool


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
    """Do one action for every overrides file. Raises ConfigError where no market goes by such a calendar."""
    config = load(arguments.config)
    now = parse_now(arguments.now)
    markets = [market for market in config.named(arguments.market) if _is_listed(market)]
    if not markets:
        known = " and ".join(holidays.CALENDARS)
        raise ConfigError([f"no market here goes by {known}, the calendar of which the exchange has a list"])
    if arguments.action is _check:
        for market in markets:
            _warn(market, now)
    listed = _listed(arguments.body, markets)
    if arguments.action is _check or _is_read():
        for sentence in listed.apart:
            print(f"note: {sentence}")
    try:
        return max(int(arguments.action(kept, listed, now, arguments)) for kept in _files(config, markets))
    except SourceError as error:
        raise _about(arguments.body, error) from error


def _is_read() -> bool:
    """Whether somebody reads along; cron would mail each day that nothing is new."""
    return sys.stdout is not None and sys.stdout.isatty()


def _is_listed(market: Market) -> bool:
    return market.session.open is None and market.session.calendar in holidays.CALENDARS


def _files(config: Config, markets: Sequence[Market]) -> list[_Kept]:
    """Return the overrides files of the markets, each once. Raises ConfigError."""
    base = config.files[0].parent
    files: dict[Path, _Kept] = {}
    for market in markets:
        path = base / (market.session.overrides or OVERRIDES)
        path = path.resolve()  # a link stays one, and what it leads to is replaced
        named = (*files[path].markets, market.name) if path in files else (market.name,)
        is_configured = market.session.overrides is not None
        text = overrides.read(path) if is_configured or path.exists() else ""
        files[path] = _Kept(path, text, named, market.session, is_configured)
    return list(files.values())


def _listed(body: Path | None, markets: Sequence[Market]) -> Holidays:
    """Return the exchange's list, from a file or asked for. Raises ConfigError and SourceError."""
    if body is None:
        sources = (named.source for market in markets for named in market.sources)
        return nse_holidays.fetch(next((each for each in sources if isinstance(each, Nse)), Nse()))
    try:
        return nse_holidays.parse(body.read_bytes())
    except OSError as error:
        raise ConfigError([f"{body} cannot be read ({error.strerror}): name another with --from"]) from error
    except SourceError as error:
        raise _about(body, error) from error


def _about(body: Path | None, error: SourceError) -> SourceError:
    """Return the same error with its subject."""
    return error.saying(f"{body or 'the list of the exchange'} {error}")


def _update(kept: _Kept, listed: Holidays, now: datetime, arguments: argparse.Namespace) -> int:
    """Write what is missing into one overrides file, or show it."""
    packaged = calendars.packaged(kept.options)
    today = now.astimezone(ZoneInfo(packaged.time_zone)).date()
    update = holidays.update(packaged, kept.text, kept.path.name, listed, today)
    if update.text == kept.text and not _is_read() and (kept.is_configured or not kept.text):
        return EXIT_OK
    print(f"{', '.join(kept.markets)}: the exchange's list of {listed.year}")
    for change in update.new:
        print(f"  new     {change}")
    for change in update.own:
        print(f"  kept    as your own entry has it; the list has {change}")
    last = update.after.last
    if last != update.before.last:
        print(f"  the calendar ends on {last}, before on {update.before.last}")
    elif last and last.year < listed.year:
        print(
            f"  the list is not whole (no {', no '.join(listed.missing)}): the calendar still ends on {last}"
        )
    if update.text == kept.text:
        print("  nothing to write")
        if kept.text and not kept.is_configured:
            print(f"  {_line(kept)}")
        return EXIT_OK
    if arguments.dry_run:
        _show(kept, update.text)
        return EXIT_OK
    _write(kept.path, update.text)
    print(f"  written: {kept.path}")
    if not kept.is_configured:
        print(f"  {_line(kept)}")
    return EXIT_OK


def _check(kept: _Kept, listed: Holidays, now: datetime, _arguments: argparse.Namespace) -> int:
    """Tell where calendar and list differ, and which sessions to come have no hours yet."""
    calendar = calendars.packaged(kept.options)
    if kept.is_configured:
        calendar = overrides.merged(calendar, kept.text, kept.path.name, [])
    holidays.refuse_year(listed, calendar)
    changes = holidays.compare(listed, calendar)
    names = ", ".join(kept.markets)
    today = now.astimezone(ZoneInfo(calendar.time_zone)).date()
    for day, hours in sorted(calendar.special.items()):
        if day >= today and not hours.windows:
            print(
                f"note: {names}: {hours.name} on {day}: add a [[session]] with its windows once they are told"
            )
    is_beyond = calendar.last is not None and calendar.last < date(listed.year, 12, 31)
    if not changes and not is_beyond:
        print(f"{names}: the calendar agrees with the exchange's list of {listed.year}")
        return EXIT_OK
    print(f"{names}: the calendar and the exchange's list of {listed.year} differ: heatmap calendar update")
    if is_beyond:
        print(f"  the calendar ends on {calendar.last}")
    for change in changes:
        print(f"  the list has {change}")
    if kept.text and not kept.is_configured:
        print(f"  {_line(kept)}")
    return EXIT_DATA


def _line(kept: _Kept) -> str:
    return f'{kept.path} is not in use: add under [market.session]: overrides = "{kept.path.name}"'


def _warn(market: Market, now: datetime) -> None:
    """Tell of a calendar that is about to end, before the exchange is asked, which may fail."""
    warning = guard.runs_out(market.calendar, now)
    if warning:
        print(f"heatmap: {market.name}: {warning}", file=sys.stderr)


def _show(kept: _Kept, text: str) -> None:
    """Print what would change in the file."""
    from difflib import unified_diff

    old, new = kept.text.splitlines(), text.splitlines()
    for line in unified_diff(old, new, str(kept.path), str(kept.path), lineterm=""):
        print(line)


def _write(path: Path, text: str) -> None:
    """Replace the file, whole or not at all; who may read it stays. Raises ConfigError."""
    from contextlib import suppress
    from shutil import copymode

    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("w", encoding="utf-8", newline="") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        if path.exists():
            copymode(path, temporary)
        temporary.replace(path)
    except OSError as error:
        with suppress(OSError):
            temporary.unlink()
        raise ConfigError([f"{path} cannot be written ({error.strerror}): make it writable"]) from error
