"""Reports a run to its operator: by pings, metrics and the run log.

Monitoring never fails a run, and a run with monitoring still ends by its deadline.
"""

from __future__ import annotations

import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Self
from zoneinfo import ZoneInfo

from heatmap.errors import EXIT_OK, ConfigError, DeadlineError, LockedError, StoppedError, common_exit_code
from heatmap.market.calendar.session import Phase
from heatmap.notify.monitoring import metrics, outcome, ping, status_file, textfile
from heatmap.state import run_log
from heatmap.state.run_log import RESTING, RunOutcome
from heatmap.system import stop
from heatmap.system.background import MOST_SECONDS, BackgroundTask
from heatmap.system.resource_errors import as_known_error

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from datetime import datetime
    from pathlib import Path
    from types import TracebackType

    from heatmap.market.calendar.session import MarketIdentity, MarketStatus
    from heatmap.notify.monitoring.options import MonitorOptions, MonitorSettings
    from heatmap.state.report import Messages, Report
    from heatmap.system.deadline import Deadline
    from heatmap.system.web_file import WebFile

REPORTED_ERRORS = (Exception, StoppedError, KeyboardInterrupt)  # after other errors, nothing is reported
MIN_REPORT_SECONDS = 1.5  # time for the report of a run that has used up its own time


class RunMonitor:
    """The `with` block around a run that has something to do. It starts before the run takes the lock.

    A run that finds the lock taken sends no ping: the receiver would take it for a ping of the other run.
    At the end of the block, the outcome of each market is in the run log, the metrics are written and the
    ping is sent. A `quiet` run, which publishes nothing, records and sends nothing.
    """

    def __init__(
        self,
        settings: MonitorSettings,
        due: Sequence[tuple[MarketIdentity, MarketStatus]],
        report: Report,
        now: datetime,
        deadline: Deadline,
        *,
        quiet: bool = False,
    ) -> None:
        self._settings = settings
        self._options = settings.options
        self._due = due
        self._report = report
        self._now = now
        self._deadline = deadline
        self._quiet = quiet
        self._started_at = time.monotonic()
        self._url: str | None = None
        self._start_ping: BackgroundTask | None = None
        self.outcomes: list[RunOutcome] = []  # one for each market, after the end of the block
        self._is_recorded = False  # whether the outcomes are in the run log

    def __enter__(self) -> Self:
        # Now, so that no child process of the run inherits the secret.
        self._url = None if self._quiet else _read_address(self._options, self._report.messages)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Report how the run ended. Problems of the report become sentences, and raise nothing."""
        if self._quiet or not (error is None or isinstance(error, REPORTED_ERRORS)):
            return
        with stop.postpone():
            self._report_end(_as_reported(error), kind)

    def _report_end(self, error: BaseException | None, kind: type[BaseException] | None) -> None:
        until = time.monotonic() + max(self._deadline.remaining(), MIN_REPORT_SECONDS)
        errors = [*self._report.errors, *([error] if error else [])]
        try:
            self._record_once(error)
            if isinstance(error, LockedError) or kind is KeyboardInterrupt or self._is_resting:
                return
            code = common_exit_code([error]) if error else self._report.exit_code
            metrics_task = self._write_metrics(code, is_complete=error is None)
            # The server needs the pings in their order, so the start ping ends first.
            self._wait_for("the ping of the start", self._start_ping, until)
            targets = self._settings.targets
            end_ping = ping.start_end_ping(self._url, code, errors, targets) if self._url else None
            self._wait_for("the ping of the end", end_ping, until)
            self._wait_for("the textfile", metrics_task, until)
        except Exception as mistake:  # noqa: BLE001 -- not even a bug in here may cost the run its outcome
            self._report.messages.say(f"monitor: ended in a bug ({type(mistake).__name__})")

    @property
    def marker(self) -> str:
        """The content of the lock's file during the run; "" for a quiet run."""
        return "" if self._quiet else run_log.write_marker(self._start_times)

    @contextmanager
    def start(self, old_marker: str) -> Iterator[None]:
        """Send the start ping when the run has the lock. Record the outcome before the run releases the lock.

        `old_marker` is the marker of a killed run, or "". At any instant a run has a marker or an outcome.
        """
        url = self._url
        if url:
            self._start_ping = BackgroundTask(lambda: ping.send(url, ping.START))
        marker = run_log.read_marker(old_marker)
        if marker:
            killed = [each for each in run_log.outcomes_of_killed(marker) if not self._has_outcome(each)]
            _append_outcomes(self._settings.state_directory, self._report.messages, killed)
        try:
            yield
        except REPORTED_ERRORS as error:
            self._record_once(_as_reported(as_known_error(error)))
            raise
        self._record_once(None)

    def _record_once(self, error: BaseException | None) -> None:
        if self._quiet or self._is_recorded:
            return
        self._is_recorded = True
        with stop.postpone():
            try:
                self._record([*self._report.errors, *([error] if error else [])])
            except Exception as mistake:  # noqa: BLE001 -- not even a bug in here may cost the run its end
                self._report.messages.say(f"monitor: ended in a bug ({type(mistake).__name__})")

    def record_hang(self, end: Callable[[], None]) -> None:
        """Record, from another thread, that the run hangs beyond its deadline; then call `end` to end it."""
        error = DeadlineError("the run hung and was ended at its deadline: the next run tries again")
        try:
            BackgroundTask(lambda: self._record([*self._report.errors, error])).wait(MIN_REPORT_SECONDS)
        finally:  # without free memory, the task's thread cannot start
            end()

    def status_pages(self, drawn: Sequence[tuple[str, MarketStatus]]) -> list[WebFile]:
        """Return the status.json of each drawn market; [] if the configuration turns them off.

        `drawn` has each market's name and status.
        """
        if not self._options.status:
            return []
        return [
            status_file.make_file(
                name,
                status,
                as_of=self._report.figures[name][1],
                generated_at=self._start_times[name],
                outcomes=_read_latest(self._settings.state_directory, name, status_file.MAX_OUTCOMES),
            )
            for name, status in drawn
        ]

    @property
    def _start_times(self) -> dict[str, datetime]:
        """The start of the run in each market's time zone, by the market's name."""
        return _local_times(self._now, self._due)

    @property
    def _is_resting(self) -> bool:
        """Whether the run fetched from no source, because their circuit breakers are open."""
        return bool(self.outcomes) and all(each.kind == RESTING for each in self.outcomes)

    def _record(self, errors: Sequence[BaseException]) -> None:
        seconds = round(time.monotonic() - self._started_at, 2)
        outcomes = [
            outcome.outcome_for(self._report, name, at, seconds, errors)
            for name, at in self._start_times.items()
        ]
        self.outcomes = [each for each in outcomes if each]
        _append_outcomes(self._settings.state_directory, self._report.messages, self.outcomes)

    def _has_outcome(self, killed: RunOutcome) -> bool:
        """Return whether a run that was ended at its deadline recorded its outcome itself."""
        latest = run_log.latest(self._settings.state_directory, killed.market, most=1)
        return [killed.at] == [each.at for each in latest]

    def _write_metrics(self, code: int, *, is_complete: bool) -> BackgroundTask | None:
        path = self._options.textfile
        if path is None:
            return None
        seconds = time.monotonic() - self._started_at
        samples = metrics.run_samples(self._now.timestamp(), code, seconds)
        samples |= metrics.market_samples(
            [(market.name, status) for market, status in self._due], self._report.figures
        )
        samples |= metrics.target_samples(self._settings.targets, self._report.reached)
        if is_complete and not self._report.failed_targets:
            samples |= metrics.success_samples(self._report.figures, self._now.timestamp())
        labels = metrics.list_labels(self._settings.markets, self._settings.targets)
        return BackgroundTask(lambda: textfile.update(path, samples, labels))

    def _wait_for(self, name: str, task: BackgroundTask | None, until: float) -> None:
        """Wait for a task, at most `until` (on the monotonic clock), and report its problem."""
        problem = task.wait(until - time.monotonic()) if task else None
        if problem:
            self._report.messages.say(f"monitor: {name} {problem}")


