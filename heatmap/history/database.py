"""What the store asks of the database behind it. Only the type checker reads this."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from datetime import datetime
    from types import TracebackType

_T = TypeVar("_T")


class Cursor(Protocol):
    """What both databases' cursors have. Parameters stand as `?`."""

    @property
    def rowcount(self) -> int:
        """How many rows the last statement changed."""
        ...

    def execute(self, statement: str, parameters: Sequence[object] = (), /) -> object:
        """Run a statement."""
        ...

    def executemany(self, statement: str, rows: Iterable[Sequence[object]], /) -> object:
        """Run a statement once a row; `rowcount` is then of all of them."""
        ...

    def fetchall(self) -> list[Any]:
        """Return the rows that the last statement found."""
        ...


class TickClaim(Protocol):
    """A market's turn, see Store.claim_tick. Every method raises HistoryError."""

    seconds: float  # how long it lasts, from when it was taken or kept
    last_done_slot: datetime | None
    is_done: bool

    def __enter__(self) -> bool:
        """Take the turn; return whether it is this machine's."""
        ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Give the turn back: as done where there was no exception, else free for the next machine."""
        ...

    def renew(self) -> bool:
        """Keep the turn for as long once more; return whether it still was this machine's."""
        ...


class Database(Protocol):
    """Where the tables are. Every method but `close` raises HistoryError."""

    def read(self, work: Callable[[Cursor], _T]) -> _T:
        """Return what `work` returns, which sees the tables as they are at one moment."""
        ...

    def write(self, work: Callable[[Cursor], _T]) -> _T:
        """Do all of `work` or nothing, and nobody else's at the same time. Return what it returns."""
        ...

    def compact(self) -> None:
        """Give back the space of what was deleted, where that is worth the work."""
        ...

    def size_bytes(self) -> int:
        """Return how much room it takes."""
        ...

    def claim_tick(self, market: str, slot: datetime) -> TickClaim:
        """See Store.claim_tick."""
        ...

    def pooler(self) -> str | None:
        """See Store.pooler."""
        ...

    def close(self) -> None:
        """Let go of the database."""
        ...
