"""The moment a run must be over by."""

from __future__ import annotations

import subprocess
import sys
import threading

import pytest

from heatmap.errors import EXIT_TEMPORARY, DeadlineError
from heatmap.system.deadline import Deadline, run_with_timeout
from tests.checkout import CHECKOUT


def test_a_wait_may_last_what_is_left() -> None:
    """Its own limit, or the deadline's if that is nearer."""
    assert 5 == Deadline(60).timeout(5)
    assert 0 < Deadline(2).timeout(5) <= 2


def test_nothing_may_begin_after_it() -> None:
    """A wait of no length would never end, as sockets take it: it is an error, one that may pass."""
    deadline = Deadline(0)
    with pytest.raises(DeadlineError, match="0 seconds") as caught:
        deadline.timeout(5)

    assert 0 == deadline.remaining()
    assert EXIT_TEMPORARY == caught.value.exit_code


def test_it_breaks_off_what_waits() -> None:
    """From another thread, at its time."""
    broken = threading.Event()
    with Deadline(0.05).abort_at_deadline(broken.set):
        assert broken.wait(10)


def test_what_is_done_is_not_broken_off() -> None:
    """Neither at its time nor when it is made to come early."""
    broken = threading.Event()
    deadline = Deadline(0.05)
    with deadline.abort_at_deadline(broken.set):
        pass
    deadline.expire()

    assert not broken.wait(0.2)


def test_it_can_come_early() -> None:
    """All that waits is broken off at once, and no time is left."""
    broken = [threading.Event(), threading.Event()]
    deadline = Deadline(60)
    with deadline.abort_at_deadline(broken[0].set), deadline.abort_at_deadline(broken[1].set):
        deadline.expire()

        assert all(each.is_set() for each in broken)
    assert 0 == deadline.remaining()


ENDING = """
import os, re, resource, sys, threading, time
from heatmap.system.deadline import end_process_at_deadline
kind = sys.argv[1]
if kind == "nobody reads":
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    try:
        while True:
            os.write(writer, b"x" * 4096)
    except BlockingIOError:
        os.set_blocking(writer, True)
    os.dup2(writer, 2)
with end_process_at_deadline(0.5, b"a sentence\\n", 75):
    if kind == "no memory":
        resource.setrlimit(resource.RLIMIT_AS, (1, 1))
        hoard = []
        for size in (2**20, 2**12, 64):
            try:
                while True:
                    hoard.append(bytearray(size))
            except MemoryError:
                pass
    if kind == "interpreter":
        re.match("(a+)+$", "a" * 60 + "b")  # without ever letting another thread go on
    if kind != "in time":
        lock = threading.Lock()
        lock.acquire()
        lock.acquire()
time.sleep(1.5)
"""


@pytest.mark.process
@pytest.mark.parametrize(
    ("kind", "code", "said"),
    [
        ("lock", 75, "a sentence\n"),
        ("no memory", 75, "a sentence\n"),
        ("nobody reads", 75, ""),
        ("in time", 0, ""),
        ("interpreter", 1, "most recent call first"),
    ],
)
def test_a_process_is_ended(kind: str, code: int, said: str) -> None:
    """The process ends although something blocks it: a lock, lack of memory, a pipe, a library that holds the interpreter."""
    ended = subprocess.run(
        [sys.executable, "-c", ENDING, kind], capture_output=True, text=True, timeout=30, cwd=CHECKOUT
    )

    assert code == ended.returncode
    assert ended.stderr == said if code != 1 else said in ended.stderr


def test_work_that_takes_too_long_is_left_behind() -> None:
    """A result in time is returned, or raised; a late one is reported."""
    end = threading.Event()

    assert 7 == run_with_timeout(10, lambda: 7)
    with pytest.raises(ZeroDivisionError):
        run_with_timeout(10, lambda: 1 / 0)
    with pytest.raises(DeadlineError, match="0.1 seconds"):
        run_with_timeout(0.1, lambda: end.wait(60))
    end.set()
