"""What follows from a tick beyond today's pages: the archive, the feed, alerts. It fails no run."""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, NamedTuple, TypeVar
from zoneinfo import ZoneInfo

from heatmap.market.calendar.session import Phase
from heatmap.pages.archive import sharing
from heatmap.pages.archive.day_pages import MarketArchive
from heatmap.pages.archive.options import ArchiveSettings
from heatmap.run import due, final_parts
from heatmap.run.archive_delivery import Archives
from heatmap.state.memory import merge_faults
from heatmap.system import parts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from datetime import datetime

    from heatmap.config.loader import Config, Market
    from heatmap.history.store import Store
    from heatmap.market.calendar.session import MarketStatus
    from heatmap.market.quotes import Snapshot
    from heatmap.notify.alerts import delivery
    from heatmap.notify.alerts.memory import FeedEntry
    from heatmap.pictures.context import DayLinks
    from heatmap.pictures.market_map.past import HistoryView
    from heatmap.run.history_session import HistorySession
    from heatmap.state.memory import State
    from heatmap.state.report import Report
    from heatmap.system.deadline import Deadline
    from heatmap.system.web_file import WebFile

_T = TypeVar("_T")
ALERTS = "alerts"  # what the note is called that tells other machines what was told


class _Drawn(NamedTuple):
    market: Market
    verdict: MarketStatus
    snapshot: Snapshot  # with the changes that alerts ask of the history
    shelf: MarketArchive | None  # None: making it failed

    @property
    def has_final(self) -> bool:
        """Whether the tick is a session's final."""
        return self.verdict.phase is Phase.FINAL and self.verdict.session is not None


