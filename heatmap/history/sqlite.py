"""The history in a file of its own: SQLite, made when first needed, set aside where it is damaged.

Write-ahead logging with synchronous = NORMAL: a process killed at any instant leaves every committed
transaction whole. Against a power cut the log is synced into the file when the last connection closes it,
which every run does at its end.
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing, contextmanager, suppress
from typing import TYPE_CHECKING, TypeVar

from heatmap.errors import HistoryError, HistoryImpossible
from heatmap.history import turns
from heatmap.history.schema import MIGRATIONS, TABLES
from heatmap.state import cache, json_files

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from datetime import datetime
    from pathlib import Path

    from heatmap.history.database import Cursor

_T = TypeVar("_T")
APPLICATION_ID = 0x68656174  # "heat": what tells this file from another program's
BUSY_SECONDS = 5.0  # how long another process's writing is waited for
WORTH_COMPACTING_BYTES = 1 * 1024 * 1024
SMALLEST_BYTES = 512  # of a database: one page
SIDE_FILES = ("-wal", "-shm", "-journal")  # what SQLite keeps beside a file, by the end of the name

_DAMAGED = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
_BUSY = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_PROTOCOL}
_CLOSED = {sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM, sqlite3.SQLITE_AUTH}


class _DamagedFile(Exception):
    """The file holds something else than our tables."""


class Sqlite:
    """A database in the file `path`. Opens it at once. Raises HistoryError.

    A damaged file is renamed, never deleted, `warn` is called with a sentence, and an empty one takes its
    place. One that a newer version of this program wrote is left as it is: HistoryImpossible.
    """

    def __init__(self, path: Path, warn: Callable[[str], None]) -> None:
        self._path = path
        self._warn = warn
        self._connection: sqlite3.Connection | None = None
        self._is_ready = False  # whether the connection's file is found to be ours, and its tables up to date
        self._inode: int | None = None  # of the file we opened
        try:
            self.read(lambda _: None)
        except BaseException:
            self.close()
            raise

    def read(self, work: Callable[[Cursor], _T]) -> _T:
        """Return what `work` returns, which sees the tables as they are at one moment."""
        return self._whole(lambda: self._transaction("BEGIN", work))

    def write(self, work: Callable[[Cursor], _T]) -> _T:
        """Do all of `work` or nothing, and nobody else's at the same time. Return what it returns."""
        return self._whole(lambda: self._transaction("BEGIN IMMEDIATE", work))

    def compact(self) -> None:
        """Write the file anew where a quarter of it, and more than a megabyte, is free."""
        self._whole(self._compact)

    def size_bytes(self) -> int:
        """Return the size of the file and its log."""
        sizes = 0
        for end in ("", "-wal"):
            with suppress(OSError):
                sizes += os.stat(f"{self._path}{end}").st_size
        return sizes

    def claim_tick(self, market: str, slot: datetime) -> turns.UnsharedClaim:  # noqa: ARG002 -- as every database has it
        """Return one that always is this machine's: nobody shares this file."""
        return turns.UnsharedClaim()

    def pooler(self) -> None:
        """Return None: nothing stands between."""

    def close(self) -> None:
        """Write the log into the file and let go of it."""
        connection, self._connection, self._is_ready = self._connection, None, False
        if connection is not None:
            # What it could not do is done by whoever opens the file next: the log stays.
            with suppress(sqlite3.Error):
                connection.close()

    def _whole(self, work: Callable[[], _T]) -> _T:
        """Return what `work` returns; where the file is found damaged, of a new one."""
        try:
            return self._explaining(work)
        except _DamagedFile as damage:
            self._set_aside(damage)
        try:
            return self._explaining(work)
        except _DamagedFile as damage:
            raise HistoryError(
                f"the history {self._path} was made anew and is damaged again ({damage}): check the disk"
            ) from damage

    def _explaining(self, work: Callable[[], _T]) -> _T:
        """Return what `work` returns. Raises HistoryError or _Damage for whatever SQLite raises."""
        try:
            return work()
        except sqlite3.Error as error:
            raise self._explained(error) from error
        except UnicodeDecodeError as error:  # by the sqlite3 module, of a damaged table's name
            raise _DamagedFile(str(error)) from error
        except OSError as error:
            raise self._closed(error.strerror or str(error)) from error

    def _transaction(self, begin: str, work: Callable[[Cursor], _T]) -> _T:
        connection = self._opened()
        # Closed at once: a cursor that lives on in a traceback would keep a damaged file open.
        with _transaction(connection, begin), closing(connection.cursor()) as cursor:
            return work(cursor)

    def _opened(self) -> sqlite3.Connection:
        if self._connection is not None and self._is_ready:
            return self._connection
        self.close()
        json_files.make_state_directory(self._path.parent)
        was_emptied = self._is_emptied()
        self._connection = sqlite3.connect(self._path, timeout=BUSY_SECONDS, isolation_level=None)
        found = os.stat(self._path)
        self._inode = found.st_ino
        # SQLite takes so short a file for a new one. With a journal it is: the first writing was cut off.
        if 0 < found.st_size < SMALLEST_BYTES and not os.path.exists(f"{self._path}-journal"):
            message = "it is cut short"
            raise _DamagedFile(message)
        prepare_tables(self._connection, MIGRATIONS, str(self._path))
        self._is_ready = True
        if was_emptied:  # SQLite takes it for a new one, so that what was lost would never be reported
            self._warn(
                f"the history {self._path} was found empty and begins anew. To bring the daily bars back: "
                "`heatmap history backfill`"
            )
        return self._connection

    def _is_emptied(self) -> bool:
        """Whether the file is there and empty, though its history was in use.

        A run that is killed while it makes the file leaves it empty, too. Then nothing is kept of it yet.
        """
        try:
            size = os.stat(self._path).st_size
        except FileNotFoundError:
            return False
        return size == 0 and cache.has_files(self._path.parent)

    def _compact(self) -> None:
        connection = self._opened()
        free, pages, size = (
            connection.execute(f"PRAGMA {name}").fetchone()[0]
            for name in ("freelist_count", "page_count", "page_size")
        )
        if free * 4 >= pages and free * size >= WORTH_COMPACTING_BYTES:
            connection.execute("VACUUM")

    def _set_aside(self, damage: _DamagedFile) -> None:
        """Rename the file and what lies beside it, unless another process has done so."""
        try:
            is_ours = os.stat(self._path).st_ino == self._inode
            place = self._free_place()
            if is_ours:
                # The log first: left beside an empty new file, it would be taken for that one's.
                for end in (*SIDE_FILES, ""):
                    with suppress(FileNotFoundError):
                        os.rename(f"{self._path}{end}", f"{place}{end}")
        except OSError as error:
            raise self._closed(f"{damage}, and it cannot be set aside: {error.strerror}") from error
        finally:
            self.close()  # not before: SQLite would write the log into the damaged file, and delete it
        if not is_ours:
            return
        self._warn(
            f"the history {self._path} is damaged ({damage}): it is set aside as {place.name} and begins "
            "anew. To bring the daily bars back: `heatmap history backfill`"
        )

    def _free_place(self) -> Path:
        number = 1
        while True:
            place = self._path.with_suffix(f".damaged-{number}{self._path.suffix}")
            if not any(os.path.lexists(f"{place}{end}") for end in (*SIDE_FILES, "")):
                return place
            number += 1

    def _explained(self, error: sqlite3.Error) -> Exception:
        """Return the error to raise instead of SQLite's."""
        code = getattr(error, "sqlite_errorcode", None)
        primary = None if code is None else code & 0xFF
        if primary in _DAMAGED or (code is None and "decode" in str(error)):  # text that is not UTF-8
            return _DamagedFile(str(error))
        if primary in _BUSY:
            return HistoryError(
                f"the history {self._path} is busy: another process has been writing it for "
                f"{BUSY_SECONDS:.0f} seconds, so this run goes without it"
            )
        if primary in _CLOSED:
            return self._closed(str(error))
        if primary in {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR}:
            return HistoryError(
                f"the history {self._path} could not be written or read ({error}): make room on the disk, "
                "or check it"
            )
        return HistoryError(f"the history {self._path} failed ({error}): the next run tries again")

    def _closed(self, why: str) -> HistoryImpossible:
        return HistoryImpossible(
            f"the history {self._path} cannot be used ({why}): make it and its folder writable, or name "
            "another state_directory"
        )


