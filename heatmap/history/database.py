"""The interface of the database behind the store. Only the type checker reads this module."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from datetime import datetime
    from types import TracebackType

_T = TypeVar("_T")


class Cursor(Protocol):
    """The methods that the cursors of both databases have. Parameters stand as `?`."""

    @property
    def rowcount(self) -> int:
        """The number of rows that the last statement changed."""
        ...

    def execute(self, statement: str, parameters: Sequence[object] = (), /) -> object:
        """Run a statement."""
        ...

    def executemany(self, statement: str, rows: Iterable[Sequence[object]], /) -> object:
        """Run a statement once for each row; `rowcount` then counts all changed rows."""
        ...

    def fetchall(self) -> list[Any]:
        """Return the rows of the last statement."""
        ...


class TickClaim(Protocol):
    """A claim to a market's tick, see Store.claim_tick. Every method raises HistoryError."""

    seconds: float  # how long the claim lasts, from when it was made or renewed
    last_done_slot: datetime | None  # of the last tick that was done; None: none, or not known
    is_done: bool  # whether this tick was done already

    def __enter__(self) -> bool:
        """Claim the tick; return whether this machine has the claim."""
        ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """End the claim. Without an exception the tick is done; else another machine can claim it."""
        ...

    def renew(self) -> bool:
        """Let the claim last `seconds` from now; return whether this machine still has it."""
        ...


class Database(Protocol):
    """A database with the tables of the history. Every method but `close` raises HistoryError."""

    def read(self, work: Callable[[Cursor], _T]) -> _T:
        """Run `work` in one read transaction, which sees the tables at one moment; return its result."""
        ...

    def write(self, work: Callable[[Cursor], _T]) -> _T:
        """Run `work` in one write transaction, one at a time; return its result."""
        ...

    def compact(self) -> None:
        """Free the space of deleted rows, if there is much of it."""
        ...

    def size_bytes(self) -> int:
        """Return the size of the history."""
        ...

    def claim_tick(self, market: str, slot: datetime) -> TickClaim:
        """See Store.claim_tick."""
        ...

    def pooler(self) -> str | None:
        """See Store.pooler."""
        ...

    def close(self) -> None:
        """Close the connection."""
        ...