class FollowUp:
    """The sequel of a run. `say` takes what a terminal may show. The state directory's lock must be held."""

    def __init__(
        self,
        config: Config,
        state: State,
        chronicle: HistorySession,
        report: Report,
        now: datetime,
        say: Callable[[str], None],
    ) -> None:
        self._config = config
        self._state = state
        self._report = report
        self._now = now
        self._chronicle = chronicle
        self._say = say
        self._drawn: list[_Drawn] = []
        self._archive_settings = ArchiveSettings(
            final_parts.has_archive(config),
            final_parts.has_feed(config),
            config.state_directory,
            config.page,
            config.publishers,
        )
        self.archives = Archives(self._archive_settings, report, say)
        self._is_published = False
        self._is_shared = config.history.enabled and config.history.url is not None
        if config.alerts:
            from heatmap.notify.alerts import delivery

            # At once, because what is read as a secret no child of the run inherits.
            for problem in delivery.find_problems(config.alerts):
                say(f"alerts: nobody is told: {problem}")

    def shelf(
        self, market: Market, snapshot: Snapshot, verdict: MarketStatus, past: HistoryView | None = None
    ) -> MarketArchive | None:
        """Return a market's archive at this tick; `keep` will remember what goes into it.

        None where that fails, which is noted. `past` is what alerts over the history's periods look at;
        None: there is none.
        """
        longer = self._try(market, parts.ALERTS, lambda: self._longer(market, snapshot, past)) or snapshot
        shelf = self._try(market, parts.ARCHIVE, lambda: self._shelf(market, snapshot, verdict))
        self._drawn.append(_Drawn(market, verdict, longer, shelf))
        return shelf

    def _shelf(self, market: Market, snapshot: Snapshot, verdict: MarketStatus) -> MarketArchive:
        now = self._now.astimezone(ZoneInfo(market.calendar.time_zone))
        memory = self._state[market.name]
        is_again = due.is_later_final(verdict, memory, snapshot)
        archive_date = None if is_again else memory.archive_date
        warn = partial(self._chronicle.tell, market)
        ask = (lambda work: self._chronicle.ask(market, work)) if self._is_shared else None
        if ask:
            ask(lambda store: self._take(store, market))
        shelf = MarketArchive(
            *(self._archive_settings, market.identity, snapshot, verdict, now, archive_date, warn),
            is_redrawn=is_again,
        )
        self.archives.add(shelf, ask)
        return shelf

    def _longer(self, market: Market, snapshot: Snapshot, past: HistoryView | None) -> Snapshot:
        """Return the snapshot as alerts see it; say which of their periods cannot be had yet."""
        names = {alert.period: alert.name for alert in self._config.alerts if alert.covers(market.name)}
        if past is None or not names.keys() & past.earlier_sessions.starts.keys():
            return snapshot
        from heatmap.notify.alerts import rules

        longer = rules.add_history_changes(snapshot, past, names)
        for period, alert in names.items():
            base = past.earlier_sessions.starts.get(period)
            if base and base.reason_missing and not any(period in quote.changes for quote in snapshot.quotes):
                self._say(f"alerts: {alert}: nothing is known over {period} yet: {base.reason_missing}")
        return longer

    def draw(
        self, shelf: MarketArchive, files: Sequence[WebFile], draw: Callable[[str, DayLinks], bytes]
    ) -> None:
        """Draw what the archive and the feed add to a market's files, just drawn.

        `draw` makes the market's page with this title and way to other days.
        """
        drawn = next(each for each in self._drawn if each.shelf is shelf)
        market = drawn.market
        if shelf.publishes_today:
            self._chronicle.ask(market, shelf.backfill_breadth)
        # Each by itself: a fault of one of them must not cost the other, nor the page.
        self._try(market, parts.ARCHIVE, lambda: shelf.draw_day(files, draw))
        self._try(market, parts.FEED, lambda: self._draw_feed(drawn, shelf))

    def _try(self, market: Market, part: str, work: Callable[[], _T]) -> _T | None:
        """Return what `work` returns; None where it fails, which is noted as the part's fault."""
        try:
            return work()
        except Exception as mistake:  # noqa: BLE001 -- not even a bug in here may cost the page of today
            why = f"a bug, please report it: {mistake!r}"
            self._report.note_part(market.name, part, why)
            return None

    def keep(self, *, is_page_out: bool) -> None:
        """Remember which days the targets have, if the pages are at one, and warn of parts that failed."""
        self._is_published = is_page_out
        self.archives.keep(is_published=is_page_out)
        for drawn in self._drawn if self._is_published else ():
            self._tell_faults(drawn)

    def _tell_faults(self, drawn: _Drawn) -> None:
        """Warn once a day of each part that failed; the history has told of its own."""
        tried = self._report.parts.get(drawn.market.name, {})
        waits = (parts.FEED, parts.LINK) if tried.get(parts.ARCHIVE) else ()  # for what is told anyway
        for part, why in tried.items():
            if why and part not in (parts.BARS, parts.ALERTS, *waits):
                self._warn(drawn.market, part, why)

    def _warn(self, market: Market, part: str, why: str) -> None:
        sentence = f"{parts.WORDS[part]} failed, though the page itself is out: {why}"
        self._chronicle.tell(market, sentence)

    def tell(self, deadline: Deadline) -> None:
        """Tell the web hooks of alerts, if the pages are at a target. Call it once all else is remembered.

        Raises ConfigError where the state cannot be written.
        """
        if self._config.alerts and self._is_published and self._drawn:
            from heatmap.notify.alerts import delivery

            ticks = [
                delivery.MarketRun(drawn.market.identity, drawn.verdict, drawn.snapshot)
                for drawn in self._drawn
            ]
            # What alerts remember is of all markets.
            warn = partial(self._chronicle.tell, self._drawn[0].market)
            for name, why in delivery.send(self._alert_settings(), ticks, deadline, self._say, warn).items():
                self._report.note_part(name, parts.ALERTS, why)
            for drawn in self._drawn:
                self._remember_alerts(drawn)
            for drawn in self._drawn if self._is_shared else ():
                self._chronicle.ask(drawn.market, partial(self._give_alerts, name=drawn.market.name))

    def _remember_alerts(self, drawn: _Drawn) -> None:
        name, session = drawn.market.name, drawn.verdict.session
        why = self._report.parts[name][parts.ALERTS]
        if why and drawn.has_final:  # in the session the next run, minutes later, may well be luckier
            self._warn(drawn.market, parts.ALERTS, why)
        memory = self._state[name]
        changed = memory._replace(faults=merge_faults(memory, {parts.ALERTS: why}))
        if drawn.has_final and session and not why:
            changed = changed._replace(alerts_date=session.date.isoformat())
        if changed != memory:
            self._state.remember(name, **changed._asdict())

    def _draw_feed(self, drawn: _Drawn, shelf: MarketArchive) -> None:
        from heatmap.run import feeds

        url = self._config.public_url
        if url is None or not shelf.has_feed:
            return
        market, session = drawn.market, drawn.verdict.session
        memory = self._state[market.name]
        is_again = due.is_later_final(drawn.verdict, memory, drawn.snapshot)
        is_new = memory.feed_date != str(session and session.date)
        is_due = shelf.is_final and (is_new or is_again)
        feed = feeds.draw(
            *(shelf, self._notices(drawn), session, url, self._config.state_directory),
            announces_final=is_due,
            is_lacking=self.archives.is_feed_lacking(shelf),
        )
        if feed:
            self.archives.add_feed(market.name, feed)

    def _notices(self, drawn: _Drawn) -> Sequence[FeedEntry]:
        """Return what the feed tells of alerts, newest first."""
        if not self._config.alerts:
            return ()
        from heatmap.notify.alerts import delivery

        tick = delivery.MarketRun(drawn.market.identity, drawn.verdict, drawn.snapshot)
        return delivery.feed_entries(
            self._alert_settings(), tick, partial(self._chronicle.tell, drawn.market)
        )

    def _alert_settings(self) -> delivery.Settings:
        from heatmap.notify.alerts import delivery

        config = self._config
        return delivery.Settings(config.alerts, config.state_directory, config.public_url)

    def _take(self, store: Store, market: Market) -> None:
        """Take over what a machine that shares this history has published and told. Raises HistoryError."""
        folder, name = self._config.state_directory, market.name
        warn = partial(self._chronicle.tell, market)
        if self._config.archive is None or self._config.archive.enabled:
            sharing.pull_record(store, folder, name, warn)
        if not self._config.alerts:
            return
        from heatmap.notify.alerts import memory

        content = store.shared_value(name, ALERTS)
        known = memory.decode(content) if content else None
        if known is not None:
            with suppress(OSError):  # a full disk: then nobody is told, which the desk says
                memory.save(folder, {**memory.load(folder, warn), name: known})

    def _give_alerts(self, store: Store, name: str) -> None:
        from heatmap.notify.alerts import memory

        known = memory.load(self._config.state_directory, self._say).get(name)
        if known is not None:
            store.share_values(name, {ALERTS: memory.encode(known)})


