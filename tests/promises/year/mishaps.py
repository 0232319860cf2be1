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

from tests.promises.year.runs import Blow
from tests.servers.process import free_port

OK, DATA, TEMPORARY, CONFIGURATION = 0, 65, 75, 78
LONGEST_RUN_SECONDS = 0.6  # about; a signal comes within it
CONFIG_NAME, STATE_NAME, MIRROR_NAME = "heatmap.toml", "state", "mirror"
HOLDER = """import fcntl, sys, time
file = open(sys.argv[1], "a")
fcntl.flock(file, fcntl.LOCK_EX)
print("held", flush=True)
time.sleep(600)
"""


class Terms(NamedTuple):
    """Under which a run takes place: how wrong its clock goes, what strikes it, whether stdout is closed."""

    clock: Callable[[datetime], datetime] = lambda now: now
    blow: Blow | None = None
    closed_stdout: bool = False


class Mishap(NamedTuple):
    """`begin` makes it happen in a folder; `codes` are those that a run may end with while the source is honest."""

    begin: Callable[[Path, Random], AbstractContextManager[Terms]]
    codes: frozenset[int]
    needs_root: bool = False


@contextmanager
def _killed(home: Path, rng: Random) -> Iterator[Terms]:
    yield Terms(blow=Blow(signal.SIGKILL, rng.uniform(0, LONGEST_RUN_SECONDS)))


@contextmanager
def _terminated(home: Path, rng: Random) -> Iterator[Terms]:
    yield Terms(blow=Blow(signal.SIGTERM, rng.uniform(0, LONGEST_RUN_SECONDS)))


def _clock(
    shown: Callable[[datetime, Random], datetime],
) -> Callable[[Path, Random], AbstractContextManager[Terms]]:
    @contextmanager
    def begin(home: Path, rng: Random) -> Iterator[Terms]:
        state = rng.random()
        yield Terms(clock=lambda now: shown(now, Random(state)))

    return begin


@contextmanager
def _full_disk(home: Path, rng: Random) -> Iterator[Terms]:
    ballast = home / "ballast"
    found = os.statvfs(home)
    room = rng.choice([0, 4, 40, 200, 400]) * 1024
    with ballast.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, max(1, found.f_bavail * found.f_frsize - room))
    try:
        yield Terms()
    finally:
        ballast.unlink()


def _damaged(pattern: str) -> Callable[[Path, Random], AbstractContextManager[Terms]]:
    @contextmanager
    def begin(home: Path, rng: Random) -> Iterator[Terms]:
        files = sorted(path for path in (home / STATE_NAME).glob(pattern) if path.is_file())
        if files:
            _damage(rng.choice(files), rng)
        yield Terms()

    return begin


def _damage(path: Path, rng: Random) -> None:
    content = path.read_bytes()
    half = len(content) // 2
    damages = {
        "torn": content[:half],
        "empty": b"",
        "noise": rng.randbytes(len(content) or 100),
        "a bit of noise": content[:half] + rng.randbytes(64) + content[half + 64 :],
        "zeros": bytes(len(content)),  # as after a power cut
        "other JSON": b'{"version": 1, "markets": [], "days": 7}',
        "newer": content.replace(b'"version": 1', b'"version": 99').replace(b'"version":1', b'"version":99'),
    }
    path.write_bytes(damages[rng.choice(sorted(damages))])


@contextmanager
def _lock_held(home: Path, rng: Random) -> Iterator[Terms]:
    lock = home / STATE_NAME / "lock"
    lock.parent.mkdir(exist_ok=True)
    holder = subprocess.Popen([sys.executable, "-c", HOLDER, lock], stdout=subprocess.PIPE)
    try:
        assert holder.stdout
        holder.stdout.readline()
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
    "state.json damaged": Mishap(_damaged("state.json"), WELL),
    "last tick damaged": Mishap(_damaged("last/*.json"), WELL),
    "history damaged": Mishap(_damaged("history.sqlite"), WELL),
    "history's digest damaged": Mishap(_damaged("digest-*.json"), WELL),
    "archive damaged": Mishap(_damaged("archive-*"), WELL),
    "outcomes damaged": Mishap(_damaged("outcomes*"), WELL),
    "cookies damaged": Mishap(_damaged("sources/*/*"), WELL),
    "nap damaged": Mishap(_damaged("nap"), WELL),
    "lock held by who is then killed": Mishap(_lock_held, frozenset({OK, TEMPORARY})),
    "a target down": Mishap(_target_down, frozenset({OK, TEMPORARY})),
    "nobody listens": Mishap(_exchange_at(lambda: f"http://127.0.0.1:{free_port()}"), FAILING | WELL),
    "no such name": Mishap(_exchange_at(lambda: "https://exchange.invalid"), FAILING | WELL),
    "stdout closed": Mishap(_closed_stdout, WELL),
}
