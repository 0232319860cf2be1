"""Machines that share a history: each tick is drawn by one of them, and none stops the map without a word."""

# ruff: noqa: F811 -- fixtures of another module

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import ExitStack
from datetime import datetime, timedelta
from pathlib import Path
from threading import Timer
from typing import Any

import pytest

from heatmap import cli
from heatmap.errors import DeadlineError, HistoryError, SourceError, StoppedError
from heatmap.history import postgres as module
from heatmap.history import postgres_connection, turns
from heatmap.history.database import TickClaim
from heatmap.history.store import Store, open_store
from heatmap.run import health, one_run
from heatmap.state import run_log
from heatmap.state.memory import State
from heatmap.system import stop
from tests.checkout import CHECKOUT
from tests.doubles import MemoryPublisher, MemorySource, configuration, failure
from tests.history.conftest import VARIABLE, Place, postgres, postgresql  # noqa: F401 -- fixtures
from tests.history.test_postgres_connection import ends_within, through
from tests.servers.postgresql import Postgresql
from tests.servers.proxy import Fault, Proxy

OPEN = datetime.fromisoformat("2026-09-17T11:00:00+05:30")
FINAL = datetime.fromisoformat("2026-09-17T15:45:00+05:30")
FIRST = datetime.fromisoformat("2026-09-17T09:15:00+05:30")
FIVE = timedelta(minutes=5)
DEADLINE_SECONDS = 30  # of the configuration in tests/doubles.py
pytestmark = pytest.mark.real


class Machine:
    """One of the machines: its source, its target, and what it says."""

    def __init__(self, folder: Path, place: Place, name: str) -> None:
        self.source, self.target = MemorySource(), MemoryPublisher()
        config = configuration(folder / name, self.source, self.target)
        self.config = config._replace(history=place.options)

    def run(self, now: datetime) -> Any:  # noqa: ANN401 -- a Report
        """Do one tick."""
        return one_run.run(self.config, now=now)

    def troubles(self, now: datetime) -> list[tuple[int, str]]:
        """The output of its status."""
        (market,) = self.config.markets
        ended = run_log.read(self.config.state_directory)
        found = health.assess(self.config, market, ended, State(self.config.state_directory)["nse-fno"], now)
        return [(trouble.code, trouble.sentence) for trouble in found.troubles]


@pytest.fixture
def a(tmp_path: Path, postgres: Place) -> Machine:
    """One machine."""
    return Machine(tmp_path, postgres, "a")


@pytest.fixture
def b(tmp_path: Path, postgres: Place) -> Machine:
    """The other."""
    return Machine(tmp_path, postgres, "b")


