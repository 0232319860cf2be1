"""`heatmap check`: really tries everything that a run needs."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, cast
from zoneinfo import ZoneInfo

from heatmap.cli import commands, host_keys, state_check
from heatmap.cli.commands import complete
from heatmap.cli.now import parse_now
from heatmap.cli.visitors import Visitor
from heatmap.config.loader import load
from heatmap.errors import ConfigError, HeatmapError, HistoryError, LockedError, PublishError, SourceError
from heatmap.market.calendar import phases
from heatmap.pictures.market_map import png
from heatmap.publishers import ownership
from heatmap.publishers.sftp.known_hosts import UnknownHostKey
from heatmap.run.fetching import is_closing
from heatmap.state.memory import State, lock
from heatmap.state.report import Messages, Report
from heatmap.system import clocks
from heatmap.system.deadline import Deadline

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence
    from datetime import datetime

    from heatmap.config.loader import Config, Market, NamedSource
    from heatmap.notify.alerts.options import AlertOptions
    from heatmap.publishers.interface import Publisher
    from heatmap.publishers.sftp.publisher import SftpPublisher

HELP = "try the configuration, the source and every target, and print what to fix"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the option that adds host keys."""
    parser.add_argument(
        host_keys.OPTION,
        action="append",
        nargs="?",
        const="",
        metavar="SHA256:...",
        help="if an SFTP server's key is not known: show it, ask whether it is right, and save it; "
        "with a fingerprint, save the matching key without a question",
    )


def run(arguments: argparse.Namespace) -> int:
    """Print one line for each check. Return the exit code that a run would have, 0 if all is well."""
    config = load(arguments.config)
    report = Report(Messages(print), targets=len(config.publishers))
    _print_ok("configuration", commands.configuration(config))
    _check_state(config, report)
    _print_ok("picture", _describe_pictures(config))
    _check_monitor(config)
    _check_history(config)
    _check_follow_up(config)
    for market in config.markets:
        _check_market(market, parse_now(None), report)
    visitor = Visitor(config.public_url) if config.public_url else None
    # First ask all targets: a child process of one must not inherit a secret that another has read.
    problems = [target.problems() for target in config.publishers]
    for number, target in enumerate(config.publishers):
        report.reached[number] = _check_target(
            target, problems[number], config, report, arguments.trust_host_key, visitor
        )
    if visitor and report.reaches_any:
        _check_public_url(visitor, report)
    return report.exit_code


def _check_state(config: Config, report: Report) -> None:
    """Check that the state directory can be used. Its other problems are warnings: they fail no run."""
    try:
        with lock(config.state_directory):
            State(config.state_directory, partial(_print_warning, "state"))
            _print_ok("state", f"{config.state_directory} is writable")
    except LockedError:
        _print_ok("state", f"{config.state_directory} is in use by a run at this moment")
    except ConfigError as error:
        _print_failure("state", error, report)
        return
    try:
        for problem in state_check.find_problems(config):
            _print_warning("state", problem)
    except OSError as error:
        _print_warning("state", f"{error.filename} cannot be read ({error.strerror})")


def _check_monitor(config: Config) -> None:
    """Print the monitoring channels. A problem is a warning: monitoring never fails a run."""
    from heatmap.notify.monitoring.run_monitor import find_problems

    options = config.monitor
    monitor_problems = find_problems(options)
    for problem in monitor_problems:
        _print_warning("monitor", problem)
    if options and not monitor_problems:
        channels = [
            ("a ping", options.pings),
            ("a textfile", options.textfile),
            ("status.json", options.status),
        ]
        _print_ok("monitor", ", ".join(name for name, is_set in channels if is_set) or "no channel is set")


def _check_history(config: Config) -> None:
    """Open the history and print its size. A problem is a warning: the history never fails a run."""
    from heatmap.history.store import FILE_NAME, open_store

    options, folder = config.history, config.state_directory
    if not options.enabled:
        _print_ok("history", "switched off")
        return
    if options.url is None and not (folder / FILE_NAME).exists():
        _print_ok(
            "history",
            "nothing yet. The first run with the day's figures creates it. "
            "For earlier sessions: `heatmap history backfill`",
        )
        return

    try:
        warn = partial(_print_warning, "history")
        with open_store(options, folder, warn, Deadline(config.deadline_seconds)) as store:
            stats, size, pooler = store.status(), store.size_bytes(), store.pooler()
    except HistoryError as error:
        _print_warning("history", str(error))
        return
    counts = [f"{each.market} {each.sessions:,} sessions, {each.ticks:,} ticks" for each in stats]
    place = options.url.partition("?")[0] if options.url else FILE_NAME
    connection = f", through a pooler in {pooler} mode" if pooler else ""
    _print_ok("history", f"{'; '.join(counts) or 'nothing yet'}; {size / 1e6:,.1f} MB in {place}{connection}")