def prepare_tables(connection: sqlite3.Connection, migrations: Sequence[Sequence[str]], name: str) -> None:
    """See that a file is ours, and bring its tables to the version of the last migration.

    Raises HistoryImpossible for a newer version, and leaves the file as it is.
    """
    with _transaction(connection, "BEGIN"):
        version = _read_version(connection, len(migrations), name)
    if version < len(migrations):
        with _transaction(connection, "BEGIN IMMEDIATE"):
            # Of two processes one does it.
            for script in migrations[_read_version(connection, len(migrations), name) :]:
                for statement in script:
                    connection.execute(statement)
            connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            connection.execute(f"PRAGMA user_version = {len(migrations)}")
    mode = None
    try:
        # Where the file system cannot have a log beside the file, SQLite says so and keeps its old ways.
        mode = connection.execute("PRAGMA journal_mode = WAL").fetchone()[0]
    except sqlite3.OperationalError as error:
        # Another process uses the new file already. SQLite does not wait for that: a later run will switch.
        if error.sqlite_errorcode != sqlite3.SQLITE_BUSY:
            raise
    connection.execute(f"PRAGMA synchronous = {'NORMAL' if mode == 'wal' else 'FULL'}")


@contextmanager
def _transaction(connection: sqlite3.Connection, begin: str) -> Iterator[None]:
    connection.execute(begin)
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        with suppress(sqlite3.Error):  # the first error says more
            connection.execute("ROLLBACK")
        raise


def _read_version(connection: sqlite3.Connection, known: int, name: str) -> int:
    """Return which version a file's tables have, 0 for none. Raises _Damage, HistoryImpossible."""
    tables = {row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    application, version = (
        int(connection.execute(f"PRAGMA {pragma}").fetchone()[0])
        for pragma in ("application_id", "user_version")
    )
    if application == 0 and version == 0 and not tables:
        return 0
    if application != APPLICATION_ID:
        message = "it is another program's database"
        raise _DamagedFile(message)
    if version > known:
        raise HistoryImpossible(
            f"the history {name} was written by a newer version of this program (its tables are of version "
            f"{version}, this one knows {known}): it is left as it is; install the newer version again"
        )
    if version and not tables >= TABLES:
        message = f"it lacks the table {min(TABLES - tables)}"
        raise _DamagedFile(message)
    return version
