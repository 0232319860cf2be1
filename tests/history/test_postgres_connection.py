"""Every wait for a database ends, and a broken connection is made again."""

from __future__ import annotations

import os
import signal
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from threading import Timer
from typing import Any

import pytest

from heatmap.errors import EXIT_TEMPORARY, HistoryError, StoppedError
from heatmap.history import postgres_connection as module
from heatmap.history.store import Store, open_store
from heatmap.market.calendar.session import Phase
from heatmap.system import stop
from heatmap.system.deadline import Deadline
from tests.conftest import started
from tests.history.conftest import Place
from tests.history.figures import MARKET, MONDAY, at, snapshot
from tests.servers.pgbouncer import PgBouncer
from tests.servers.postgresql import Postgresql
from tests.servers.proxy import Fault, Proxy

STEP_SECONDS = 1.0
pytestmark = pytest.mark.real


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    """The limits are one second, because every test here waits for one."""
    monkeypatch.setattr(module, "STEP_SECONDS", STEP_SECONDS)
    monkeypatch.setattr(module, "COMMAND_STEP_SECONDS", STEP_SECONDS)
    monkeypatch.setattr(module, "CONNECT_SECONDS", 2)


def through(place: Place, port: int) -> Place:
    """The same database, reached through another port."""
    assert place.options.url
    head, _, name = place.options.url.rpartition("/")
    return replace(place, options=replace(place.options, url=f"{head.rpartition(':')[0]}:{port}/{name}"))


def use(store: Store) -> None:
    """Use every kind of operation."""
    store.add_tick(MARKET, snapshot(at(MONDAY, 10)), MONDAY, Phase.OPEN)
    with store.claim_tick(MARKET, at(MONDAY, 10)):
        store.status()


def backends(postgresql: Postgresql, place: Place) -> list[int]:
    """Return the server's processes for its database."""
    assert place.options.url
    name = place.options.url.rpartition("/")[2]
    return [
        int(line)
        for line in postgresql.sql(f"SELECT pid FROM pg_stat_activity WHERE datname = '{name}'").split()
    ]


@contextmanager
def ends_within(seconds: float) -> Iterator[None]:
    """Fail if the block takes longer."""
    begun = time.monotonic()
    yield
    assert time.monotonic() - begun < seconds


@pytest.mark.parametrize("after", [0, 1, 100, 480, 700, 1500])
@pytest.mark.parametrize("fault", [Fault.stall, Fault.swallow])
def test_a_server_that_falls_silent(
    postgres: Place, postgresql: Postgresql, fault: Callable[..., Fault], after: int
) -> None:
    """After any number of bytes, before, in and after the login: one wait, and one sentence."""
    postgres.open().close()
    with Proxy(postgresql.port, fault(after, "received")) as proxy, ends_within(STEP_SECONDS + 2):
        place = through(postgres, proxy.port)
        with (
            pytest.raises(HistoryError, match="gave no answer within 1 seconds") as caught,
            place.open() as store,
        ):
            use(store)
    assert EXIT_TEMPORARY == caught.value.exit_code


def test_what_is_silent_is_not_asked_again(postgres: Place, postgresql: Postgresql) -> None:
    """A run waits once: later calls fail at once with the same sentence."""
    with postgres.open() as store:
        for process in backends(postgresql, postgres):
            os.kill(process, signal.SIGSTOP)
        try:
            with ends_within(STEP_SECONDS + 2):
                sentences = set()
                for _ in range(5):
                    with pytest.raises(HistoryError, match="gave no answer") as caught:
                        use(store)
                    sentences.add(str(caught.value))
        finally:
            for process in backends(postgresql, postgres):
                os.kill(process, signal.SIGCONT)
    assert 1 == len(sentences)


def test_a_paused_pooler(postgres: Place, postgresql: Postgresql, tmp_path_factory: Any) -> None:
    """The server accepts the login, and then stops."""
    with started(lambda: PgBouncer(tmp_path_factory.mktemp("paused"), postgresql, "transaction")) as pooler:
        assert postgres.options.url
        place = replace(postgres, options=replace(postgres.options, url=pooler.url(postgres.options.url)))
        with place.open() as store, ends_within(STEP_SECONDS + 2):
            assert pooler._process
            os.kill(pooler._process.pid, signal.SIGSTOP)
            try:
                with pytest.raises(HistoryError, match="a pooler that stands between"):
                    use(store)
            finally:
                os.kill(pooler._process.pid, signal.SIGCONT)


