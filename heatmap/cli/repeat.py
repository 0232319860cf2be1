"""`heatmap run --every 5m`: repeats runs where there is no cron, such as in containers.

Each run is its own process, as with cron: its memory is freed, a crash ends only this run, and a changed
configuration or an upgrade takes effect with the next run.
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
LOOK_SECONDS = 2.0  # the interval of looking at the clock: it may jump, and the machine may sleep
STOPPING = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Repeat runs until a signal ends it, which is no failure. Raises UsageError and ConfigError."""
    if arguments.now is not None:
        raise UsageError("--every and --now exclude each other: give one of them")
    with _Signals() as signals:
        return _run_repeatedly(arguments, console, signals)


def _run_repeatedly(arguments: argparse.Namespace, console: Console, signals: _Signals) -> int:
    every = parse_interval(arguments.every)
    config = load(arguments.config)  # a mistake is reported now, not by every run
    config.select_markets(arguments.market)
    if every != config.interval_minutes * UNITS["m"]:
        minutes = every / UNITS["m"]
        console.warning(
            f"runs come every {minutes:g} minutes, but interval_minutes is {config.interval_minutes}: make "
            "them the same, or pages show a wrong age warning"
        )
    command = _command(arguments)
    next_time = next_run_time(time.time(), every)
    console.info(
        f"every {every} seconds, the first time at {_format_time(next_time)}; Ctrl-C or SIGTERM ends it"
    )
    signals.wait(0)
    while not signals.stopped:
        now = time.time()
        if next_time - every <= now < next_time:
            signals.wait(min(next_time - now, LOOK_SECONDS))
            _reap()
            continue
        if now >= next_time:
            _run_once(command, signals, console)
        next_time = next_run_time(time.time(), every)  # also if the clock was set back: no run twice
    return EXIT_OK


def parse_interval(text: str) -> int:
    """Return the seconds of `90s`, `5m` or `1h`. Raises UsageError."""
    match = re.fullmatch(r"([1-9]\d{0,3})([smh])", text, re.ASCII)
    seconds = int(match[1]) * UNITS[match[2]] if match else 0
    if not SHORTEST_SECONDS <= seconds <= LONGEST_SECONDS:
        raise UsageError(f"--every {text!r} must be between 1m and 1h, written like 90s, 5m or 1h")
    return seconds


def next_run_time(now: float, every: int) -> float:
    """Return the time of the first run after `now`. Both are seconds since 1970.

    Runs are at the minutes of the cron line of `heatmap schedule`: two minutes later than the round minutes,
    at which most programs run.
    """
    offset = JITTER_MINUTES * UNITS["m"] % every
    return now - (now - offset) % every + every


def _command(arguments: argparse.Namespace) -> list[str]:
    """Return this command without `--every`: the same interpreter, started in the same way."""
    interpreter_options = sys.orig_argv[1 : len(sys.orig_argv) - len(sys.argv[1:])]
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
    values = [word for key, value in options.items() if value is not None for word in (key, str(value))]
    return [
        sys.executable,
        *interpreter_options,
        "run",
        *values,
        *(flag for flag, is_set in flags.items() if is_set),
    ]


def _run_once(command: list[str], signals: _Signals, console: Console) -> None:
    """Start one run and wait for its end. End it if a signal came, or if it hangs."""
    try:
        # Its own process group: Ctrl-C reaches only this process, which then ends the run in good order.
        process = os.posix_spawn(sys.executable, command, os.environ, setpgroup=0)
    except OSError as error:
        console.warning(f"no run could be started ({error.strerror}): the next one is tried anyway")
        return
    last_resort = time.monotonic() + LAST_RESORT_SECONDS
    kill_at: float | None = None
    while (status := _reap().get(process)) is None:
        now = time.monotonic()
        if kill_at is None and (signals.stopped or now >= last_resort):
            kill_at = now + KILL_AFTER_SECONDS
            _send(process, signal.SIGTERM)
        elif kill_at is not None and now >= kill_at:
            processes.kill_group(process)
        signals.wait(1.0)
    if os.WIFSIGNALED(status):
        name = signal.Signals(os.WTERMSIG(status)).name
        console.warning(f"a run was ended by {name}: if this happens often, look at the system's log")


def _send(process: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.kill(process, number)


def _reap() -> dict[int, int]:
    """Return the exit status of each ended child process. A container's first process gets all of them."""
    statuses: dict[int, int] = {}
    with suppress(ChildProcessError):
        while True:
            process, status = os.waitpid(-1, os.WNOHANG)
            if not process:
                break
            statuses[process] = status
    return statuses


def _format_time(moment: float) -> str:
    return f"{datetime.fromtimestamp(moment).astimezone():%H:%M:%S %Z}"


class _Signals:
    """Waits until a time or a signal. Each signal writes its number into a pipe, so none is missed."""

    def __init__(self) -> None:
        self.stopped = False  # whether a signal asked to stop

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
        """Wait for some seconds, or until a signal comes."""
        select.select([self._reader], [], [], seconds)
        with suppress(BlockingIOError):
            self.stopped |= not {*STOPPING}.isdisjoint(os.read(self._reader, 512))
