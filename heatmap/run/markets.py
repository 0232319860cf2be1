"""From the sources' figures to the pages of all markets that are due; one that fails stops no other."""

from __future__ import annotations

from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from heatmap.errors import SourceError, SourcePassed
from heatmap.market import quality
from heatmap.market.calendar import phases
from heatmap.market.calendar.session import Phase
from heatmap.run import due as duty
from heatmap.run import market_files
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

PUBLISHING_SHARE = 1 / 3  # of a run's time, which fetching may not use up


class MarketsRun:
    """The drawing of one run at `now`, which tells `report` what came of it."""

    def __init__(
        self,
        config: Config,
        state: State,
        now: datetime,
        deadline: Deadline,
        report: Report,
        asker: Fetcher,
        gatekeeper: LastGood,
        chronicle: HistorySession,
        sequel: FollowUp,
        *,
        pretended: bool = False,
    ) -> None:
        """Prepare. A `pretended` time is not held against the sources' clocks."""
        self._config = config
        self._state = state
        self._pretended = pretended
        self._now = now
        self._deadline = deadline
        self._report = report
        self._asker = asker
        self._gatekeeper = gatekeeper
        self._chronicle = chronicle
        self._sequel = sequel

    def draw(
        self, due: Sequence[tuple[Market, MarketStatus]], unheeded: Collection[str]
    ) -> tuple[list[tuple[Market, MarketStatus]], list[WebFile]]:
        """Return the markets that could be drawn, each with its verdict, and all their pages.

        `unheeded` names the markets whose veto is told but not heeded: such a page is marked closed, never
        fresh, and its figures may be worse than the last page's.
        """
        drawn: list[tuple[Market, MarketStatus]] = []
        files: list[WebFile] = []
        for number, (market, verdict) in enumerate(due):
            stop.raise_if_requested()
            # Sources that hang must leave the next markets theirs, and all pages time to be published.
            publishing = self._deadline.seconds * PUBLISHING_SHARE
            seconds = (self._deadline.remaining() - publishing) / (len(due) - number)
            try:
                result = self._draw(market, verdict, seconds, whatever=market.name in unheeded)
            except SourcePassed as passed:
                self._report.say(f"{market.name}: {passed.kind}, {passed}")
                self._report.passed[market.name] = (passed.kind, str(passed))
            except SourceError as error:
                self._report.errors.append(_of_market(market, error))
            else:
                drawn.append((market, result[0]))
                files += result[1]
        stop.raise_if_requested()
        return drawn, files

    def _draw(
        self, market: Market, verdict: MarketStatus, seconds: float, *, whatever: bool
    ) -> tuple[MarketStatus, Sequence[WebFile]]:
        """Fetch, within `seconds`, and draw one market. Raises SourceError; SourcePassed for a veto."""
        zone = ZoneInfo(market.calendar.time_zone)

        def judge(snapshot: Snapshot) -> Snapshot:
            """Return the snapshot as it may be drawn. Raises SourceError."""
            self._tell_of(market, snapshot, zone)
            now, phase = self._correct(market, verdict, snapshot)
            self._tell_of_clock(market, snapshot)
            quality.refuse_future(snapshot, now, zone)
            self._report.figures[market.name] = (len(snapshot.quotes), snapshot.as_of)
            objection = duty.veto(phase, snapshot, now, zone)
            why = objection or duty.find_final(phase, self._state[market.name], snapshot)
            if why and not whatever:
                raise SourcePassed(why if now == self._now else f"{why}, by the source's clock")
            drawn_as = phase._replace(phase=Phase.CLOSED) if objection else phase
            return self._gatekeeper.admit(market, snapshot, drawn_as, now, whatever=whatever)

        answer = self._asker.ask(market, verdict, seconds, judge, lambda: self._gatekeeper.listed(market))
        snapshot = answer.snapshot
        self._report.sources[market.name] = answer.source.label
        self._report.notes += [f"{market.name}: {failure}" for failure in answer.failures]
        now, verdict = self._correct(market, verdict, snapshot)
        objection = duty.veto(verdict, snapshot, now, zone)
        if objection:
            self._report.say(f"{market.name}: {objection}; drawn all the same, marked closed")
            verdict = verdict._replace(phase=Phase.CLOSED)
        past = self._chronicle.past(market, snapshot, verdict)
        if past:
            from heatmap.history import longer_periods

            snapshot = longer_periods.remove_refuted_changes(snapshot, past.earlier_sessions)
        files = market_files.draw(self._config, market, snapshot, verdict, now, past, self._sequel)
        return verdict, files

    def _correct(
        self, market: Market, verdict: MarketStatus, snapshot: Snapshot
    ) -> tuple[datetime, MarketStatus]:
        """Return the time to go by, and the verdict on it: by the source's clock where ours is refuted."""
        now = (
            self._now if self._pretended else clocks.correct(self._now, snapshot.clock_offset, snapshot.as_of)
        )
        return (now, verdict) if now == self._now else (now, phases.phase_at(market.calendar, now))

    def _tell_of_clock(self, market: Market, snapshot: Snapshot) -> None:
        """Warn once a day of a clock of this machine that is wrong, as far as the source's tells."""
        difference = clocks.find_difference(self._now, snapshot.clock_offset, snapshot.as_of)
        if difference is not None and not self._pretended:
            self._report.clocks[market.name] = difference
            self._chronicle.tell(market, clocks.describe(difference))

    def _tell_of(self, market: Market, snapshot: Snapshot, zone: ZoneInfo) -> None:
        as_of = snapshot.as_of.astimezone(zone)
        left_out = f", {snapshot.dropped} rows left out" if snapshot.dropped else ""
        self._report.say(
            f"{market.name}: {len(snapshot.quotes)} quotes as of {as_of:%d %b %Y %H:%M:%S %Z}{left_out}"
        )


def _of_market(market: Market, error: SourceError) -> SourceError:
    """Return the same error, telling whose source failed."""
    named = error.with_sentence(f"{market.name}: {error}")
    named.market = market.name
    return named
