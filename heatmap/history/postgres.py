"""The history in a PostgreSQL database that several machines share. Needs psycopg, which is an extra.

The server's session has no state: each transaction sets its own limits, and a claim is a row (`turns`). So
the history works through a pooler in transaction mode, too.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeVar

from heatmap.errors import HistoryImpossible
from heatmap.history import turns
from heatmap.history.postgres_connection import STEP_SECONDS, Connection
from heatmap.history.schema import MIGRATIONS, TABLES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from datetime import datetime

    from heatmap.history.database import Cursor
    from heatmap.system.deadline import Deadline

_T = TypeVar("_T")
SCHEMA = "heatmap"
LOCK_SECONDS = 5  # the longest wait for another machine's transaction
LEASE_SPARE_SECONDS = 10  # a claim ends so long after the run's deadline; a run may end 5 seconds after it
# The first key of the writer's advisory lock is "heat".
WRITER_KEY = 0x68656174
BEGIN_READ = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
BEGIN_WRITE = "BEGIN"
LOCK_WRITERS = f"SELECT pg_advisory_xact_lock({WRITER_KEY}, 0)"  # one writer at a time


class Postgres:
    """The schema `heatmap` of the database at `url`. Connects at once. Raises HistoryError.

    `password_env` and `deadline`: see Connection. Missing tables are created.
    """

    def __init__(self, url: str, password_env: str | None, deadline: Deadline | None = None) -> None:
        self._login = (url, password_env, deadline)
        self._deadline = deadline
        self._connection = Connection(url, password_env, deadline)
        self._name = self._connection.name
        try:
            self._prepare()
        except BaseException:
            self.close()
            raise

    def read(self, work: Callable[[Cursor], _T]) -> _T:
        """Run `work` in one read transaction, which sees the tables at one moment; return its result."""
        return self._transaction(BEGIN_READ, work)

    def write(self, work: Callable[[Cursor], _T]) -> _T:
        """Run `work` in one write transaction, one at a time; return its result.

        If the connection breaks, `work` runs again. So a second run of `work` must do no harm.
        """
        return self._transaction(BEGIN_WRITE, work, LOCK_WRITERS)

    def compact(self) -> None:
        """Do nothing: the server's autovacuum frees the space."""

    def size_bytes(self) -> int:
        """Return the size of the tables with their indexes."""
        statement = (
            "SELECT coalesce(sum(pg_total_relation_size(c.oid)), 0)::bigint FROM pg_class AS c"
            " JOIN pg_namespace AS n ON n.oid = c.relnamespace WHERE n.nspname = ? AND c.relkind = 'r'"
        )
        return self.read(lambda cursor: int(_fetch_value(cursor, statement, SCHEMA)))

    def claim_tick(self, market: str, slot: datetime) -> turns.Lease:
        """See Store.claim_tick. The claim ends by itself soon after the run's deadline."""
        seconds = (self._deadline.seconds if self._deadline else STEP_SECONDS) + LEASE_SPARE_SECONDS

        def change(work: Callable[[Cursor], Any], *, is_last: bool) -> Any:  # noqa: ANN401 -- what `work` returns
            return self._transaction(BEGIN_WRITE, work, is_last=is_last)

        return turns.Lease(change, market, slot, seconds)

    def pooler(self) -> str | None:
        """See Store.pooler."""
        own_pid = self.read(_fetch_backend_pid)
        if own_pid == self._connection.run(lambda connection: connection.info.backend_pid):
            return None
        other = Postgres(*self._login)
        try:
            # A pooler may have given our last session to `other`; then we get another session.
            is_shared = other.read(
                lambda cursor: (
                    _fetch_backend_pid(cursor) == own_pid or self.read(_fetch_backend_pid) != own_pid
                )
            )
        finally:
            other.close()
        return "transaction" if is_shared else "session"

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def _transaction(
        self, begin: str, work: Callable[[Cursor], _T], last_statement: str = "", *, is_last: bool = False
    ) -> _T:
        step = round(self._connection.step_seconds * 1000)
        limits = {
            "search_path": SCHEMA,
            "lock_timeout": min(LOCK_SECONDS * 1000, step // 2),
            "statement_timeout": step * 3 // 4,
            "idle_in_transaction_session_timeout": step,
        }
        statements = [
            begin,
            *(f"SET LOCAL {name} = {value}" for name, value in limits.items()),
            last_statement,
        ]

        def run(connection: Any) -> _T:  # noqa: ANN401 -- psycopg may not be here
            with connection.cursor() as cursor:
                try:
                    cursor.execute("; ".join(filter(None, statements)))  # in one message
                    result = work(_Cursor(cursor))
                    cursor.execute("COMMIT")
                except BaseException:
                    with suppress(self._connection.psycopg.Error):
                        cursor.execute("ROLLBACK")
                    raise
            return result

        return self._connection.run(run, is_last=is_last)

    def _prepare(self) -> None:
        """Create or migrate the tables. Raises HistoryImpossible for tables of a newer version."""

        def is_ready(cursor: Cursor) -> bool:
            has_lease = bool(_fetch_value(cursor, turns.HAS_LEASE, f"{SCHEMA}.turns"))
            return self._version(cursor) == len(MIGRATIONS) and has_lease

        def migrate(cursor: Cursor) -> None:
            if _fetch_value(cursor, "SELECT to_regnamespace(?) IS NULL", SCHEMA):
                cursor.execute(f"CREATE SCHEMA {SCHEMA}")
            scripts = [[*MIGRATIONS[0], turns.TABLE], *MIGRATIONS[1:]]
            for script in [*scripts[self._version(cursor) :], turns.LEASE]:
                for statement in script:
                    cursor.execute(_translate(statement))
            cursor.execute("CREATE TABLE IF NOT EXISTS version (number integer NOT NULL)")
            cursor.execute("DELETE FROM version")
            cursor.execute("INSERT INTO version (number) VALUES (?)", (len(MIGRATIONS),))

        if not self.read(is_ready):
            self.write(migrate)  # one machine at a time: the second finds nothing to do

    def _version(self, cursor: Cursor) -> int:
        """Return the version of the tables; 0: there are none."""
        if _fetch_value(cursor, "SELECT to_regclass(?) IS NULL", f"{SCHEMA}.version"):
            return 0
        version = int(_fetch_value(cursor, "SELECT max(number) FROM version") or 0)
        if version > len(MIGRATIONS):
            raise HistoryImpossible(
                f"the history {self._name} was written by a newer version of this program (its tables are of "
                f"version {version}, this one knows {len(MIGRATIONS)}): it is not changed; install the "
                "newer version on this machine, too"
            )
        cursor.execute("SELECT table_name FROM information_schema.tables WHERE table_schema = ?", (SCHEMA,))
        missing = TABLES - {row[0] for row in cursor.fetchall()}
        if version and missing:
            raise HistoryImpossible(
                f"the history {self._name} lacks the table {min(missing)}: restore it from a backup, or drop "
                f"the schema {SCHEMA} to begin anew"
            )
        return version


class _Cursor:
    """psycopg's cursor, with parameters as `?` like SQLite's."""

    def __init__(self, cursor: Any) -> None:  # noqa: ANN401 -- psycopg may not be here
        self._cursor = cursor

    @property
    def rowcount(self) -> int:
        return int(self._cursor.rowcount)

    def execute(self, statement: str, parameters: Sequence[object] = (), /) -> None:
        self._cursor.execute(statement.replace("?", "%s"), parameters)

    def executemany(self, statement: str, rows: Iterable[Sequence[object]], /) -> None:
        self._cursor.executemany(statement.replace("?", "%s"), rows)

    def fetchall(self) -> list[Any]:
        rows: list[Any] = self._cursor.fetchall()
        return rows


def _translate(statement: str) -> str:
    """Return a statement of the common schema for PostgreSQL, where names then also sort by code point."""
    return (
        statement.replace("BLOB", "BYTEA").replace("TEXT", 'TEXT COLLATE "C"').replace(" WITHOUT ROWID", "")
    )


def _fetch_value(cursor: Cursor, statement: str, *parameters: object) -> Any:  # noqa: ANN401 -- of any SQL type
    cursor.execute(statement, parameters)
    return cursor.fetchall()[0][0]


def _fetch_backend_pid(cursor: Cursor) -> int:
    """Return the id of the server's process of this session."""
    return int(_fetch_value(cursor, "SELECT pg_backend_pid()"))
