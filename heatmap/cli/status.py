"""`heatmap status`: prints whether all is well, the problems, and how to fix them."""

from __future__ import annotations

import argparse
import json
import os
import shutil
from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING

from heatmap.cli import archive_text, commands, pending_text, status_text
from heatmap.cli.now import parse_now
from heatmap.cli.status_text import Installation, format_size
from heatmap.config.loader import load
from heatmap.errors import EXIT_TEMPORARY, ConfigError
from heatmap.history import pending_actions
from heatmap.history.store import FILE_NAME as HISTORY_FILE
from heatmap.run import health
from heatmap.run.health import Issue
from heatmap.state import run_log
from heatmap.state.cache import summary_name
from heatmap.state.memory import State, peek

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from pathlib import Path

    from heatmap.config.loader import Config, Market
    from heatmap.history.model import PendingAction
    from heatmap.run.health import Health
    from heatmap.state.run_log import RunOutcome

HELP = "print whether all is well, and how to fix problems; exit 0 if it is, else the code of the failure"
SCHEMA = "market-heatmap-health/1"
DEFAULT_RUNS = 80  # about the runs of a session
LOW_SPACE_BYTES = 100 * 1000 * 1000
GRACE_SECONDS = 10  # a run may end this long after its deadline


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `heatmap status`."""
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--market", metavar="NAME", help="only this market")
    parser.add_argument(
        "--ticks",
        type=_parse_count,
        default=DEFAULT_RUNS,
        metavar="N",
        help=f"the number of runs to show (default: {DEFAULT_RUNS})",
    )
    parser.add_argument(
        "--now", metavar="TIME", help="use this time instead of the clock (ISO 8601 with offset)"
    )


def run(arguments: argparse.Namespace) -> int:
    """Print the status. Return 0, or the exit code of the last run's failure."""
    config = load(arguments.config)
    now = parse_now(arguments.now)
    markets = config.select_markets(arguments.market)
    state_problems: list[str] = []
    state = State(config.state_directory, state_problems.append)
    try:
        outcomes = run_log.read(config.state_directory)
        installation, outcomes = _assess_installation(config, outcomes, now)
    except OSError as error:
        path = error.filename or config.state_directory
        problem = f"{path} cannot be read ({error.strerror}): use the account of the cron job"
        raise ConfigError([problem]) from error
    by_market = {
        market.name: [outcome for outcome in outcomes if outcome.market == market.name] for market in markets
    }
    assessments = [
        (market, health.assess(config, market, by_market[market.name], state[market.name], now))
        for market in markets
    ]
    pending = {market.name: _pending_actions(config, market) for market in markets}
    gaps = {market.name: archive_text.find_gaps(config, market, state_problems.append) for market in markets}
    issues = [(market.name, issue) for market, each in assessments for issue in each.troubles]
    summaries = ((name, pending_text.summarize(each)) for name, each in pending.items())
    issues += [(name, Issue(sentence)) for name, sentence in summaries if sentence]
    issues += [
        (name, Issue(sentence))
        for name, each in gaps.items()
        for sentence in archive_text.describe_gaps(each)
    ]
    if config.path is None:
        issues.insert(0, ("", Issue(f"configuration: {commands.configuration(config)}")))
    issues += [("", issue) for issue in (*installation.issues, *map(Issue, state_problems))]
    code = health.worst_exit_code(issue for _, issue in issues)
    last = {name: each[len(each) - min(len(each), arguments.ticks) :] for name, each in by_market.items()}
    if arguments.json:
        documents = [
            _market_as_json(market, each, last[market.name], now)
            | {"pending_actions": [pending_actions.make_document(one) for one in pending[market.name]]}
            | {"archive": archive_text.as_json(gaps[market.name])}
            for market, each in assessments
        ]
        print(json.dumps(_as_json(config, code, issues, documents, installation, now), indent=1))
        return code
    status_text.print_issues(issues)
    for market, each in assessments:
        status_text.print_market(config, market, each, last[market.name], now)
        status_text.print_archive(archive_text.describe_missing(market.name, gaps[market.name]))
        pending_text.print_pending(pending[market.name])
    status_text.print_installation(config, installation)
    return code


