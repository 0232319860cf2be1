"""What those who watch over a run are told of it; nothing in here fails the run or outlasts its deadline."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import TYPE_CHECKING, Self
from zoneinfo import ZoneInfo

from heatmap import credentials
from heatmap.errors import EXIT_BUG, EXIT_OK, ConfigError, HeatmapError, LockedError
from heatmap.monitor import metrics, ping, status, textfile
from heatmap.monitor.errand import MOST_SECONDS, Errand
from heatmap.monitor.options import MonitorOptions
from heatmap.state import State, lock

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from types import TracebackType

    from heatmap.config import Config, Market
    from heatmap.deadline import Deadline
    from heatmap.model import Page
    from heatmap.session import Verdict
    from heatmap.tick import Report

LAST_WORDS_SECONDS = 1.5  # also a run that has used up its time tells how it ended


class Watch:
    """The `with` block around a run that has something to do, from before it takes the lock.

    A run that finds another one at work tells nothing, or its start and its failure would be taken for
    the other's. At the end of the block the run's outcome is noted in the state, the metrics are written
    and the ping is sent; of a `quiet` run, which publishes nothing, nobody is told.
    """

    def __init__(
        self,
        config: Config,
        due: Sequence[tuple[Market, Verdict]],
        report: Report,
        now: datetime,
        deadline: Deadline,
        *,
        quiet: bool = False,
    ) -> None:
        self._config = config
        self._options = config.monitor or MonitorOptions()
        self._due = due
        self._report = report
        self._now = now
        self._deadline = deadline
        self._quiet = quiet
        self._begun = time.monotonic()
        self._url: str | None = None
        self._start: Errand | None = None

    def __enter__(self) -> Self:
        # At once, because what is read as a secret no child of the run inherits.
        self._url = None if self._quiet else _address(self._options, self._report)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Tell how the run ended. What cannot be told is said, and raises nothing."""
        if self._quiet or isinstance(error, LockedError) or (error and not isinstance(error, Exception)):
            return
        until = time.monotonic() + max(self._deadline.remaining(), LAST_WORDS_SECONDS)
        errors = [*self._report.errors, *([error] if error else [])]
        if error:
            code = error.exit_code if isinstance(error, HeatmapError) else EXIT_BUG
        else:
            code = self._report.exit_code
        try:
            self._note(code)
            written = self._metrics(code, whole=error is None)
            # A server goes by the order in which it hears of start and end.
            self._tell("the ping of the start", self._start, until)
            ended = _end(self._config, self._url, code, errors) if self._url else None
            self._tell("the ping of the end", ended, until)
            self._tell("the textfile", written, until)
        except Exception as mistake:  # noqa: BLE001 -- not even a bug in here may cost the run its outcome
            self._report.say(f"monitor: ended in a bug ({type(mistake).__name__})")

    def begin(self) -> None:
        """Tell that the run begins; call it once the lock is held."""
        url = self._url
        if url:
            self._start = Errand(lambda: ping.send(url, ping.START))

    def status_pages(self, drawn: Sequence[tuple[Market, Verdict]], state: State) -> list[Page]:
        """Return the status.json of each market drawn; none where the configuration wants none."""
        if not self._options.status:
            return []
        return [
            status.page(
                market.name,
                verdict,
                as_of=self._report.figures[market.name][1],
                generated_at=self._now.astimezone(ZoneInfo(market.calendar.time_zone)),
                outcomes=state[market.name].outcomes,
            )
            for market, verdict in drawn
        ]

    def _note(self, code: int) -> None:
        zones = {market.name: ZoneInfo(market.calendar.time_zone) for market, _ in self._due}
        began_at = {name: self._now.astimezone(zone).isoformat() for name, zone in zones.items()}
        try:
            with lock(self._config.state_directory):
                State(self._config.state_directory).note(began_at, code)
        except HeatmapError as error:
            self._report.say(f"monitor: the outcome could not be noted: {error}")

    def _metrics(self, code: int, *, whole: bool) -> Errand | None:
        path = self._options.textfile
        if path is None:
            return None
        seconds = time.monotonic() - self._begun
        samples = metrics.of_run(self._now.timestamp(), code, seconds)
        samples |= metrics.of_markets(self._due, self._report.figures)
        samples |= metrics.of_targets(self._config.publishers, self._report.reached)
        if whole and not self._report.failed_targets:
            samples |= metrics.of_success(self._report.figures, self._now.timestamp())
        labels = metrics.labels(self._config)
        return Errand(lambda: textfile.renew(path, samples, labels))

    def _tell(self, what: str, errand: Errand | None, until: float) -> None:
        """Wait for an errand, at most `until` (on the monotonic clock), and say what went wrong with it."""
        problem = errand.wait(until - time.monotonic()) if errand else None
        if problem:
            self._report.say(f"monitor: {what} {problem}")


def rest(config: Config, verdicts: Sequence[tuple[Market, Verdict]], state: State, report: Report) -> None:
    """Ping from a tick that had nothing to do, where the configuration wants that, or where it has an error.

    It calls well what the last run left well: after a run that failed, nothing is sent until one succeeds.
    """
    options = config.monitor
    if options is None or not (report.errors or options.ping_closed):
        return
    if options.ping_closed:
        report.idle_until = None  # or the next ticks would leave before they come here
    last = [outcome for market, _ in verdicts for outcome in state[market.name].outcomes[-1:]]
    ill = any(code != EXIT_OK for _, code in last) or any(verdict.past_calendar for _, verdict in verdicts)
    if ill and not report.errors:
        return
    url = _address(options, report)
    if url is None:
        return
    problem = _end(config, url, report.exit_code, report.errors).wait(MOST_SECONDS)
    if problem:
        report.say(f"monitor: the ping {problem}")


def problems(options: MonitorOptions | None) -> list[str]:
    """Say what keeps those who watch from being told; touches no network."""
    import os

    found: list[str] = []
    if options and options.pings:
        try:
            ping.address(options)
        except ConfigError as error:
            found += error.problems
    if options and options.textfile and not os.access(options.textfile.parent, os.W_OK | os.X_OK):
        found.append(
            f"textfile {options.textfile}: its folder is missing, or this user may not write into it"
        )
    return found


def _end(config: Config, url: str, code: int, errors: Sequence[BaseException]) -> Errand:
    if code == EXIT_OK:
        return Errand(lambda: ping.send(url, ping.SUCCESS))
    body = ping.reason(code, errors, [url, *_secrets(config)])
    return Errand(lambda: ping.send(url, ping.FAIL, body))


def _address(options: MonitorOptions, report: Report) -> str | None:
    """Return the address to ping; None where there is none, which is said if there should be."""
    if not options.pings:
        return None
    try:
        return ping.address(options)
    except ConfigError as error:
        report.say(f"monitor: nothing is pinged: {error}")
        return None


def _secrets(config: Config) -> list[str]:
    """Return the targets' secrets, as far as they can be had without running a command once more."""
    found = []
    for target in config.publishers:
        for what in [key.removesuffix("_env") for key in dir(target) if key.endswith("_env")]:
            places = (getattr(target, f"{what}_env"), getattr(target, f"{what}_file", None))
            with suppress(ConfigError):
                found.append(credentials.read(*places, what=what))
    return [secret for secret in found if secret]
