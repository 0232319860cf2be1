"""`heatmap session`: is the market open, when is it next, and why."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from heatmap.cli.commands import complete
from heatmap.cli.now import parse_now
from heatmap.config.loader import load
from heatmap.market.calendar import phases

if TYPE_CHECKING:
    import argparse
    from datetime import datetime

    from heatmap.config.loader import Market

HELP = "tell whether the market is open, when it is next, and why"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `heatmap session`."""
    parser.add_argument("--now", metavar="TIME", help="pretend it is this time (ISO 8601 with its offset)")
    parser.add_argument("--market", metavar="NAME", help="only this market")
    parser.add_argument("--json", action="store_true", help="as a list for programs, one object a market")


def run(arguments: argparse.Namespace) -> int:
    """Print each market's phase."""
    config = load(arguments.config)
    now = parse_now(arguments.now)
    markets = config.select_markets(arguments.market)
    if arguments.json:
        print(json.dumps([_as_json(market, now) for market in markets], indent=1))
        return 0
    for market in markets:
        _print_status(market, now)
    return 0


def _as_json(market: Market, now: datetime) -> dict[str, str | None]:
    verdict = phases.phase_at(market.calendar, now)
    return {
        "market": market.name,
        "phase": str(verdict.phase),
        "session_date": verdict.session.date.isoformat() if verdict.session else None,
        "next_open": verdict.next_open.isoformat() if verdict.next_open else None,
        "reason": verdict.reason,
    }


def _print_status(market: Market, now: datetime) -> None:
    verdict = phases.phase_at(market.calendar, now)
    zone = ZoneInfo(market.calendar.time_zone)
    print(f"{market.name}: {verdict.phase}")
    print(f"  why        {complete(verdict.reason)}")
    print(f"  now        {_format_time(now.astimezone(zone))}")
    if verdict.session:
        print(f"  session    {verdict.session.date:%a %d %b %Y}")
    if verdict.next_open:
        there, here = verdict.next_open.astimezone(zone), verdict.next_open.astimezone()
        local = f", here {_format_time(here)}" if here.utcoffset() != there.utcoffset() else ""
        print(f"  next open  {_format_time(there)}{local}")
    elif verdict.next_regular_open:
        latest = verdict.next_regular_open.astimezone(zone)
        presumed = " (presumed)" if phases.is_presumed(market.calendar, latest.date()) else ""
        print(f"  next open  {_format_time(latest)} at the latest{presumed}")
    elif not market.calendar.always:
        print("  next open  not known to the calendar")


def _format_time(moment: datetime) -> str:
    return f"{moment:%a %d %b %Y %H:%M %Z}"