def _as_reported(error: BaseException | None) -> BaseException | None:
    """Return the error that is reported for `error`: StoppedError for Ctrl-C."""
    return StoppedError(stop.INTERRUPTED) if isinstance(error, KeyboardInterrupt) else error


def _append_outcomes(folder: Path, messages: Messages, outcomes: Sequence[RunOutcome]) -> None:
    if not outcomes:
        return
    try:
        run_log.append(folder, outcomes, messages.warn)
    except OSError as error:
        messages.say(f"monitor: the outcome could not be saved ({error.strerror})")


def _read_latest(folder: Path, market: str, most: int) -> list[RunOutcome]:
    with suppress(OSError):
        return run_log.latest(folder, market, most)
    return []


def _local_times(
    now: datetime, markets: Iterable[tuple[MarketIdentity, MarketStatus]]
) -> dict[str, datetime]:
    """Return `now` in each market's time zone, by the market's name."""
    return {market.name: now.astimezone(ZoneInfo(market.time_zone)) for market, _ in markets}


def report_idle_run(
    settings: MonitorSettings,
    statuses: Sequence[tuple[MarketIdentity, MarketStatus]],
    now: datetime,
    report: Report,
) -> list[RunOutcome]:
    """Record the errors of a run in which no market was due, send its ping, and return the outcomes.

    Call it if the configuration asks for such pings, or the run has an error: an error, such as a date before
    the calendar begins, becomes its market's outcome. A ping of success needs a last run without a failure:
    after a failed run, none is sent until a run succeeds.
    """
    options, folder = settings.options, settings.state_directory
    start_times = _local_times(now, statuses)
    outcomes = [outcome.outcome_for(report, name, at, 0.0, report.errors) for name, at in start_times.items()]
    errors = [each for each in outcomes if each]
    _append_outcomes(folder, report.messages, errors)
    latest = [each for name in start_times for each in _read_latest(folder, name, 1)]
    has_failed = any(each.code != EXIT_OK or each.kind == RESTING for each in latest)
    is_unknown = any(status.phase is Phase.UNKNOWN for _, status in statuses)
    if (has_failed or is_unknown) and not report.errors:
        return errors
    url = _read_address(options, report.messages)
    if url is None:
        return errors
    problem = ping.start_end_ping(url, report.exit_code, report.errors, settings.targets).wait(MOST_SECONDS)
    if problem:
        report.messages.say(f"monitor: the ping {problem}")
    return errors


def find_problems(options: MonitorOptions | None) -> list[str]:
    """Return a sentence for each problem of the monitoring. It does not use the network."""
    import os

    problems: list[str] = []
    if options and options.pings:
        try:
            ping.read_address(options)
        except ConfigError as error:
            problems += error.problems
    if options and options.textfile and not os.access(options.textfile.parent, os.W_OK | os.X_OK):
        problems.append(
            f"textfile {options.textfile}: its folder is missing, or this user may not write into it"
        )
    return problems


def _read_address(options: MonitorOptions, messages: Messages) -> str | None:
    """Return the address to ping. Return None if none is configured, or if it cannot be read (reported)."""
    if not options.pings:
        return None
    try:
        return ping.read_address(options)
    except ConfigError as error:
        messages.say(f"monitor: no ping is sent: {error}")
        return None
