"""Runs the plan of a year in one installation: an exchange that misbehaves, a machine to which things happen."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import date, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Self

from tests.promises.year import sessions
from tests.promises.year.judge import DEADLINE_SECONDS, MARKET, Judge, Violation
from tests.promises.year.market import Market
from tests.promises.year.mishaps import CONFIG_NAME, MIRROR_NAME, MISHAPS, STATE_NAME, Terms
from tests.promises.year.plan import ARCHIVED, OLD, OWN_FAULTS, SHRUNK, STUCK, Day, Tick
from tests.promises.year.runs import heatmap
from tests.promises.year.sessions import DRILL, LATE_CLOSURE, LISTED_LATE, MUHURAT, at
from tests.servers import exchange_holidays
from tests.servers.archives import FULL, Archives, full, share
from tests.servers.disk import SmallDisk
from tests.servers.exchange import Exchange

OLD_FOR = timedelta(minutes=10)
DISK_KIB = 1024 * 1024  # room for everything; a disk of its own, so that it can be filled
OVERRIDES_NAME = "holidays.toml"
CONFIGURATION = f"""state_directory = "{STATE_NAME}"
deadline_seconds = {DEADLINE_SECONDS}
public_url = "https://www.example.org/heatmap/"

[[market]]
name = "{MARKET}"
[[market.source]]
type = "nse"
base_url = "{{exchange}}"
connect_timeout_seconds = 1
read_timeout_seconds = 4
fetch_timeout_seconds = 6
[[market.source]]
type = "nse-archive"
base_url = "{{archives}}"
connect_timeout_seconds = 1
read_timeout_seconds = 4
fetch_timeout_seconds = 6
[market.session]
overrides = "{OVERRIDES_NAME}"

[page]
png = false

