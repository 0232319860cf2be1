"""`heatmap session`: says what phase each market is in, and why."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from heatmap import guard
from heatmap.cli.clock import parse_now
from heatmap.config import load
from heatmap.errors import UsageError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable

    from heatmap.config import Market
    from heatmap.session import Verdict

HELP = "say what phase each market is in, when it opens next, and why"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument("--now", metavar="ISO-8601", help="pretend this moment; its offset from UTC must be given")
    parser.add_argument("--market", metavar="NAME", help="this market only")
    parser.add_argument("--json", action="store_true", help="print a list for machines, one object a market")


def run(arguments: argparse.Namespace) -> int:
    """Print the verdict on each market. Raises UsageError for a market that is not configured."""
    now = parse_now(arguments.now)
    markets = _chosen(load(arguments.config).markets, arguments.market)
    verdicts = [(market, guard.judge(market.calendar, now)) for market in markets]
    if arguments.json:
        import json

        print(json.dumps([_record(market, verdict) for market, verdict in verdicts], ensure_ascii=False, indent=2))
        return 0
    for market, verdict in verdicts:
        _tell(market, verdict)
    return 0


def _chosen(markets: Iterable[Market], name: str | None) -> list[Market]:
    chosen = [market for market in markets if name in (None, market.name)]
    if not chosen:
        known = ", ".join(market.name for market in markets)
        message = f"market {name!r} is not configured (known: {known})"
        raise UsageError(message)
    return chosen


def _record(market: Market, verdict: Verdict) -> dict[str, str | None]:
    return {
        "market": market.name,
        "phase": verdict.phase.value,
        "session_date": verdict.session.date.isoformat() if verdict.session else None,
        "next_open": verdict.next_open.isoformat() if verdict.next_open else None,
        "reason": verdict.reason,
    }


def _tell(market: Market, verdict: Verdict) -> None:
    print(f"{market.name}: {verdict.phase}. {verdict.reason}")
    if verdict.session:
        print(f"  session    {verdict.session.date:%a %d %b %Y}")
    if verdict.next_open:
        print(f"  next open  {_both(verdict.next_open, ZoneInfo(market.calendar.time_zone))}")
    elif not market.calendar.always:
        print("  next open  not known")


def _both(moment: datetime, zone: ZoneInfo) -> str:
    """Return a moment on the market's clock and, where that differs, on this machine's."""
    theirs, ours = moment.astimezone(zone), moment.astimezone()
    text = f"{theirs:%a %d %b %Y %H:%M %Z}"
    return text if theirs.utcoffset() == ours.utcoffset() else f"{text} ({ours:%a %H:%M %Z} here)"
