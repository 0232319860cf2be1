"""The history in a PostgreSQL database that several machines share, by psycopg, which is an extra."""

from __future__ import annotations

import zlib
from contextlib import contextmanager, suppress
from datetime import UTC
from typing import TYPE_CHECKING, Any, TypeVar

from heatmap.errors import ConfigError, HistoryError, HistoryImpossible, HistoryRefused
from heatmap.history.schema import MIGRATIONS, TABLES
from heatmap.redaction import redact

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from datetime import datetime

    from heatmap.history.database import Cursor

_T = TypeVar("_T")
SCHEMA = "heatmap"
CONNECT_SECONDS = 5
LOCK_SECONDS = 5  # how long another machine's writing is waited for
STATEMENT_SECONDS = 15
LONGEST_REASON = 300  # characters of the server's words
# The first key of every advisory lock of ours is "heat"; the second is 0 for the one writer, or a market's.
WRITER = 0x68656174
# SQLSTATE begins so: a lock or an answer not had in time; a deadlock or its like.
BUSY = ("55P03", "57014", "40")
PERMISSION = "42501"  # SQLSTATE
FULL = "53100"  # SQLSTATE
# libpq has no SQLSTATE for a connection that never was, only the server's words.
REFUSED = (
    "authentication failed",
    "no password supplied",
    "pg_hba.conf",
    "certificate",
    "is not permitted to log",
)
NO_DATABASE = ("does not exist", "invalid")
TURNS = "CREATE TABLE turns (market TEXT NOT NULL PRIMARY KEY, slot TEXT NOT NULL)"


