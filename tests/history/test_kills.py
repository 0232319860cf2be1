"""Kills at random instants: no promised tick is lost, and none is stored twice.

HEATMAP_KILLS in the environment says how many (20 without it).
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

from heatmap.history.store import Store
from tests.checkout import CHECKOUT
from tests.history.conftest import Place
from tests.history.figures import MARKET, rows, utc
from tests.history.writer import KEPT_SESSIONS, SYMBOLS, TICKS, is_final, moment_of, session_of
from tests.servers.postgresql import Postgresql

pytestmark = pytest.mark.process

KILLS = int(os.environ.get("HEATMAP_KILLS", "20"))
SEED = 20260914
WRITING_SECONDS = 0.12  # some ten ticks, and one final or two
STARTING_SECONDS = 0.4
SERVER_SECONDS = 0.5  # the same, where each tick has to log in


def write_and_die(folder: Path, first: int, dice: random.Random, *more: str) -> int:
    """Let a process write, kill it at some instant, and return the number of ticks promised until then."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.history.writer", folder, str(first), *more],
        cwd=CHECKOUT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdout
    waits = dice.random() < 0.75
    if waits:
        assert "ready\n" == process.stdout.readline()
    try:
        writing = SERVER_SECONDS if any("://" in word for word in more) else WRITING_SECONDS
        process.wait(dice.uniform(0, writing if waits else STARTING_SECONDS))
    except subprocess.TimeoutExpired:
        process.kill()
    process.wait()
    with process.stdout:
        said = process.stdout.read().splitlines()
    assert -9 == process.returncode, said
    numbers = [int(line) for line in said if line != "ready"]
    assert list(range(first, first + len(numbers))) == numbers
    return first + len(numbers)


def check_finals(store: Store, count: int) -> None:
    """Every session with a final has all its bars, once; no other session has bars."""
    days = [session_of(number) for number in range(count) if is_final(number)]
    assert tuple(days) == store.sessions(MARKET)
    bars = store.bars(MARKET, session_of(count), 10_000)
    assert [(day, symbol) for day in days for symbol in sorted(SYMBOLS)] == [
        (bar.date, bar.symbol) for bar in bars
    ]


def test_nothing_lost_and_nothing_doubled(sqlite: Place) -> None:
    """After each kill all promised ticks are there, in order and whole, and at most one more."""
    dice = random.Random(SEED)
    promised = last_hand = 0
    for number in range(KILLS):
        promised = write_and_die(sqlite.folder, promised, dice)
        if number % 2 and number != KILLS - 1:
            continue  # the next writer meets what the kill left
        with sqlite.open() as store:
            found = [tick for day in store.tick_sessions(MARKET) for tick in store.ticks(MARKET, day)]
            assert len(found) in {promised, promised + 1}
            assert [utc(moment_of(each)) for each in range(len(found))] == [tick.as_of for tick in found]
            for each, tick in enumerate(found):
                if each >= last_hand - 1 or number == KILLS - 1:
                    assert rows(moment_of(each), SYMBOLS) == tick.rows
            check_finals(store, len(found))
            last_hand = len(found)
    assert promised > KILLS  # else nothing was tried
    assert [] == sqlite.warnings
    assert ["history.sqlite"] == os.listdir(sqlite.folder)


def test_nothing_lost_and_nothing_doubled_on_a_server(postgres: Place, postgresql: Postgresql) -> None:
    """The same for a client of PostgreSQL: the server completes or rolls back a dead client's transaction."""
    assert postgres.options.url
    dice = random.Random(SEED + 2)
    name = postgres.options.url.rpartition("/")[2]
    promised = 0
    kills = max(5, KILLS // 4)  # the server's own promises are not ours to try
    for _ in range(kills):
        promised = write_and_die(postgres.folder, promised, dice, postgres.options.url)
        while int(postgresql.sql(f"SELECT count(*) FROM pg_stat_activity WHERE datname = '{name}'")):
            continue
        with postgres.open() as store:
            found = [tick for day in store.tick_sessions(MARKET) for tick in store.ticks(MARKET, day)]
            assert len(found) in {promised, promised + 1}
            assert [(utc(moment_of(each)), rows(moment_of(each), SYMBOLS)) for each in range(len(found))] == [
                (tick.as_of, tick.rows) for tick in found
            ]
            check_finals(store, len(found))
    assert promised > kills


@pytest.mark.serial
def test_killed_while_it_forgets(sqlite: Place) -> None:
    """A kill while it prunes or rewrites the file: the newest sessions' ticks and all bars are there."""
    dice = random.Random(SEED + 1)
    promised = 0
    for _ in range(KILLS):
        promised = write_and_die(sqlite.folder, promised, dice, "--prune")
        with sqlite.open() as store:
            newest = store.status()[0].last_tick if store.status() else None
            count = promised + (newest == utc(moment_of(promised)))
            finals = count // TICKS
            check_finals(store, count)
            for day in {
                session_of(number) for number in range(max(0, finals - KEPT_SESSIONS) * TICKS, count)
            }:
                expected = [utc(moment_of(number)) for number in range(count) if session_of(number) == day]
                assert expected == [tick.as_of for tick in store.ticks(MARKET, day)]
            # At most one pruning was cut off before it began.
            assert len(store.tick_sessions(MARKET)) <= KEPT_SESSIONS + 2
    assert promised > KILLS
    assert [] == sqlite.warnings
    assert ["history.sqlite"] == os.listdir(sqlite.folder)


def test_the_check_can_fail(sqlite: Place) -> None:
    """The same check fails for a history that lost a bar."""
    promised = 0
    dice = random.Random(SEED)
    while promised < TICKS:
        promised = write_and_die(sqlite.folder, promised, dice)
    with sqlite.open() as store:
        store._database.write(lambda cursor: cursor.execute("DELETE FROM bars WHERE symbol = 'SYMBOL7'"))

        with pytest.raises(AssertionError):
            check_finals(store, TICKS)