def _pending_actions(config: Config, market: Market) -> tuple[PendingAction, ...]:
    """Return the corporate actions of the market's last run that the user has not confirmed."""
    if not config.history.enabled:
        return ()
    return pending_actions.read_summary(config.state_directory / summary_name(market.name), market.calendar)


def _assess_installation(
    config: Config, outcomes: list[RunOutcome], now: datetime
) -> tuple[Installation, list[RunOutcome]]:
    """Return the shared values, and the outcomes including those of a run that was just killed."""
    folder = config.state_directory
    existing = next(path for path in (folder, *folder.parents) if path.exists())
    disk = shutil.disk_usage(existing)
    issues = []
    if disk.free < LOW_SPACE_BYTES:
        space = format_size(disk.free)
        issues.append(Issue(f"only {space} are free where {folder} is: make room, or no state can be saved"))
    text, is_held = peek(folder)
    mark = run_log.read_marker(text)
    if mark and not is_held:
        times = {each.at for each in outcomes}
        outcomes = [
            *outcomes,
            *(killed for killed in run_log.outcomes_of_killed(mark) if killed.at not in times),
        ]
        mark = None
    limit = timedelta(seconds=config.deadline_seconds + GRACE_SECONDS)
    if mark and any(now - began > limit for began in mark.started_at.values()):
        sentence = (
            f"process {mark.pid} holds the lock long after its deadline, so no other run can start: "
            f"end it (kill {mark.pid})"
        )
        issues.append(Issue(sentence, EXIT_TEMPORARY))
    history = sum(path.stat().st_size for path in folder.glob(f"{HISTORY_FILE}*"))
    return Installation(_folder_size(folder), history, disk.free, disk.total, mark, tuple(issues)), outcomes


def _folder_size(folder: Path) -> int:
    """Return the size of a folder in bytes. Files may appear and vanish meanwhile."""
    total = 0
    for place, _, names in os.walk(folder):
        for name in names:
            with suppress(OSError):
                total += os.lstat(os.path.join(place, name)).st_size
    return total


def _market_as_json(
    market: Market, market_health: Health, outcomes: Sequence[RunOutcome], now: datetime
) -> dict[str, object]:
    good = market_health.last_good
    as_of = good.as_of if good else None
    return {
        "market": market.name,
        "exit_code": market_health.code,
        "as_of": _iso(as_of),
        "age_seconds": round((now - as_of).total_seconds()) if as_of else None,
        "source": good.source if good else None,
        "published_at": _iso(market_health.published_at),
        "phase": str(market_health.status.phase),
        "reason": market_health.status.reason,
        "next_open": _iso(market_health.status.next_open),
        "calendar_end": market.calendar.last.isoformat() if market.calendar.last else None,
        "calendar_is_presumed": market_health.status.past_calendar,
        "resting": [
            {"source": rest.source, "until": _iso(rest.until), "blocks": rest.blocks}
            for rest in market_health.rests
        ],
        "ticks": [
            {
                "at": _iso(each.at),
                "exit_code": each.code,
                "outcome": each.kind,
                "sentence": each.sentence,
                "source": each.source,
                "quotes": each.quotes,
                "as_of": _iso(each.as_of),
                "seconds": each.seconds,
            }
            for each in outcomes
        ],
    }


def _as_json(
    config: Config,
    code: int,
    issues: Sequence[tuple[str, Issue]],
    markets: Sequence[dict[str, object]],
    installation: Installation,
    now: datetime,
) -> dict[str, object]:
    return {
        "schema": SCHEMA,
        "now": now.isoformat(),
        "exit_code": code,
        "troubles": [
            {
                "market": name or None,
                "exit_code": issue.code,
                "sentence": commands.complete(issue.sentence),
            }
            for name, issue in issues
        ],
        "markets": markets,
        "configuration": str(config.path) if config.path else None,
        "state_directory": str(config.state_directory),
        "state_bytes": installation.state_bytes,
        "history_bytes": installation.history_bytes,
        "free_bytes": installation.free_bytes,
        "disk_bytes": installation.disk_bytes,
        "running_pid": installation.run.pid if installation.run else None,
    }


def _iso(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None


def _parse_count(text: str) -> int:
    if not (text.isascii() and text.isdigit()):
        raise argparse.ArgumentTypeError(f"must be a whole number, not {text!r}")
    return int(text)
