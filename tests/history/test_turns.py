"""A machine's claim ends by itself, whatever happens to the machine, and no tick is done by two machines."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import replace

import pytest

from heatmap.history import postgres as module
from tests.checkout import CHECKOUT
from tests.history.conftest import VARIABLE, Place
from tests.history.figures import MARKET, MONDAY, at
from tests.servers.postgresql import Postgresql
from tests.servers.proxy import Fault, Proxy

SLOT = at(MONDAY, 10, 5)
LEASE_SECONDS = 2
HOLDER = f"""import sys
from pathlib import Path
from heatmap.history import postgres
from heatmap.history.options import HistoryOptions
from heatmap.history.store import open_store
from tests.history.figures import MARKET, MONDAY, at
postgres.LEASE_SPARE_SECONDS = {LEASE_SECONDS} - postgres.STEP_SECONDS
store = open_store(HistoryOptions(url=sys.argv[1], password_env=sys.argv[2]), Path(), print)
with store.claim_tick(MARKET, at(MONDAY, 10, 5)) as ours:
    print(ours, flush=True)
    sys.stdin.read()
"""
pytestmark = pytest.mark.real


@pytest.fixture
def lease(monkeypatch: pytest.MonkeyPatch) -> None:
    """Claims last two seconds."""
    monkeypatch.setattr(module, "LEASE_SPARE_SECONDS", LEASE_SECONDS - module.STEP_SECONDS)


def take(url: str) -> subprocess.Popen[bytes]:
    """Return another machine, which has the claim."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(CHECKOUT), *sys.path])}
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, url, VARIABLE],
        cwd=CHECKOUT, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout
    assert b"True\n" == process.stdout.readline()
    return process


def can_take(place: Place) -> bool:
    """Whether one more machine can claim the tick; it then releases the claim."""
    with place.open() as store:
        turn = store.claim_tick(MARKET, SLOT)
        is_ours = turn.__enter__()
        turn.__exit__(KeyError, KeyError("not published"), None)
        return is_ours


def seconds_until_free(place: Place) -> float:
    """Return the time until the tick can be claimed."""
    begun = time.monotonic()
    while not can_take(place):
        assert time.monotonic() < begun + 20
        time.sleep(0.1)
    return time.monotonic() - begun


def test_a_killed_machine(postgres: Place) -> None:
    """The tick can be claimed when the lease is over, not before."""
    assert postgres.options.url
    process = take(postgres.options.url)
    assert not can_take(postgres)
    process.kill()
    process.communicate()

    assert seconds_until_free(postgres) < LEASE_SECONDS + 2


def test_a_machine_that_vanished(postgres: Place, postgresql: Postgresql) -> None:
    """No FIN reaches the server, its session stays open, and still the claim ends."""
    assert postgres.options.url
    name = postgres.options.url.rpartition("/")[2]
    with Proxy(postgresql.port, Fault.swallow(after=10**9)) as proxy:
        process = take(postgres.options.url.replace(f":{postgresql.port}/", f":{proxy.port}/"))
        os.kill(process.pid, 19)  # it sleeps: nothing is sent, nothing is closed
        try:
            assert not can_take(postgres)
            assert seconds_until_free(postgres) < LEASE_SECONDS + 2
            open_sessions = postgresql.sql(f"SELECT count(*) FROM pg_stat_activity WHERE datname = '{name}'")
            assert "1" == open_sessions
        finally:
            process.kill()
            process.communicate()


def test_a_lock_of_an_open_session_holds_nobody(postgres: Place, postgresql: Postgresql) -> None:
    """An earlier version holds the lock of its session as long as the session lives."""
    psycopg = pytest.importorskip("psycopg")
    postgres.open().close()
    with psycopg.connect(postgres.options.url, password="canary-5ecret") as session:
        session.execute("SELECT pg_advisory_lock(1751474548, n) FROM generate_series(1, 1000) AS n")
        key = __import__("zlib").crc32(MARKET.encode()) >> 1 | 1
        session.execute("SELECT pg_advisory_lock(1751474548, %s)", (key,))

        assert can_take(postgres)


def test_a_turn_that_was_lost_is_not_done(postgres: Place, lease: None) -> None:
    """A machine that has slept learns that it lost the claim, and cannot mark the tick as done."""
    with postgres.open() as one, postgres.open() as two:
        lost, taken = one.claim_tick(MARKET, SLOT), two.claim_tick(MARKET, SLOT)
        assert lost.__enter__()
        assert lost.renew()
        assert not taken.__enter__()
        time.sleep(LEASE_SECONDS + 0.1)
        assert taken.__enter__()

        assert not lost.renew()
        lost.__exit__(None, None, None)
        assert (True, False) == (taken.renew(), taken.is_done)
        taken.__exit__(None, None, None)

        again = one.claim_tick(MARKET, SLOT)
        assert not again.__enter__()
        assert (True, SLOT) == (again.is_done, again.last_done_slot)


def test_a_turn_that_nobody_took_meanwhile_is_kept(postgres: Place, lease: None) -> None:
    """A machine that slept and was alone continues."""
    with postgres.open() as store, store.claim_tick(MARKET, SLOT) as is_ours:
        assert is_ours
        time.sleep(LEASE_SECONDS + 0.1)
        turn = store.claim_tick(MARKET, SLOT)
        assert turn.__enter__()
        assert turn.renew()


def test_tables_of_an_earlier_version(postgres: Place, postgresql: Postgresql) -> None:
    """Its turns table gets the missing columns, keeps the last slot, and still serves that version."""
    assert postgres.options.url
    name = postgres.options.url.rpartition("/")[2]
    with postgres.open() as store, store.claim_tick(MARKET, SLOT) as is_ours:
        assert is_ours
    for column in ("holder", "ends"):
        postgresql.sql(f"ALTER TABLE heatmap.turns DROP COLUMN {column}", name)

    assert not can_take(postgres)
    postgresql.sql(
        f"INSERT INTO heatmap.turns (market, slot) VALUES ('{MARKET}', '2026-01-01') "
        "ON CONFLICT (market) DO UPDATE SET slot = excluded.slot",
        name,
    )
    assert can_take(postgres)


def test_behind_a_pooler(pooled: Place, lease: None) -> None:
    """With any session of the pooler: one machine has the claim, and it ends."""
    with pooled.open() as one, pooled.open() as two:
        first, second = one.claim_tick(MARKET, SLOT), two.claim_tick(MARKET, SLOT)
        assert (True, False) == (first.__enter__(), second.__enter__())
        time.sleep(LEASE_SECONDS + 0.1)
        assert (True, False) == (second.__enter__(), first.renew())


def test_machines_of_different_ways(postgres: Place, pooled: Place) -> None:
    """One machine reaches the database through the pooler, one without."""
    with pooled.open() as one, one.claim_tick(MARKET, SLOT) as is_ours:
        assert is_ours
        assert not can_take(replace(postgres))
