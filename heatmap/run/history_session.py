"""The history within one run: it is read, and the run's ticks are added. Its failure never costs a page."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple, Self, TypeVar
from zoneinfo import ZoneInfo

from heatmap.errors import ConfigError, HistoryError
from heatmap.market.calendar import phases
from heatmap.market.calendar.session import Phase
from heatmap.run import attribution, due
from heatmap.run.shared_turns import OtherTurn, SharedTurns
from heatmap.state.memory import mark_name
from heatmap.state.report import PartOutcomes
from heatmap.system import parts

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence
    from datetime import date, datetime
    from types import TracebackType

    from heatmap.config.loader import Config, Market
    from heatmap.history.store import Store
    from heatmap.market.calendar.session import MarketStatus
    from heatmap.market.quotes import Snapshot
    from heatmap.pictures.market_map.past import HistoryView
    from heatmap.state.memory import State
    from heatmap.state.report import Messages
    from heatmap.system.deadline import Deadline

_T = TypeVar("_T")
LEAST_FREE_BYTES = 16 * 1024 * 1024  # stay free on the disk, for the state that the program needs
MOST_WARNINGS = 5  # a market and day, for cron mails everything on stderr


class _Tick(NamedTuple):
    """A snapshot that `record` adds to the history once its pages are published."""

    market: Market
    name: str  # of the market in the history
    snapshot: Snapshot
    session: date
    phase: Phase


class HistorySession:
    """The history of one run. It is opened at its first use and closed at the end of the `with` block.

    It raises neither a HistoryError nor a bug of the history: it warns once a day and market, and the run
    goes on. The caller must hold the lock of the state directory.
    """

    def __init__(
        self,
        config: Config,
        state: State,
        messages: Messages,
        now: datetime,
        *,
        deadline: Deadline | None = None,
        dry_run: bool = False,
        is_lost: bool = False,
    ) -> None:
        """Prepare. A database may take a part of the run's `deadline`; None means that no run waits for it.

        `is_lost` says that the history could not be opened earlier in this run.
        """
        self._config = config
        self._state = state
        self._messages = messages
        self._now = now
        self._dry_run = dry_run
        self._store: Store | None = None
        self.is_lost = is_lost  # it could not be opened, and this run does not try again
        self._ticks: list[_Tick] = []
        self._deadline = deadline
        self._turns = SharedTurns(config.interval_minutes, now, deadline, self.attempt)
        self._published: set[str] = set()  # the markets whose turn is done
        self._fault = ""  # the reason of the last failure

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Give the turns back and close the store. A turn counts as done only if its market has a page."""
        self._turns.give_back(self._published)
        if self._store is not None:
            self._store.close()

    def claim_turns(
        self, due_markets: Sequence[tuple[Market, MarketStatus]]
    ) -> tuple[list[tuple[Market, MarketStatus]], list[OtherTurn]]:
        """Return the due markets that this machine draws, and those that another machine draws.

        The second list is empty unless several machines share the history.
        """
        if self._config.history.url is None or not self._config.history.enabled or self._dry_run:
            return list(due_markets), []
        own: list[tuple[Market, MarketStatus]] = []
        others: list[OtherTurn] = []
        for market, status in due_markets:
            other = self._claim_turn(market, status)
            if other:
                self._messages.say(f"{market.name}: {other.reason}")
                others.append(other)
            else:
                own.append((market, status))
        return own, others

    def confirm_turns(self) -> None:
        """Raise DeadlineError if another machine may have drawn one of the markets in the meantime."""
        self._turns.confirm()

    def add_snapshot(self, market: Market, snapshot: Snapshot, status: MarketStatus) -> date:
        """Add a snapshot to those that `record` writes; return its session."""
        session = attribution.find_session(market.calendar, snapshot.as_of, status)
        if status.phase in attribution.RECORDED_PHASES:
            name = attribution.name_in_history(market.name, is_recording=snapshot.recording)
            self._ticks.append(_Tick(market, name, snapshot, session, status.phase))
        return session

    def read(self, market: Market, snapshot: Snapshot, status: MarketStatus) -> HistoryView | None:
        """Return the history of a market before this snapshot; None if it cannot be read or is disabled.

        `record` will add the snapshot.
        """
        session = self.add_snapshot(market, snapshot, status)

        def read(store: Store) -> HistoryView:
            from heatmap.pictures.market_map import past
            from heatmap.sources.nse import symbols as nse_symbols

            config = self._config
            name = attribution.name_in_history(market.name, is_recording=snapshot.recording)
            symbols = [quote.symbol for quote in snapshot.quotes]
            calendar = nse_symbols.with_saved_changes(market.calendar, config.state_directory, symbols)
            reader = past.PastReader(store, name, calendar, config.history.periods, config.state_directory)
            return reader.read(snapshot, session, status.phase)

        return self.attempt(market, read)

    def read_previous_closes(
        self, market: Market, snapshot: Snapshot, status: MarketStatus, symbols: Collection[str]
    ) -> Mapping[str, float]:
        """Return the closes of the session before the snapshot's, by symbol; unknown ones are left out."""
        session = attribution.find_session(market.calendar, snapshot.as_of, status)
        before = attribution.find_session_before(market.calendar, session)

        def read(store: Store) -> Mapping[str, float]:
            bars = store.bars(
                attribution.name_in_history(market.name, is_recording=snapshot.recording),
                session - phases.ONE_DAY,
                1,
                sorted(symbols),
            )
            return {bar.symbol: bar.close for bar in bars if bar.date == before}

        return (self.attempt(market, read) if before else None) or {}

    def record(self, *, is_everywhere: bool) -> PartOutcomes:
        """Add the run's snapshots, and return what became of the bars. After a final, delete what is too old.

        Call it only if a target has the pages; `is_everywhere` says that every target has them.
        """
        outcomes = PartOutcomes()
        ticks, self._ticks = self._ticks, []
        for tick in ticks:

            def add(store: Store, tick: _Tick = tick) -> bool:
                self._require_free_bytes()
                added = store.add_tick(tick.name, tick.snapshot, tick.session, tick.phase)
                if added.newer_as_of:
                    later = added.newer_as_of.astimezone(ZoneInfo(tick.market.calendar.time_zone))
                    self.warn_once_a_day(
                        tick.market,
                        f"its figures are older than those of {later:%H:%M} kept before: they are kept "
                        "in their place; if that goes on, look at the clocks of the source and this machine",
                    )
                if added.bars:
                    store.prune(self._config.history)
                return True

            is_recorded = self.attempt(tick.market, add)
            if is_recorded and is_everywhere:  # else the next run of any machine goes on
                self._published.add(tick.market.name)
            if tick.phase is Phase.FINAL and self._config.history.enabled:
                outcomes.add(tick.market.name, parts.BARS, "" if is_recorded else self._fault)
        return outcomes

    def reopen_turns(self, outcomes: PartOutcomes) -> None:
        """Let another machine draw the markets of which a part failed that it can make."""
        self._published = {
            name
            for name in self._published
            if not outcomes.has_failed(name, parts.BARS, parts.ARCHIVE, parts.FEED)
        }

    def _claim_turn(self, market: Market, status: MarketStatus) -> OtherTurn | None:
        """Return the other machine's turn; None if this machine draws the market."""
        if due.has_final(status, self._state[market.name]):
            return None  # this machine published the final, and only it looks for later figures

        def remember(store: Store) -> None:
            session = status.session
            if status.phase is Phase.FINAL and session and store.latest_final(market.name) == session.date:
                day = session.date.isoformat()
                marks = {mark_name(part): day for part in parts.OF_FINAL}  # the other machine makes them
                self._state.remember(market.name, final_date=day, closed_date=day, **marks)

        return self._turns.claim(market, status, remember)

    def attempt(self, market: Market, work: Callable[[Store], _T]) -> _T | None:
        """Return the result of `work`; None if there is no history or it fails, which is a warning."""
        try:
            store = self._open(market)
            return None if store is None else work(store)
        except HistoryError as error:
            self._fault = str(error)
        except Exception as bug:  # noqa: BLE001 -- a bug in the history must not cost the page
            self._fault = f"the history ended in a bug, please report it: {bug!r}"
        self.warn_once_a_day(market, self._fault)
        return None

    def _open(self, market: Market) -> Store | None:
        """Return the open store; None if there is no history. Raises HistoryError, at most once a run."""
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
                options, folder, lambda sentence: self.warn_once_a_day(market, sentence), self._deadline
            )
            self.is_lost = False
        return self._store

    def _require_free_bytes(self) -> None:
        """Raise HistoryError if the history's file would take the space that the state needs."""
        if self._config.history.url is not None:
            return
        folder = self._config.state_directory
        disk = os.statvfs(folder)
        if disk.f_bavail * disk.f_frsize < LEAST_FREE_BYTES:
            raise HistoryError(
                f"less than {LEAST_FREE_BYTES // 1024**2} MiB are left on the disk of {folder}, so the "
                "history goes without this tick: make room, or keep fewer with tick_sessions"
            )

    def warn_once_a_day(self, market: Market, sentence: str) -> None:
        """Warn, unless the same sentence was a warning today. Other digits do not make another sentence."""
        from zlib import crc32

        today = self._now.astimezone(ZoneInfo(market.calendar.time_zone)).date().isoformat()
        sentence = sentence.removeprefix(f"{market.name}: ")  # some sentences of the store begin with it
        mark = f"{crc32(''.join(c for c in sentence if not c.isdigit()).encode()):08x}"
        marks = (self._state[market.name].history_told or "").split()
        marks = marks if marks[:1] == [today] else [today]
        if mark in marks or len(marks) > MOST_WARNINGS:
            self._messages.say(f"{market.name}: {sentence}")
            return
        self._messages.warn(f"{market.name}: {sentence}")
        if not self._dry_run:
            with suppress(ConfigError):  # a full disk must not cost the page
                self._state.remember(market.name, history_told=" ".join([*marks, mark]))
