"""What `heatmap status` says to people: first what is wrong and what to do, then what there is to know."""

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
    """What all markets share. Sizes in bytes."""

    state_bytes: int
    history_bytes: int
    free_bytes: int
    disk_bytes: int
    run: RunMarker | None  # the one at work
    troubles: tuple[Issue, ...]


def print_issues(troubles: Sequence[tuple[str, Issue]]) -> None:
    """Say whether all is well; then what is wrong, each with its market, and what is only to be known."""
    wrong = [each for each in troubles if each[1].code]
    known = [each for each in troubles if not each[1].code]
    if not wrong:
        print("All is well." if not known else "All is well, but:")
    elif len(wrong) == 1:
        print("Something is wrong:")
    else:
        print(f"{len(wrong)} things are wrong:")
    for name, trouble in [*wrong, *known]:
        _print_wrapped("  - ", f"{name}: {trouble.sentence}" if name else trouble.sentence)


def print_market(
    config: Config, market: Market, found: Health, ended: Sequence[RunOutcome], now: datetime
) -> None:
    """Say what there is to know of a market, and how its ticks `ended`."""
    zone = ZoneInfo(market.calendar.time_zone)
    print(f"\n{market.name}")
    print(f"  page       {_describe_page(found, zone, now)}")
    last, good = found.last, found.last_good
    told = f"{shown(last.at, zone)}, {_format_age(now - last.at)}: {last.kind}" if last else "none is known"
    print(f"  last tick  {told}")
    if good and good is not last:
        print(f"  last good  {shown(good.at, zone)}, {_format_age(now - good.at)}")
    for rest in found.rests:
        until = shown(rest.until, zone)
        print(f"  source     {rest.source} blocked {rest.blocks} times in a row: left alone until {until}")
    _print_wrapped("  market     ", f"{found.status.phase}. {found.status.reason}")
    if found.status.next_open:
        there, here = found.status.next_open, found.status.next_open.astimezone()
        local = f", here {here:%a %H:%M %Z}" if here.utcoffset() != there.astimezone(zone).utcoffset() else ""
        print(f"  next open  {shown(there, zone)}{local}")
    if market.calendar.last:
        print(f"  calendar   {market.calendar.name}, known until {market.calendar.last:%d %b %Y}")
    files = _describe_calendar_files(config, market)
    if files:
        _print_wrapped("  holidays   ", f"beside the calendar: {files}")
    if ended:
        print("  ticks      oldest first")
    for line in _run_lines(ended, zone):
        print(f"    {_shorten(line, WIDTH - 4)}")


def print_archive(lines: Sequence[str]) -> None:
    """Say which archived days a target lacks for good, a line for each target."""
    for line in lines:
        _print_wrapped("  archive    ", line)


def _describe_calendar_files(config: Config, market: Market) -> str:
    """Return the files that are merged over a market's packaged calendar, in words."""
    holiday_file = packaged.find_holiday_file(market.session, config.state_directory)
    files = packaged.list_files(market.session, config.files[0].parent, holiday_file)
    return " and ".join(
        f"{path}{'' if path.exists() else ' (none yet)'}" for path in files if path.parent != packaged.FOLDER
    )


def _describe_page(found: Health, zone: ZoneInfo, now: datetime) -> str:
    good = found.last_good
    if good and good.as_of:
        source = f", from {good.source}" if good.source else ""
        return (
            f"{good.quotes} quotes as of {shown(good.as_of, zone)}, {_format_age(now - good.as_of)}{source}"
        )
    if found.published_at:
        return f"published {shown(found.published_at, zone)}, {_format_age(now - found.published_at)}"
    return "none yet"


def _run_lines(ended: Sequence[RunOutcome], zone: ZoneInfo) -> list[str]:
    """Return one line for each run, or for each stretch of runs of a day that ended alike."""
    lines = []
    for (day, word, sentence), group in groupby(
        ended, key=lambda each: (each.at.astimezone(zone).date(), each.kind, each.sentence)
    ):
        alike = list(group)
        first, last = (f"{each.at.astimezone(zone):%H:%M}" for each in (alike[0], alike[-1]))
        when = first if len(alike) == 1 else f"{first} to {last}"
        count = "" if len(alike) == 1 else f"{len(alike)} times "
        lines.append(f"{day:%d %b}  {when:14}  {count}{word}" + (f": {sentence}" if sentence else ""))
    return lines


def _shorten(line: str, width: int) -> str:
    """Return at most `width` characters of a text, on one line. `status --json` has the whole sentence."""
    line = "; ".join(line.splitlines())
    return line if len(line) <= width else f"{line[: width - 1].rstrip()}…"


def print_installation(config: Config, found: Installation) -> None:
    """Say what the program keeps on this machine, and the room there is."""
    print("\nthis machine")
    if not config.history.enabled:
        history = "switched off"
    elif config.history.url is not None:
        history = f"in PostgreSQL. To look into it: {commands.heatmap('history status')}"
    else:
        history = format_size(found.history_bytes) if found.history_bytes else "nothing yet"
    print(f"  history    {history}")
    print(f"  disk       {format_size(found.free_bytes)} of {format_size(found.disk_bytes)} free")
    print(f"  state      {format_size(found.state_bytes)} in {config.state_directory}")
    if config.path:
        print(f"  config     {config.path}")
    if found.run:
        print(f"  lock       a run is at work: process {found.run.pid}")


def _format_age(age: timedelta) -> str:
    """Return an age in words, in its largest whole unit."""
    seconds = age.total_seconds()
    if seconds < 0:
        return "which is still to come"
    for unit, size in (("day", 86_400), ("hour", 3600), ("minute", 60)):
        count = int(seconds // size)
        if count:
            return f"{count} {unit}{'s' if count > 1 else ''} ago"
    return "just now"


def format_size(count: int) -> str:
    """Return a number of bytes as people say it."""
    for unit, one in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= one:
            return f"{count / one:,.1f} {unit}"
    return f"{count} bytes"


def _print_wrapped(begin: str, text: str) -> None:
    """Print a text after its beginning; what does not fit goes below the text. A command is never broken."""
    indent = " " * len(begin)
    wrapped = textwrap.fill(
        commands.complete(text, space=commands.UNBREAKABLE),
        WIDTH,
        initial_indent=begin,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )
    print(wrapped.replace(commands.UNBREAKABLE, " "))
