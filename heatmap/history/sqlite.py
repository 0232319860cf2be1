"""The history in an SQLite file. It is created when first needed, and renamed if it is damaged.

Write-ahead logging with synchronous = NORMAL: after a kill at any instant every committed transaction is
whole. Against a power cut the log is synced into the file when the last connection closes, which happens at
the end of every run.
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
APPLICATION_ID = 0x68656174  # "heat": marks this program's files
BUSY_SECONDS = 5.0  # the longest wait for another process's transaction
WORTH_COMPACTING_BYTES = 1 * 1024 * 1024
SMALLEST_BYTES = 512  # of a database: one page
SIDE_FILES = ("-wal", "-shm", "-journal")  # the ends of the names of SQLite's files beside a database

_DAMAGED = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
_BUSY = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_PROTOCOL}
_NO_ACCESS = {sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM, sqlite3.SQLITE_AUTH}


class _DamagedFile(Exception):
    """The file is damaged, or has other content than the history's tables."""


class Sqlite:
    """A database in the file `path`. Opens it at once. Raises HistoryError.

    A damaged file is renamed, never deleted; `warn` is called with a sentence, and an empty file takes its
    place. A file of a newer version of this program is not changed: HistoryImpossible.
    """

    def __init__(self, path: Path, warn: Callable[[str], None]) -> None:
        self._path = path
        self._warn = warn
        self._connection: sqlite3.Connection | None = None
        self._is_ready = False  # whether the file was checked, and its tables are up to date
        self._inode: int | None = None  # of the open file
        try:
            self.read(lambda _: None)
        except BaseException:
            self.close()
            raise

    def read(self, work: Callable[[Cursor], _T]) -> _T:
        """Run `work` in one read transaction, which sees the tables at one moment; return its result."""
        return self._run_with_replacement(lambda: self._transaction("BEGIN", work))

    def write(self, work: Callable[[Cursor], _T]) -> _T:
        """Run `work` in one write transaction, one at a time; return its result."""
        return self._run_with_replacement(lambda: self._transaction("BEGIN IMMEDIATE", work))

    def compact(self) -> None:
        """Rewrite the file if a quarter of it, and more than a megabyte, is free."""
        self._run_with_replacement(self._compact)

    def size_bytes(self) -> int:
        """Return the size of the file and its log."""
        total = 0
        for end in ("", "-wal"):
            with suppress(OSError):
                total += os.stat(f"{self._path}{end}").st_size
        return total

    def claim_tick(self, market: str, slot: datetime) -> turns.UnsharedClaim:  # noqa: ARG002 -- the interface of every database
        """Return a claim that always holds: no other machine uses this file."""
        return turns.UnsharedClaim()

    def pooler(self) -> None:
        """Return None: a file has no pooler."""

    def close(self) -> None:
        """Write the log into the file and close it."""
        connection, self._connection, self._is_ready = self._connection, None, False
        if connection is not None:
            # After an error the log stays. The next process that opens the file writes it.
            with suppress(sqlite3.Error):
                connection.close()

    def _run_with_replacement(self, work: Callable[[], _T]) -> _T:
        """Return the result of `work`. A damaged file is replaced, then `work` runs again."""
        try:
            return self._translate_errors(work)
        except _DamagedFile as damage:
            self._set_aside(damage)
        try:
            return self._translate_errors(work)
        except _DamagedFile as damage:
            raise HistoryError(
                f"the history {self._path} was made anew and is damaged again ({damage}): check the disk"
            ) from damage

    def _translate_errors(self, work: Callable[[], _T]) -> _T:
        """Return what `work` returns. Raises HistoryError or _DamagedFile instead of SQLite's errors."""
        try:
            return work()
        except sqlite3.Error as error:
            raise self._make_error(error) from error
        except UnicodeDecodeError as error:  # raised by the sqlite3 module for a damaged table's name
            raise _DamagedFile(str(error)) from error
        except OSError as error:
            raise self._make_access_error(error.strerror or str(error)) from error

    def _transaction(self, begin: str, work: Callable[[Cursor], _T]) -> _T:
        connection = self._open()
        # The cursor is closed at once: a reference in a traceback would keep a damaged file open.
        with _transaction(connection, begin), closing(connection.cursor()) as cursor:
            return work(cursor)

    def _open(self) -> sqlite3.Connection:
        if self._connection is not None and self._is_ready:
            return self._connection
        self.close()
        json_files.make_state_directory(self._path.parent)
        was_emptied = self._is_emptied()
        self._connection = sqlite3.connect(self._path, timeout=BUSY_SECONDS, isolation_level=None)
        file_status = os.stat(self._path)
        self._inode = file_status.st_ino
        # SQLite treats so short a file as a new one. With a journal it is one: the first write was cut off.
        if 0 < file_status.st_size < SMALLEST_BYTES and not os.path.exists(f"{self._path}-journal"):
            message = "it is cut short"
            raise _DamagedFile(message)
        prepare_tables(self._connection, MIGRATIONS, str(self._path))
        self._is_ready = True
        if was_emptied:  # SQLite treats it as a new file, so nothing else would report the loss
            self._warn(
                f"the history {self._path} was found empty and begins anew. To bring the daily bars back: "
                "`heatmap history backfill`"
            )
        return self._connection

    def _is_emptied(self) -> bool:
        """Whether the file exists and is empty, though its history was in use.

        A run that is killed while it creates the file leaves it empty, too. Then no cache of it exists.
        """
        try:
            size = os.stat(self._path).st_size
        except FileNotFoundError:
            return False
        return size == 0 and cache.has_files(self._path.parent)

    def _compact(self) -> None:
        connection = self._open()
        free, pages, size = (
            connection.execute(f"PRAGMA {name}").fetchone()[0]
            for name in ("freelist_count", "page_count", "page_size")
        )
        if free * 4 >= pages and free * size >= WORTH_COMPACTING_BYTES:
            connection.execute("VACUUM")

    def _set_aside(self, damage: _DamagedFile) -> None:
        """Rename the file and SQLite's files beside it, unless another process has done so."""
        try:
            is_ours = os.stat(self._path).st_ino == self._inode
            free_path = self._find_free_path()
            if is_ours:
                # The log first: beside a new empty file, SQLite would use it for that file.
                for end in (*SIDE_FILES, ""):
                    with suppress(FileNotFoundError):
                        os.rename(f"{self._path}{end}", f"{free_path}{end}")
        except OSError as error:
            raise self._make_access_error(
                f"{damage}, and it cannot be set aside: {error.strerror}"
            ) from error
        finally:
            self.close()  # only now: SQLite writes the log into the file and deletes it
        if not is_ours:
            return
        self._warn(
            f"the history {self._path} is damaged ({damage}): it is set aside as {free_path.name} and begins "
            "anew. To bring the daily bars back: `heatmap history backfill`"
        )

    def _find_free_path(self) -> Path:
        number = 1
        while True:
            path = self._path.with_suffix(f".damaged-{number}{self._path.suffix}")
            if not any(os.path.lexists(f"{path}{end}") for end in (*SIDE_FILES, "")):
                return path
            number += 1

    def _make_error(self, error: sqlite3.Error) -> Exception:
        """Return the error to raise instead of SQLite's error."""
        code = getattr(error, "sqlite_errorcode", None)
        primary = None if code is None else code & 0xFF
        if primary in _DAMAGED or (code is None and "decode" in str(error)):  # text that is not UTF-8
            return _DamagedFile(str(error))
        if primary in _BUSY:
            return HistoryError(
                f"the history {self._path} is busy: another process has been writing it for "
                f"{BUSY_SECONDS:.0f} seconds, so this run goes without it"
            )
        if primary in _NO_ACCESS:
            return self._make_access_error(str(error))
        if primary in {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR}:
            return HistoryError(
                f"the history {self._path} could not be written or read ({error}): make room on the disk, "
                "or check it"
            )
        return HistoryError(f"the history {self._path} failed ({error}): the next run tries again")

    def _make_access_error(self, reason: str) -> HistoryImpossible:
        return HistoryImpossible(
            f"the history {self._path} cannot be used ({reason}): make it and its folder writable, or name "
            "another state_directory"
        )


