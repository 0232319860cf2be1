"""Runs the plan of a year in one installation: an exchange that misbehaves, a machine to which things happen."""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import date, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Self

from tests.promises.year import damages, sessions
from tests.promises.year.damages import MARKET, STATE_NAME
from tests.promises.year.judge import DEADLINE_SECONDS, UNCAUGHT, Judge, Violation
from tests.promises.year.market import Market
from tests.promises.year.mishaps import CONFIG_NAME, MIRROR_NAME, MISHAPS, OK, SITE_NAME, Terms
from tests.promises.year.plan import ARCHIVED, OLD, OWN_FAULTS, SHRUNK, STUCK, Day, Tick
from tests.promises.year.runs import Ended, heatmap
from tests.promises.year.sessions import DRILL, LATE_CLOSURE, LISTED_LATE, MUHURAT, at
from tests.promises.year.site import PUBLIC_URL
from tests.promises.year.told import ALERT, CHANGE_PERCENT
from tests.servers import exchange_holidays
from tests.servers.archives import FULL, Archives, full, share
from tests.servers.disk import SmallDisk
from tests.servers.exchange import Exchange
from tests.servers.hooks import Hooks

OLD_FOR = timedelta(minutes=10)
DISK_KIB = 1024 * 1024  # room for everything; a disk of its own, so that it can be filled
OVERRIDES_NAME, HOOK_NAME = "holidays.toml", "hook"
SURE_TIMES = 3  # a fault that depends on chance strikes at one of so many runs
USUAL_RUNS = 5  # of which the usual length of a run is taken
CONFIGURATION = f"""state_directory = "{STATE_NAME}"
deadline_seconds = {DEADLINE_SECONDS}
public_url = "{PUBLIC_URL}"

[[market]]
name = "{MARKET}"
[[market.source]]
type = "nse"
base_url = "{{exchange}}"
connect_timeout_seconds = 4
read_timeout_seconds = 4
fetch_timeout_seconds = 15
[[market.source]]
type = "nse-archive"
base_url = "{{archives}}"
connect_timeout_seconds = 4
read_timeout_seconds = 4
fetch_timeout_seconds = 15
[market.session]
overrides = "{OVERRIDES_NAME}"

[page]
png = false

[[alert]]
name = "{ALERT}"
change_percent = {CHANGE_PERCENT}
url_file = "{HOOK_NAME}"

[[publish]]
url = "file:{SITE_NAME}"
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
        self._usual: list[float] = []  # seconds that the last whole runs took
        self._kinds: set[str] = set()  # of files in the state directory that were there after a run
        self.planned: Counter[str] = Counter()  # faults, by name: how often they were due
        self.strikes: Counter[str] = Counter()  # and how often they struck
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
            self._hooks = stack.enter_context(Hooks())
            hook = self.home / HOOK_NAME
            hook.touch(0o600)
            hook.write_text(self._hooks.url, "utf-8")
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
                usual_seconds=sorted(self._usual)[len(self._usual) // 2] if self._usual else 1.0,
                closed_stdout=terms.closed_stdout,
                weigh_in=self._folder,
            )
        struck = f" {terms.damage.path.name} {terms.damage.way}" if terms.damage else ""
        self._trace(
            f"{tick.at:%Y-%m-%d %H:%M} [{tick.trouble}{struck}] {ended.code} {ended.seconds:.1f} s "
            f"{ended.err.strip()}"
        )
        self._count_strikes(day, tick, terms, ended)
        state = self.home / STATE_NAME
        self._kinds |= {name for name, kind in damages.KINDS.items() if kind.files(state)}
        if not tick.trouble and ended.code == OK and day.session and day.session.phase(tick.at):
            self._usual = [*self._usual[1 - USUAL_RUNS :], ended.seconds]
        self.judge.look(
            day,
            tick,
            ended,
            stuck_since=self._stuck_since,
            damage=terms.damage,
            calls=[*self._hooks.calls],
        )

    def _count_strikes(self, day: Day, tick: Tick, terms: Terms, ended: Ended) -> None:
        """Count the faults that were due at this run, and those that struck it.

        A server's fault is due where the run may have something to ask; it has struck once it was asked.
        """
        is_asked = any(path.startswith("/api/") for path in self._exchange.paths)
        if tick.mishap:
            has_struck = ended.is_struck if terms.blow else terms.has_struck
            self.planned[tick.mishap] += 1
            self.strikes[tick.mishap] += has_struck
        if tick.fault and day.session and (day.session.phase(tick.at) or is_asked):
            self.planned[tick.fault] += 1
            self.strikes[tick.fault] += is_asked
        if tick.archive_fault and self._archives.seen:
            self.planned[f"archive {tick.archive_fault}"] += 1
            self.strikes[f"archive {tick.archive_fault}"] += 1
        if tick.hook_fault and self._hooks.calls:
            self.planned[f"web hook {tick.hook_fault}"] += 1
            self.strikes[f"web hook {tick.hook_fault}"] += 1

    def _is_sure(self, name: str) -> bool:
        """Whether a fault that was due must have struck: a blow may come late, a file may not be there now."""
        kind = name.removesuffix(" damaged")
        is_by_chance = name in UNCAUGHT or kind in self._kinds
        return not is_by_chance or self.planned[name] >= SURE_TIMES

    def blind_faults(self) -> list[str]:
        """Return the faults that were due and never struck, and the files that no fault strikes."""
        never = [name for name in sorted(self.planned) if not self.strikes[name] and self._is_sure(name)]
        return [*never, *(f"no fault for {name}" for name in damages.uncovered(self.home / STATE_NAME))]

    def _be_asked(self, day: Day, tick: Tick) -> None:
        """Let both servers be as they are at this moment."""
        late = OLD_FOR if tick.fault == OLD and day.session and day.session.phase(tick.at) else timedelta(0)
        self._shown = shown = self._market.shown(tick.at - late)
        exchange = self._exchange
        exchange.date = self._archives.date = lambda: tick.at  # their clocks are right
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
        self._hooks.calls.clear()
        self._hooks.manner = tick.hook_fault or "ok"
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
