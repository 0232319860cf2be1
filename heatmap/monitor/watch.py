"""What those who watch over a run are told of it; nothing in here fails the run or outlasts its deadline."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Self
from zoneinfo import ZoneInfo

from heatmap import credentials
from heatmap.errors import EXIT_BUG, EXIT_OK, ConfigError, HeatmapError, LockedError
from heatmap.monitor import ping, status, textfile
from heatmap.monitor.errand import MOST_SECONDS, Errand
from heatmap.monitor.options import MonitorOptions
from heatmap.session import Phase
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
    and the ping is sent.
    """

    def __init__(
        self,
        config: Config,
        due: Sequence[tuple[Market, Verdict]],
        report: Report,
        now: datetime,
        deadline: Deadline,
    ) -> None:
        self._config = config
        self._options = config.monitor or MonitorOptions()
        self._due = due
        self._report = report
        self._now = now
        self._deadline = deadline
        self._begun = time.monotonic()
        self._start: Errand | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Tell how the run ended. What cannot be told is said, and raises nothing."""
        if isinstance(error, LockedError) or (error and not isinstance(error, Exception)):
            return
        errors = [*self._report.errors, *([error] if error else [])]
        if error:
            code = error.exit_code if isinstance(error, HeatmapError) else EXIT_BUG
        else:
            code = self._report.exit_code
        self._note(code)
        errands = [("the textfile", self._metrics(code, whole=error is None))]
        if self._start:  # the order in which a server hears of start and end is what it goes by
            self._tell("the ping of the start", self._start)
        errands.append(("the ping of the end", self._ping(code, errors)))
        for what, errand in errands:
            self._tell(what, errand)

    def begin(self) -> None:
        """Tell that the run begins; call it once the lock is held."""
        url = _address(self._options, self._report)
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
        samples = self._samples(code, whole=whole)
        schemes = [_scheme(target.name) for target in self._config.publishers]
        labels = {
            *((("market", market.name),) for market in self._config.markets),
            *((("target", str(n)), ("scheme", scheme)) for n, scheme in enumerate(schemes, 1)),
        }
        labels |= {(*own, ("phase", str(phase))) for own in labels if len(own) == 1 for phase in Phase}
        return Errand(lambda: textfile.renew(path, samples, labels))

    def _samples(self, code: int, *, whole: bool) -> dict[textfile.Series, float]:
        """Return what this run knows of itself, its markets and targets. `whole`: it came to its end."""
        series, began = textfile.Series, self._now.timestamp()
        samples: dict[textfile.Series, float] = {
            series("heatmap_last_run_timestamp_seconds"): began,
            series("heatmap_last_run_exit_code"): code,
            series("heatmap_last_run_duration_seconds"): time.monotonic() - self._begun,
        }
        for market, verdict in self._due:
            own = (("market", market.name),)
            for phase in Phase:
                samples[series("heatmap_phase", (*own, ("phase", str(phase))))] = phase is verdict.phase
            if verdict.next_open:
                samples[series("heatmap_next_open_timestamp_seconds", own)] = verdict.next_open.timestamp()
            if market.name in self._report.figures:
                quotes, as_of = self._report.figures[market.name]
                samples[series("heatmap_quotes", own)] = quotes
                samples[series("heatmap_data_timestamp_seconds", own)] = as_of.timestamp()
                if whole and not self._report.failed_targets:
                    samples[series("heatmap_last_success_timestamp_seconds", own)] = began
        for number, reached in self._report.reached.items():
            scheme = _scheme(self._config.publishers[number].name)
            labels = (("target", str(number + 1)), ("scheme", scheme))
            samples[series("heatmap_publish_success", labels)] = reached
        return samples

    def _ping(self, code: int, errors: Sequence[BaseException]) -> Errand | None:
        url = _address(self._options, self._report)
        return _end(self._config, url, code, errors) if url else None

    def _tell(self, what: str, errand: Errand | None) -> None:
        """Wait for an errand as long as the run may, and say what went wrong with it."""
        if errand is None:
            return
        problem = errand.wait(min(MOST_SECONDS, max(self._deadline.remaining(), LAST_WORDS_SECONDS)))
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
    ended = [state[market.name].outcomes[-1:] for market, _ in verdicts]
    bad = any(verdict.past_calendar for _, verdict in verdicts) or any(
        code != EXIT_OK for last in ended for _, code in last
    )
    url = _address(options, report)
    if url is None or (bad and not report.errors):
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
    """Return the targets' secrets as far as they can be had without asking anybody."""
    found = []
    for target in config.publishers:
        try:
            secret = credentials.read(
                getattr(target, "password_env", None), getattr(target, "password_file", None)
            )
        except ConfigError:
            continue
        if secret:
            found.append(secret)
    return found


def _scheme(name: str) -> str:
    return name.partition(":")[0]
