"""`heatmap schedule`: prints the cron line or systemd units of this installation, and the next runs."""

from __future__ import annotations

import shlex
from datetime import UTC, timedelta
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from heatmap.cli import commands
from heatmap.cli.now import parse_now
from heatmap.config.loader import load
from heatmap.market.calendar import schedule

if TYPE_CHECKING:
    import argparse
    from datetime import datetime, tzinfo

    from heatmap.config.loader import Config, Market

HELP = "print the cron line, or the systemd units, for this machine, and the next runs"
NEXT_RUNS = 5
JITTER_MINUTES = 2  # most cron jobs run at the round minutes
TICKS_AFTER_SETTLING = 2  # the run for the closing page, and one more if that fails
SPREAD_SECONDS = 20  # most systemd timers run at second 0
LAST_RESORT_SECONDS = 240  # a run ends itself well before this
KILL_AFTER_SECONDS = 10
LOCAL_TIME = Path("/etc/localtime")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument("--systemd", action="store_true", help="print a systemd service and timer instead")
    parser.add_argument("--now", metavar="ISO-8601", help="list the next runs from this time on")


def run(arguments: argparse.Namespace) -> int:
    """Print the schedule, then the next runs."""
    config = load(arguments.config)
    now = parse_now(arguments.now)
    zone = ZoneInfo("UTC") if arguments.systemd else server_zone()
    print(systemd_units(config, now) if arguments.systemd else crontab(config, zone, now))
    print()
    for market in config.markets:
        _print_next_runs(market, config, zone, now)
    return 0


def _print_next_runs(market: Market, config: Config, zone: ZoneInfo, now: datetime) -> None:
    hours = _hours(config, zone, now)
    runs = schedule.next_runs(market.calendar, now, hours, _minutes(config), zone)
    next_runs = [(moment, status.phase) for moment, status in islice(runs, NEXT_RUNS)]
    print(
        f"# Next runs of {market.name}:"
        if next_runs
        else f"# {market.name}: no next run is known. To see why: {commands.heatmap('session')}"
    )
    for moment, phase in next_runs:
        market_time = moment.astimezone(ZoneInfo(market.calendar.time_zone))
        print(f"#   {moment.astimezone(zone):%a %d %b %Y %H:%M %Z}  =  {market_time:%a %H:%M %Z}  ({phase})")


def server_zone() -> ZoneInfo:
    """Return the time zone of cron: the machine's, without regard to TZ in this shell."""
    _, folder, name = str(LOCAL_TIME.resolve()).partition("/zoneinfo/")
    if folder:
        return ZoneInfo(name)
    if not LOCAL_TIME.exists():
        return ZoneInfo("UTC")
    with LOCAL_TIME.open("rb") as file:  # a copy, not a link: it has the rules, but not the name
        return ZoneInfo.from_file(file, key="local time")


def crontab(config: Config, zone: ZoneInfo, now: datetime) -> str:
    """Return the lines for `crontab -e` on a machine in `zone`."""
    minute = _minute_field(config)
    hour = schedule.cron_field(_hours(config, zone, now), schedule.HOURS_A_DAY)
    command = " ".join([*_change_folder(config), *_command(config)]).replace("%", r"\%")
    log = shlex.quote(str((config.path.parent if config.path else Path.cwd()) / "heatmap.log"))
    return (
        "# A line for `crontab -e`. Before you add it, run it once by hand:\n"
        f"#   {shlex.join(_arguments(config))}\n"
        f"# Hours are on this machine's clock ({zone.key}); the program itself knows sessions and holidays.\n"
        f"# Errors are mailed to MAILTO; without a mail program, append: 2>>{log}\n"
        "# MAILTO=you@example.org\n"
        f"{minute} {hour} * * * {command}"
    )


