"""One run: guard, fetch, measure, colour, render, publish, for every market, from top to bottom."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, NamedTuple
from zoneinfo import ZoneInfo

from heatmap.errors import ConfigError, LockedError, SourcePassed
from heatmap.market.calendar import phases
from heatmap.run import due as duty
from heatmap.run import publishing
from heatmap.state.memory import State, lock
from heatmap.state.report import Report
from heatmap.system import resource_errors, stop
from heatmap.system.deadline import Deadline

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from heatmap.config.loader import Config, Market
    from heatmap.market.calendar.session import MarketIdentity, MarketStatus
    from heatmap.notify.monitoring.options import MonitorSettings
    from heatmap.run.follow_up import FollowUp
    from heatmap.run.history_session import HistorySession
    from heatmap.run.last_good import LastGood
    from heatmap.system.web_file import WebFile

GRACE_SECONDS = 3  # by which a run may outlive its deadline, to tell what it could not do


class _Memories(NamedTuple):
    """What a run reads before it draws, and adds to once the pages are out."""

    gatekeeper: LastGood
    chronicle: HistorySession
    sequel: FollowUp


def _keep_quiet(_: str) -> None:
    """Say nothing: what a run does is of interest on a terminal alone."""


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
    say: Callable[[str], None] = _keep_quiet,
) -> Report:
    """Do one tick at `now` for every market, or the one called `only`.

    `interactive` is True on a terminal: then a market that is closed and has no page yet gets one.
    `pretended` is True where `now` is not this machine's clock: then no source's clock is held against it.
    `give_up` is called, from another thread, where the run hangs beyond its deadline: it should end it.
    Faults of a source or a target are in the report. Raises ConfigError, LockedError, and UsageError
    where no market is called `only`.
    """
    report = Report(say)
    verdicts = [(market, phases.phase_at(market.calendar, now)) for market in config.select_markets(only)]
    for market, verdict in verdicts:
        say(f"{market.name}: {verdict.phase}. {verdict.reason}")

    def due(state: State) -> list[tuple[Market, MarketStatus]]:
        return [
            (market, verdict)
            for market, verdict in verdicts
            if force or duty.is_due(verdict, state[market.name], interactive=interactive)
        ]

    state = State(config.state_directory, report.warnings.append)
    to_draw = due(state)
    _report_uncovered(state, [each for each in verdicts if each not in to_draw], now, report)
    if not to_draw:
        is_owing = not dry_run and _complete_alone(config, state, verdicts, now, report, give_up)
        _rest(config, state, verdicts, now, report, quiet=dry_run)
        if is_owing:
            report.idle_until = None  # the next run tries again
        return report
    from heatmap.notify.monitoring.run_monitor import RunMonitor
    from heatmap.run.fetching import Fetcher
    from heatmap.run.follow_up import FollowUp
    from heatmap.run.history_session import HistorySession
    from heatmap.run.last_good import LastGood
    from heatmap.run.markets import MarketsRun

    deadline = Deadline(config.deadline_seconds)
    watch = RunMonitor(_monitor_settings(config), _by_identity(to_draw), report, now, deadline, quiet=dry_run)
    with ExitStack() as stack:
        if give_up:
            last_resort = Deadline(config.deadline_seconds + GRACE_SECONDS)
            stack.enter_context(last_resort.interrupting(lambda: watch.record_hang(give_up)))
        stack.enter_context(watch)
        stack.enter_context(resource_errors.translating_resource_errors())
        _refuse_if_no_target_can_be_tried(config)
        stack.enter_context(
            watch.start(
                stack.enter_context(lock(config.state_directory, watch.marker, report.warnings.append))
            )
        )
        # Once more, for a run that has just ended may have changed it.
        state = State(config.state_directory, report.warnings.append)
        unheeded = {
            market.name
            for market, _ in verdicts
            if force or (interactive and state[market.name].published_at is None)
        }
        asker = Fetcher(
            config, state, now, say, patient=not (force or (interactive and only)), dry_run=dry_run
        )
        with HistorySession(config, state, report, now, deadline=deadline, dry_run=dry_run) as chronicle:
            gatekeeper = LastGood(config, report, chronicle, force=force, dry_run=dry_run)
            sequel = FollowUp(config, state, chronicle, report, now, say)
            ours = due(state) if force else chronicle.turns(due(state))
            drawn, pages = MarketsRun(
                *(config, state, now, deadline, report, asker, gatekeeper, chronicle, sequel),
                pretended=pretended,
            ).draw(ours, unheeded)
            pages += watch.status_pages([(market.name, verdict) for market, verdict in drawn])
            if dry_run:
                for page in [*pages, *sequel.archives.more(config.publishers[0].name, None)]:
                    say(f"dry run: {page.path}, {len(page.content):,} bytes, not published")
            else:
                if pages:
                    chronicle.confirm_turns()
                memories = _Memories(gatekeeper, chronicle, sequel)
                with stop.postpone():  # until what was delivered is noted
                    _publish(config, state, verdicts, drawn, pages, memories, now, deadline, report)
                sequel.archives.search(deadline)
        if not dry_run:
            _settle(state, ours, now, report)
            _renew_after(config, state, verdicts, drawn, now, deadline, report)
    return report


def _rest(
    config: Config,
    state: State,
    verdicts: Sequence[tuple[Market, MarketStatus]],
    now: datetime,
    report: Report,
    *,
    quiet: bool,
) -> None:
    """Report until when nothing can be due, keep what failed, and tell who watches, where that is wanted."""
    judged = [(market.calendar, verdict) for market, verdict in verdicts]
    report.idle_until = duty.idle_until(judged, now)
    markets = [market for market, _ in verdicts if phases.is_ending_soon(market.calendar, now)]
    if markets and not quiet and _renew(config, state, markets, now, report):
        report.idle_until = None  # it was that of the calendar before
    if (report.errors or (config.monitor and config.monitor.ping_closed)) and not quiet:
        from heatmap.notify.monitoring.run_monitor import ping_when_idle

        ping_when_idle(_monitor_settings(config), _by_identity(verdicts), now, report)


def _by_identity(
    verdicts: Sequence[tuple[Market, MarketStatus]],
) -> list[tuple[MarketIdentity, MarketStatus]]:
    """Return the same verdicts, each with its market's identity alone."""
    return [(market.identity, verdict) for market, verdict in verdicts]


