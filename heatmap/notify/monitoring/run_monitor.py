"""What those who watch over a run are told of it; nothing in here fails the run or outlasts its deadline."""

from __future__ import annotations

import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Self
from zoneinfo import ZoneInfo

from heatmap.errors import EXIT_OK, ConfigError, DeadlineError, LockedError, StoppedError, common_exit_code
from heatmap.market.calendar.session import Phase
from heatmap.notify.monitoring import metrics, ping, status_file, textfile
from heatmap.notify.monitoring import outcome as ending
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
    from heatmap.state.report import Report
    from heatmap.system.deadline import Deadline
    from heatmap.system.web_file import WebFile

REPORTED_ERRORS = (Exception, StoppedError, KeyboardInterrupt)  # errors that a run may tell of
MIN_REPORT_SECONDS = 1.5  # also a run that has used up its time tells how it ended


class RunMonitor:
    """The `with` block around a run that has something to do, from before it takes the lock.

    A run that finds another one at work tells nothing, or its start and its failure would be taken for
    the other's. At the end of the block the outcome is kept for each market, the metrics are written and
    the ping is sent; of a `quiet` run, which publishes nothing, nothing is kept and nobody told.
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
        self._begun = time.monotonic()
        self._url: str | None = None
        self._start: BackgroundTask | None = None
        self._has_kept = False  # whether the outcome is kept

    def __enter__(self) -> Self:
        # At once, because what is read as a secret no child of the run inherits.
        self._url = None if self._quiet else _read_address(self._options, self._report)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Tell how the run ended. What cannot be told is said, and raises nothing."""
        if self._quiet or not (error is None or isinstance(error, REPORTED_ERRORS)):
            return
        with stop.postpone():
            self._tell_end(_as_reported(error), kind)

    def _tell_end(self, error: BaseException | None, kind: type[BaseException] | None) -> None:
        until = time.monotonic() + max(self._deadline.remaining(), MIN_REPORT_SECONDS)
        errors = [*self._report.errors, *([error] if error else [])]
        try:
            self._keep_once(error)
            if isinstance(error, LockedError) or kind is KeyboardInterrupt or self._is_resting:
                return
            code = common_exit_code([error]) if error else self._report.exit_code
            written = self._metrics(code, whole=error is None)
            # A server goes by the order in which it hears of start and end.
            self._tell("the ping of the start", self._start, until)
            ended = (
                ping.start_end_ping(self._url, code, errors, self._settings.targets) if self._url else None
            )
            self._tell("the ping of the end", ended, until)
            self._tell("the textfile", written, until)
        except Exception as mistake:  # noqa: BLE001 -- not even a bug in here may cost the run its outcome
            self._report.say(f"monitor: ended in a bug ({type(mistake).__name__})")

    @property
    def mark(self) -> str:
        """What stands in the lock's file while the run lasts; "" for a quiet one."""
        return "" if self._quiet else run_log.write_marker(self._began)

    @contextmanager
    def begin(self, left: str) -> Iterator[None]:
        """Tell that the run begins, once the lock is held; keep its outcome before the lock is let go.

        `left` is the mark of a run that was killed. At no instant is a run without both mark and outcome.
        """
        url = self._url
        if url:
            self._start = BackgroundTask(lambda: ping.send(url, ping.START))
        lost = run_log.read_marker(left)
        if lost:
            killed = [each for each in run_log.outcomes_of_killed(lost) if not self._is_kept(each)]
            _append_outcomes(self._settings.state_directory, self._report, killed)
        try:
            yield
        except REPORTED_ERRORS as error:
            self._keep_once(_as_reported(as_known_error(error)))
            raise
        self._keep_once(None)

    def _keep_once(self, error: BaseException | None) -> None:
        if self._quiet or self._has_kept:
            return
        self._has_kept = True
        with stop.postpone():
            try:
                self._keep([*self._report.errors, *([error] if error else [])])
            except Exception as mistake:  # noqa: BLE001 -- not even a bug in here may cost the run its end
                self._report.say(f"monitor: ended in a bug ({type(mistake).__name__})")

    def abandon(self, end: Callable[[], None]) -> None:
        """Keep, from another thread, that the run hung beyond its deadline; then call `end`, to end it."""
        hung = DeadlineError("the run hung and was ended at its deadline: the next run tries again")
        try:
            BackgroundTask(lambda: self._keep([*self._report.errors, hung])).wait(MIN_REPORT_SECONDS)
        finally:  # without memory no further thread can be had
            end()

    def status_pages(self, drawn: Sequence[tuple[str, MarketStatus]]) -> list[WebFile]:
        """Return the status.json of each market drawn, by name; none where the configuration wants none."""
        if not self._options.status:
            return []
        return [
            status_file.make_file(
                name,
                verdict,
                as_of=self._report.figures[name][1],
                generated_at=self._began[name],
                outcomes=_read_latest(self._settings.state_directory, name, status_file.MAX_OUTCOMES),
            )
            for name, verdict in drawn
        ]

    @property
    def _began(self) -> dict[str, datetime]:
        """When the run began, in the zone of each of its markets."""
        return _local_times(self._now, self._due)

    @property
    def _is_resting(self) -> bool:
        """Whether nothing was asked of any source: then there is nothing new to tell."""
        ended = self._report.outcomes
        return bool(ended) and all(outcome.word == RESTING for outcome in ended)

    def _keep(self, errors: Sequence[BaseException]) -> None:
        seconds = round(time.monotonic() - self._begun, 2)
        self._report.outcomes = [
            outcome
            for name, at in self._began.items()
            for outcome in [ending.outcome_for(self._report, name, at, seconds, errors)]
            if outcome
        ]
        _append_outcomes(self._settings.state_directory, self._report, self._report.outcomes)

    def _is_kept(self, killed: RunOutcome) -> bool:
        """Whether a run that was ended at its deadline had the time to say so itself."""
        kept = run_log.latest(self._settings.state_directory, killed.market, most=1)
        return [killed.at] == [outcome.at for outcome in kept]

    def _metrics(self, code: int, *, whole: bool) -> BackgroundTask | None:
        path = self._options.textfile
        if path is None:
            return None
        seconds = time.monotonic() - self._begun
        samples = metrics.run_samples(self._now.timestamp(), code, seconds)
        samples |= metrics.market_samples(
            [(market.name, verdict) for market, verdict in self._due], self._report.figures
        )
        samples |= metrics.target_samples(self._settings.targets, self._report.reached)
        if whole and not self._report.failed_targets:
            samples |= metrics.success_samples(self._report.figures, self._now.timestamp())
        labels = metrics.list_labels(self._settings.markets, self._settings.targets)
        return BackgroundTask(lambda: textfile.update(path, samples, labels))

    def _tell(self, what: str, errand: BackgroundTask | None, until: float) -> None:
        """Wait for an errand, at most `until` (on the monotonic clock), and say what went wrong with it."""
        problem = errand.wait(until - time.monotonic()) if errand else None
        if problem:
            self._report.say(f"monitor: {what} {problem}")