def test_a_server_that_drips(postgres: Place, postgresql: Postgresql) -> None:
    """A byte now and then keeps the connection alive, but is no answer."""
    postgres.open().close()
    with Proxy(postgresql.port, Fault.drip(0.2, 500, "received")) as proxy, ends_within(STEP_SECONDS + 2):
        with (
            pytest.raises(HistoryError, match="gave no answer"),
            through(postgres, proxy.port).open() as store,
        ):
            use(store)


def test_a_name_server_that_says_nothing(postgres: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """This wait cannot be interrupted: its thread is left behind."""
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: time.sleep(30))
    place = replace(postgres, options=replace(postgres.options, url="postgresql://me@db.example.org/history"))

    with ends_within(STEP_SECONDS + 2), pytest.raises(HistoryError, match="gave no answer within 1 seconds"):
        place.open()


def test_a_run_spends_a_part_of_its_time(postgres: Place, postgresql: Postgresql) -> None:
    """A database where each answer takes half a second costs a run of eight seconds two of them."""
    postgres.open().close()
    with Proxy(postgresql.port) as proxy:
        place = through(postgres, proxy.port)
        with open_store(place.options, place.folder, pytest.fail, Deadline(8)) as store, ends_within(3.5):
            with pytest.raises(HistoryError, match="its part of the run's time"):
                for _ in range(10):
                    store._database.read(lambda cursor: cursor.execute("SELECT pg_sleep(0.5)"))


def test_a_part_is_reserved_for_giving_turns_back(postgres: Place) -> None:
    """A published tick is recorded as done, even if the rest of the history's time is used up."""
    slot = at(MONDAY, 10)
    with open_store(postgres.options, postgres.folder, pytest.fail, Deadline(80)) as store:
        with store.claim_tick(MARKET, slot) as is_ours:
            assert is_ours
            connection: Any = store._database
            connection._connection._seconds_left = connection._connection._reserved_seconds + 0.01
            with pytest.raises(HistoryError, match="has used up its part"):
                store.status()
    with postgres.open() as other:
        turn = other.claim_tick(MARKET, slot)
        assert (False, True) == (turn.__enter__(), turn.is_done)


def test_a_run_without_time_asks_nothing(postgres: Place) -> None:
    """The remaining time belongs to the page."""
    deadline = Deadline(30)
    with open_store(postgres.options, postgres.folder, pytest.fail, deadline) as store:
        deadline.expire()
        with pytest.raises(HistoryError, match="has used up its part"):
            use(store)


@pytest.mark.parametrize("fault", [Fault.reset, Fault.end])
@pytest.mark.parametrize("after", [800, 1500, 2000, 2500])
def test_a_cut_costs_nothing(
    postgres: Place, postgresql: Postgresql, fault: Callable[..., Fault], after: int
) -> None:
    """If the connection breaks once, at any point, all ticks are stored, once."""
    postgres.open().close()
    with Proxy(postgresql.port, fault(after, "received").on(1)) as proxy:
        with through(postgres, proxy.port).open() as store:
            use(store)
            use(store)
        assert proxy.faulted.is_set()
    with postgres.open() as store:
        assert [at(MONDAY, 10)] == [tick.as_of for tick in store.ticks(MARKET, MONDAY)]


def test_a_way_that_is_cut_again_and_again(postgres: Place, postgresql: Postgresql) -> None:
    """The second break is an error."""
    postgres.open().close()
    with Proxy(postgresql.port, Fault.reset(800, "received")) as proxy:
        with pytest.raises(HistoryError, match="cannot be reached or failed"):
            through(postgres, proxy.port).open()
        assert 2 == proxy.connections


def test_a_session_that_the_server_ended(postgres: Place, postgresql: Postgresql) -> None:
    """As after idleness: the next statement uses a new connection."""
    with postgres.open() as store:
        for process in backends(postgresql, postgres):
            postgresql.sql(f"SELECT pg_terminate_backend({process})")
        use(store)