def _monitor_settings(config: Config) -> MonitorSettings:
    """Return what the monitoring of a run needs to know."""
    from heatmap.notify.monitoring.options import MonitorOptions, MonitorSettings

    names = [market.name for market in config.markets]
    options = config.monitor or MonitorOptions()
    return MonitorSettings(options, config.state_directory, names, config.publishers)


def _refuse_if_no_target_can_be_tried(config: Config) -> None:
    """Raise ConfigError before anything is fetched; while one target is left, the run goes on."""
    problems = [publishing.problems(target) for target in config.publishers]
    if all(problems):
        raise ConfigError([problem for found in problems for problem in found])


def _publish(
    config: Config,
    state: State,
    verdicts: Sequence[tuple[Market, MarketStatus]],
    drawn: Sequence[tuple[Market, MarketStatus]],
    pages: Sequence[WebFile],
    memories: _Memories,
    now: datetime,
    deadline: Deadline,
    report: Report,
) -> None:
    """Publish what was drawn, do what follows, and try again what earlier finals owe."""
    if pages:
        memories.gatekeeper.begin()
        is_first = not any(state[market.name].published_at for market in config.markets)
        archives = memories.sequel.archives
        archives.begin()
        publishing.publish(config.publishers, pages, deadline, report, archives.more, is_first=is_first)
        memories.sequel.keep(is_page_out=report.reaches_any)
        memories.gatekeeper.keep()
        memories.chronicle.keep()  # before the final is remembered: a run killed in between is made up for
    # Before a final of this run takes the place of one that still owes something.
    published = [market.name for market, _ in drawn if report.reaches_any]
    owing = duty.find_owing(config, state, verdicts, now, published)
    if owing and not stop.is_requested():
        from heatmap.run import completion

        is_lost = memories.chronicle.is_lost
        completion.complete(config, state, owing, now, deadline, report, is_history_lost=is_lost)
    if report.reaches_any:
        from heatmap.run import marks

        marks.remember_published(config, state, drawn, pages, now, report)
        memories.sequel.tell(deadline)
        marks.forget_figures(config, state, drawn)


