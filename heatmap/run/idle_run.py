"""A run in which no market is due: it completes earlier finals, and finds out how long it may idle."""

from __future__ import annotations

from typing import TYPE_CHECKING

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
    from heatmap.state.report import Report


def run(
    config: Config,
    state: State,
    statuses: Sequence[tuple[Market, MarketStatus]],
    now: datetime,
    report: Report,
    give_up: Callable[[], None] | None,
    *,
    dry_run: bool,
) -> None:
    """Do all that is left to do while no market is due; report until when no market can be due.

    `give_up` ends the process. It is called from another thread if the run hangs beyond its deadline.
    """
    report.idle_until = due.idle_until([(market.calendar, status) for market, status in statuses], now)
    if dry_run:
        return
    if _complete_finals(config, state, statuses, now, report, give_up):
        report.idle_until = None  # the next run tries again
    markets = [market for market, _ in statuses if phases.is_ending_soon(market.calendar, now)]
    if markets and _renew_calendars(config, state, markets, now, report):
        report.idle_until = None  # the calendar may be another one now
    if report.errors or (config.monitor and config.monitor.ping_closed):
        from heatmap.notify.monitoring.run_monitor import ping_when_idle
        from heatmap.run import monitoring

        ping_when_idle(monitoring.settings(config), monitoring.by_identity(statuses), now, report)


def _complete_finals(
    config: Config,
    state: State,
    statuses: Sequence[tuple[Market, MarketStatus]],
    now: datetime,
    report: Report,
    give_up: Callable[[], None] | None,
) -> bool:
    """Try again the missing parts of finals; return whether a part is still missing."""
    if not due.find_owing(config, state, statuses, now):
        return False
    from heatmap.run import completion

    return completion.complete_alone(config, statuses, now, report, give_up)


def _renew_calendars(
    config: Config, state: State, markets: Sequence[Market], now: datetime, report: Report
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
            return calendar_renewal.renew(config, state, markets, now, deadline, report)
    except (LockedError, ConfigError):
        return True  # one of the next runs gets the lock, or reports the fault of the directory