def prepare_tables(connection: sqlite3.Connection, migrations: Sequence[Sequence[str]], name: str) -> None:
    """Check that a file is this program's, and migrate its tables to the last version.

    Raises HistoryImpossible for a newer version, and does not change the file.
    """
    with _transaction(connection, "BEGIN"):
        version = _read_version(connection, len(migrations), name)
    if version < len(migrations):
        with _transaction(connection, "BEGIN IMMEDIATE"):
            # The version is read again: another process may have migrated the file meanwhile.
            for script in migrations[_read_version(connection, len(migrations), name) :]:
                for statement in script:
                    connection.execute(statement)
            connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            connection.execute(f"PRAGMA user_version = {len(migrations)}")
    mode = None
    try:
        # On a file system without support for the log, SQLite returns another mode and uses that.
        mode = connection.execute("PRAGMA journal_mode = WAL").fetchone()[0]
    except sqlite3.OperationalError as error:
        # Another process uses the new file already. SQLite does not wait: a later run will switch.
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


def _read_version(connection: sqlite3.Connection, newest_version: int, name: str) -> int:
    """Return the version of a file's tables; 0: none. Raises _DamagedFile, HistoryImpossible."""
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
    if version > newest_version:
        raise HistoryImpossible(
            f"the history {name} was written by a newer version of this program (its tables are of version "
            f"{version}, this one knows {newest_version}): it is not changed; install the newer version again"
        )
    if version and not tables >= TABLES:
        message = f"it lacks the table {min(TABLES - tables)}"
        raise _DamagedFile(message)
    return version