def lasts(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    """Let turns of these machines last so long."""
    monkeypatch.setattr(module, "LEASE_SPARE_SECONDS", seconds - DEADLINE_SECONDS)


def hold(store: Store, now: datetime) -> TickClaim:
    """Take the turn on a further machine."""
    turn = store.claim_tick("nse-fno", now)
    assert turn.__enter__()
    return turn


def test_a_machine_that_vanished_costs_one_tick(
    a: Machine,
    b: Machine,
    postgres: Place,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its turn is the other's from the next tick on: here its lease lasts two seconds."""
    assert 0 == a.run(OPEN).exit_code
    monkeypatch.setattr(module, "LEASE_SPARE_SECONDS", 2 - postgres_connection.STEP_SECONDS)
    with postgres.open() as gone:
        hold(gone, OPEN + FIVE)
        report = b.run(OPEN + FIVE)
        assert (0, 0, {"nse-fno"}) == (report.exit_code, b.target.runs, {*report.passed})
        assert [] == b.troubles(OPEN + FIVE)
        time.sleep(2)
        assert (0, []) == (b.run(OPEN + 2 * FIVE).exit_code, b.troubles(OPEN + 2 * FIVE))
    assert 1 == b.target.runs


def test_a_page_that_grows_old_is_trouble(a: Machine, b: Machine, postgres: Place) -> None:
    """While another machine has the turn: in the run, by its exit code, and in the status."""
    assert 0 == a.run(OPEN).exit_code
    b = Machine(b.config.state_directory.parent, postgres, "b")
    b.config = b.config._replace(deadline_seconds=8)  # a quarter of it is waited
    with postgres.open() as other:
        hold(other, OPEN + FIVE)
        codes = [b.run(OPEN + number * FIVE).exit_code for number in (1, 2)]
        report = b.run(OPEN + 3 * FIVE)
        found = b.troubles(OPEN + 3 * FIVE)

    assert ([0, 0], 75, 0) == (codes, report.exit_code, b.target.runs)
    sentence = "another machine has the turn, but no page has come since 17 Sep 11:00"
    assert [True] == [sentence in str(error) for error in report.errors]
    assert [(75, True)] == [(code, sentence in told) for code, told in found]
    assert ("history", 75) == (report.outcomes[0].kind, report.outcomes[0].code)


@pytest.mark.parametrize("due", [FIRST, FINAL])
def test_late_counts_from_when_a_page_was_due(b: Machine, postgres: Place, due: datetime) -> None:
    """Yesterday's last page is no sign of trouble at the open; the closing page is due at the settle time."""
    b.config = b.config._replace(deadline_seconds=8)
    with postgres.open() as other:
        hold(other, due)
        early = [b.run(due + number * FIVE).exit_code for number in (0, 1, 2)]
        late = b.run(due + 3 * FIVE)

    assert ([0, 0, 0], 75) == (early, late.exit_code)
    assert "no page has come yet" in str(late.errors[0])


def test_a_machine_that_always_fails_first_keeps_nobody(a: Machine, b: Machine, postgres: Place) -> None:
    """It comes first to each tick, and fails: the other waits for it, and draws the same tick."""
    assert 0 == a.run(OPEN).exit_code
    with postgres.open() as other:
        turn = hold(other, OPEN + 2 * FIVE)
        undone = HistoryError("not published")
        Timer(1.5, lambda: turn.__exit__(HistoryError, undone, None)).start()
        report = b.run(OPEN + 2 * FIVE)

    assert (0, 1) == (report.exit_code, b.target.runs)


def test_a_source_that_fails_gives_the_turn_back(a: Machine, b: Machine) -> None:
    """At once, and not as done."""
    a.source.error = failure(SourceError)

    assert 75 == a.run(OPEN).exit_code
    assert 0 == b.run(OPEN).exit_code
    assert 1 == b.target.runs


def test_a_machine_that_slept_publishes_nothing(
    a: Machine, b: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other has published a newer page meanwhile: an older one does not take its place."""
    lasts(monkeypatch, 1)

    def sleep() -> None:
        time.sleep(1.2)
        assert 0 == b.run(OPEN + FIVE).exit_code

    a.source.before = sleep

    with pytest.raises(DeadlineError, match="this machine slept, or was too slow"):
        a.run(OPEN)

    assert (0, 1) == (a.target.runs, b.target.runs)
    assert [(75, "deadline")] == [(each.code, each.kind) for each in run_log.read(a.config.state_directory)]


def test_a_machine_that_slept_far_from_the_database(
    a: Machine,
    postgres: Place,
    postgresql: Postgresql,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The database cannot be asked any more: the clock that counts sleep tells that the turn is over."""
    lasts(monkeypatch, 1)
    monkeypatch.setattr(postgres_connection, "STEP_SECONDS", 1)
    with ExitStack() as network:
        proxy = network.enter_context(Proxy(postgresql.port))
        a.config = a.config._replace(history=through(postgres, proxy.port).options)

        def sleep() -> None:
            network.close()
            time.sleep(1.2)

        a.source.before = sleep
        with pytest.raises(DeadlineError, match="slept"):
            a.run(OPEN)
    assert 0 == a.target.runs


def test_a_machine_that_slept_alone_goes_on(a: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nobody took its turn, its page is the newest there is."""
    lasts(monkeypatch, 1)
    a.source.before = lambda: time.sleep(1.2)

    assert (0, 1) == (a.run(OPEN).exit_code, a.target.runs)


@pytest.mark.parametrize("after", [1, 480, 2000])
def test_a_silent_database_costs_no_page(
    a: Machine,
    postgres: Place,
    postgresql: Postgresql,
    after: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Wherever it falls silent: the page goes out, one sentence says why it has no past, within a part of the time."""
    a.run(OPEN)
    a.config = a.config._replace(deadline_seconds=8)
    with Proxy(postgresql.port, Fault.stall(after, "received")) as proxy:
        a.config = a.config._replace(history=through(postgres, proxy.port).options)
        with ends_within(5):
            report = a.run(OPEN + FIVE)

    assert (0, 2, 1) == (report.exit_code, a.target.runs, len(report.warnings))
    assert "gave no answer within" in report.warnings[0]


CONFIGURATION = """deadline_seconds = 8
[[market]]
name = "nse-fno"
[market.source]
type = "recording"
[page]
png = false
[history]
url = "{url}"
password_env = "{variable}"
[[publish]]
url = "file:site"
"""


def heatmap(folder: Path, *words: str) -> tuple[int, str, float]:
    """Run the real command; return its code, what it complained of, and how long it took."""
    environment = os.environ | {"PYTHONPATH": str(CHECKOUT)}
    begun = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "heatmap", *words, "--config", folder / "heatmap.toml"],
        env=environment, cwd=folder, capture_output=True, text=True, check=False, timeout=100,
    )  # fmt: skip
    return done.returncode, done.stderr, time.monotonic() - begun


def test_a_real_run_is_not_held_up(tmp_path: Path, postgres: Place, postgresql: Postgresql) -> None:
    """Neither within nor at its exit, by what it has left behind: a silent database costs it a part of its time."""
    with Proxy(postgresql.port, Fault.stall(480, "received")) as proxy:
        url = through(postgres, proxy.port).options.url
        (tmp_path / "heatmap.toml").write_text(CONFIGURATION.format(url=url, variable=VARIABLE))

        code, complaint, seconds = heatmap(tmp_path, "run", "--force")

    assert 0 == code
    assert 1 == len(complaint.splitlines())
    assert "gave no answer within 1.5 seconds" in complaint
    assert seconds < 8
    assert (tmp_path / "site/index.html").exists()


@pytest.mark.parametrize("words", [["check"], ["history", "status"], ["history", "prune"]])
def test_commands_end(
    tmp_path: Path,
    postgres: Place,
    postgresql: Postgresql,
    words: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Where the database lets in and says nothing more: with a sentence, after a bounded wait."""
    monkeypatch.setattr(postgres_connection, "COMMAND_STEP_SECONDS", 2)
    with Proxy(postgresql.port, Fault.stall(480, "received")) as proxy:
        url = through(postgres, proxy.port).options.url
        (tmp_path / "heatmap.toml").write_text(CONFIGURATION.format(url=url, variable=VARIABLE))
        with ends_within(6):
            code = cli.main([*words, "--config", str(tmp_path / "heatmap.toml")])

    said = capsys.readouterr()
    assert "gave no answer within" in said.out + said.err
    assert (0 if words == ["check"] else 75) == code


def test_a_machine_that_is_asked_to_end_gives_its_turn_back(
    a: Machine, b: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where SIGTERM comes in the very moment in which the turn is taken: the other has this tick at once."""
    take = turns.Lease.__enter__

    def taken(lease: turns.Lease) -> bool:
        change = lease._change

        def struck(work: Any, **more: Any) -> Any:  # noqa: ANN401 -- what the transaction returns
            def work_on(cursor: Any) -> Any:  # noqa: ANN401 -- the same
                found = work(cursor)
                os.kill(os.getpid(), signal.SIGTERM)
                return found

            lease._change = change
            return change(work_on, **more)

        lease._change = struck
        return take(lease)

    with stop.handlers(), pytest.raises(StoppedError), monkeypatch.context() as patched:
        patched.setattr(turns.Lease, "__enter__", taken)
        a.run(OPEN)

    assert (0, 0) == (a.target.runs, b.run(OPEN).exit_code)
    assert 1 == b.target.runs


def test_a_final_without_its_bars_is_not_done(
    a: Machine, b: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The page is out, but the history could not take it: the next machine does the rest."""
    a.source.is_open = b.source.is_open = False
    add_tick = Store.add_tick

    def fail(*_: object) -> None:
        raise HistoryError("the history is full")

    monkeypatch.setattr(Store, "add_tick", fail)
    assert (0, 1) == (a.run(FINAL).exit_code, a.target.runs)
    monkeypatch.setattr(Store, "add_tick", add_tick)
    assert (0, 1) == (b.run(FINAL).exit_code, b.target.runs)
    assert (0, 1) == (a.run(FINAL + FIVE).exit_code, a.target.runs)

    with open_store(b.config.history, b.config.state_directory, pytest.fail) as store:
        assert (FINAL.date(),) == store.sessions("nse-fno")
