"""A connection to PostgreSQL. Every wait has a time limit; a broken connection is made once more."""

from __future__ import annotations

import os
import socket
from contextlib import suppress
from threading import Event, Lock
from typing import TYPE_CHECKING, Any, TypeVar

from heatmap.errors import ConfigError, DeadlineError, HistoryError, HistoryImpossible
from heatmap.history import postgres_faults, postgres_login
from heatmap.system import stop
from heatmap.system.background import Job
from heatmap.system.deadline import Deadline, run_with_timeout

if TYPE_CHECKING:
    from collections.abc import Callable

_T = TypeVar("_T")
CONNECT_SECONDS = 5  # for each address of a host
STEP_SECONDS = 15  # the time limit of a transaction in a run
COMMAND_STEP_SECONDS = 60  # the time limit of a transaction in a command that a user waits for
RUN_SHARE = 1 / 4  # of a run's time: the limit of all transactions together
RESERVED_SHARE = 1 / 4  # of that: reserved for the last transactions, which end claims
LEAST_SECONDS = 0.1  # with less time no transaction starts
IDLE_SPARE_SECONDS = 10  # the server's session ends so long after the run's deadline


class Connection:
    """A connection to the database at `url`, made when it is first needed.

    `password_env` names the environment variable with the password; None: there is no password, or libpq
    reads it from ~/.pgpass. `deadline` is the run's: all transactions together may take a part of its time;
    None: each transaction has its own time limit only. Every method but `close` raises HistoryError.

    A broken connection is made once more. After a time limit the connection is not used again, because
    further waiting would take the time that the page needs.
    """

    def __init__(self, url: str, password_env: str | None, deadline: Deadline | None) -> None:
        self.name = url.partition("?")[0]
        self.psycopg = _import_psycopg()
        self._url = url
        self._password = _read_password(password_env, self.name)
        self._deadline = deadline
        self._seconds_left = deadline.seconds * RUN_SHARE if deadline else float("inf")
        self._reserved_seconds = self._seconds_left * RESERVED_SHARE if deadline else 0.0
        step_limit = STEP_SECONDS if deadline else COMMAND_STEP_SECONDS
        self.step_seconds = min(step_limit, self._seconds_left - self._reserved_seconds)
        self._settings = postgres_login.make_settings(self.psycopg, url, self.step_seconds)
        self._final_error: HistoryError | None = (
            None  # why there is no connection any more; None: there may be one
        )
        self._may_reconnect = True
        self._closing = Lock()  # while it is held, psycopg's socket is not closed or reused
        self._psycopg_connection: Any = None  # psycopg's connection

    def run(self, work: Callable[[Any], _T], *, is_last: bool = False) -> _T:
        """Run `work` with psycopg's connection; return its result.

        If the connection breaks, `work` runs again with a new one. So a second run must do no harm.
        `is_last`: `work` may take the reserved part of the run's time.
        """
        if is_last:
            self._reserved_seconds = 0.0
        # A signal in the middle of a statement would leave an unusable connection.
        with stop.postpone():
            return self._run(work)

    def _run(self, work: Callable[[Any], _T]) -> _T:
        if self._final_error:
            raise self._final_error
        try:
            if self._psycopg_connection is None:
                self._connect()
            try:
                return self._run_with_limit(work)
            except self.psycopg.OperationalError:
                if not (self._may_reconnect and self._is_broken):
                    raise
            self._may_reconnect = False
            self.close()
            self._connect()
            return self._run_with_limit(work)
        except self.psycopg.Error as error:
            failure = postgres_faults.explain(self.name, self._password, error)
            if self._is_broken:
                self._final_error = failure
            raise failure from error

    def close(self) -> None:
        """Close the connection."""
        with self._closing:
            connection, self._psycopg_connection = self._psycopg_connection, None
        if connection is not None:
            connection.close()

    @property
    def _is_broken(self) -> bool:
        return self._psycopg_connection is None or bool(self._psycopg_connection.closed)

    def _run_with_limit(self, work: Callable[[Any], _T]) -> _T:
        """Run `work`, return its result; break the connection if it takes too long. Raises HistoryError."""
        limit = Deadline(self._find_time_limit())
        is_over = Event()
        Job(lambda: self._break_at_limit(limit, is_over), "heatmap-postgres")
        try:
            return work(self._psycopg_connection)
        except self.psycopg.Error as error:
            if limit.remaining():
                raise
            raise self._make_timeout_error(limit) from error
        finally:
            is_over.set()
            self._seconds_left -= limit.seconds - limit.remaining()

    def _make_timeout_error(self, limit: Deadline) -> HistoryError:
        is_last_part = limit.seconds < self.step_seconds
        self._final_error = postgres_faults.no_reply(self.name, limit.seconds, is_last_part=is_last_part)
        return self._final_error

    def _find_time_limit(self) -> float:
        """Return the time limit of the next transaction. Raises HistoryError if no time is left."""
        seconds = min(self.step_seconds, self._seconds_left - self._reserved_seconds)
        if self._deadline:  # later stages of the run need time, too
            seconds = min(seconds, self._deadline.remaining() / 2, stop.seconds_left())
        if seconds < LEAST_SECONDS:
            raise postgres_faults.no_time_left(self.name)
        return seconds

    def _break_at_limit(self, limit: Deadline, is_over: Event) -> None:
        """Break the connection, from another thread, at the time limit or at a request to end.

        A statement that waits for an answer then fails at once.
        """
        while not is_over.wait(min(limit.remaining(), stop.LOOK_SECONDS)):
            if limit.remaining() and stop.seconds_left():
                continue
            with self._closing, suppress(OSError, AttributeError, self.psycopg.Error):
                duplicate = socket.socket(fileno=os.dup(self._psycopg_connection.fileno()))
                with duplicate:
                    duplicate.shutdown(socket.SHUT_RDWR)
            return

    def _connect(self) -> None:
        """Connect, in a thread that is left behind where that takes too long: a name server may be silent."""
        limit = Deadline(self._find_time_limit())
        try:
            self._psycopg_connection = run_with_timeout(
                limit.seconds,
                lambda: self.psycopg.connect(
                    self._url,
                    password=self._password,
                    connect_timeout=CONNECT_SECONDS,
                    application_name="heatmap",
                    autocommit=True,
                    prepare_threshold=None,  # behind a pooler the next transaction may have another session
                    **self._settings,
                ),
            )
        except DeadlineError as error:
            raise self._make_timeout_error(limit) from error
        finally:
            self._seconds_left -= limit.seconds - limit.remaining()
        self._run_with_limit(self._limit_session)

    def _limit_session(self, connection: Any) -> None:  # noqa: ANN401 -- psycopg may not be here
        """Let the server notice a machine that vanishes. The sessions of a pooler are not changed."""
        idle_seconds = self._deadline.seconds + IDLE_SPARE_SECONDS if self._deadline else None
        settings = postgres_login.make_server_settings(self.step_seconds, idle_seconds)
        connection.execute(
            "SELECT set_config(s.name, w.setting, false) FROM pg_settings AS s"
            " JOIN unnest(%s::text[], %s::text[]) AS w (name, setting) ON s.name = w.name"
            " WHERE pg_backend_pid() = %s",
            (list(settings), list(settings.values()), connection.info.backend_pid),
        )


def _import_psycopg() -> Any:  # noqa: ANN401 -- psycopg may not be here
    try:
        import psycopg
    except ImportError as error:  # psycopg alone, without libpq, raises it as well
        raise HistoryImpossible(
            "a history in PostgreSQL needs psycopg: `pip install 'market-heatmap[postgres]'`"
        ) from error
    return psycopg


def _read_password(variable: str | None, name: str) -> str | None:
    from heatmap.system import secrets

    try:
        return secrets.read(variable, None)
    except ConfigError as error:
        raise HistoryImpossible(f"the history {name} cannot be opened: {error}") from error
