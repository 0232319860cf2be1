"""Two machines with one cron line, one history in PostgreSQL and one site: real runs, and a network that misbehaves.

Machine A reaches the database directly, B directly or through PgBouncer in transaction mode; each by a proxy of
its own.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from datetime import date, datetime
from pathlib import Path
from typing import NamedTuple, Self

from heatmap.history.options import HistoryOptions
from heatmap.history.store import open_store
from tests.promises.machines.judge import CHANGE_PERCENT, DEADLINE_SECONDS, MARKET, Ended, Judge
from tests.promises.machines.plan import ASLEEP, BLOCKED, BOTH, Tick, Trouble
from tests.promises.year import sessions
from tests.promises.year.market import Market
from tests.promises.year.runs import environment
from tests.servers.exchange import Exchange
from tests.servers.hooks import Hooks
from tests.servers.pgbouncer import PgBouncer
from tests.servers.postgresql import PASSWORD, Postgresql
from tests.servers.proxy import Fault, Proxy

VARIABLE, HOOK = "HEATMAP_TEST_HISTORY_PASSWORD", "HEATMAP_TEST_HOOK"
END_SECONDS = 400  # a run that takes longer hangs for ever
OPEN_TRANSACTIONS = """SELECT count(*) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid() AND xact_start IS NOT NULL
AND backend_type = 'client backend'"""
LOCKED_SECONDS = 120  # after which the server has ended the transaction of a machine that vanished
CONFIGURATION = """state_directory = "state"
deadline_seconds = {deadline}
public_url = "https://www.example.org/heatmap/"

[[market]]
name = "{market}"
[market.source]
type = "nse"
base_url = "{exchange}"
connect_timeout_seconds = 5
read_timeout_seconds = 10
fetch_timeout_seconds = 15

[page]
png = false

[history]
url = "{database}"
password_env = "{variable}"

[[alert]]
name = "movers"
change_percent = {percent}
url_env = "{hook}"