def _complete_alone(
    config: Config,
    state: State,
    verdicts: Sequence[tuple[Market, MarketStatus]],
    now: datetime,
    report: Report,
    give_up: Callable[[], None] | None,
) -> bool:
    """Try again what finals owe, in a run that draws nothing; return whether something is still missing."""
    if not duty.find_owing(config, state, verdicts, now):
        return False
    from heatmap.run import completion

    return completion.complete_alone(config, verdicts, now, report, give_up)


def _settle(state: State, ours: Sequence[tuple[Market, MarketStatus]], now: datetime, report: Report) -> None:
    """Ask no more for a closing page's later figures, once a source had none after prices had settled."""
    for market, verdict in ours:
        memory, (word, _) = state[market.name], report.passed.get(market.name, ("", ""))
        is_early = memory.early_final is not None and duty.has_final(verdict, memory)
        if is_early and word == SourcePassed.kind and duty.is_settled(verdict, memory, now):
            state.remember(market.name, early_final=None)


def _renew_after(
    config: Config,
    state: State,
    verdicts: Sequence[tuple[Market, MarketStatus]],
    drawn: Sequence[tuple[Market, MarketStatus]],
    now: datetime,
    deadline: Deadline,
    report: Report,
) -> None:
    """Renew the calendars of a run that has published what it drew, in the time that it has left."""
    stop.raise_if_requested()
    markets = [market for market, _ in verdicts if phases.is_ending_soon(market.calendar, now)]
    if markets:
        from heatmap.run import calendar_renewal

        is_published = report.failed_targets < report.targets
        published = [market.name for market, _ in drawn if is_published]
        calendar_renewal.renew(config, state, markets, now, deadline, report, published)


def _renew(config: Config, state: State, markets: Sequence[Market], now: datetime, report: Report) -> bool:
    """Renew the calendars of a run that draws nothing; return whether one has changed, or may have."""
    from heatmap.run import calendar_renewal

    if not any(
        calendar_renewal.is_due(market, state[market.name], now, is_published=False)
        or calendar_renewal.is_warning_due(market, state[market.name], now)
        for market in markets
    ):
        return False
    deadline = Deadline(config.deadline_seconds)
    try:
        with lock(config.state_directory):
            return calendar_renewal.renew(
                config, State(config.state_directory), markets, now, deadline, report
            )
    except (LockedError, ConfigError):
        return True  # one of the next runs will find the time, or tell what is wrong with the directory


def _report_uncovered(
    state: State, judged: Sequence[tuple[Market, MarketStatus]], now: datetime, report: Report
) -> None:
    """Report once a date that a calendar has not begun; cron would otherwise mail it with every run."""
    for market, verdict in judged:
        today = now.astimezone(ZoneInfo(market.calendar.time_zone)).date().isoformat()
        if not duty.is_uncovered(verdict) or state[market.name].warned_on == today:
            continue
        try:
            with lock(state.directory):
                State(state.directory).remember(market.name, warned_on=today)
        except LockedError:
            continue  # one of the next runs will find the time
        error = ConfigError([f"{market.name}: {verdict.reason}"])
        error.market = market.name
        report.errors.append(error)
