"""What happens to the machine and its targets, by name: each for the length of one tick."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import NamedTuple

from heatmap.state import memory
from tests.promises.year import damages
from tests.promises.year.damages import STATE_NAME, Damage
from tests.promises.year.runs import Blow
from tests.servers.process import free_port

OK, DATA, TEMPORARY, CONFIGURATION = 0, 65, 75, 78
CONFIG_NAME, SITE_NAME, MIRROR_NAME = "heatmap.toml", "site", "mirror"
HOLDER = """import fcntl, sys, time
file = open(sys.argv[1], "a")
fcntl.flock(file, fcntl.LOCK_EX)
print("held", flush=True)
time.sleep(600)
"""


class Terms(NamedTuple):
    """Under which a run takes place: how wrong its clock goes, what strikes it, whether stdout is closed.

    `has_struck`: whether the mishap has happened. Of a blow only the end of the run tells that.
    """

    clock: Callable[[datetime], datetime] = lambda now: now
    blow: Blow | None = None
    closed_stdout: bool = False
    damage: Damage | None = None
    has_struck: bool = True


class Mishap(NamedTuple):
    """`begin` makes it happen in a folder; `codes` are those that a run may end with while the source is honest.

    `sure_code`: how a run ends that has a page to publish, where that follows from the mishap.
    """

    begin: Callable[[Path, Random], AbstractContextManager[Terms]]
    codes: frozenset[int]
    needs_root: bool = False
    sure_code: int | None = None


@contextmanager
def _killed(home: Path, rng: Random) -> Iterator[Terms]:
    yield Terms(blow=Blow(signal.SIGKILL, rng.random()))


@contextmanager
def _terminated(home: Path, rng: Random) -> Iterator[Terms]:
    yield Terms(blow=Blow(signal.SIGTERM, rng.random()))


def _clock(
    shown: Callable[[datetime, Random], datetime],
) -> Callable[[Path, Random], AbstractContextManager[Terms]]:
    @contextmanager
    def begin(home: Path, rng: Random) -> Iterator[Terms]:
        number = rng.random()
        yield Terms(clock=lambda now: shown(now, Random(number)))

    return begin


@contextmanager
def _full_disk(home: Path, rng: Random) -> Iterator[Terms]:
    ballast = home / "ballast"
    found = os.statvfs(home)
    room = rng.choice([0, 4, 40, 200, 400]) * 1024
    with ballast.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, max(1, found.f_bavail * found.f_frsize - room))
    left = os.statvfs(home)
    assert left.f_bavail * left.f_frsize <= room + found.f_frsize, "the disk is not full"
    try:
        yield Terms()
    finally:
        ballast.unlink()


def _damaged(kind: str) -> Callable[[Path, Random], AbstractContextManager[Terms]]:
    @contextmanager
    def begin(home: Path, rng: Random) -> Iterator[Terms]:
        done = damages.damage(home / STATE_NAME, kind, rng)
        yield Terms(damage=done, has_struck=done is not None)

    return begin


@contextmanager
def _lock_held(home: Path, rng: Random) -> Iterator[Terms]:
    lock = home / STATE_NAME / memory.LOCK_NAME
    lock.parent.mkdir(exist_ok=True)
    holder = subprocess.Popen([sys.executable, "-c", HOLDER, lock], stdout=subprocess.PIPE)
    try:
        assert holder.stdout
        assert holder.stdout.readline() == b"held\n", "the lock is not held"
        yield Terms()
    finally:
        holder.kill()  # without a word, as a machine's memory running out would
        holder.communicate()


@contextmanager
def _target_down(home: Path, rng: Random) -> Iterator[Terms]:
    mirror, aside = home / MIRROR_NAME, home / "mirror-aside"
    if mirror.exists():
        mirror.rename(aside)
    mirror.write_bytes(b"")
    try:
        yield Terms()
    finally:
        mirror.unlink()
        if aside.exists():
            aside.rename(mirror)


def _exchange_at(address: Callable[[], str]) -> Callable[[Path, Random], AbstractContextManager[Terms]]:
    @contextmanager
    def begin(home: Path, rng: Random) -> Iterator[Terms]:
        path = home / CONFIG_NAME
        before = path.read_text("utf-8")
        lines = [
            f'base_url = "{address()}"' if line.startswith("base_url") else line
            for line in before.splitlines()
        ]
        assert lines != before.splitlines(), f"{path} names no base_url"
        path.write_text("\n".join(lines), "utf-8")
        try:
            yield Terms()
        finally:
            path.write_text(before, "utf-8")

    return begin


@contextmanager
def _closed_stdout(home: Path, rng: Random) -> Iterator[Terms]:
    yield Terms(closed_stdout=True)


def _hours(least: float, most: float) -> Callable[[datetime, Random], datetime]:
    return lambda now, rng: now + timedelta(hours=rng.uniform(least, most))


WELL, FAILING = frozenset({OK}), frozenset({TEMPORARY})
MISHAPS = {
    "killed": Mishap(_killed, frozenset({OK, -signal.SIGKILL})),
    "terminated": Mishap(_terminated, frozenset({OK, TEMPORARY, -signal.SIGTERM})),
    "full disk": Mishap(_full_disk, frozenset({OK, TEMPORARY, CONFIGURATION}), needs_root=True),
    "clock back an hour or two": Mishap(_clock(_hours(-2, -0.2)), frozenset({OK, DATA})),
    "clock back for days": Mishap(_clock(_hours(-90, -20)), frozenset({OK, DATA})),
    "clock ahead an hour or two": Mishap(_clock(_hours(0.2, 2)), frozenset({OK, DATA})),
    "clock ahead for days": Mishap(_clock(_hours(20, 90)), frozenset({OK, DATA, CONFIGURATION})),
    "clock at its beginning": Mishap(
        _clock(lambda now, rng: datetime(2000, 1, 1, tzinfo=UTC)), frozenset({CONFIGURATION, OK})
    ),
    **{f"{kind} damaged": Mishap(_damaged(kind), WELL) for kind in damages.KINDS},
    "lock held by who is then killed": Mishap(_lock_held, frozenset({OK, TEMPORARY}), sure_code=TEMPORARY),
    "a target down": Mishap(_target_down, frozenset({OK, TEMPORARY}), sure_code=TEMPORARY),
    "nobody listens": Mishap(
        _exchange_at(lambda: f"http://127.0.0.1:{free_port()}"), FAILING | WELL, sure_code=TEMPORARY
    ),
    "no such name": Mishap(
        _exchange_at(lambda: "https://exchange.invalid"), FAILING | WELL, sure_code=TEMPORARY
    ),
    "stdout closed": Mishap(_closed_stdout, WELL),
}
