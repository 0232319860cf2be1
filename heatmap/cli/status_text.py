"""Prints the text of `heatmap status`: first problems and how to fix them, then other information."""

from __future__ import annotations

import textwrap
from itertools import groupby
from typing import TYPE_CHECKING, NamedTuple
from zoneinfo import ZoneInfo

from heatmap.cli import commands
from heatmap.market.calendar import packaged
from heatmap.run.health import shown

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime, timedelta

    from heatmap.config.loader import Config, Market
    from heatmap.run.health import Health, Issue
    from heatmap.state.run_log import RunMarker, RunOutcome

WIDTH = 100  # columns


class Installation(NamedTuple):
    """The values that all markets share. Sizes are in bytes."""

    state_bytes: int
    history_bytes: int
    free_bytes: int
    disk_bytes: int
    run: RunMarker | None  # of the current run; None: no run
    issues: tuple[Issue, ...]


def print_issues(issues: Sequence[tuple[str, Issue]]) -> None:
    """Print whether all is well; then problems with their market, then other notes."""
    failures = [each for each in issues if each[1].code]
    notes = [each for each in issues if not each[1].code]
    if not failures:
        print("All is well." if not notes else "All is well, but:")
    elif len(failures) == 1:
        print("Something is wrong:")
    else:
        print(f"{len(failures)} things are wrong:")
    for name, issue in [*failures, *notes]:
        _print_wrapped("  - ", f"{name}: {issue.sentence}" if name else issue.sentence)


def print_market(
    config: Config, market: Market, health: Health, outcomes: Sequence[RunOutcome], now: datetime
) -> None:
    """Print the health of a market, and the outcomes of its runs."""
    zone = ZoneInfo(market.calendar.time_zone)
    print(f"\n{market.name}")
    print(f"  page       {_describe_page(health, zone, now)}")
    last, good = health.last, health.last_good
    last_run = f"{shown(last.at, zone)}, {_format_age(now - last.at)}: {last.kind}" if last else "none yet"
    print(f"  last run   {last_run}")
    if good and good is not last:
        print(f"  last good  {shown(good.at, zone)}, {_format_age(now - good.at)}")
    for rest in health.rests:
        until = shown(rest.until, zone)
        print(f"  source     {rest.source} blocked {rest.blocks} times in a row: not used until {until}")
    _print_wrapped("  market     ", f"{health.status.phase}. {health.status.reason}")
    if health.status.next_open:
        market_time = health.status.next_open.astimezone(zone)
        local_time = market_time.astimezone()
        is_same = local_time.utcoffset() == market_time.utcoffset()
        local = "" if is_same else f", here {local_time:%a %H:%M %Z}"
        print(f"  next open  {shown(market_time, zone)}{local}")
    if market.calendar.last:
        print(f"  calendar   {market.calendar.name}, known until {market.calendar.last:%d %b %Y}")
    files = _describe_calendar_files(config, market)
    if files:
        _print_wrapped("  holidays   ", f"in addition to the calendar: {files}")
    if outcomes:
        print("  runs       oldest first")
    for line in _run_lines(outcomes, zone):
        print(f"    {_shorten(line, WIDTH - 4)}")


def print_archive(lines: Sequence[str]) -> None:
    """Print lines on archived days that targets lack and this machine no longer has."""
    for line in lines:
        _print_wrapped("  archive    ", line)


def _describe_calendar_files(config: Config, market: Market) -> str:
    """Return the files that are merged over a market's packaged calendar, as text."""
    holiday_file = packaged.find_holiday_file(market.session, config.state_directory)
    files = packaged.list_files(market.session, config.files[0].parent, holiday_file)
    return " and ".join(
        f"{path}{'' if path.exists() else ' (none yet)'}" for path in files if path.parent != packaged.FOLDER
    )


def _describe_page(health: Health, zone: ZoneInfo, now: datetime) -> str:
    good = health.last_good
    if good and good.as_of:
        source = f", from {good.source}" if good.source else ""
        return (
            f"{good.quotes} quotes as of {shown(good.as_of, zone)}, {_format_age(now - good.as_of)}{source}"
        )
    if health.published_at:
        return f"published {shown(health.published_at, zone)}, {_format_age(now - health.published_at)}"
    return "none yet"


def _run_lines(outcomes: Sequence[RunOutcome], zone: ZoneInfo) -> list[str]:
    """Return one line for each run, or for consecutive runs of a day with the same outcome."""
    lines = []
    for (day, word, sentence), group in groupby(
        outcomes, key=lambda each: (each.at.astimezone(zone).date(), each.kind, each.sentence)
    ):
        group_outcomes = list(group)
        first, last = (
            f"{each.at.astimezone(zone):%H:%M}" for each in (group_outcomes[0], group_outcomes[-1])
        )
        time_span = first if len(group_outcomes) == 1 else f"{first} to {last}"
        count = "" if len(group_outcomes) == 1 else f"{len(group_outcomes)} times "
        lines.append(f"{day:%d %b}  {time_span:14}  {count}{word}" + (f": {sentence}" if sentence else ""))
    return lines


def _shorten(line: str, width: int) -> str:
    """Return at most `width` characters of a text, on one line. `status --json` has the whole sentence."""
    line = "; ".join(line.splitlines())
    return line if len(line) <= width else f"{line[: width - 1].rstrip()}…"


def print_installation(config: Config, installation: Installation) -> None:
    """Print the program's data on this machine, and the free space."""
    print("\nthis machine")
    if not config.history.enabled:
        history = "switched off"
    elif config.history.url is not None:
        history = f"in PostgreSQL. To see its size: {commands.heatmap('history status')}"
    else:
        history = format_size(installation.history_bytes) if installation.history_bytes else "nothing yet"
    print(f"  history    {history}")
    print(
        f"  disk       {format_size(installation.free_bytes)} of {format_size(installation.disk_bytes)} free"
    )
    print(f"  state      {format_size(installation.state_bytes)} in {config.state_directory}")
    if config.path:
        print(f"  config     {config.path}")
    if installation.run:
        print(f"  lock       a run is active: process {installation.run.pid}")


def _format_age(age: timedelta) -> str:
    """Return an age as text, in its largest whole unit."""
    seconds = age.total_seconds()
    if seconds < 0:
        return "which is in the future"
    for unit, size in (("day", 86_400), ("hour", 3600), ("minute", 60)):
        count = int(seconds // size)
        if count:
            return f"{count} {unit}{'s' if count > 1 else ''} ago"
    return "just now"


def format_size(count: int) -> str:
    """Return a number of bytes in GB, MB, kB or bytes."""
    for unit, one in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= one:
            return f"{count / one:,.1f} {unit}"
    return f"{count} bytes"


def _print_wrapped(label: str, text: str) -> None:
    """Print a text after its label, wrapped and indented. Commands are never broken."""
    indent = " " * len(label)
    wrapped = textwrap.fill(
        commands.complete(text, space=commands.UNBREAKABLE),
        WIDTH,
        initial_indent=label,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )
    print(wrapped.replace(commands.UNBREAKABLE, " "))
