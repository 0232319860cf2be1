"""Decides which of the machines that share a history draws a market now; reports if none does."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, NamedTuple
from zoneinfo import ZoneInfo

from heatmap.errors import DeadlineError, HistoryError
from heatmap.market.calendar.session import Phase
from heatmap.system import stop

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from heatmap.config.loader import Market
    from heatmap.history.database import TickClaim
    from heatmap.history.store import Store
    from heatmap.market.calendar.session import MarketStatus
    from heatmap.system.deadline import Deadline

LATE_INTERVALS = 1.5  # without a page for longer, a machine waits for the other one's turn
TROUBLE_INTERVALS = 2.5  # without a page for longer, a machine reports an error
WAIT_SHARE = 1 / 4  # of a run's time
PAUSE_SECONDS = 1.0  # between two attempts to get a turn


class _ClaimedTurn(NamedTuple):
    """A turn of this machine, and the time of its claim, on a clock that counts sleep, too."""

    market: Market
    turn: TickClaim
    claimed_at: float


class OtherTurn(NamedTuple):
    """A market that another machine draws."""

    market: Market
    reason: str
    error: HistoryError | None  # its page gets old meanwhile; None: it does not


class SharedTurns:
    """The turns of one run.

    `attempt` works with the history; it returns None, with a warning, if that fails. `deadline` is the run's;
    None: the turns of other machines are not waited for.
    """

    def __init__(
        self,
        interval_minutes: int,
        now: datetime,
        deadline: Deadline | None,
        attempt: Callable[[Market, Callable[[Store], OtherTurn | bool]], OtherTurn | bool | None],
    ) -> None:
        self._interval = timedelta(minutes=interval_minutes)
        self._now = now
        self._deadline = deadline
        self._attempt = attempt
        self._claimed: dict[str, _ClaimedTurn] = {}

    def claim(
        self, market: Market, status: MarketStatus, when_done: Callable[[Store], None]
    ) -> OtherTurn | None:
        """Return the other machine's turn; None if this machine draws the market.

        It does so if the history fails. `when_done` is called if another machine has drawn the market.
        """

        def claim(store: Store) -> OtherTurn | bool:
            turn = store.claim_tick(market.name, self._slot(status))
            if self._enter(market, turn) or self._wait(market, status, turn):
                return True
            if turn.is_done:
                when_done(store)
            return self._describe_other(market, status, turn)

        claimed = self._attempt(market, claim)
        return claimed if isinstance(claimed, OtherTurn) else None

    def confirm(self) -> None:
        """Raise DeadlineError if a turn is no longer this machine's, as after the machine has slept."""
        for claimed in self._claimed.values():
            still = self._attempt(claimed.market, partial(_renew, claimed.turn))
            if still is None:  # no answer: the turn is ours only if it cannot have ended yet
                still = _clock() - claimed.claimed_at < claimed.turn.seconds
            if not still:
                raise DeadlineError(
                    f"{claimed.market.name}: this machine slept, or was too slow, and another one may have "
                    "drawn the market meanwhile: nothing is published, and the next run tries again"
                )

    def give_back(self, published: Collection[str]) -> None:
        """Give all turns back: the turns of `published` markets are done, the others are free again."""
        for name, (market, turn, _) in self._claimed.items():
            # A turn that cannot be given back is a warning, and ends by itself.
            self._attempt(market, partial(_give_back, turn, name in published))

    def _enter(self, market: Market, turn: TickClaim) -> bool:
        """Return whether the turn is this machine's now."""
        claimed_at = _clock()
        with stop.postpone():  # otherwise a signal could keep a turn from being given back
            if turn.__enter__():
                self._claimed[market.name] = _ClaimedTurn(market, turn, claimed_at)
                return True
        return False

    def _wait(self, market: Market, status: MarketStatus, turn: TickClaim) -> bool:
        """Wait for the turn of a market whose page is late; return whether this machine got it.

        Otherwise a machine that always claims first and always fails would stop all others.
        """
        if self._deadline is None or not self._is_late(status, turn, LATE_INTERVALS):
            return False
        until = self._deadline.remaining() - self._deadline.seconds * WAIT_SHARE
        while not turn.is_done and self._deadline.remaining() > until:
            time.sleep(PAUSE_SECONDS)
            if self._enter(market, turn):
                return True
        return False

    def _describe_other(self, market: Market, status: MarketStatus, turn: TickClaim) -> OtherTurn:
        if turn.is_done:
            sentence = "another machine has drawn the market in this interval"
        else:
            sentence = "another machine has the turn, or a run that was killed had it a moment ago"
        if not self._is_late(status, turn, TROUBLE_INTERVALS):
            return OtherTurn(market, sentence, None)
        zone = ZoneInfo(market.calendar.time_zone)
        since = f"since {turn.last_done_slot.astimezone(zone):%d %b %H:%M}" if turn.last_done_slot else "yet"
        error = HistoryError(
            f"{market.name}: another machine has the turn, but no page has come {since}: look at "
            "`heatmap status` on each machine that shares this history; to publish from here: "
            "`heatmap run --force`"
        )
        error.market = market.name
        return OtherTurn(market, sentence, error)

    def _is_late(self, status: MarketStatus, turn: TickClaim, intervals: float) -> bool:
        """Whether no page has come for so many intervals, though one was due in each."""
        since = _due_since(status, self._now)
        if turn.is_done or since is None:
            return False
        last = max(since, turn.last_done_slot or since)
        return self._now - last > self._interval * intervals

    def _slot(self, status: MarketStatus) -> datetime:
        """Return the time of the turn. A session has one turn for its final, so one machine publishes it."""
        if status.phase is Phase.FINAL and status.session and status.session.settles:
            return status.session.settles
        return self._now - (self._now - datetime.fromtimestamp(0, UTC)) % self._interval


def _renew(turn: TickClaim, _: Store) -> bool:
    """Let a turn last from now on; return whether it is still this machine's."""
    return turn.renew()


def _give_back(turn: TickClaim, is_published: bool, _: Store) -> bool:
    """End a turn. Without a page another machine can have it."""
    error = None if is_published else HistoryError("not published")
    turn.__exit__(type(error) if error else None, error, None)
    return True


def _due_since(status: MarketStatus, now: datetime) -> datetime | None:
    """Return since when a page has been due at each interval; None if that is not known."""
    session = status.session
    if session is None:
        return None
    if status.phase is Phase.FINAL:
        return session.settles
    since: datetime | None = None
    end: datetime | None = None
    for window in session.windows:
        if window.opens > now:
            break
        since = since if since and window.opens == end else window.opens  # an auction follows at once
        end = window.closes
    return since if status.phase in (Phase.OPEN, Phase.AUCTION) else None


def _clock() -> float:
    """Return seconds of a clock that never jumps and, where there is one, counts sleep, too."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))
