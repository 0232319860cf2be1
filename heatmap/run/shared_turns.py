"""Which of the machines that share a history draws a market now, and what is wrong where none does."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple
from zoneinfo import ZoneInfo

from heatmap.errors import DeadlineError, HistoryError
from heatmap.market.calendar.session import Phase
from heatmap.state.run_log import ELSEWHERE
from heatmap.system import stop

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from heatmap.config.loader import Market
    from heatmap.history.database import TickClaim
    from heatmap.history.store import Store
    from heatmap.market.calendar.session import MarketStatus
    from heatmap.state.report import Report
    from heatmap.system.deadline import Deadline

LATE_INTERVALS = 1.5  # without a page for so long, a machine waits until the other gives its turn back
TROUBLE_INTERVALS = 2.5  # and after so long it says that something is wrong
WAIT_SHARE = 1 / 4  # of a run's time
PAUSE_SECONDS = 1.0  # between two attempts to take a turn


class _Taken(NamedTuple):
    """A turn that is this machine's, and when it was asked for, by the clock that counts sleep, too."""

    market: Market
    turn: TickClaim
    asked_at: float


class SharedTurns:
    """The turns that a run has, of the markets that are due.

    `ask` does work with the history; it returns None, and tells why, where that cannot be had. `deadline` is
    the run's; None: nothing is waited for.
    """

    def __init__(
        self,
        interval_minutes: int,
        report: Report,
        now: datetime,
        deadline: Deadline | None,
        ask: Callable[[Market, Callable[[Store], bool]], bool | None],
    ) -> None:
        self._interval = timedelta(minutes=interval_minutes)
        self._report = report
        self._now = now
        self._deadline = deadline
        self._ask = ask
        self._taken: dict[str, _Taken] = {}

    def take(self, market: Market, verdict: MarketStatus, when_done: Callable[[Store], None]) -> bool:
        """Return whether this machine is to draw a market; it is where no history can be asked.

        `when_done` is called where another machine has drawn it. A page that grows old while another
        machine has the turn is an error in the report.
        """

        def take(store: Store) -> bool:
            turn = store.claim_tick(market.name, self._slot(verdict))
            if self._take(market, turn) or self._wait(market, verdict, turn):
                return True
            if turn.is_done:
                when_done(store)
            self._tell(market, verdict, turn)
            return False

        return self._ask(market, take) is not False

    def confirm(self) -> None:
        """Raise DeadlineError where a turn is not this machine's any more, as after the machine has slept."""
        for taken in self._taken.values():
            still = self._ask(taken.market, lambda _, taken=taken: taken.turn.renew())  # type: ignore[misc]
            if still is None:  # without an answer, only a turn that cannot have ended yet is surely ours
                still = _clock() - taken.asked_at < taken.turn.seconds
            if not still:
                raise DeadlineError(
                    f"{taken.market.name}: this machine slept, or was too slow, and another one may have "
                    "drawn the market meanwhile: nothing is published, and the next run tries again"
                )

    def give_back(self, published: Collection[str]) -> None:
        """Give all turns back: those of the markets `published` are done, the others free again."""
        for name, (market, turn, _) in self._taken.items():
            undone = None if name in published else HistoryError("not published")
            kind = type(undone) if undone else None
            # What cannot be given back is told, and ends by itself.
            self._ask(market, lambda _, t=turn, k=kind, e=undone: bool(t.__exit__(k, e, None)))  # type: ignore[misc]

    def _take(self, market: Market, turn: TickClaim) -> bool:
        asked_at = _clock()
        with stop.postpone():  # a turn that is taken and not noted would not be given back
            if turn.__enter__():
                self._taken[market.name] = _Taken(market, turn, asked_at)
                return True
        return False

    def _wait(self, market: Market, verdict: MarketStatus, turn: TickClaim) -> bool:
        """Try for a while to take the turn of a market whose page is late; return whether that went well.

        Else a machine that always comes first and always fails would keep all others from their turns.
        """
        if self._deadline is None or not self._is_late(verdict, turn, LATE_INTERVALS):
            return False
        until = self._deadline.remaining() - self._deadline.seconds * WAIT_SHARE
        while not turn.is_done and self._deadline.remaining() > until:
            time.sleep(PAUSE_SECONDS)
            if self._take(market, turn):
                return True
        return False

    def _tell(self, market: Market, verdict: MarketStatus, turn: TickClaim) -> None:
        if turn.is_done:
            sentence = "another machine has drawn this tick"
        else:
            sentence = "another machine has the turn, or a run that was killed had it a moment ago"
        self._report.say(f"{market.name}: {sentence}")
        self._report.passed[market.name] = (ELSEWHERE, sentence)
        if not self._is_late(verdict, turn, TROUBLE_INTERVALS):
            return
        zone = ZoneInfo(market.calendar.time_zone)
        since = f"since {turn.last_done_slot.astimezone(zone):%d %b %H:%M}" if turn.last_done_slot else "yet"
        error = HistoryError(
            f"{market.name}: another machine has the turn, but no page has come {since}: look at "
            "`heatmap status` on each machine that shares this history; to publish from here: "
            "`heatmap run --force`"
        )
        error.market = market.name
        self._report.errors.append(error)

    def _is_late(self, verdict: MarketStatus, turn: TickClaim, intervals: float) -> bool:
        """Whether ticks have been due for so many intervals, and none was done, this one neither."""
        since = _due_since(verdict, self._now)
        if turn.is_done or since is None:
            return False
        last = max(since, turn.last_done_slot or since)
        return self._now - last > self._interval * intervals

    def _slot(self, verdict: MarketStatus) -> datetime:
        """Return when the tick was due: of a final there is one a session, so machines publish one."""
        if verdict.phase is Phase.FINAL and verdict.session and verdict.session.settles:
            return verdict.session.settles
        return self._now - (self._now - datetime.fromtimestamp(0, UTC)) % self._interval


def _due_since(verdict: MarketStatus, now: datetime) -> datetime | None:
    """Return since when each tick has been due; None where that is not known."""
    session = verdict.session
    if session is None:
        return None
    if verdict.phase is Phase.FINAL:
        return session.settles
    since: datetime | None = None
    end: datetime | None = None
    for window in session.windows:
        if window.opens > now:
            break
        since = since if since and window.opens == end else window.opens  # an auction follows at once
        end = window.closes
    return since if verdict.phase in (Phase.OPEN, Phase.AUCTION) else None


def _clock() -> float:
    """Return seconds on a clock that never jumps, and that counts on while the machine sleeps if it can."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))