def _check_follow_up(config: Config) -> None:
    """Print the archive and the alerts. A problem of an alert is a warning: alerts never fail a run."""
    from heatmap.cli.alerts_check import find_feed_problem, find_problems

    archive = "no map is kept"
    if config.archive is None or config.archive.enabled:
        archive = "each session's final map is kept"
    problem = find_feed_problem(config)
    _print_ok("archive", f"{archive}; no feed: {problem}" if problem else f"{archive}; with a feed")
    for sentence in find_problems(config):
        name, _, problem = sentence.partition(": ")
        _print_warning(f"alert {name}", problem)
    if config.alerts:
        _print_ok(
            "alerts", ", ".join(f"{alert.name} ({_describe_channels(alert)})" for alert in config.alerts)
        )


def _describe_channels(alert: AlertOptions) -> str:
    """Return the channels of an alert."""
    return " and ".join([*(["feed"] if alert.feed else []), *([alert.kind] if alert.posts else [])])


def _describe_pictures(config: Config) -> str:
    """Return the images that a run publishes, and how to get heatmap.png."""
    if not config.page.png:
        return "heatmap.svg"
    if png.is_possible():
        return "heatmap.svg and heatmap.png"
    return "heatmap.svg. For heatmap.png too: `pip install 'market-heatmap[png]'`"


def _check_market(market: Market, now: datetime, report: Report) -> None:
    """Fetch from every source. If one fails, it is a failure unless another source can replace it."""
    status = phases.phase_at(market.calendar, now)
    _print_ok(f"{market.name} calendar", f"{status.phase}. {status.reason}")
    failed: list[tuple[NamedSource, SourceError]] = []
    answered: list[NamedSource] = []
    for named in market.sources:
        try:
            snapshot = named.source.fetch(now=now)
        except SourceError as error:
            failed.append((named, error))
            continue
        answered.append(named)
        as_of = f"{snapshot.as_of.astimezone(ZoneInfo(market.calendar.time_zone)):%d %b %Y %H:%M:%S %Z}"
        _print_ok(
            f"{market.name} source", f"{named.label} answers: {len(snapshot.quotes)} quotes as of {as_of}"
        )
        difference = clocks.find_difference(now, snapshot.clock_offset, snapshot.as_of)
        if difference is not None:
            _print_warning("clock", clocks.describe(difference))
    has_live = any(not is_closing(named) for named in answered)  # a live source gives closing prices, too
    for named, source_error in failed:
        if has_live:
            _print_warning(
                f"{market.name} source", f"{named.label}: {source_error}; other sources replace it"
            )
        else:
            _print_failure(
                f"{market.name} source", source_error.with_sentence(f"{named.label}: {source_error}"), report
            )


def _check_target(
    target: Publisher,
    problems: Sequence[str],
    config: Config,
    report: Report,
    fingerprints: Sequence[str] | None,
    visitor: Visitor | None,
) -> bool:
    """Check one target; return whether all is well."""
    seconds, visit = config.deadline_seconds, visitor.visit if visitor else None
    pages = ownership.make_samples([market.name for market in config.markets])
    try:
        if problems:
            raise ConfigError([*problems])
        try:
            description = target.check(Deadline(seconds), pages, visit)
        except UnknownHostKey:
            if fingerprints is None:
                raise
            host_keys.confirm(cast("SftpPublisher", target), fingerprints, seconds)
            description = target.check(Deadline(seconds), pages, visit)
        _print_ok(target.name, description)
    except (ConfigError, PublishError) as error:
        _print_failure(target.name, error, report)
        return False
    return True


def _check_public_url(visitor: Visitor, report: Report) -> None:
    """Check that visitors find the published files. If they do not, it is a failure."""
    subject = "public_url"
    try:
        visitor.report(partial(_print_ok, subject), partial(_print_warning, subject))
    except ConfigError as error:
        _print_failure(subject, error, report)


def _print_ok(subject: str, text: str) -> None:
    print(complete(f"  ok    {subject}: {text}"), flush=True)


def _print_warning(subject: str, text: str) -> None:
    print(complete(f"  WARN  {subject}: {text}"), flush=True)


def _print_failure(subject: str, error: HeatmapError, report: Report) -> None:
    report.errors.append(error)
    sentence = str(error).removeprefix(f"{subject}: ")  # targets name themselves
    print(complete(f"  FAIL  {subject}: {sentence}"), flush=True)