[[publish]]
url = "file:site"
[[publish]]
url = "file:{MIRROR_NAME}"
"""
Say = Callable[[str], None]
OVERRIDES = "# What the owner of this installation writes down.\n"


def _quiet(_: str) -> None:
    """Say nothing."""


class Simulation:
    """One installation through the days of a plan. Raises process.Missing where something is not here."""

    def __init__(self, folder: Path, seed: int, say: Say = _quiet, trace: Say = _quiet) -> None:
        self._seed = seed
        self._say = say  # called with a sentence for each session
        self._trace = trace  # and with one for each tick
        self._folder = folder
        self._market = Market([sessions.session(date(2025, 12, 31)), *sessions.sessions()])  # type: ignore[list-item]
        self._stuck_since: datetime | None = None
        self._chores = sorted(self._all_chores(), key=lambda chore: chore[0])
        self.home = folder / "home"
        self.judge = Judge(self.home, self._market, self._tell)

    def __enter__(self) -> Self:
        self._stack = ExitStack()
        with self._stack as stack:
            self.home.mkdir(parents=True)
            if os.geteuid() == 0:
                stack.enter_context(SmallDisk(self.home, DISK_KIB))
            self._exchange = stack.enter_context(Exchange(now=lambda: self._shown.as_of))
            self._archives = stack.enter_context(Archives({}))
            text = CONFIGURATION.format(exchange=self._exchange.url, archives=self._archives.url)
            (self.home / CONFIG_NAME).write_text(text, "utf-8")
            (self.home / OVERRIDES_NAME).write_text(OVERRIDES, "utf-8")
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *raised: object) -> None:
        self._stack.close()

    def run(self, days: Sequence[Day]) -> None:
        """Run every tick, and judge."""
        for day in days:
            for tick in day.ticks:
                self._do_chores(tick.at)
                self._run(day, tick)
            if day.session:
                after = day.ticks[-1].at + timedelta(minutes=1)
                status = heatmap(
                    self.home, "status", "--json", "--ticks", "200", clock=after, weigh_in=self._folder
                )
                self.judge.session_over(day, status)
                broken = len(self.judge.violations)
                self._say(f"{day.date} {day.kind}: {len(day.ticks)} ticks, {broken} promises broken so far")

    def _run(self, day: Day, tick: Tick) -> None:
        self._be_asked(day, tick)
        rng = Random(f"{self._seed} {tick.at} {tick.mishap}")
        with MISHAPS[tick.mishap].begin(self.home, rng) if tick.mishap else _nothing() as terms:
            clock = terms.clock(tick.at)
            pretended = ["--now", clock.isoformat()] if rng.random() < 0.5 else []
            ended = heatmap(
                self.home,
                "run",
                *pretended,
                clock=clock,
                blow=terms.blow,
                closed_stdout=terms.closed_stdout,
                weigh_in=self._folder,
            )
        self._trace(
            f"{tick.at:%Y-%m-%d %H:%M} [{tick.trouble}] {ended.code} {ended.seconds:.1f} s {ended.err.strip()}"
        )
        self.judge.look(day, tick, ended, stuck_since=self._stuck_since)

    def _be_asked(self, day: Day, tick: Tick) -> None:
        """Let both servers be as they are at this moment."""
        late = OLD_FOR if tick.fault == OLD and day.session and day.session.phase(tick.at) else timedelta(0)
        self._shown = shown = self._market.shown(tick.at - late)
        exchange = self._exchange
        exchange.status = "Open" if shown.is_open else "Closed"
        exchange.rows = self._market.rows(shown.as_of)
        exchange.seen.clear()
        exchange.fault = tick.fault if tick.fault not in OWN_FAULTS else None
        if tick.fault == STUCK and shown.is_open:
            self._stuck_since = self._stuck_since or shown.as_of
            exchange.rows = self._market.rows(self._stuck_since)
        else:
            self._stuck_since = None
        if tick.fault == SHRUNK:
            exchange.rows = exchange.rows[: len(exchange.rows) // 3]
        self._archives.seen.clear()
        self._archives.faults = {"": tick.archive_fault} if tick.archive_fault else {}
        if day.session and tick.at >= at(day.date, ARCHIVED):
            prices = self._market.prices(day.session.closes)
            shares = [share(symbol, price.previous_close, price.last) for symbol, price in prices.items()]
            others = [share(f"OTHER{number}", 100, 101) for number in range(300)]
            self._archives.bodies = {f"{FULL}{day.date:%d%m%Y}.csv": full(day.date, [*shares, *others])}

    def _tell(self, violation: Violation) -> None:
        """Say a broken promise, and how to see it again."""
        again = f"python -m tests.promises.year --seed {self._seed} --only {violation.tick.at:%Y-%m-%d}"
        print(f"{violation}\n    again: {again}", file=sys.stderr, flush=True)

    # --- what the owner of the installation does, who looks at it now and then ------------------------

    def _do_chores(self, now: datetime) -> None:
        while self._chores and self._chores[0][0] <= now:
            moment, chore = self._chores.pop(0)
            chore(moment)

    def _all_chores(self) -> Iterator[tuple[datetime, Callable[[datetime], None]]]:
        def write(text: str) -> Callable[[datetime], None]:
            def chore(_: datetime) -> None:
                with (self.home / OVERRIDES_NAME).open("a", encoding="utf-8") as file:
                    file.write(text)

            return chore

        closure = f'\n[[closed]]\ndate = {LATE_CLOSURE}\nname = "A day of mourning"\n'
        drill = f'\n[[session]]\ndate = {DRILL}\nwindows = [["09:15", "10:00"], ["11:30", "12:30"]]\n'
        muhurat = f'\n[[session]]\ndate = {MUHURAT}\nwindows = [["18:00", "19:00"]]\n'
        yield at(LATE_CLOSURE, "12:00"), write(closure)
        yield at(date(2026, 9, 18), "20:00"), write(drill)
        yield at(MUHURAT, "16:00"), write(muhurat)
        yield at(LISTED_LATE, "08:00"), self._list_next_year

    def _list_next_year(self, _: datetime) -> None:
        self._exchange.holidays = exchange_holidays.holiday_master(exchange_holidays.MADE_UP_2027)


@contextmanager
def _nothing() -> Iterator[Terms]:
    yield Terms()
