"""`heatmap run --every`: real ticks, at the right moments, whatever the clock does, until a signal ends it."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from heatmap import cli
from heatmap.cli import repeat
from heatmap.cli.schedule import KILL_AFTER_SECONDS
from heatmap.errors import EXIT_USAGE, UsageError
from heatmap.state import run_log
from heatmap.system import stop
from tests.checkout import CHECKOUT
from tests.servers.clock import Clock

SLOWEST_SECONDS = 40.0  # what a test waits for an event before it fails
RECORDED = '[[market]]\nname = "nse-fno"\n[market.source]\ntype = "recording"\n'
MORNING = datetime(2026, 9, 17, 11, 0, tzinfo=datetime.fromisoformat("2026-09-17T00:00+05:30").tzinfo)


def wait_for(expected: object, seen: Callable[[], object]) -> None:
    """Wait until that is seen."""
    until = time.monotonic() + SLOWEST_SECONDS
    while expected != seen():
        assert time.monotonic() < until, f"{expected} was never seen, but {seen()}"
        time.sleep(0.02)


class Loop:
    """`heatmap run --every 5m` in a folder, under a clock of its own."""

    def __init__(self, folder: Path, clock: Clock, *more: str) -> None:
        self.folder = folder
        self.clock = clock
        environment = {
            **{key: value for key, value in clock.environment().items() if not key.startswith("HEATMAP")},
            "PYTHONPATH": str(CHECKOUT),
            "SOME_TEST_PASSWORD": "canary",
        }
        with (folder / "words").open("wb") as words, (folder / "errors").open("wb") as errors:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "heatmap", "run", "--every", "5m", *more],
                cwd=folder,
                env=environment,
                stdout=words,
                stderr=errors,
            )

    def at(self, moment: datetime) -> None:
        """Make it that time from now on, once no tick is running."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        wait_for("", children.read_text)
        self.clock.set(f"{(moment - datetime.now(UTC)).total_seconds():+.3f}")

    @property
    def ticks(self) -> list[str]:
        """When the ticks that had something to do began."""
        return [f"{each.at:%H:%M}" for each in run_log.read(self.folder / "state")]

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Ask it to end, and return its exit code."""
        self.process.send_signal(number)
        return self.process.wait(SLOWEST_SECONDS)

    @property
    def errors(self) -> list[str]:
        """The lines of the command and its runs on stderr."""
        return (self.folder / "errors").read_text("utf-8").splitlines()


@pytest.fixture
def loop(tmp_path: Path, clock: Clock) -> Iterator[Callable[..., Loop]]:
    """Start one, at a time of the test's day; it is ended with the test."""
    began: list[Loop] = []

    def start(moment: datetime, *more: str) -> Loop:
        clock.set(f"{(moment - datetime.now(UTC)).total_seconds():+.3f}")
        began.append(Loop(tmp_path, clock, *more))
        return began[-1]

    (tmp_path / "heatmap.toml").write_text(RECORDED)
    yield start
    for each in began:
        if each.process.poll() is None:
            each.process.kill()
        each.process.wait()


@pytest.mark.parametrize(
    ("text", "seconds"), [("1m", 60), ("90s", 90), ("5m", 300), ("60m", 3600), ("1h", 3600)]
)
def test_how_an_interval_is_written(text: str, seconds: int) -> None:
    """A number and its unit, from a minute to an hour."""
    assert seconds == repeat.parse_interval(text)


@pytest.mark.parametrize(
    "text", ["", "5", "m", "5 m", "0m", "-5m", "59s", "61m", "2h", "1e2s", "5M", "٥m", "99999s"]
)
def test_what_is_no_interval(text: str) -> None:
    """Anything else is refused, with an example."""
    with pytest.raises(UsageError, match="must be between 1m and 1h, written like 90s, 5m or 1h"):
        repeat.parse_interval(text)


@pytest.mark.parametrize(
    ("now", "interval", "due"),
    [
        ("11:00:00", 300, "11:02:00"),
        ("11:01:59.999", 300, "11:02:00"),
        ("11:02:00", 300, "11:07:00"),
        ("23:58:00", 300, "00:02:00"),
        ("11:00:00.5", 60, "11:01:00"),
        ("11:00:00", 3600, "11:02:00"),
        ("11:02:01", 3600, "12:02:00"),
        ("11:00:00", 90, "11:00:30"),
    ],
)
def test_the_moments_are_those_of_cron(now: str, interval: int, due: str) -> None:
    """Two past, as the cron line has it (2-57/5); on the minute where every minute is one."""
    timestamp = repeat.next_run_time(datetime.fromisoformat(f"2026-09-17T{now}+00:00").timestamp(), interval)

    assert due == f"{datetime.fromtimestamp(timestamp, UTC):%H:%M:%S}"


@pytest.mark.parametrize(
    "options", [["--every", "5"], ["--every", "5m", "--now", "2026-09-17T11:00:00+05:30"]]
)
def test_what_cannot_be_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: list[str]) -> None:
    """Exit 64 at once, and not at the first tick."""
    monkeypatch.chdir(tmp_path)

    assert EXIT_USAGE == cli.main(["run", *options])


