"""`heatmap status`: whether the map is right and what keeps it from being so, for who looks twice a year."""

from __future__ import annotations

import argparse
import json
import os
import shutil
from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING

from heatmap.cli import archive_text, commands, pending_text
from heatmap.cli import status_text as words
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

HELP = "tell whether all is well, what is not and what to do; exit 0 where it is, else the last tick's code"
SCHEMA = "market-heatmap-health/1"
TICKS = 80  # about a session's
LOW_SPACE_BYTES = 100 * 1000 * 1000
GRACE_SECONDS = 10  # by which a run may outlive its deadline


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `heatmap status`."""
    parser.add_argument("--json", action="store_true", help="as one object, for programs")
    parser.add_argument("--market", metavar="NAME", help="only this market")
    parser.add_argument(
        "--ticks",
        type=_parse_count,
        default=TICKS,
        metavar="N",
        help=f"how many ticks to tell (default: {TICKS})",
    )
    parser.add_argument("--now", metavar="TIME", help="pretend it is this time (ISO 8601 with its offset)")


def run(arguments: argparse.Namespace) -> int:
    """Print how all fares. Return 0, or the code that the last tick's failure is worth."""
    config = load(arguments.config)
    now = parse_now(arguments.now)
    markets = config.select_markets(arguments.market)
    spoilt: list[str] = []
    state = State(config.state_directory, spoilt.append)
    try:
        kept = run_log.read(config.state_directory)
        installation, kept = _assess_installation(config, kept, now)
    except OSError as error:
        where = error.filename or config.state_directory
        why = f"{where} cannot be read ({error.strerror}): ask as the user whose cron runs it"
        raise ConfigError([why]) from error
    ended = {market.name: [each for each in kept if each.market == market.name] for market in markets}
    found = [
        (market, health.assess(config, market, ended[market.name], state[market.name], now))
        for market in markets
    ]
    waiting = {market.name: _pending_actions(config, market) for market in markets}
    gaps = {market.name: archive_text.find_gaps(config, market, spoilt.append) for market in markets}
    troubles = [(market.name, trouble) for market, each in found for trouble in each.troubles]
    summaries = ((name, pending_text.summarize(each)) for name, each in waiting.items())
    troubles += [(name, Issue(sentence)) for name, sentence in summaries if sentence]
    troubles += [
        (name, Issue(sentence))
        for name, each in gaps.items()
        for sentence in archive_text.describe_gaps(each)
    ]
    if config.path is None:
        troubles.insert(0, ("", Issue(f"configuration: {commands.configuration(config)}")))
    troubles += [("", trouble) for trouble in (*installation.troubles, *map(Issue, spoilt))]
    code = health.worst_exit_code(trouble for _, trouble in troubles)
    last = {name: each[len(each) - min(len(each), arguments.ticks) :] for name, each in ended.items()}
    if arguments.json:
        documents = [
            _market_as_json(market, each, last[market.name], now)
            | {"pending_actions": [pending_actions.make_document(one) for one in waiting[market.name]]}
            | {"archive": archive_text.as_json(gaps[market.name])}
            for market, each in found
        ]
        print(json.dumps(_as_json(config, code, troubles, documents, installation, now), indent=1))
        return code
    words.print_issues(troubles)
    for market, each in found:
        words.print_market(config, market, each, last[market.name], now)
        words.print_archive(archive_text.describe_missing(market.name, gaps[market.name]))
        pending_text.print_pending(waiting[market.name])
    words.print_installation(config, installation)
    return code


def _pending_actions(config: Config, market: Market) -> tuple[PendingAction, ...]:
    """Return the corporate actions that the market's last run found and that wait for the user."""
    if not config.history.enabled:
        return ()
    return pending_actions.read_summary(config.state_directory / summary_name(market.name), market.calendar)


def _assess_installation(
    config: Config, kept: list[RunOutcome], now: datetime
) -> tuple[Installation, list[RunOutcome]]:
    """Return what is shared, and the outcomes with those of a run that was killed a moment ago."""
    folder = config.state_directory
    there = next(path for path in (folder, *folder.parents) if path.exists())
    disk = shutil.disk_usage(there)
    issues = []
    if disk.free < LOW_SPACE_BYTES:
        space = format_size(disk.free)
        issues.append(Issue(f"only {space} are free where {folder} is: make room, or no state can be saved"))
    text, is_held = peek(folder)
    mark = run_log.read_marker(text)
    if mark and not is_held:
        known = {each.at for each in kept}
        kept = [*kept, *(killed for killed in run_log.outcomes_of_killed(mark) if killed.at not in known)]
        mark = None
    limit = timedelta(seconds=config.deadline_seconds + GRACE_SECONDS)
    if mark and any(now - began > limit for began in mark.started_at.values()):
        sentence = (
            f"process {mark.pid} holds the lock long after its deadline, so no other run can start: "
            f"end it (kill {mark.pid})"
        )
        issues.append(Issue(sentence, EXIT_TEMPORARY))
    history = sum(path.stat().st_size for path in folder.glob(f"{HISTORY_FILE}*"))
    return Installation(_folder_size(folder), history, disk.free, disk.total, mark, tuple(issues)), kept


def _folder_size(folder: Path) -> int:
    """Return what a folder takes, in bytes; files may come and go meanwhile."""
    total = 0
    for place, _, names in os.walk(folder):
        for name in names:
            with suppress(OSError):
                total += os.lstat(os.path.join(place, name)).st_size
    return total


def _market_as_json(
    market: Market, found: Health, ended: Sequence[RunOutcome], now: datetime
) -> dict[str, object]:
    good = found.last_good
    as_of = good.as_of if good else None
    return {
        "market": market.name,
        "exit_code": found.code,
        "as_of": _iso(as_of),
        "age_seconds": round((now - as_of).total_seconds()) if as_of else None,
        "source": good.source if good else None,
        "published_at": _iso(found.published_at),
        "phase": str(found.status.phase),
        "reason": found.status.reason,
        "next_open": _iso(found.status.next_open),
        "calendar_end": market.calendar.last.isoformat() if market.calendar.last else None,
        "calendar_is_presumed": found.status.past_calendar,
        "resting": [
            {"source": rest.source, "until": _iso(rest.until), "blocks": rest.blocks} for rest in found.rests
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
            for each in ended
        ],
    }


def _as_json(
    config: Config,
    code: int,
    troubles: Sequence[tuple[str, Issue]],
    markets: Sequence[dict[str, object]],
    found: Installation,
    now: datetime,
) -> dict[str, object]:
    return {
        "schema": SCHEMA,
        "now": now.isoformat(),
        "exit_code": code,
        "troubles": [
            {
                "market": name or None,
                "exit_code": trouble.code,
                "sentence": commands.complete(trouble.sentence),
            }
            for name, trouble in troubles
        ],
        "markets": markets,
        "configuration": str(config.path) if config.path else None,
        "state_directory": str(config.state_directory),
        "state_bytes": found.state_bytes,
        "history_bytes": found.history_bytes,
        "free_bytes": found.free_bytes,
        "disk_bytes": found.disk_bytes,
        "running_pid": found.run.pid if found.run else None,
    }


def _iso(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None


def _parse_count(text: str) -> int:
    if not (text.isascii() and text.isdigit()):
        raise argparse.ArgumentTypeError(f"must be a whole number, not {text!r}")
    return int(text)