def systemd_units(config: Config, now: datetime) -> str:
    """Return a service and a timer, each with the path of its file.

    They are units of a user without root. deploy/ has hardened units for a server, with the same timer.
    """
    command = " ".join(_quote_for_systemd(part) for part in _arguments(config))
    folder = str(config.path.parent if config.path else Path.cwd()).replace("%", "%%")
    return f"""\
# ~/.config/systemd/user/heatmap.service
[Unit]
Description=Draw and publish the market heatmap
[Service]
Type=oneshot
WorkingDirectory={folder}
ExecStart={command}
TimeoutStartSec={LAST_RESORT_SECONDS}

# ~/.config/systemd/user/heatmap.timer
[Unit]
Description=Run the market heatmap in every session
[Timer]
{timer(config, now)}
[Install]
WantedBy=timers.target

# Then: systemctl --user daemon-reload && systemctl --user enable --now heatmap.timer
# and, so that it runs without you logged in: loginctl enable-linger"""


def timer(config: Config, now: datetime) -> str:
    """Return the timer's settings: the hours in UTC, and a random second for each machine."""
    hours = schedule.cron_field(_hours(config, UTC, now), schedule.HOURS_A_DAY).replace("-", "..")
    minute = schedule.cron_field(_minutes(config), schedule.MINUTES_AN_HOUR)
    if _is_evenly_spaced(config):
        minute = f"{_minutes(config)[0]:02}/{config.interval_minutes}"
    return (
        f"OnCalendar=*-*-* {hours}:{minute}:00 UTC\n"
        "AccuracySec=1s\n"
        f"RandomizedDelaySec={SPREAD_SECONDS}s\n"
        "FixedRandomDelay=yes\n"
        "Persistent=no"
    )


def _minutes(config: Config) -> tuple[int, ...]:
    return schedule.run_minutes(config.interval_minutes, JITTER_MINUTES)


def _minute_field(config: Config) -> str:
    """Return the minutes as `2-57/5` if they are evenly spaced, else as a list."""
    minutes = _minutes(config)
    if _is_evenly_spaced(config):
        return f"{minutes[0]}-{minutes[-1]}/{config.interval_minutes}"
    return schedule.cron_field(minutes, schedule.MINUTES_AN_HOUR)


def _is_evenly_spaced(config: Config) -> bool:
    """Whether a step describes the minutes: there are more than two, evenly spaced."""
    return len(_minutes(config)) > 2 and config.interval_minutes > 1


def _hours(config: Config, zone: tzinfo, now: datetime) -> frozenset[int]:
    spare = timedelta(minutes=config.interval_minutes * TICKS_AFTER_SETTLING)
    hours = sorted(
        schedule.run_hours([market.calendar for market in config.markets], zone, now.date(), spare)
    )
    if not hours:
        return frozenset(range(schedule.HOURS_A_DAY))
    # One range without gaps: a session that is announced late is probably between the known hours.
    pairs = zip(hours, [*hours[1:], hours[0] + schedule.HOURS_A_DAY], strict=True)
    gap, first = max((after - before, after % schedule.HOURS_A_DAY) for before, after in pairs)
    return frozenset((first + n) % schedule.HOURS_A_DAY for n in range(schedule.HOURS_A_DAY - gap + 1))


def _change_folder(config: Config) -> list[str]:
    """Return `cd` to the current folder if there is no configuration file: relative paths start there."""
    return [] if config.path else ["cd", shlex.quote(str(Path.cwd())), "&&"]


def _command(config: Config) -> list[str]:
    words = ["timeout", "-k", str(KILL_AFTER_SECONDS), str(LAST_RESORT_SECONDS), *_arguments(config)]
    return [shlex.quote(part) for part in words]


def _arguments(config: Config) -> list[str]:
    """Return the command of one run, with absolute paths."""
    return [*commands.program(), "run", *(["--config", str(config.path)] if config.path else [])]


def _quote_for_systemd(part: str) -> str:
    escaped = part.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$")
    return f'"{escaped}"' if any(character in escaped for character in " \t'\"") else escaped
