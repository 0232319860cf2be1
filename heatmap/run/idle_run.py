"""A run in which no market is due: it completes earlier finals, and finds out how long it may idle."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from heatmap.errors import ConfigError, LockedError
from heatmap.market.calendar import phases
from heatmap.run import due
from heatmap.state.memory import State, lock
from heatmap.system.deadline import Deadline

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from heatmap.config.loader import Config, Market
    from heatmap.market.calendar.session import MarketStatus
    from heatmap.state.report import Messages, Report
    from heatmap.state.run_log import RunOutcome


class IdleResult(NamedTuple):
    """The result of a run in which no market was due."""

    idle_until: datetime | None  # before then no market is due; None: unknown
    outcomes: Sequence[RunOutcome] = ()  # of the markets with an error


def run(
    config: Config,
    state: State,
    statuses: Sequence[tuple[Market, MarketStatus]],
    now: datetime,
    report: Report,
    give_up: Callable[[], None] | None,
    *,
    dry_run: bool,
) -> IdleResult:
    """Do all that is left to do while no market is due.

    `report` has the run's errors so far. `give_up` ends the process. It is called from another thread if the
    run hangs beyond its deadline.
    """
    messages = report.messages
    idle_until = due.idle_until([(market.calendar, status) for market, status in statuses], now)
    if dry_run:
        return IdleResult(idle_until)
    if _complete_finals(config, state, statuses, now, messages, give_up):
        idle_until = None  # the next run tries again
    markets = [market for market, _ in statuses if phases.is_ending_soon(market.calendar, now)]
    if markets and _renew_calendars(config, state, markets, now, messages):
        idle_until = None  # the calendar may be another one now
    pings = config.monitor is not None and config.monitor.ping_closed
    if not report.errors and not pings:
        return IdleResult(idle_until)
    from heatmap.notify.monitoring.run_monitor import report_idle_run
    from heatmap.run import monitoring

    outcomes = report_idle_run(monitoring.settings(config), monitoring.by_identity(statuses), now, report)
    if pings:
        idle_until = None  # otherwise the next runs would end before they ping
    return IdleResult(idle_until, outcomes)


def _complete_finals(
    config: Config,
    state: State,
    statuses: Sequence[tuple[Market, MarketStatus]],
    now: datetime,
    messages: Messages,
    give_up: Callable[[], None] | None,
) -> bool:
    """Try again the missing parts of finals; return whether a part is still missing."""
    if not due.find_owing(config, state, statuses, now):
        return False
    from heatmap.run import completion

    return completion.complete_alone(config, statuses, now, messages, give_up)


def _renew_calendars(
    config: Config, state: State, markets: Sequence[Market], now: datetime, messages: Messages
) -> bool:
    """Renew the calendars of these markets; return whether one has changed, or may have."""
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
            state = State(config.state_directory)
            return calendar_renewal.renew(config, state, markets, now, deadline, messages)
    except (LockedError, ConfigError):
        return True  # one of the next runs gets the lock, or reports the fault of the directory
