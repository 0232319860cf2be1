"""Claims to ticks, for machines that share a PostgreSQL. A claim is a lease, which ends by itself.

There is one row for each market. While a machine has the claim, `holder` and `ends` are set, by the server's
clock. If that machine vanishes or sleeps, others wait until the lease ends and no longer. A lease needs no
session of the server, so it works behind any pooler.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime
from math import inf
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType
    from typing import Any, Protocol

    from heatmap.history.database import Cursor

    class Change(Protocol):
        """Runs `work` as one transaction and returns its result."""

        def __call__(self, work: Callable[[Cursor], Any], *, is_last: bool) -> Any:  # noqa: ANN401 -- what `work` returns
            """Run `work`; `is_last`: it may take the reserved part of the run's time."""
            ...


TABLE = "CREATE TABLE turns (market TEXT NOT NULL PRIMARY KEY, slot TEXT NOT NULL)"
LEASE = (
    "ALTER TABLE turns ADD COLUMN IF NOT EXISTS holder text",
    "ALTER TABLE turns ADD COLUMN IF NOT EXISTS ends timestamptz",
)
HAS_LEASE = "SELECT count(*) FROM pg_attribute WHERE attrelid = to_regclass(?) AND attname = 'ends'"
NEVER = ""  # the slot of a market without a finished tick
# Earlier versions hold a lock of their session instead, and set the same slot when they are done.
_TAKE = (
    "INSERT INTO turns AS t (market, slot, holder, ends)"
    " VALUES (?, ?, ?, clock_timestamp() + make_interval(secs => ?))"
    " ON CONFLICT (market) DO UPDATE SET holder = excluded.holder, ends = excluded.ends"
    " WHERE t.slot <> ? AND (t.holder = excluded.holder OR t.ends IS NULL OR t.ends <= clock_timestamp())"
    " RETURNING 1"
)
_SLOT = "SELECT slot FROM turns WHERE market = ?"
_RENEW = (
    "UPDATE turns SET ends = clock_timestamp() + make_interval(secs => ?) WHERE market = ? AND holder = ?"
    " RETURNING 1"
)
_RELEASE = "UPDATE turns SET holder = NULL, ends = NULL WHERE market = ? AND holder = ?"
_FINISH = "UPDATE turns SET slot = ?, holder = NULL, ends = NULL WHERE market = ? AND holder = ?"


class Lease:
    """A claim to a market's tick that was due at `slot`, for at most `seconds`.

    `change` runs a piece of work as one transaction. Every method raises HistoryError.
    """

    def __init__(
        self,
        change: Change,
        market: str,
        slot: datetime,
        seconds: float,
    ) -> None:
        self._change = change
        self._market = market
        self._slot = slot.astimezone(UTC).isoformat()
        self.seconds = seconds
        self._holder = f"{os.uname().nodename} {os.getpid()} {os.urandom(8).hex()}"
        self._is_ours = False
        self.last_done_slot: datetime | None = (
            None  # of the last tick that was done; None: none, or not known
        )
        self.is_done = False  # whether this tick was done already

    def __enter__(self) -> bool:
        """Claim the tick; return whether this machine has the claim."""

        def take(cursor: Cursor) -> tuple[bool, str]:
            cursor.execute(_TAKE, (self._market, NEVER, self._holder, self.seconds, self._slot))
            is_ours = bool(cursor.fetchall())
            cursor.execute(_SLOT, (self._market,))
            return is_ours, str(cursor.fetchall()[0][0])

        self._is_ours, slot = self._change(take, is_last=False)
        self.is_done = slot == self._slot
        self.last_done_slot = _parse_slot(slot)
        return self._is_ours

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """End the claim. Without an exception the tick is done; else another machine can claim it."""
        if not self._is_ours:
            return

        def give_back(cursor: Cursor) -> None:
            if kind is None:
                cursor.execute(_FINISH, (self._slot, self._market, self._holder))
            else:
                cursor.execute(_RELEASE, (self._market, self._holder))

        self._change(give_back, is_last=True)

    def renew(self) -> bool:
        """Let the lease last `seconds` from now; return whether this machine still has it."""

        def prolong(cursor: Cursor) -> bool:
            cursor.execute(_RENEW, (self.seconds, self._market, self._holder))
            return bool(cursor.fetchall())

        self._is_ours = self._is_ours and bool(self._change(prolong, is_last=False))
        return self._is_ours


class UnsharedClaim:
    """The claim of a machine that does not share its history: it always holds."""

    seconds = inf
    last_done_slot: datetime | None = None
    is_done = False

    def __enter__(self) -> bool:
        """Return True."""
        return True

    def __exit__(self, *_: object) -> None:
        """Do nothing."""

    def renew(self) -> bool:
        """Return True."""
        return True


def _parse_slot(slot: str) -> datetime | None:
    try:
        return datetime.fromisoformat(slot)
    except ValueError:
        return None
