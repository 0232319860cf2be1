"""Work in daemon threads: its result, its error, its end by others."""

from __future__ import annotations

import threading
import time

import pytest

from heatmap.system.background import BackgroundTask, Job


def test_a_job_s_result() -> None:
    """The result of the work, also None."""
    for value in (7, None):
        job = Job(lambda value=value: value)  # type: ignore[misc]
        assert job.wait(10)
        assert value == job.result()


def test_a_job_s_error() -> None:
    """The error of the work, raised by `wait`."""
    job = Job(lambda: 1 / 0)

    assert job.wait(10)
    with pytest.raises(ZeroDivisionError):
        job.result()


def test_a_job_that_somebody_else_ends() -> None:
    """A waiting thread wakes at once; the work's own result comes too late to count."""
    end = threading.Event()
    job = Job(lambda: end.wait(60))
    threading.Timer(0.2, lambda: job.fail(TimeoutError("over"))).start()
    started_at = time.monotonic()

    assert job.wait(30)
    assert time.monotonic() - started_at < 10
    end.set()
    time.sleep(0.1)  # its thread ends meanwhile, and its result must not count any more
    with pytest.raises(TimeoutError, match="over"):
        job.result()


def test_a_job_is_left_behind() -> None:
    """Its thread does not keep the process from ending."""
    end = threading.Event()
    job = Job(lambda: end.wait(60), "heatmap-of-this-test")

    assert not job.wait(0.05)
    (thread,) = [each for each in threading.enumerate() if each.name == "heatmap-of-this-test"]
    assert thread.daemon
    end.set()


def test_a_task_never_raises() -> None:
    """The problem ends a sentence; an exception's own text, which may have a secret, is not in it."""
    end = threading.Event()

    def fail() -> str:
        raise KeyError("https://secret.example/token")

    assert BackgroundTask(lambda: None).wait(10) is None
    assert "was answered 500" == BackgroundTask(lambda: "was answered 500").wait(10)
    assert "ended in a bug (KeyError)" == BackgroundTask(fail).wait(10)
    assert "did not end in time" == BackgroundTask(lambda: str(end.wait(60)), 0.05).wait(10)
    end.set()
