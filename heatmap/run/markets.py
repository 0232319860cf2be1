"""Fetches, checks and draws all markets that are due. A market that fails does not stop the others."""

from __future__ import annotations

from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from heatmap.errors import SourceError, SourcePassed
from heatmap.market import quality
from heatmap.market.calendar import phases
from heatmap.market.calendar.session import Phase
from heatmap.run import due, market_files
from heatmap.run.fetching import CheckedSnapshot
from heatmap.system import clocks, stop

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from datetime import datetime

    from heatmap.config.loader import Config, Market
    from heatmap.market.calendar.session import MarketStatus
    from heatmap.market.quotes import Snapshot
    from heatmap.run.fetching import Fetcher
    from heatmap.run.follow_up import FollowUp
    from heatmap.run.history_session import HistorySession
    from heatmap.run.last_good import LastGood
    from heatmap.state.memory import State
    from heatmap.state.report import Report
    from heatmap.system.deadline import Deadline
    from heatmap.system.web_file import WebFile

PUBLISHING_SHARE = 1 / 3  # of a run's time, which is left for publishing


class MarketsRun:
    """Draws the markets of one run at `now`; the `report` gets the results."""

    def __init__(
        self,
        config: Config,
        state: State,
        now: datetime,
        deadline: Deadline,
        report: Report,
        fetcher: Fetcher,
        last_good: LastGood,
        history: HistorySession,
        follow_up: FollowUp,
        *,
        pretended: bool = False,
    ) -> None:
        """Prepare. A `pretended` time is not compared with the sources' clocks."""
        self._config = config
        self._state = state
        self._pretended = pretended
        self._now = now
        self._deadline = deadline
        self._report = report
        self._fetcher = fetcher
        self._last_good = last_good
        self._history = history
        self._follow_up = follow_up

    def draw_all(
        self, due_markets: Sequence[tuple[Market, MarketStatus]], vetoes_overridden: Collection[str]
    ) -> tuple[list[tuple[Market, MarketStatus]], list[WebFile]]:
        """Return the markets that could be drawn, each with its status, and all their files.

        `vetoes_overridden` names the markets that are drawn despite a veto: such a page is marked closed,
        never fresh, and its figures may be worse than the last page's.
        """
        drawn: list[tuple[Market, MarketStatus]] = []
        files: list[WebFile] = []
        for number, (market, status) in enumerate(due_markets):
            stop.raise_if_requested()
            # Sources that hang must leave time for the next markets, and for publishing.
            publishing_seconds = self._deadline.seconds * PUBLISHING_SHARE
            seconds = (self._deadline.remaining() - publishing_seconds) / (len(due_markets) - number)
            try:
                checked = self._fetch(market, status, seconds, force=market.name in vetoes_overridden)
            except SourcePassed as passed:
                self._report.say(f"{market.name}: {passed.kind}, {passed}")
                self._report.passed[market.name] = (passed.kind, str(passed))
            except SourceError as error:
                self._report.errors.append(_with_market(market, error))
            else:
                files += self._draw(market, checked)
                drawn.append((market, checked.status))
        stop.raise_if_requested()
        return drawn, files

    def _fetch(self, market: Market, status: MarketStatus, seconds: float, *, force: bool) -> CheckedSnapshot:
        """Return the figures to draw, within `seconds`. Raises SourceError; SourcePassed for a veto."""
        fetched = self._fetcher.fetch(
            market,
            status,
            seconds,
            lambda snapshot: self._check(market, status, snapshot, force=force),
            lambda: self._last_good.list_instruments(market),
        )
        self._report.sources[market.name] = fetched.source.label
        self._report.notes += [f"{market.name}: {failure}" for failure in fetched.failures]
        return fetched.checked

    def _check(
        self, market: Market, status: MarketStatus, snapshot: Snapshot, *, force: bool
    ) -> CheckedSnapshot:
        """Return the snapshot as it may be drawn. Raises SourceError; SourcePassed for a veto.

        With `force` a veto only marks the page as closed.
        """
        quality.refuse_too_many(snapshot)
        zone = ZoneInfo(market.calendar.time_zone)
        self._log_fetched(market, snapshot, zone)
        now = self._correct_time(market, snapshot)
        if now != self._now:
            status = phases.phase_at(market.calendar, now)
        quality.refuse_future(snapshot, now, zone)
        self._report.figures[market.name] = (len(snapshot.quotes), snapshot.as_of)
        veto = due.veto(status, snapshot, now, zone)
        reason = veto or due.find_final(status, self._state[market.name], snapshot)
        if reason and not force:
            raise SourcePassed(reason if now == self._now else f"{reason}, by the source's clock")
        if veto:
            status = status._replace(phase=Phase.CLOSED)
        snapshot = self._last_good.check(market, snapshot, status, now, force=force)
        if veto:
            self._report.say(f"{market.name}: {veto}; drawn all the same, marked closed")
        return CheckedSnapshot(snapshot, now, status)

    def _draw(self, market: Market, checked: CheckedSnapshot) -> list[WebFile]:
        """Return the files of one market."""
        snapshot, now, status = checked
        past = self._history.read(market, snapshot, status)
        if past:
            from heatmap.history import longer_periods

            snapshot = longer_periods.remove_refuted_changes(snapshot, past.earlier_sessions)
        return market_files.draw(self._config, market, snapshot, status, now, past, self._follow_up)

    def _correct_time(self, market: Market, snapshot: Snapshot) -> datetime:
        """Return the time that the page uses: by the source's clock if it shows that this machine's is wrong.

        Then a warning says so, once a day.
        """
        if self._pretended:
            return self._now
        difference = clocks.find_difference(self._now, snapshot.clock_offset, snapshot.as_of)
        if difference is not None:
            self._report.clocks[market.name] = difference
            self._history.warn_once_a_day(market, clocks.describe(difference))
        return clocks.correct(self._now, snapshot.clock_offset, snapshot.as_of)

    def _log_fetched(self, market: Market, snapshot: Snapshot, zone: ZoneInfo) -> None:
        as_of = snapshot.as_of.astimezone(zone)
        left_out = f", {snapshot.dropped} rows left out" if snapshot.dropped else ""
        self._report.say(
            f"{market.name}: {len(snapshot.quotes)} quotes as of {as_of:%d %b %Y %H:%M:%S %Z}{left_out}"
        )


def _with_market(market: Market, error: SourceError) -> SourceError:
    """Return the same error with the market's name."""
    with_market = error.with_sentence(f"{market.name}: {error}")
    with_market.market = market.name
    return with_market
