"""`heatmap run --every 5m`: one tick after another, for places without cron, such as containers.

Each tick is a process of its own, as cron's are: what it needs of memory is given back, a crash ends that
tick alone, and a changed configuration or an upgrade counts from the next one on.
"""

from __future__ import annotations

import os
import re
import select
import signal
import sys
import time
from contextlib import suppress
from datetime import datetime
from typing import TYPE_CHECKING, Self

from heatmap.cli.schedule import JITTER_MINUTES, KILL_AFTER_SECONDS, LAST_RESORT_SECONDS
from heatmap.config.loader import load
from heatmap.errors import EXIT_OK, UsageError
from heatmap.system import processes

if TYPE_CHECKING:
    import argparse

    from heatmap.cli.log import Console

SHORTEST_SECONDS, LONGEST_SECONDS = 60, 60 * 60
UNITS = {"s": 1, "m": 60, "h": 60 * 60}  # seconds
LOOK_SECONDS = 2.0  # how often the clock is looked at: it may jump, and a machine may sleep
STOPPING = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Tick until a signal asks for the end, which is no failure. Raises UsageError, ConfigError."""
    if arguments.now is not None:
        raise UsageError("--every and --now do not go together: time has to pass")
    with _Signals() as signals:
        return _run_repeatedly(arguments, console, signals)


def _run_repeatedly(arguments: argparse.Namespace, console: Console, signals: _Signals) -> int:
    every = parse_interval(arguments.every)
    config = load(arguments.config)  # a mistake is told now, and not by every tick
    config.select_markets(arguments.market)
    if every != config.interval_minutes * UNITS["m"]:
        minutes = every / UNITS["m"]
        console.warning(
            f"ticks come every {minutes:g} minutes, but interval_minutes is {config.interval_minutes}: make "
            "them the same, or pages misjudge their own age"
        )
    command = _command(arguments)
    due = next_run_time(time.time(), every)
    console.info(f"every {every} seconds, the first time at {_format_time(due)}; Ctrl-C or SIGTERM ends it")
    signals.wait(0)
    while not signals.stopped:
        now = time.time()
        if due - every <= now < due:
            signals.wait(min(due - now, LOOK_SECONDS))
            _reap()
            continue
        if now >= due:
            _run_once(command, signals, console)
        due = next_run_time(time.time(), every)  # also where the clock was set back: none is waited for twice
    return EXIT_OK


def parse_interval(text: str) -> int:
    """Return the seconds that `90s`, `5m` or `1h` are. Raises UsageError."""
    found = re.fullmatch(r"([1-9]\d{0,3})([smh])", text, re.ASCII)
    seconds = int(found[1]) * UNITS[found[2]] if found else 0
    if not SHORTEST_SECONDS <= seconds <= LONGEST_SECONDS:
        raise UsageError(f"--every {text!r} must be between 1m and 1h, written like 90s, 5m or 1h")
    return seconds


def next_run_time(now: float, every: int) -> float:
    """Return the first moment after `now` at which a tick is due (seconds since 1970).

    They stand where the cron line of `heatmap schedule` has them: two minutes past, beside the rush hour of
    the round minutes.
    """
    offset = JITTER_MINUTES * UNITS["m"] % every
    return now - (now - offset) % every + every


def _command(arguments: argparse.Namespace) -> list[str]:
    """Return this very command, without `--every`: the same interpreter, started in the same way."""
    before = sys.orig_argv[1 : len(sys.orig_argv) - len(sys.argv[1:])]
    options = {
        "--config": arguments.config,
        "--market": arguments.market,
        "--log-format": arguments.log_format,
    }
    flags = {
        "--force": arguments.force,
        "--dry-run": arguments.dry_run,
        "--verbose": arguments.verbose,
        "--quiet": arguments.quiet,
    }
    given = [word for key, value in options.items() if value is not None for word in (key, str(value))]
    return [sys.executable, *before, "run", *given, *(flag for flag, is_set in flags.items() if is_set)]


def _run_once(command: list[str], signals: _Signals, console: Console) -> None:
    """Run one tick to its end, or end it where we are to end ourselves, or where it cannot end by itself."""
    try:
        # A group of its own: Ctrl-C is for us, who then end the tick in good order.
        tick = os.posix_spawn(sys.executable, command, os.environ, setpgroup=0)
    except OSError as error:
        console.warning(f"no tick could be started ({error.strerror}): the next one is tried all the same")
        return
    last_resort = time.monotonic() + LAST_RESORT_SECONDS
    kill_at: float | None = None
    while (status := _reap().get(tick)) is None:
        now = time.monotonic()
        if kill_at is None and (signals.stopped or now >= last_resort):
            kill_at = now + KILL_AFTER_SECONDS
            _send(tick, signal.SIGTERM)
        elif kill_at is not None and now >= kill_at:
            processes.kill_group(tick)
        signals.wait(1.0)
    if os.WIFSIGNALED(status):
        name = signal.Signals(os.WTERMSIG(status)).name
        console.warning(f"a tick was ended by {name}: if that happens often, look at the system's log")


def _send(process: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.kill(process, number)


def _reap() -> dict[int, int]:
    """Return the children that have ended, with their status: a container's first process gets all."""
    ended: dict[int, int] = {}
    with suppress(ChildProcessError):
        while True:
            process, status = os.waitpid(-1, os.WNOHANG)
            if not process:
                break
            ended[process] = status
    return ended


def _format_time(moment: float) -> str:
    return f"{datetime.fromtimestamp(moment).astimezone():%H:%M:%S %Z}"


class _Signals:
    """Waits that a signal cuts short, wherever it comes in between: each leaves its number in a pipe."""

    def __init__(self) -> None:
        self.stopped = False  # whether one of them asked for the end

    def __enter__(self) -> Self:
        self._reader, self._writer = os.pipe()
        os.set_blocking(self._reader, False)
        os.set_blocking(self._writer, False)
        self._former_descriptor = signal.set_wakeup_fd(self._writer, warn_on_full_buffer=False)
        self._former = {
            number: signal.signal(number, lambda *_: None)
            for number in (*STOPPING, signal.SIGCHLD)
            if signal.getsignal(number) is not signal.SIG_IGN or number is signal.SIGCHLD  # nohup
        }
        return self

    def __exit__(self, *_: object) -> None:
        signal.set_wakeup_fd(self._former_descriptor)
        for number, handler in self._former.items():
            signal.signal(number, handler)
        os.close(self._reader)
        os.close(self._writer)

    def wait(self, seconds: float) -> None:
        """Wait so long, or until a signal comes."""
        select.select([self._reader], [], [], seconds)
        with suppress(BlockingIOError):
            self.stopped |= not {*STOPPING}.isdisjoint(os.read(self._reader, 512))