class Postgres:
    """The schema `heatmap` of the database at `url`. Connects at once. Raises HistoryError.

    `password_env` names the environment variable that the password is in; None: there is none, or libpq
    finds it in ~/.pgpass. The tables are made where they are missing.
    """

    def __init__(self, url: str, password_env: str | None) -> None:
        self._name = url.partition("?")[0]
        self._psycopg = _psycopg()
        self._password = password = _password(password_env, self._name)
        self._connection = self._explaining(lambda: self._connected(url, password))
        try:
            self._prepare()
        except BaseException:
            self.close()
            raise

    def read(self, work: Callable[[Cursor], _T]) -> _T:
        """Return what `work` returns, which sees the tables as they are at one moment."""
        return self._transaction("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY", (), work)

    def write(self, work: Callable[[Cursor], _T]) -> _T:
        """Do all of `work` or nothing, and nobody else's at the same time. Return what it returns."""
        return self._transaction("SELECT pg_advisory_xact_lock(?, 0)", (WRITER,), work)

    def compact(self) -> None:
        """Nothing: the server's autovacuum does it."""

    def size_bytes(self) -> int:
        """Return the size of the tables with their indexes."""
        statement = (
            "SELECT coalesce(sum(pg_total_relation_size(c.oid)), 0)::bigint FROM pg_class AS c"
            " JOIN pg_namespace AS n ON n.oid = c.relnamespace WHERE n.nspname = ? AND c.relkind = 'r'"
        )

        def work(cursor: Cursor) -> int:
            cursor.execute(statement, (SCHEMA,))
            return int(cursor.fetchall()[0][0])

        return self.read(work)

    @contextmanager
    def turn(self, market: str, slot: datetime) -> Iterator[bool]:
        """Yield whether the turn is this machine's. The server lets go of it if the process dies."""
        key = (WRITER, zlib.crc32(market.encode()) >> 1 | 1)  # never 0, which is the writer's
        if not self._asked("SELECT pg_try_advisory_lock(?, ?)", *key):
            yield False
            return
        try:
            due = slot.astimezone(UTC).isoformat()
            done = self._asked("SELECT count(*) FROM turns WHERE market = ? AND slot = ?", market, due)
            yield not done
            if not done:
                self._asked(
                    "INSERT INTO turns (market, slot) VALUES (?, ?)"
                    " ON CONFLICT (market) DO UPDATE SET slot = excluded.slot RETURNING 1",
                    market,
                    due,
                )
        finally:
            with suppress(HistoryError):  # without a connection there is no lock either
                self._asked("SELECT pg_advisory_unlock(?, ?)", *key)

    def close(self) -> None:
        """Let go of the connection, and with it of every lock."""
        self._connection.close()

    def _asked(self, statement: str, *parameters: object) -> Any:  # noqa: ANN401 -- as the server has it
        """Return the one value that a statement gives; what it changes is done."""

        def work() -> Any:  # noqa: ANN401 -- as the server has it
            return self._connection.execute(statement.replace("?", "%s"), parameters).fetchone()[0]

        return self._explaining(work)

    def _transaction(self, first: str, parameters: Sequence[object], work: Callable[[Cursor], _T]) -> _T:
        def run() -> _T:
            with self._connection.transaction(), self._connection.cursor() as cursor:
                ours = _Cursor(cursor)
                ours.execute(first, parameters)
                return work(ours)

        return self._explaining(run)

    def _connected(self, url: str, password: str | None) -> Any:  # noqa: ANN401 -- psycopg may not be here
        connection = self._psycopg.connect(
            url,
            password=password,
            connect_timeout=CONNECT_SECONDS,
            tcp_user_timeout=STATEMENT_SECONDS * 1000,  # a network that went away is noticed
            application_name="heatmap",
            autocommit=True,
        )
        for setting, value in (
            ("search_path", SCHEMA),
            ("lock_timeout", f"{LOCK_SECONDS}s"),
            ("statement_timeout", f"{STATEMENT_SECONDS}s"),
        ):
            connection.execute("SELECT set_config(%s, %s, false)", (setting, value))
        return connection

    def _prepare(self) -> None:
        """Make the tables, or bring them to the version we know. Raises HistoryImpossible for a newer one."""

        def migrate(cursor: Cursor) -> None:
            if _one(cursor, "SELECT to_regnamespace(?) IS NULL", SCHEMA):
                cursor.execute(f"CREATE SCHEMA {SCHEMA}")
            scripts = [[*MIGRATIONS[0], TURNS], *MIGRATIONS[1:]]
            for script in scripts[self._version(cursor) :]:
                for statement in script:
                    cursor.execute(_dialect(statement))
            cursor.execute("CREATE TABLE IF NOT EXISTS version (number integer NOT NULL)")
            cursor.execute("DELETE FROM version")
            cursor.execute("INSERT INTO version (number) VALUES (?)", (len(MIGRATIONS),))

        if self.read(self._version) < len(MIGRATIONS):
            self.write(migrate)  # of two machines one does it

    def _version(self, cursor: Cursor) -> int:
        """Return which version the tables have, 0 for none."""
        if _one(cursor, "SELECT to_regclass(?) IS NULL", f"{SCHEMA}.version"):
            return 0
        version = int(_one(cursor, "SELECT max(number) FROM version") or 0)
        if version > len(MIGRATIONS):
            raise HistoryImpossible(
                f"the history {self._name} was written by a newer version of this program (its tables are of "
                f"version {version}, this one knows {len(MIGRATIONS)}): it is left as it is; install the "
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

    def _explaining(self, work: Callable[[], _T]) -> _T:
        """Return what `work` returns. Raises HistoryError for whatever psycopg raises."""
        try:
            return work()
        except self._psycopg.Error as error:
            raise self._explained(error) from error

    def _explained(self, error: Any) -> HistoryError:  # noqa: ANN401 -- psycopg.Error
        code = error.sqlstate or ""
        why = " ".join(redact(str(error), [self._password]).split())[:LONGEST_REASON]
        if code.startswith(BUSY):
            return HistoryError(
                f"the history {self._name} is busy ({why}): another machine is writing it, so this run goes "
                "without it"
            )
        if code == FULL:
            return HistoryError(f"the history {self._name} is full ({why}): make room on the server's disk")
        if code == PERMISSION:
            return HistoryImpossible(
                f"the history {self._name} may not be used ({why}): have the database's owner run "
                f"CREATE SCHEMA {SCHEMA} AUTHORIZATION for this user"
            )
        if not code and any(words in why for words in REFUSED):
            return HistoryRefused(
                f"the history {self._name} refuses us ({why}): check the user in [history] url, and the "
                "password in the variable that password_env names"
            )
        if not code and any(words in why for words in NO_DATABASE):
            return HistoryImpossible(
                f"the history {self._name} cannot be opened ({why}): check the database in [history] url"
            )
        return HistoryError(
            f"the history {self._name} cannot be reached or failed ({why}): this run goes without it; check "
            "the server"
        )


class _Cursor:
    """psycopg's cursor with parameters as `?`, as SQLite has them."""

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
        found: list[Any] = self._cursor.fetchall()
        return found


def _dialect(statement: str) -> str:
    """Return a statement of the common schema as PostgreSQL has it: names sort by code point there, too."""
    return (
        statement.replace("BLOB", "BYTEA").replace("TEXT", 'TEXT COLLATE "C"').replace(" WITHOUT ROWID", "")
    )


def _one(cursor: Cursor, statement: str, *parameters: object) -> Any:  # noqa: ANN401 -- as the server has it
    cursor.execute(statement, parameters)
    return cursor.fetchall()[0][0]


def _psycopg() -> Any:  # noqa: ANN401 -- it may not be here
    try:
        import psycopg
    except ImportError as error:  # psycopg alone, without libpq, raises it as well
        raise HistoryImpossible(
            "a history in PostgreSQL needs psycopg: `pip install 'market-heatmap[postgres]'`"
        ) from error
    return psycopg


def _password(variable: str | None, name: str) -> str | None:
    from heatmap import credentials

    try:
        return credentials.read(variable, None)
    except ConfigError as error:
        raise HistoryImpossible(f"the history {name} cannot be opened: {error}") from error