def test_a_configuration_that_cannot_be_ends_it_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exit 78 before anything is waited for."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "heatmap.toml").write_text("colums = 3\n")

    assert 78 == cli.main(["run", "--every", "5m"])


def test_ticks_come_at_their_moments_whatever_the_clock_does(
    loop: Callable[..., Loop], tmp_path: Path
) -> None:
    """On time; once after a leap over an hour, as after a sleep; none twice after a step back; then an end."""
    running = loop(MORNING + timedelta(minutes=1, seconds=57))
    wait_for(["11:02"], lambda: running.ticks)
    running.at(MORNING + timedelta(hours=1, minutes=31))
    wait_for(["11:02", "12:31"], lambda: running.ticks)
    running.at(MORNING + timedelta(hours=1, minutes=31, seconds=58))
    wait_for(["11:02", "12:31", "12:32"], lambda: running.ticks)
    running.at(MORNING + timedelta(hours=1, minutes=13))
    time.sleep(repeat.LOOK_SECONDS + 1)

    assert ["11:02", "12:31", "12:32"] == running.ticks
    assert 0 == running.stop()
    assert [] == running.errors
    assert b"" == (tmp_path / "words").read_bytes()


def test_a_changed_configuration_counts_from_the_next_tick(loop: Callable[..., Loop], tmp_path: Path) -> None:
    """One that cannot be read fails that tick, not the loop; nor does one that is killed."""
    running = loop(MORNING + timedelta(minutes=1, seconds=58))
    wait_for(["11:02"], lambda: running.ticks)
    (tmp_path / "heatmap.toml").write_text("colums = 3\n")
    running.at(MORNING + timedelta(minutes=6, seconds=58))
    wait_for(1, lambda: len(running.errors))
    (tmp_path / "heatmap.toml").write_text(RECORDED)
    running.at(MORNING + timedelta(minutes=11, seconds=58))
    wait_for(["11:02", "11:12"], lambda: running.ticks)

    assert 1 == len(running.errors)
    assert "colums" in running.errors[0]
    assert running.process.poll() is None


def test_a_signal_ends_a_running_tick_in_good_order(loop: Callable[..., Loop], tmp_path: Path) -> None:
    """The tick says that it was stopped, and keeps it; the loop ends with 0, and nothing is left running."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"ftp://user@127.0.0.1:{silent.getsockname()[1]}/web"
        (tmp_path / "heatmap.toml").write_text(
            f'{RECORDED}[[publish]]\nurl = "{address}"\npassword_env = "SOME_TEST_PASSWORD"\n'
        )
        running = loop(MORNING + timedelta(minutes=1, seconds=58))
        silent.settimeout(SLOWEST_SECONDS)
        connection, _ = silent.accept()
        with connection:
            begun = time.monotonic()
            code = running.stop(signal.SIGINT)
            took_seconds = time.monotonic() - begun

    assert 0 == code
    assert KILL_AFTER_SECONDS > took_seconds
    assert [f"heatmap: {stop.SENTENCE}"] == running.errors
    assert [(75, "stopped")] == [each[2:4] for each in run_log.read(tmp_path / "state")]
    assert b"" == (tmp_path / "state/lock").read_bytes()


def test_a_tick_that_is_killed_is_told(loop: Callable[..., Loop], tmp_path: Path) -> None:
    """The loop goes on, and says so."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"ftp://user@127.0.0.1:{silent.getsockname()[1]}/web"
        (tmp_path / "heatmap.toml").write_text(
            f'{RECORDED}[[publish]]\nurl = "{address}"\npassword_env = "SOME_TEST_PASSWORD"\n'
        )
        running = loop(MORNING + timedelta(minutes=1, seconds=58), "--log-format", "json")
        silent.settimeout(SLOWEST_SECONDS)
        connection, _ = silent.accept()
        with connection:
            (tmp_path / "heatmap.toml").write_text(RECORDED)
            os.kill(json.loads((tmp_path / "state/lock").read_text())["pid"], signal.SIGKILL)
            running.at(MORNING + timedelta(minutes=6, seconds=58))
            wait_for(2, lambda: len(running.ticks))

    assert [(75, "killed"), (0, "published")] == [each[2:4] for each in run_log.read(tmp_path / "state")]
    (line,) = map(json.loads, running.errors)
    assert ("warning", "a run was ended by SIGKILL") == (line["level"], line["message"][:26])


def test_it_stays_small(loop: Callable[..., Loop]) -> None:
    """A process that waits for a year needs no more than the interpreter and the reader of the configuration."""
    running = loop(MORNING + timedelta(minutes=1, seconds=58))
    wait_for(["11:02"], lambda: running.ticks)
    status = Path(f"/proc/{running.process.pid}/status").read_text("utf-8")
    (resident,) = [int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS:")]

    assert 25_000 > resident  # KiB
