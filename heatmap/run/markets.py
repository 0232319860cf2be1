"""Fetches, checks and draws all markets that are due. A market that fails does not stop the others."""

from __future__ import annotations

from dataclasses import dataclass
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
    from collections.abc import Collection, Iterator, Sequence
    from datetime import datetime, timedelta

    from heatmap.config.loader import Config, Market
    from heatmap.market.calendar.session import MarketStatus
    from heatmap.market.quotes import Snapshot
    from heatmap.run.fetching import Fetcher
    from heatmap.run.follow_up import FollowUp
    from heatmap.run.history_session import HistorySession
    from heatmap.run.last_good import LastGood
    from heatmap.state.memory import State
    from heatmap.state.report import Messages
    from heatmap.system.deadline import Deadline
    from heatmap.system.web_file import WebFile

PUBLISHING_SHARE = 1 / 3  # of a run's time, which is left for publishing


@dataclass
class MarketResult:
    """The result of one market in one run."""

    market: Market
    status: MarketStatus | None = None  # of the page; None: the market has no page
    files: Sequence[WebFile] = ()
    figures: tuple[int, datetime] | None = None  # quotes fetched, as of; None: nothing was fetched
    source: str | None = None  # of the figures; None: no source gave any that may be drawn
    # How far the source's clock was ahead of this machine's; None: the difference does not matter.
    clock: timedelta | None = None
    passed: tuple[str, str] | None = None  # why there is no page although nothing failed: kind and reason
    error: SourceError | None = None
    failures: Sequence[str] = ()  # a sentence for each source that failed before another one


class MarketsRun:
    """Draws the markets of one run at `now`."""

    def __init__(
        self,
        config: Config,
        state: State,
        now: datetime,
        deadline: Deadline,
        messages: Messages,
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
        self._messages = messages
        self._fetcher = fetcher
        self._last_good = last_good
        self._history = history
        self._follow_up = follow_up

    def draw_all(
        self, due_markets: Sequence[tuple[Market, MarketStatus]], vetoes_overridden: Collection[str]
    ) -> Iterator[MarketResult]:
        """Yield the result of each market, with its files if it could be drawn.

        `vetoes_overridden` names the markets that are drawn despite a veto: such a page is marked closed,
        never fresh, and its figures may be worse than the last page's.
        """
        for number, (market, status) in enumerate(due_markets):
            stop.raise_if_requested()
            # Sources that hang must leave time for the next markets, and for publishing.
            publishing_seconds = self._deadline.seconds * PUBLISHING_SHARE
            seconds = (self._deadline.remaining() - publishing_seconds) / (len(due_markets) - number)
            result = MarketResult(market)
            try:
                checked = self._fetch(result, status, seconds, force=market.name in vetoes_overridden)
            except SourcePassed as passed:
                self._messages.say(f"{market.name}: {passed.kind}, {passed}")
                result.passed = (passed.kind, str(passed))
            except SourceError as error:
                result.error = _with_market(market, error)
            else:
                result.files = self._draw(market, checked)
                result.status = checked.status
            yield result
        stop.raise_if_requested()

    def _fetch(
        self, result: MarketResult, status: MarketStatus, seconds: float, *, force: bool
    ) -> CheckedSnapshot:
        """Return the figures to draw, within `seconds`. Raises SourceError; SourcePassed for a veto."""
        market = result.market
        fetched = self._fetcher.fetch(
            market,
            status,
            seconds,
            lambda snapshot: self._check(result, status, snapshot, force=force),
            lambda: self._last_good.list_instruments(market),
        )
        result.source = fetched.source.label
        result.failures = [f"{market.name}: {failure}" for failure in fetched.failures]
        return fetched.checked

    def _check(
        self, result: MarketResult, status: MarketStatus, snapshot: Snapshot, *, force: bool
    ) -> CheckedSnapshot:
        """Return the snapshot as it may be drawn. Raises SourceError; SourcePassed for a veto.

        With `force` a veto only marks the page as closed.
        """
        market = result.market
        quality.refuse_too_many(len(snapshot.quotes))
        zone = ZoneInfo(market.calendar.time_zone)
        left_out = f", {snapshot.dropped} rows left out" if snapshot.dropped else ""
        self._messages.say(
            f"{market.name}: {len(snapshot.quotes)} quotes as of "
            f"{snapshot.as_of.astimezone(zone):%d %b %Y %H:%M:%S %Z}{left_out}"
        )
        result.clock = (
            self._find_clock_difference(market, snapshot.clock_offset, snapshot.as_of) or result.clock
        )
        now = (
            self._now if self._pretended else clocks.correct(self._now, snapshot.clock_offset, snapshot.as_of)
        )
        if now != self._now:
            status = phases.phase_at(market.calendar, now)
        quality.refuse_future(snapshot.as_of, now, zone)
        result.figures = (len(snapshot.quotes), snapshot.as_of)
        veto = due.veto(status, snapshot, now, zone)
        reason = veto or due.find_final(status, self._state[market.name], snapshot)
        if reason and not force:
            raise SourcePassed(reason if now == self._now else f"{reason}, by the source's clock")
        if veto:
            status = status._replace(phase=Phase.CLOSED)
        snapshot = self._last_good.check(market, snapshot, status, now, force=force)
        if veto:
            self._messages.say(f"{market.name}: {veto}; drawn all the same, marked closed")
        return CheckedSnapshot(snapshot, now, status)

    def _draw(self, market: Market, checked: CheckedSnapshot) -> list[WebFile]:
        """Return the files of one market."""
        snapshot, now, status = checked
        past = self._history.read(market, snapshot, status)
        if past:
            from heatmap.history import longer_periods

            snapshot = longer_periods.remove_refuted_changes(snapshot, past.earlier_sessions)
        return market_files.draw(self._config, market, snapshot, status, now, past, self._follow_up)

    def _find_clock_difference(
        self, market: Market, offset: timedelta | None, as_of: datetime
    ) -> timedelta | None:
        """Return by how much the source's clock shows that this machine's is wrong, and warn once a day.

        None if the difference does not matter. Then, and for a pretended time, there is no warning.
        """
        if self._pretended:
            return None
        difference = clocks.find_difference(self._now, offset, as_of)
        if difference is not None:
            self._history.warn_once_a_day(market, clocks.describe(difference))
        return difference


def _with_market(market: Market, error: SourceError) -> SourceError:
    """Return the same error with the market's name."""
    with_market = error.with_sentence(f"{market.name}: {error}")
    with_market.market = market.name
    return with_market
