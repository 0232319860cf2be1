"""`heatmap session`: prints whether the market is open, the next open, and the reason."""

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

HELP = "print whether the market is open, when it opens next, and why"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `heatmap session`."""
    parser.add_argument(
        "--now", metavar="TIME", help="use this time instead of the clock (ISO 8601 with offset)"
    )
    parser.add_argument("--market", metavar="NAME", help="only this market")
    parser.add_argument(
        "--json", action="store_true", help="print a JSON list with one object for each market"
    )


def run(arguments: argparse.Namespace) -> int:
    """Print the status of each market."""
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
    status = phases.phase_at(market.calendar, now)
    return {
        "market": market.name,
        "phase": str(status.phase),
        "session_date": status.session.date.isoformat() if status.session else None,
        "next_open": status.next_open.isoformat() if status.next_open else None,
        "reason": status.reason,
    }


def _print_status(market: Market, now: datetime) -> None:
    status = phases.phase_at(market.calendar, now)
    zone = ZoneInfo(market.calendar.time_zone)
    print(f"{market.name}: {status.phase}")
    print(f"  why        {complete(status.reason)}")
    print(f"  now        {_format_time(now.astimezone(zone))}")
    if status.session:
        print(f"  session    {status.session.date:%a %d %b %Y}")
    if status.next_open:
        market_time, local_time = status.next_open.astimezone(zone), status.next_open.astimezone()
        local = (
            f", here {_format_time(local_time)}" if local_time.utcoffset() != market_time.utcoffset() else ""
        )
        print(f"  next open  {_format_time(market_time)}{local}")
    elif status.next_regular_open:
        latest = status.next_regular_open.astimezone(zone)
        presumed = " (presumed)" if phases.is_presumed(market.calendar, latest.date()) else ""
        print(f"  next open  {_format_time(latest)} at the latest{presumed}")
    elif not market.calendar.always:
        print("  next open  not known to the calendar")


def _format_time(moment: datetime) -> str:
    return f"{moment:%a %d %b %Y %H:%M %Z}"