def feed_problem(config: Config) -> str | None:
    """Say why there is no feed; None where there is one."""
    if config.archive and not config.archive.feed:
        return "[archive] has feed = false"
    return None if config.public_url else "its links need public_url"


def problems(config: Config) -> list[str]:
    """Say what keeps alerts from being told; touches no network."""
    if not config.alerts:
        return []
    from heatmap.notify.alerts import delivery

    problem = feed_problem(config)
    silent = [alert.name for alert in config.alerts if problem and not alert.posts]
    return [
        *(f"{name}: nobody is told, for there is no feed: {problem}" for name in silent),
        *_unknown_periods(config),
        *delivery.find_problems(config.alerts),
    ]


def _unknown_periods(config: Config) -> Iterator[str]:
    """Say which alerts look at a period that neither the history nor a source is known to have."""
    from heatmap.market.periods import BAND_SESSIONS, DAY, YEAR

    history = config.history
    known = {DAY, "1mo", YEAR, *((*history.periods, f"{BAND_SESSIONS}d") if history.enabled else ())}
    for alert in config.alerts:
        if alert.period not in known:
            what = f"add {alert.period!r} to its periods" if history.enabled else "set its enabled = true"
            yield (
                f"{alert.name}: finds nothing over {alert.period}, unless the source tells that: "
                f"under [history] {what}"
            )
