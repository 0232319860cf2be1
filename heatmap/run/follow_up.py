"""The work after a market's page: its archive, its feed, its alerts. A failure never fails the run."""

from __future__ import annotations

from contextlib import contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING, NamedTuple
from zoneinfo import ZoneInfo

from heatmap.market.calendar.session import Phase
from heatmap.pages.archive import sharing
from heatmap.pages.archive.day_pages import MarketArchive
from heatmap.pages.archive.options import ArchiveSettings
from heatmap.run import due, final_parts
from heatmap.run.archive_delivery import Archives
from heatmap.state.memory import merge_faults
from heatmap.state.report import PartOutcomes
from heatmap.system import parts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from datetime import datetime

    from heatmap.config.loader import Config, Market
    from heatmap.history.store import Store
    from heatmap.market.calendar.session import MarketStatus
    from heatmap.market.quotes import Snapshot
    from heatmap.notify.alerts import delivery
    from heatmap.notify.alerts.memory import FeedEntry
    from heatmap.pictures.market_map.past import HistoryView
    from heatmap.run.history_session import HistorySession
    from heatmap.state.memory import State
    from heatmap.system.deadline import Deadline

ALERTS = "alerts"  # the name under which machines that share a history share the state of alerts


class _MarketRun(NamedTuple):
    """One market in this run."""

    market: Market
    status: MarketStatus
    snapshot: Snapshot  # with the percent changes that alerts need from the history
    archive: MarketArchive | None  # None: opening it failed

    @property
    def has_final(self) -> bool:
        """Whether the run draws the market's final of a session."""
        return self.status.phase is Phase.FINAL and self.status.session is not None

    @property
    def for_alerts(self) -> delivery.MarketRun:
        """The part of it that alerts need."""
        from heatmap.notify.alerts import delivery

        return delivery.MarketRun(self.market.identity, self.status, self.snapshot)


