"""One run, from top to bottom: is a market due, fetch, check, draw, publish, save."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from heatmap.errors import ConfigError, LockedError, SourcePassed
from heatmap.market.calendar import phases
from heatmap.run import due, idle_run, publishing
from heatmap.state.memory import State, lock
from heatmap.state.report import Messages, Report
from heatmap.system import resource_errors, stop
from heatmap.system.deadline import Deadline

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from datetime import datetime

    from heatmap.config.loader import Config, Market
    from heatmap.market.calendar.session import MarketStatus
    from heatmap.run.follow_up import FollowUp
    from heatmap.run.history_session import HistorySession
    from heatmap.run.markets import MarketResult
    from heatmap.system.web_file import WebFile

GRACE_SECONDS = 3  # by which a run may outlive its deadline, to report what it could not do


def _say_nothing(_: str) -> None:
    """Say nothing: the progress of a run is shown only on a terminal."""


def run(
    config: Config,
    *,
    now: datetime,
    only: str | None = None,
    force: bool = False,
    dry_run: bool = False,
    interactive: bool = False,
    pretended: bool = False,
    give_up: Callable[[], None] | None = None,
    say: Callable[[str], None] = _say_nothing,
) -> Report:
    """Do one run at `now` for every market, or only for the one called `only`.

    `interactive` is True on a terminal: then a closed market without a page gets one.
    `pretended` is True if `now` is not this machine's clock: then it is not compared with a source's clock.
    `give_up` ends the process. It is called from another thread if the run hangs beyond its deadline.
    Faults of a source or a target are in the report. Raises ConfigError, LockedError, and UsageError if no
    market is called `only`.
    """
    messages = Messages(say)
    report = Report(messages)
    statuses = [(market, phases.phase_at(market.calendar, now)) for market in config.select_markets(only)]
    for market, status in statuses:
        say(f"{market.name}: {status.phase}. {status.reason}")

    def find_due(state: State) -> list[tuple[Market, MarketStatus]]:
        return [
            (market, status)
            for market, status in statuses
            if force or due.is_due(status, state[market.name], interactive=interactive)
        ]

    state = State(config.state_directory, messages.warn)
    due_markets = find_due(state)
    others = [each for each in statuses if each not in due_markets]
    report.errors += _find_uncovered(state, others, now)
    if not due_markets:
        idle = idle_run.run(config, state, statuses, now, report, give_up, dry_run=dry_run)
        report.idle_until, report.outcomes = idle.idle_until, [*idle.outcomes]
        return report
    # Late, because three of four runs have nothing to draw and should cost little.
    from heatmap.notify.monitoring.run_monitor import RunMonitor
    from heatmap.run import monitoring, steps
    from heatmap.run.fetching import Fetcher
    from heatmap.run.follow_up import FollowUp
    from heatmap.run.history_session import HistorySession
    from heatmap.run.last_good import LastGood
    from heatmap.run.markets import MarketsRun

    deadline = Deadline(config.deadline_seconds)
    monitor = RunMonitor(
        *(monitoring.settings(config), monitoring.by_identity(due_markets), report, now, deadline),
        quiet=dry_run,
    )
    with ExitStack() as stack:
        if give_up:
            last_resort = Deadline(config.deadline_seconds + GRACE_SECONDS)
            stack.enter_context(last_resort.abort_at_deadline(lambda: monitor.record_hang(give_up)))
        stack.enter_context(monitor)
        stack.enter_context(resource_errors.translating_resource_errors())
        _require_usable_target(config)
        state_lock = lock(config.state_directory, monitor.marker, messages.warn)
        stack.enter_context(monitor.start(stack.enter_context(state_lock)))
        # Read the state again, for a run that has just ended may have changed it.
        state = State(config.state_directory, messages.warn)
        vetoes_overridden = {
            market.name
            for market, _ in statuses
            if force or (interactive and state[market.name].published_at is None)
        }
        fetcher = Fetcher(
            *(config, state, now, say),
            respects_cooldown=not (force or (interactive and only)),
            dry_run=dry_run,
        )
        with HistorySession(config, state, messages, now, deadline=deadline, dry_run=dry_run) as history:
            last_good = LastGood(config, messages, history, force=force, dry_run=dry_run)
            follow_up = FollowUp(config, state, history, now, say)
            due_markets = find_due(state) if force else _claim_turns(history, find_due(state), report)
            results = MarketsRun(
                *(config, state, now, deadline, messages, fetcher, last_good, history, follow_up),
                pretended=pretended,
            ).draw_all(due_markets, vetoes_overridden)
            drawn, pages = _collect_drawn(results, follow_up, report)
            pages += monitor.status_pages([(market.name, status) for market, status in drawn])
            if dry_run:
                pages += follow_up.archives.next_files(config.publishers[0].name, None)
                _say_unpublished(pages, say)
                return report
            with stop.postpone():  # until all that was published is saved
                steps.publish(
                    steps.DrawnRun(
                        *(config, state, statuses, drawn, pages, last_good, history, follow_up),
                        *(now, deadline, report),
                    )
                )
            report.parts.update(follow_up.archives.search_targets(report.reached, deadline))
        _end_early_finals(state, due_markets, now, report)
        _renew_calendars(config, state, statuses, drawn, now, deadline, report)
    report.outcomes = monitor.outcomes
    return report


def _say_unpublished(pages: Sequence[WebFile], say: Callable[[str], None]) -> None:
    for page in pages:
        say(f"dry run: {page.path}, {len(page.content):,} bytes, not published")


def _claim_turns(
    history: HistorySession, due_markets: Sequence[tuple[Market, MarketStatus]], report: Report
) -> list[tuple[Market, MarketStatus]]:
    """Return the due markets that this machine draws; add the others to the report."""
    from heatmap.state.run_log import ELSEWHERE

    own, others = history.claim_turns(due_markets)
    for other in others:
        report.passed[other.market.name] = (ELSEWHERE, other.reason)
        report.errors += [other.error] if other.error else []
    return own


def _collect_drawn(
    results: Iterable[MarketResult], follow_up: FollowUp, report: Report
) -> tuple[list[tuple[Market, MarketStatus]], list[WebFile]]:
    """Return the markets that have a page, and all files; add each market's result to the report."""
    drawn: list[tuple[Market, MarketStatus]] = []
    pages: list[WebFile] = []
    for result in results:
        _add_market(report, result)
        report.parts.update(follow_up.take_drawing_faults())
        if result.status:
            drawn.append((result.market, result.status))
            pages += result.files
    return drawn, pages


