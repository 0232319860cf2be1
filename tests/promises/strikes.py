"""Whole runs, with every part on, that a signal ends at a random instant; and what the next run finds."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from random import Random
from typing import NamedTuple

from heatmap.system import stop
from tests.checkout import CHECKOUT
from tests.history.figures import at
from tests.promises import installation
from tests.promises.installation import FINAL, LATER, TIMES, Installation

SAMPLE, WHOLE = 1, 100
LONGEST_SECONDS = 120
BOUND_SECONDS = 10.0  # within which a run must end after SIGTERM: then `--every` and containers kill it
TEMPORARY = 75
RARE = 0.05  # of a run's usual time, by which a signal may come after its usual end
SAID_OF_LOCK = "which a killed git process had left behind"


class Strikes(NamedTuple):
    """What so many signals did. All but the first three must be 0."""

    signals: int  # that came before the run's end
    slowest_seconds: float  # from the signal to the end of the run
    told_again: (
        int  # alerts that a hook had taken before the note of it: the window that docs/alerts.md names
    )
    spoilt: int  # pages in parts, lists that link to nothing, documents or databases that are damaged
    wrong_ends: int  # other exit codes, sentences or times than are documented
    alerts_lost: int
    doubled: int  # alerts told twice outside of that window
    untold: int  # runs of which no outcome is kept
    left_behind: int  # temporary files and locks, two hours later; processes
    unhealed: int  # next runs that did not end with exit code 0 and all in place

    @property
    def holds(self) -> bool:
        """Nothing is lost, nothing stays, and each next run heals."""
        return self.signals > 0 and self.slowest_seconds < BOUND_SECONDS and not any(self[3:])


def measure(
    folder: Path, rng: Random, amount: int, number: signal.Signals, *, shared: bool, tell: bool = True
) -> Strikes:
    """Strike `amount` runs, one at each tick of session after session, each followed by cron's next run."""
    sessions = 2 + -(-amount * 5 // 4) // len(TIMES)
    with installation.started(folder, sessions, shared=shared) as it:
        series = Series(it, rng, number, tell=tell)
        for session in range(sessions):
            for tick in range(len(TIMES)):
                if session and series.signals < amount:
                    series.strike(session, tick)
                elif series.signals < amount:
                    series.run(session, tick)
            it.end_session(session)
        return series.figures()


class Series:
    """One installation's ticks in turn, struck or whole."""

    def __init__(self, it: Installation, rng: Random, number: signal.Signals, *, tell: bool) -> None:
        self._it = it
        self._rng = rng
        self._number = number
        self._tell = tell
        self._usual_seconds = 2.0
        self._before: datetime | None = None  # of when the pages are that the last good run published
        self._seconds = [0.0]
        self._found: dict[str, int] = {}
        self.signals = 0

    def figures(self) -> Strikes:
        """What came of it."""
        counts = {name: self._found.get(name, 0) for name in Strikes._fields[2:]}
        return Strikes(self.signals, round(max(self._seconds), 1), **counts)

    def run(self, session: int, tick: int, after: datetime | None = None) -> None:
        """Run a tick to its end and judge all that must be there then."""
        it, moment = self._it, after or at(self._it.sessions[session], *TIMES[tick])
        it.prepare(session, tick, moment)
        begun = time.monotonic()
        code, said, left = self._ended(self._start(moment), LONGEST_SECONDS)
        if not after:
            self._usual_seconds = (self._usual_seconds + time.monotonic() - begun) / 2
        where = f"{moment:%d %b %H:%M}"
        if code != 0 or any(SAID_OF_LOCK not in line for line in said.splitlines()):
            self._count("unhealed", f"{where}: exit {code}: {said}")
        as_of = at(it.sessions[session], *TIMES[FINAL]) if tick == FINAL else moment
        finals = set(it.sessions[: session + (tick == FINAL)])
        for fault in [*it.faults({as_of}), *it.faults_at_rest(as_of, finals)]:
            self._count("left_behind" if "left behind" in fault else "unhealed", f"{where}: {fault}")
        for process in left:
            self._count("left_behind", f"{where}: process {process}")
        told = it.told(it.sessions[session])
        for symbol in it.movers(session, tick) - set(told):
            self._count("alerts_lost", f"{where}: {symbol}")
        self._before = as_of

    def strike(self, session: int, tick: int) -> None:
        """End a run by the signal at a random instant, judge what is there, and let cron's next run heal it."""
        it, moment = self._it, at(self._it.sessions[session], *TIMES[tick])
        it.prepare(session, tick, moment)
        with_all = self._number == signal.SIGKILL and self._rng.random() < 0.5  # noqa: PLR2004 -- as systemd and the power
        process = self._start(moment)
        with suppress(subprocess.TimeoutExpired):
            process.wait(self._rng.uniform(0, self._usual_seconds * (1 + RARE)))
        came = process.poll() is None
        struck = time.monotonic()
        for each in [*(_descendants(process.pid) if with_all else ()), process.pid]:
            with suppress(ProcessLookupError):
                os.kill(each, self._number)
        code, said, left = self._ended(process, LONGEST_SECONDS)
        where = f"{moment:%d %b %H:%M} {self._number.name} after {struck - self._begun:.3f} s"
        if came:
            self.signals += 1
            self._seconds.append(time.monotonic() - struck)
            self._judge_end(where, code, said)
        for each in left:
            self._count("left_behind", f"{where}: process {each}")
        assert self._before
        for fault in it.faults({self._before, moment}):
            self._count("spoilt", f"{where}: {fault}")
        has_begun, told = it.has_begun(moment), it.told(it.sessions[session])
        it.age()
        self.run(session, tick, after=moment + LATER)
        self._judge_alerts(where, told, it.told(it.sessions[session]))
        if has_begun and not it.is_known(moment):
            self._count("untold", f"{where}: exit {code}, no outcome")

    def _judge_end(self, where: str, code: int, said: str) -> None:
        if self._number == signal.SIGKILL:
            right = code in (-signal.SIGKILL, 0) and not said
        else:
            # Before Python has begun, and after all is done, the signal ends the process itself.
            right = (code, said) in (
                (TEMPORARY, f"heatmap: {stop.SENTENCE}\n"),
                (-signal.SIGTERM, ""),
                (0, ""),
            )
            right = right and self._seconds[-1] < BOUND_SECONDS
        if not right:
            self._count("wrong_ends", f"{where}: exit {code} after {self._seconds[-1]:.1f} s: {said}")

    def _judge_alerts(self, where: str, before: list[str], after: list[str]) -> None:
        again = sum(after.count(symbol) - 1 for symbol in set(after)) - sum(
            before.count(symbol) - 1 for symbol in set(before)
        )
        if again:  # the struck run had told them, and was killed before it noted that
            window = self._number == signal.SIGKILL
            self._count("told_again" if window else "doubled", f"{where}: {again} alerts told twice", again)

    def _start(self, moment: datetime) -> subprocess.Popen[str]:
        self._begun = time.monotonic()
        return subprocess.Popen(
            [sys.executable, "-m", "heatmap", "run", "--now", moment.isoformat()],
            cwd=self._it.folder,
            env={**self._it.environment, "PYTHONPATH": str(CHECKOUT)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def _ended(self, process: subprocess.Popen[str], limit: float) -> tuple[int, str, list[int]]:
        """Return exit code, what it said, and the processes that it left behind."""
        process.wait(limit)
        until = time.monotonic() + BOUND_SECONDS
        while (left := self._processes()) and time.monotonic() < until:
            time.sleep(0.02)
        for each in left:
            with suppress(ProcessLookupError):
                os.kill(each, signal.SIGKILL)
        said = process.communicate(timeout=limit)[0]
        return process.returncode, said, left

    def _processes(self) -> list[int]:
        """The processes that work for this installation: they know its folder for temporary files."""
        mark = f"TMPDIR={self._it.environment['TMPDIR']}".encode()
        found = []
        for process in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                if mark in (process / "environ").read_bytes().split(b"\0"):
                    found.append(int(process.name))
        return found

    def _count(self, name: str, why: str, times: int = 1) -> None:
        self._found[name] = self._found.get(name, 0) + times
        if self._tell:
            print(f"strikes: {name}: {why}", file=sys.stderr, flush=True)


def _descendants(process: int) -> list[int]:
    """What a process has started, and what that has."""
    children = Path(f"/proc/{process}/task").glob("*/children")
    found: list[int] = []
    for each in children:
        with suppress(OSError):
            found += map(int, each.read_text().split())
    return [*found, *(each for child in found for each in _descendants(child))]