class FollowUp:
    """The archives, feeds and alerts of one run. The caller must hold the lock of the state directory.

    `say` takes sentences for a terminal.
    """

    def __init__(
        self,
        config: Config,
        state: State,
        history: HistorySession,
        now: datetime,
        say: Callable[[str], None],
    ) -> None:
        self._config = config
        self._state = state
        self._now = now
        self._history = history
        self._say = say
        self._runs: list[_MarketRun] = []
        self._archive_settings = ArchiveSettings(
            final_parts.has_archive(config),
            final_parts.has_feed(config),
            config.state_directory,
            config.page,
            config.publishers,
        )
        self.archives = Archives(self._archive_settings, say)
        self._drawing_faults = PartOutcomes()
        self._is_published = False
        self._is_shared = config.history.enabled and config.history.url is not None
        if config.alerts:
            from heatmap.notify.alerts import delivery

            # Secrets are read at once, so that no child process of the run inherits them.
            for problem in delivery.find_problems(config.alerts):
                say(f"alerts: cannot be sent: {problem}")

    def open_archive(
        self, market: Market, snapshot: Snapshot, status: MarketStatus, past: HistoryView | None = None
    ) -> MarketArchive | None:
        """Return a market's archive, which `record_published` saves; None if that fails, which is a fault.

        `past` is the history that alerts look at; None: there is none.
        """
        alerts_snapshot, archive = snapshot, None
        with self.reporting_bugs(market, parts.ALERTS):
            alerts_snapshot = self._with_history_changes(market, snapshot, past)
        with self.reporting_bugs(market, parts.ARCHIVE):
            archive = self._open_archive(market, snapshot, status)
        self._runs.append(_MarketRun(market, status, alerts_snapshot, archive))
        return archive

    def _open_archive(self, market: Market, snapshot: Snapshot, status: MarketStatus) -> MarketArchive:
        now = self._now.astimezone(ZoneInfo(market.calendar.time_zone))
        memory = self._state[market.name]
        is_again = due.is_later_final(status, memory, snapshot.as_of, is_adjusted=not snapshot.unadjusted)
        archive_date = None if is_again else memory.archive_date
        warn = partial(self._history.warn_once_a_day, market)
        attempt = (lambda work: self._history.attempt(market, work)) if self._is_shared else None
        if attempt:
            attempt(lambda store: self._pull_shared(store, market))
        archive = MarketArchive(
            *(self._archive_settings, market.identity, snapshot, status, now, archive_date, warn),
            is_redrawn=is_again,
        )
        self.archives.add(archive, attempt)
        if archive.publishes_today:
            self._history.attempt(market, archive.backfill_breadth)
        return archive

    def _with_history_changes(self, market: Market, snapshot: Snapshot, past: HistoryView | None) -> Snapshot:
        """Return the snapshot with the history's percent changes that alerts need; say which are missing."""
        names = {alert.period: alert.name for alert in self._config.alerts if alert.covers(market.name)}
        if past is None or not names.keys() & past.earlier_sessions.starts.keys():
            return snapshot
        from heatmap.notify.alerts import rules

        extended = rules.add_history_changes(snapshot, past, names)
        for period, alert in names.items():
            start = past.earlier_sessions.starts.get(period)
            if (
                start
                and start.reason_missing
                and not any(period in quote.changes for quote in snapshot.quotes)
            ):
                self._say(f"alerts: {alert}: nothing is known over {period} yet: {start.reason_missing}")
        return extended

    @contextmanager
    def reporting_bugs(self, market: Market, part: str) -> Iterator[None]:
        """Report an exception of the `with` block as the fault of a part: it must not cost today's page."""
        try:
            yield
        except Exception as bug:  # noqa: BLE001 -- see above
            self._drawing_faults.add(market.name, part, f"a bug, please report it: {bug!r}")

    def take_drawing_faults(self) -> PartOutcomes:
        """Return the parts that could not be drawn, once."""
        faults, self._drawing_faults = self._drawing_faults, PartOutcomes()
        return faults

    def draw_feed(self, market: Market, archive: MarketArchive) -> None:
        """Draw a market's feed, after today's page is in its archive."""
        with self.reporting_bugs(market, parts.FEED):
            self._draw_feed(next(run for run in self._runs if run.archive is archive), archive)

    def _draw_feed(self, run: _MarketRun, archive: MarketArchive) -> None:
        from heatmap.run import feeds

        url = self._config.public_url
        if url is None or not archive.has_feed:
            return
        market, session = run.market, run.status.session
        memory = self._state[market.name]
        is_again = due.is_later_final(
            run.status, memory, run.snapshot.as_of, is_adjusted=not run.snapshot.unadjusted
        )
        is_new = memory.feed_date != str(session and session.date)
        feed = feeds.draw(
            *(archive, self._feed_entries(run), session, url, self._config.state_directory),
            announces_final=archive.is_final and (is_new or is_again),
            is_missing=self.archives.is_feed_missing(archive),
        )
        if feed:
            self.archives.add_feed(market.name, feed)

    def _feed_entries(self, run: _MarketRun) -> Sequence[FeedEntry]:
        """Return the feed's entries about alerts, newest first."""
        if not self._config.alerts:
            return ()
        from heatmap.notify.alerts import delivery

        warn = partial(self._history.warn_once_a_day, run.market)
        return delivery.feed_entries(self._alert_settings(), run.for_alerts, warn)

    def record_published(self, earlier: PartOutcomes, *, is_page_out: bool) -> PartOutcomes:
        """Save which days the targets have, and warn of failed parts, if a target has the pages.

        `earlier` are the outcomes of the run so far. Return those of the archives.
        """
        self._is_published = is_page_out
        outcomes = self.archives.record(is_published=is_page_out)
        all_outcomes = earlier.joined(outcomes)
        for run in self._runs if self._is_published else ():
            self._warn_of_faults(run, all_outcomes.of_market(run.market.name))
        return outcomes

    def _warn_of_faults(self, run: _MarketRun, faults: Mapping[str, str]) -> None:
        """Warn once a day of each failed part, except bars and alerts, which have warnings of their own."""
        # Feed and link wait for the archive: if it failed, one warning is enough.
        waiting = (parts.FEED, parts.LINK) if faults.get(parts.ARCHIVE) else ()
        for part, why in faults.items():
            if why and part not in (parts.BARS, parts.ALERTS, *waiting):
                self._warn(run.market, part, why)

    def _warn(self, market: Market, part: str, why: str) -> None:
        sentence = f"{parts.WORDS[part]} failed, though the page itself is out: {why}"
        self._history.warn_once_a_day(market, sentence)

    def send_alerts(self, earlier: PartOutcomes, deadline: Deadline) -> PartOutcomes:
        """Send the alerts to their web hooks if a target has the pages; return what became of them.

        `earlier` are the outcomes of the run so far. Call it after all else is saved. Raises ConfigError if
        the state cannot be written.
        """
        outcomes = PartOutcomes()
        if self._config.alerts and self._is_published and self._runs:
            from heatmap.notify.alerts import delivery

            market_runs = [run.for_alerts for run in self._runs]
            # The state of alerts is one file for all markets.
            warn = partial(self._history.warn_once_a_day, self._runs[0].market)
            for name, why in delivery.send(
                self._alert_settings(), market_runs, deadline, self._say, warn
            ).items():
                outcomes.add(name, parts.ALERTS, why)
            all_outcomes = earlier.joined(outcomes)
            for run in self._runs:
                self._remember_alerts(run, all_outcomes.of_market(run.market.name)[parts.ALERTS])
            for run in self._runs if self._is_shared else ():
                self._history.attempt(run.market, partial(self._push_shared, name=run.market.name))
        return outcomes

    def _remember_alerts(self, run: _MarketRun, why: str) -> None:
        """Save why a market's alerts are still pending; "": none are."""
        name, session = run.market.name, run.status.session
        if why and run.has_final:  # during the session the next run, minutes later, tries again
            self._warn(run.market, parts.ALERTS, why)
        memory = self._state[name]
        changed = memory._replace(faults=merge_faults(memory, {parts.ALERTS: why}))
        if run.has_final and session and not why:
            changed = changed._replace(alerts_date=session.date.isoformat())
        if changed != memory:
            self._state.remember(name, **changed._asdict())

    def _alert_settings(self) -> delivery.Settings:
        from heatmap.notify.alerts import delivery

        config = self._config
        return delivery.Settings(config.alerts, config.state_directory, config.public_url)

    def _pull_shared(self, store: Store, market: Market) -> None:
        """Copy the archive's record and the state of alerts from the shared history. Raises HistoryError."""
        folder, name = self._config.state_directory, market.name
        warn = partial(self._history.warn_once_a_day, market)
        if self._config.archive is None or self._config.archive.enabled:
            sharing.pull_record(store, folder, name, warn)
        if not self._config.alerts:
            return
        from heatmap.notify.alerts import memory

        content = store.shared_value(name, ALERTS)
        alerts = memory.decode(content) if content else None
        if alerts is not None:
            with suppress(OSError):  # a full disk: then no alert is sent, and `delivery` says so
                memory.save(folder, {**memory.load(folder, warn), name: alerts})

    def _push_shared(self, store: Store, name: str) -> None:
        """Copy the state of a market's alerts into the shared history. Raises HistoryError."""
        from heatmap.notify.alerts import memory

        alerts = memory.load(self._config.state_directory, self._say).get(name)
        if alerts is not None:
            store.share_values(name, {ALERTS: memory.encode(alerts)})