def _as_reported(error: BaseException | None) -> BaseException | None:
    """Return what a run's end is told as."""
    return StoppedError(stop.INTERRUPTED) if isinstance(error, KeyboardInterrupt) else error


def _append_outcomes(folder: Path, report: Report, ended: Sequence[RunOutcome]) -> None:
    if not ended:
        return
    try:
        run_log.append(folder, ended, report.warnings.append)
    except OSError as error:
        report.say(f"monitor: the outcome could not be kept ({error.strerror})")


def _read_latest(folder: Path, market: str, most: int) -> list[RunOutcome]:
    with suppress(OSError):
        return run_log.latest(folder, market, most)
    return []


def _local_times(
    now: datetime, markets: Iterable[tuple[MarketIdentity, MarketStatus]]
) -> dict[str, datetime]:
    """Return a moment in the zone of each of these markets, by name."""
    return {market.name: now.astimezone(ZoneInfo(market.time_zone)) for market, _ in markets}


def ping_when_idle(
    settings: MonitorSettings,
    verdicts: Sequence[tuple[MarketIdentity, MarketStatus]],
    now: datetime,
    report: Report,
) -> None:
    """Ping from a tick that had nothing to do, where the configuration wants that, or where it has an error.

    It calls well what the last run left well: after a run that failed, nothing is sent until one succeeds.
    An error, such as a date before the calendar begins, is kept as its market's outcome.
    """
    options, folder = settings.options, settings.state_directory
    began = _local_times(now, verdicts)
    ended = [ending.outcome_for(report, name, at, 0.0, report.errors) for name, at in began.items()]
    report.outcomes = [outcome for outcome in ended if outcome]
    _append_outcomes(folder, report, report.outcomes)
    if not (report.errors or options.ping_closed):
        return
    if options.ping_closed:
        report.idle_until = None  # or the next ticks would leave before they come here
    last = [outcome for name in began for outcome in _read_latest(folder, name, 1)]
    ill = any(outcome.code != EXIT_OK or outcome.word == RESTING for outcome in last) or any(
        verdict.phase is Phase.UNKNOWN for _, verdict in verdicts
    )
    if ill and not report.errors:
        return
    url = _read_address(options, report)
    if url is None:
        return
    problem = ping.start_end_ping(url, report.exit_code, report.errors, settings.targets).wait(MOST_SECONDS)
    if problem:
        report.say(f"monitor: the ping {problem}")


def find_problems(options: MonitorOptions | None) -> list[str]:
    """Say what keeps those who watch from being told; touches no network."""
    import os

    found: list[str] = []
    if options and options.pings:
        try:
            ping.read_address(options)
        except ConfigError as error:
            found += error.problems
    if options and options.textfile and not os.access(options.textfile.parent, os.W_OK | os.X_OK):
        found.append(
            f"textfile {options.textfile}: its folder is missing, or this user may not write into it"
        )
    return found


def _read_address(options: MonitorOptions, report: Report) -> str | None:
    """Return the address to ping; None where there is none, which is said if there should be."""
    if not options.pings:
        return None
    try:
        return ping.read_address(options)
    except ConfigError as error:
        report.say(f"monitor: nothing is pinged: {error}")
        return None
