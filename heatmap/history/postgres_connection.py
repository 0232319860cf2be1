"""A connection to PostgreSQL on which every wait ends, made once more where it was cut."""

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
STEP_SECONDS = 15  # what a transaction may take in a run
COMMAND_STEP_SECONDS = 60  # and in a command, at which somebody looks
RUN_SHARE = 1 / 4  # of a run's time: what all transactions may take together
RESERVED_SHARE = 1 / 4  # of that: what only the last piece of work may take, which gives turns back
LEAST_SECONDS = 0.1  # with less than this nothing is begun
IDLE_SPARE_SECONDS = 10  # by which the server's session may outlive the run's deadline


class Connection:
    """A connection to the database at `url`, made when it is first needed.

    `password_env` names the environment variable that the password is in; None: there is none, or libpq
    finds it in ~/.pgpass. `deadline` is that of the run, of which all work may take a part; None: only each
    piece of work is bounded. Every method but `close` raises HistoryError.

    A connection that was cut is made once more. One that is silent is given up for good: what its pieces of
    work would cost together is the page's time.
    """

    def __init__(self, url: str, password_env: str | None, deadline: Deadline | None) -> None:
        self.name = url.partition("?")[0]
        self.psycopg = _import_psycopg()
        self._url = url
        self._password = _read_password(password_env, self.name)
        self._deadline = deadline
        self._left = deadline.seconds * RUN_SHARE if deadline else float("inf")
        self._reserved = self._left * RESERVED_SHARE if deadline else 0.0
        most = STEP_SECONDS if deadline else COMMAND_STEP_SECONDS
        self.step_seconds = min(most, self._left - self._reserved)
        self._settings = postgres_login.make_settings(self.psycopg, url, self.step_seconds)
        self._lost: HistoryError | None = None  # why there is no connection any more
        self._may_reconnect = True
        self._closing = Lock()  # so that nobody else's socket is broken
        self._psql: Any = None  # psycopg's connection

    def run(self, work: Callable[[Any], _T], *, is_last: bool = False) -> _T:
        """Return what `work` returns, which gets psycopg's connection.

        Where that was cut, `work` is done again on a new one: it must not matter if it is done twice.
        `is_last`: it may take what is reserved of the run's time.
        """
        if is_last:
            self._reserved = 0.0
        # In the middle of a statement a request to end would leave a connection that is of no use.
        with stop.postpone():
            return self._run(work)

    def _run(self, work: Callable[[Any], _T]) -> _T:
        if self._lost:
            raise self._lost
        try:
            if self._psql is None:
                self._connect()
            try:
                return self._bounded(work)
            except self.psycopg.OperationalError:
                if not (self._may_reconnect and self._is_cut):
                    raise
            self._may_reconnect = False
            self.close()
            self._connect()
            return self._bounded(work)
        except self.psycopg.Error as error:
            found = postgres_faults.explain(self.name, self._password, error)
            if self._is_cut:
                self._lost = found
            raise found from error

    def close(self) -> None:
        """Let go of the connection."""
        with self._closing:
            connection, self._psql = self._psql, None
        if connection is not None:
            connection.close()

    @property
    def _is_cut(self) -> bool:
        return self._psql is None or bool(self._psql.closed)

    def _bounded(self, work: Callable[[Any], _T]) -> _T:
        """Return what `work` returns; where it takes too long, break the connection. Raises HistoryError."""
        limit = Deadline(self._seconds())
        is_over = Event()
        Job(lambda: self._break_when(limit, is_over), "heatmap-postgres")
        try:
            return work(self._psql)
        except self.psycopg.Error as error:
            if limit.remaining():
                raise
            raise self._silent(limit) from error
        finally:
            is_over.set()
            self._left -= limit.seconds - limit.remaining()

    def _silent(self, limit: Deadline) -> HistoryError:
        is_rest = limit.seconds < self.step_seconds
        self._lost = postgres_faults.no_reply(self.name, limit.seconds, is_rest=is_rest)
        return self._lost

    def _seconds(self) -> float:
        """Return how long the next piece of work may take. Raises HistoryError where no time is left."""
        seconds = min(self.step_seconds, self._left - self._reserved)
        if self._deadline:  # what comes after it needs time as well
            seconds = min(seconds, self._deadline.remaining() / 2, stop.seconds_left())
        if seconds < LEAST_SECONDS:
            raise postgres_faults.no_time_left(self.name)
        return seconds

    def _break_when(self, limit: Deadline, is_over: Event) -> None:
        """Break the connection, from another thread, where the limit comes, or a request to end, before that.

        What waits for an answer then gets an error at once.
        """
        while not is_over.wait(min(limit.remaining(), stop.LOOK_SECONDS)):
            if limit.remaining() and stop.seconds_left():
                continue
            with self._closing, suppress(OSError, AttributeError, self.psycopg.Error):
                same = socket.socket(fileno=os.dup(self._psql.fileno()))
                with same:
                    same.shutdown(socket.SHUT_RDWR)
            return

    def _connect(self) -> None:
        """Connect, in a thread that is left behind where that takes too long: a name server may be silent."""
        limit = Deadline(self._seconds())
        try:
            self._psql = run_with_timeout(
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
            raise self._silent(limit) from error
        finally:
            self._left -= limit.seconds - limit.remaining()
        self._bounded(self._limit_session)

    def _limit_session(self, connection: Any) -> None:  # noqa: ANN401 -- psycopg may not be here
        """Let the server, too, notice a machine that vanishes. A pooler's sessions stay as they are."""
        idle = self._deadline.seconds + IDLE_SPARE_SECONDS if self._deadline else None
        wanted = postgres_login.make_server_settings(self.step_seconds, idle)
        connection.execute(
            "SELECT set_config(s.name, w.setting, false) FROM pg_settings AS s"
            " JOIN unnest(%s::text[], %s::text[]) AS w (name, setting) ON s.name = w.name"
            " WHERE pg_backend_pid() = %s",
            (list(wanted), list(wanted.values()), connection.info.backend_pid),
        )


def _import_psycopg() -> Any:  # noqa: ANN401 -- it may not be here
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