def _add_market(report: Report, result: MarketResult) -> None:
    """Add the result of a market to the report of the run."""
    name = result.market.name
    if result.figures:
        report.figures[name] = result.figures
    if result.source:
        report.sources[name] = result.source
    if result.clock:
        report.clocks[name] = result.clock
    if result.passed:
        report.passed[name] = result.passed
    if result.error:
        report.errors.append(result.error)
    for failure in result.failures:
        report.messages.note(failure)


def _find_uncovered(
    state: State, statuses: Sequence[tuple[Market, MarketStatus]], now: datetime
) -> list[ConfigError]:
    """Return an error, once a date, for a date before the calendar begins: cron would mail each of them."""
    errors: list[ConfigError] = []
    for market, status in statuses:
        today = now.astimezone(ZoneInfo(market.calendar.time_zone)).date().isoformat()
        if not due.is_uncovered(status) or state[market.name].warned_on == today:
            continue
        try:
            with lock(state.directory):
                State(state.directory).remember(market.name, warned_on=today)
        except LockedError:
            continue  # one of the next runs gets the lock
        error = ConfigError([f"{market.name}: {status.reason}"])
        error.market = market.name
        errors.append(error)
    return errors


def _require_usable_target(config: Config) -> None:
    """Raise ConfigError if no target can be tried, before anything is fetched."""
    problems = [publishing.problems(target) for target in config.publishers]
    if all(problems):
        raise ConfigError([sentence for sentences in problems for sentence in sentences])


def _end_early_finals(
    state: State, due_markets: Sequence[tuple[Market, MarketStatus]], now: datetime, report: Report
) -> None:
    """Stop looking for later closing figures once a source had none after prices had settled."""
    for market, status in due_markets:
        memory, (word, _) = state[market.name], report.passed.get(market.name, ("", ""))
        is_early = memory.early_final is not None and due.has_final(status, memory)
        if is_early and word == SourcePassed.kind and due.is_settled(status, memory, now):
            state.remember(market.name, early_final=None)


def _renew_calendars(
    config: Config,
    state: State,
    statuses: Sequence[tuple[Market, MarketStatus]],
    drawn: Sequence[tuple[Market, MarketStatus]],
    now: datetime,
    deadline: Deadline,
    report: Report,
) -> None:
    """Renew the calendars that end soon, after the pages are published, in the time left."""
    stop.raise_if_requested()
    markets = [market for market, _ in statuses if phases.is_ending_soon(market.calendar, now)]
    if markets:
        from heatmap.run import calendar_renewal

        published = [market.name for market, _ in drawn if report.reaches_any]
        calendar_renewal.renew(config, state, markets, now, deadline, report.messages, published)