def test_the_server_notices_a_machine_that_vanished(postgres: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """The server's limits for the session follow from the run's deadline."""
    monkeypatch.setattr(module, "STEP_SECONDS", 15)
    names = ("tcp_keepalives_idle", "tcp_keepalives_count", "tcp_user_timeout", "idle_session_timeout")

    def ask(store: Store, name: str) -> str:
        def work(cursor: Any) -> str:
            cursor.execute(f"SELECT setting FROM pg_settings WHERE name = '{name}'")
            return str(cursor.fetchall()[0][0])

        return store._database.read(work)

    with open_store(postgres.options, postgres.folder, pytest.fail, Deadline(90)) as store:
        assert ("5", "2", "15000", "100000") == tuple(ask(store, name) for name in names)
        assert "15000" == ask(store, "idle_in_transaction_session_timeout")
        assert "11250" == ask(store, "statement_timeout")


def test_a_poolers_sessions_are_left_as_they_were(pooled: Place, postgresql: Postgresql) -> None:
    """Later users of the session do not inherit a path or a limit."""
    psycopg = pytest.importorskip("psycopg")
    with open_store(pooled.options, pooled.folder, pytest.fail, Deadline(90)) as store:
        use(store)
    with psycopg.connect(pooled.options.url, password=postgresql.password, autocommit=True) as other:
        found = other.execute(
            "SELECT name, setting FROM pg_settings WHERE source = 'session'"
            " AND name ~ 'timeout|search_path|keepalives'"
        ).fetchall()
    assert [] == found


def test_a_vanished_writer_holds_nobody_for_long(postgres: Place) -> None:
    """A machine that stops within a transaction loses it: the server ends its session."""
    done = []
    with postgres.open() as one, postgres.open() as two:
        connection: Any = one._database
        connection._connection._break_when = lambda *_: None  # the machine that vanished ends nothing itself

        def stand_still(_: object) -> None:
            with ends_within(STEP_SECONDS + 2):
                while not done:
                    with suppress(HistoryError):  # busy
                        use(two)
                        done.append("by the other")

        with suppress(HistoryError):
            one._database.write(stand_still)
    assert ["by the other"] == done


@pytest.mark.parametrize(("mode", "size"), [("transaction", 20), ("transaction", 1), ("session", 20)])
def test_a_pooler_is_known(
    postgres: Place,
    postgresql: Postgresql,
    tmp_path_factory: Any,
    mode: str,
    size: int,
) -> None:
    """The mode of the pooler shows in the sessions that it gives."""
    assert postgres.options.url
    with postgres.open() as store:
        assert store.pooler() is None
    with started(lambda: PgBouncer(tmp_path_factory.mktemp(mode), postgresql, mode, size)) as pooler:
        place = replace(postgres, options=replace(postgres.options, url=pooler.url(postgres.options.url)))
        with place.open() as store:
            assert mode == store.pooler()


def test_a_request_to_end_is_heard(
    postgres: Place, postgresql: Postgresql, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A request to end interrupts the wait, also while it is postponed until the delivery is recorded."""
    monkeypatch.setattr(module, "STEP_SECONDS", 20)
    monkeypatch.setattr(stop, "MOST_SECONDS", 0.5)
    deadline = Deadline(90)
    with (
        stop.handlers(),
        open_store(postgres.options, postgres.folder, pytest.fail, deadline) as store,
        pytest.raises(StoppedError),
        ends_within(3),
        stop.postpone(),
    ):
        Timer(0.3, lambda: os.kill(os.getpid(), signal.SIGTERM)).start()
        with pytest.raises(HistoryError):
            store._database.read(lambda cursor: cursor.execute("SELECT pg_sleep(10)"))


def test_a_request_to_end_waits_for_a_short_statement(
    postgres: Place, capfd: pytest.CaptureFixture[str]
) -> None:
    """The signal is raised after the statement, the connection stays usable, and nothing is printed."""
    with stop.handlers(), open_store(postgres.options, postgres.folder, pytest.fail, Deadline(90)) as store:
        Timer(0.2, lambda: os.kill(os.getpid(), signal.SIGTERM)).start()
        begun = time.monotonic()
        with pytest.raises(StoppedError):
            store._database.read(lambda cursor: cursor.execute("SELECT pg_sleep(0.5)"))
        assert time.monotonic() - begun >= 0.5
        assert store.size_bytes() > 0

    assert ("", "") == capfd.readouterr()
