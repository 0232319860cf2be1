"""What a run reads from the history and adds to it; a history that fails never costs a page."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple, Self, TypeVar
from zoneinfo import ZoneInfo

from heatmap.errors import ConfigError, HistoryError
from heatmap.market.calendar import phases
from heatmap.market.calendar.session import Phase
from heatmap.run import attribution
from heatmap.run import due as duty
from heatmap.run.shared_turns import SharedTurns
from heatmap.state.memory import mark_name
from heatmap.system import parts

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence
    from datetime import date, datetime
    from types import TracebackType

    from heatmap.config.loader import Config, Market
    from heatmap.history.corporate_actions import QuotedClose
    from heatmap.history.ex_dates import Evidence
    from heatmap.history.store import Store
    from heatmap.market.bars import Bar
    from heatmap.market.calendar.session import MarketStatus
    from heatmap.market.quotes import Snapshot
    from heatmap.pictures.market_map.past import HistoryView
    from heatmap.state.memory import State
    from heatmap.state.report import Report
    from heatmap.system.deadline import Deadline

_T = TypeVar("_T")
LEAST_ROOM_BYTES = 16 * 1024 * 1024  # left to what the program cannot do without: its state
MOST_TOLD = 5  # sentences a market and day: cron mails what is on stderr


class _Tick(NamedTuple):
    """A snapshot that is to be kept once its pages are published."""

    market: Market
    snapshot: Snapshot
    session: date
    phase: Phase


class HistorySession:
    """The history, for as long as a run lasts; opened when first needed, let go of at the block's end.

    No HistoryError leaves it, and no bug: what fails is told, each sentence once a day and market, and the
    run goes on. The state directory's lock must be held.
    """

    def __init__(
        self,
        config: Config,
        state: State,
        report: Report,
        now: datetime,
        *,
        deadline: Deadline | None = None,
        dry_run: bool = False,
        is_lost: bool = False,
    ) -> None:
        """`deadline` is the run's, of whose time a database may take a part; None: there is no run."""
        self._config = config
        self._state = state
        self._report = report
        self._now = now
        self._dry_run = dry_run
        self._store: Store | None = None
        self.is_lost = is_lost  # it could not be opened: it is not tried again in this run
        self._ticks: list[_Tick] = []
        self._deadline = deadline
        self._turns = SharedTurns(config.interval_minutes, report, now, deadline, self.ask)
        self._published: set[str] = set()  # the markets whose turn is done
        self._fault = ""  # why the history failed last

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Give the turns back, those of markets without a page as not done, and close the store."""
        self._turns.give_back({name for name in self._published if not self._lacks(name)})
        if self._store is not None:
            self._store.close()

    def turns(self, due: Sequence[tuple[Market, MarketStatus]]) -> list[tuple[Market, MarketStatus]]:
        """Return those of the due markets that are this machine's to draw, where machines share a history."""
        if self._config.history.url is None or not self._config.history.enabled or self._dry_run:
            return list(due)
        return [(market, verdict) for market, verdict in due if self._is_ours(market, verdict)]

    def confirm_turns(self) -> None:
        """Raise DeadlineError where another machine may have drawn meanwhile what this run is to publish."""
        self._turns.confirm()

    def note(self, market: Market, snapshot: Snapshot, verdict: MarketStatus) -> date:
        """Remember a snapshot, so that `keep` adds it; return its session."""
        session = attribution.find_session(market.calendar, snapshot, verdict)
        if verdict.phase in attribution.KEPT_PHASES:
            self._ticks.append(_Tick(market, snapshot, session, verdict.phase))
        return session

    def past(self, market: Market, snapshot: Snapshot, verdict: MarketStatus) -> HistoryView | None:
        """Return what the history knows of a market before this snapshot; None where it cannot be had.

        The snapshot is remembered: `keep` adds it.
        """
        session = self.note(market, snapshot, verdict)

        def read(store: Store) -> HistoryView:
            from heatmap.pictures.market_map import past as figures
            from heatmap.sources.nse import symbols as nse_symbols

            name, config = attribution.name_in_history(market.name, snapshot), self._config
            symbols = [quote.symbol for quote in snapshot.quotes]
            calendar = nse_symbols.with_saved_changes(market.calendar, config.state_directory, symbols)
            asked = figures.PastReader(store, name, calendar, config.history.periods, config.state_directory)
            return asked.read(snapshot, session, verdict.phase)

        return self.ask(market, read)

    def evidence(
        self, market: Market, snapshot: Snapshot, verdict: MarketStatus, closes: Mapping[str, float]
    ) -> Evidence:
        """Return what is known of the terms of a session's prices beside its archive.

        `closes` are the previous closes of the session's last live page.
        """
        from heatmap.history import corporate_actions, ex_dates, quoted_closes

        session, name = (
            attribution.find_session(market.calendar, snapshot, verdict),
            attribution.name_in_history(market.name, snapshot),
        )
        before = attribution.find_session_before(market.calendar, session)

        def quoted(store: Store) -> Mapping[str, QuotedClose]:
            return quoted_closes.read_session(store, name, session)

        def bars(symbols: Collection[str]) -> Mapping[str, tuple[Sequence[Bar], bool]]:
            found: dict[str, list[Bar]] = {}
            for bar in self.ask(market, lambda store: self._bars(store, name, session, symbols)) or []:
                found.setdefault(bar.symbol, []).append(bar)
            return {symbol: (own, own[-1].date == before) for symbol, own in found.items()}

        declared = corporate_actions.find_declared_splits(market.calendar)
        return ex_dates.Evidence(
            session=session,
            closes=closes,
            quoted=self.ask(market, quoted) or {},
            declared={symbol: days[session] for symbol, days in declared.items() if session in days},
            bars=bars,
        )

    @staticmethod
    def _bars(store: Store, name: str, session: date, symbols: Collection[str]) -> list[Bar]:
        from heatmap.history.corporate_actions import TURNOVER_SESSIONS

        return store.bars(name, session - phases.ONE_DAY, TURNOVER_SESSIONS, sorted(symbols))

    def closes_before(
        self, market: Market, snapshot: Snapshot, verdict: MarketStatus, symbols: Collection[str]
    ) -> Mapping[str, float]:
        """Return the closes of the session before a snapshot's, by symbol; none where they are not known."""
        session = attribution.find_session(market.calendar, snapshot, verdict)
        before = attribution.find_session_before(market.calendar, session)

        def read(store: Store) -> Mapping[str, float]:
            bars = store.bars(
                attribution.name_in_history(market.name, snapshot),
                session - phases.ONE_DAY,
                1,
                sorted(symbols),
            )
            return {bar.symbol: bar.close for bar in bars if bar.date == before}

        return (self.ask(market, read) if before else None) or {}

    def keep(self) -> None:
        """Add what was drawn, if anybody can see it; after a session's final forget what is too old."""
        if self._report.targets and self._report.failed_targets == self._report.targets:
            return
        ticks, self._ticks = self._ticks, []
        for tick in ticks:

            def work(store: Store, tick: _Tick = tick) -> bool:
                self._refuse_without_room()
                name = attribution.name_in_history(tick.market.name, tick.snapshot)
                added = store.add_tick(name, tick.snapshot, tick.session, tick.phase)
                if added.newer_as_of:
                    later = added.newer_as_of.astimezone(ZoneInfo(tick.market.calendar.time_zone))
                    self.tell(
                        tick.market,
                        f"its figures are older than those of {later:%H:%M} kept before: they are kept "
                        "in their place; if that goes on, look at the clocks of the source and this machine",
                    )
                if added.bars:
                    store.prune(self._config.history)
                return True

            is_kept = self.ask(tick.market, work)
            if (
                is_kept and not self._report.failed_targets
            ):  # else the next run, wherever it is, does the rest
                self._published.add(tick.market.name)
            if tick.phase is Phase.FINAL and self._config.history.enabled:
                self._report.note_part(tick.market.name, parts.BARS, "" if is_kept else self._fault)

    def _lacks(self, name: str) -> bool:
        """Whether a part of a market's page failed that any machine can make up for."""
        known = self._report.parts.get(name, {})
        return any(known.get(part) for part in (parts.BARS, parts.ARCHIVE, parts.FEED))

    def _is_ours(self, market: Market, verdict: MarketStatus) -> bool:
        if duty.has_final(verdict, self._state[market.name]):
            return True  # this machine has published it, and alone looks for later figures

        def remember(store: Store) -> None:
            session = verdict.session
            if verdict.phase is Phase.FINAL and session and store.latest_final(market.name) == session.date:
                day = session.date.isoformat()
                marks = {mark_name(part): day for part in parts.OF_FINAL}  # they are that machine's to do
                self._state.remember(market.name, final_date=day, closed_date=day, **marks)

        return self._turns.take(market, verdict, remember)

    def ask(self, market: Market, work: Callable[[Store], _T]) -> _T | None:
        """Return what `work` returns; None where it cannot be had, which is told."""
        try:
            store = self._opened(market)
            return None if store is None else work(store)
        except HistoryError as error:
            self._fault = str(error)
        except Exception as mistake:  # noqa: BLE001 -- not even a bug in the history may cost a page
            self._fault = f"the history ended in a bug, please report it: {mistake!r}"
        self.tell(market, self._fault)
        return None

    def _opened(self, market: Market) -> Store | None:
        """Return the store; None where there is to be none. Raises HistoryError, once a run."""
        options = self._config.history
        if not options.enabled or self.is_lost:
            return None
        if self._store is None:
            from heatmap.history.store import FILE_NAME, open_store

            folder = self._config.state_directory
            if self._dry_run and options.url is None and not (folder / FILE_NAME).exists():
                return None  # a dry run leaves nothing behind
            self.is_lost = True
            self._store = open_store(
                options, folder, lambda sentence: self.tell(market, sentence), self._deadline
            )
            self.is_lost = False
        return self._store

    def _refuse_without_room(self) -> None:
        """Raise HistoryError where a file would take the room that the run's own state needs."""
        if self._config.history.url is not None:
            return
        folder = self._config.state_directory
        disk = os.statvfs(folder)
        if disk.f_bavail * disk.f_frsize < LEAST_ROOM_BYTES:
            raise HistoryError(
                f"less than {LEAST_ROOM_BYTES // 1024**2} MiB are left on the disk of {folder}, so the "
                "history goes without this tick: make room, or keep fewer with tick_sessions"
            )

    def tell(self, market: Market, sentence: str) -> None:
        """Warn on stderr, unless that was done today: numbers aside, what recurs says the same."""
        from zlib import crc32

        today = self._now.astimezone(ZoneInfo(market.calendar.time_zone)).date().isoformat()
        sentence = sentence.removeprefix(f"{market.name}: ")  # some of the store's begin so
        mark = f"{crc32(''.join(c for c in sentence if not c.isdigit()).encode()):08x}"
        told = (self._state[market.name].history_told or "").split()
        told = told if told[:1] == [today] else [today]
        if mark in told or len(told) > MOST_TOLD:
            self._report.say(f"{market.name}: {sentence}")
            return
        self._report.warnings.append(f"{market.name}: {sentence}")
        if not self._dry_run:
            with suppress(ConfigError):  # a full disk: the page comes first
                self._state.remember(market.name, history_told=" ".join([*told, mark]))