[[publish]]
url = "file:{site}"
"""
Say = Callable[[str], None]


class Machine(NamedTuple):
    """One of the two: its folder, its exchange, its way to the database."""

    number: int
    home: Path
    exchange: Exchange
    proxy: Proxy


class Simulation:
    """Both machines through the sessions of a plan. Raises process.Missing where something is not here."""

    def __init__(self, folder: Path, say: Say, trace: Say = lambda _: None, *, pooled: bool = True) -> None:
        self._folder = folder
        self._pooled = pooled  # whether B goes through PgBouncer
        self._say = say  # called with a sentence for each session
        self._trace = trace  # and with one for each run
        first = date(2025, 12, 31)
        self._market = Market([sessions.session(first), *sessions.sessions()])  # type: ignore[list-item]
        self._moment = sessions.at(first, "16:00")
        self._usual_seconds = 1.5
        self.judge = Judge(
            folder / "site", self._market, lambda told: print(told, file=sys.stderr, flush=True)
        )

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            (self._folder / "site").mkdir(parents=True)
            self._hooks = Hooks()
            stack.callback(self._hooks.stop)
            self._server = stack.enter_context(Postgresql(self._folder / "postgresql"))
            self._url = self._server.url()
            ports = [self._server.port, self._server.port]
            if self._pooled:
                pooler = PgBouncer(self._folder / "pgbouncer", self._server, "transaction")
                ports[1] = stack.enter_context(pooler).port
            self._machines = [self._installed(stack, number, port) for number, port in enumerate(ports)]
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *raised: object) -> None:
        self._stack.close()

    def run(self, plan: Sequence[Sequence[Tick]]) -> None:
        """Run every tick, and judge."""
        for ticks in plan:
            waiting = list(ticks)
            while waiting:
                tick = waiting.pop(0)
                if any(each and each.kind == ASLEEP for each in tick.troubles) and waiting:
                    self._sleep(tick, waiting.pop(0))
                    continue
                with self._database(tick):
                    ended = [self._run(tick, number) for number in (tick.first, 1 - tick.first)]
                self.judge.look_at_tick(tick, ended)
                self._pass_time()
            day = ticks[0].at.date()
            with open_store(self._options(self._url), self._folder, print) as store:
                kept = [each.as_of for each in store.ticks(MARKET, day)]
                self.judge.session_over(day, store.sessions(MARKET), kept)
            broken = sum(self.judge.broken.values())
            self._say(f"{day}: {len(ticks)} ticks, {broken} promises broken so far")

    def _installed(self, stack: ExitStack, number: int, port: int) -> Machine:
        home = self._folder / "ab"[number]
        home.mkdir()
        exchange = stack.enter_context(Exchange(now=lambda: self._market.shown(self._moment).as_of))
        proxy = stack.enter_context(Proxy(port))
        text = CONFIGURATION.format(
            deadline=DEADLINE_SECONDS,
            market=MARKET,
            exchange=exchange.url,
            database=self._url.replace(f":{self._server.port}/", f":{proxy.port}/"),
            variable=VARIABLE,
            percent=CHANGE_PERCENT,
            hook=HOOK,
            site=self._folder / "site",
        )
        (home / "heatmap.toml").write_text(text, "utf-8")
        return Machine(number, home, exchange, proxy)

    def _options(self, url: str) -> HistoryOptions:
        os.environ[VARIABLE] = PASSWORD
        return HistoryOptions(url=url, password_env=VARIABLE)

    @contextmanager
    def _database(self, tick: Tick) -> Iterator[None]:
        """Stop the server for one tick, where the plan says so."""
        is_down = any(each and each.kind == BOTH for each in tick.troubles)
        if is_down:
            self._server.halt()
        try:
            yield
        finally:
            if is_down:
                self._server.resume()

    def _run(self, tick: Tick, number: int) -> Ended:
        """Run the command on one machine to its end."""
        trouble = tick.troubles[number]
        before, heard, begun = self.judge.as_of(), len(self._hooks.calls), time.monotonic()
        process = self._start(tick, number)
        with suppress(subprocess.TimeoutExpired):
            if trouble and trouble.share:
                process.wait(trouble.share * self._usual_seconds)
        if trouble and trouble.share and process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        return self._end(tick, number, process, before, heard, begun)

    def _start(self, tick: Tick, number: int) -> subprocess.Popen[str]:
        self._moment = tick.at
        machine, trouble = self._machines[number], tick.troubles[number]
        shown = self._market.shown(tick.at)
        machine.exchange.status = "Open" if shown.is_open else "Closed"
        machine.exchange.rows = self._market.rows(shown.as_of)
        machine.exchange.seen.clear()
        machine.exchange.fault = "500" if trouble and trouble.kind == BLOCKED else None
        machine.proxy.fault = _from_now(trouble, machine.proxy)
        return subprocess.Popen(
            [sys.executable, "-m", "heatmap", "run"],
            cwd=machine.home,
            env={**environment(tick.at), VARIABLE: PASSWORD, HOOK: f"{self._hooks.url}/{'ab'[number]}"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def _end(
        self,
        tick: Tick,
        number: int,
        process: subprocess.Popen[str],
        before: datetime | None,
        heard: int,
        begun: float,
    ) -> Ended:
        """Wait for a run, and judge it."""
        _, err = process.communicate(timeout=END_SECONDS)
        seconds = time.monotonic() - begun
        ended = Ended(number, process.returncode, err, seconds, has_drawn=self.judge.as_of() != before)
        if tick.is_calm and ended.has_drawn:
            self._usual_seconds += (seconds - self._usual_seconds) / 4
        self._machines[number].proxy.fault = None
        self._trace(f"{tick} {'AB'[number]}: {ended.code} {seconds:.1f} s {err.strip()}")
        self.judge.look_at_run(tick, ended)
        calls = [call.body for call in self._hooks.calls[heard:]]
        self.judge.hear(tick, number, calls)
        return ended

    def _sleep(self, tick: Tick, after: Tick) -> None:
        """Let the first machine sleep with its turn, while the other draws this tick's successor."""
        number, other = tick.first, 1 - tick.first
        after = after._replace(troubles=(None, None))
        machine = self._machines[number]
        begun = time.monotonic()
        process = self._start(tick, number)
        while process.poll() is None and not machine.exchange.seen:
            time.sleep(0.01)
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGSTOP)
        self.judge.look_at_tick(tick, [self._run(tick, other)])
        self._pass_time()
        self.judge.look_at_tick(after, [self._run(after, other)])
        drawn = self.judge.as_of()
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGCONT)
        self._end(tick, number, process, drawn, len(self._hooks.calls), begun)
        self.judge.look_at_tick(after, [])
        self._pass_time()

    def _pass_time(self) -> None:
        """Let turns end as much earlier as there is time between two ticks, which the server's clock sees as one.

        The server ends the transactions of machines that vanished before the next tick: so wait for that.
        """
        database = self._url.rpartition("/")[2]
        until = time.monotonic() + LOCKED_SECONDS
        while self._server.sql(OPEN_TRANSACTIONS, database) != "0" and time.monotonic() < until:
            time.sleep(0.2)
        try:
            self._server.sql(
                "SET lock_timeout = 500; UPDATE heatmap.turns SET ends = ends - interval '5 minutes'",
                database,
            )
        except subprocess.CalledProcessError as error:
            self.judge.violate("old", f"a row is locked for good: {error.stderr}")


def _from_now(trouble: Trouble | None, proxy: Proxy) -> Fault | None:
    """Return a fault for the connections that are still to come: a proxy counts them from its beginning."""
    fault = trouble.fault if trouble else None
    return replace(fault, skip=proxy.connections) if fault else None
