"""Several targets at once: none waits for another, and none that fails spoils another."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from heatmap.errors import EXIT_BUG, EXIT_CONFIGURATION, EXIT_TEMPORARY, ConfigError, PublishRefused
from heatmap.publishers.delivery import Delivery
from heatmap.run import one_run, publishing
from heatmap.system.deadline import Deadline
from heatmap.system.web_file import WebFile
from tests.doubles import MemoryPublisher, MemorySource, configuration, failure
from tests.run.test_one_run import OPEN

PAGES = [WebFile("index.html", b"x")]


def test_targets_do_not_wait_for_each_other() -> None:
    """Each waits until all three are under way: one after another they never would be."""
    together = threading.Barrier(3, timeout=20)
    targets = [MemoryPublisher(name=f"memory:{n}", before=together.wait) for n in range(3)]
    outcomes = list(publishing.publish_to_all(targets, PAGES, Deadline(30)))

    assert [None] * 3 == [outcome.error for outcome in outcomes]
    assert {"memory:0", "memory:1", "memory:2"} == {outcome.target for outcome in outcomes}


def test_the_good_one_is_told_while_the_slow_one_is_under_way() -> None:
    """Outcomes come as they happen."""
    go_on = threading.Event()
    slow = MemoryPublisher(name="slow", before=lambda: go_on.wait(20))
    outcomes = publishing.publish_to_all([slow, MemoryPublisher(name="quick")], PAGES, Deadline(30))

    assert "quick" == next(outcomes).target
    go_on.set()
    assert "slow" == next(outcomes).target


def test_one_that_never_ends_is_left_behind_at_the_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    """With a sentence, and an exit code that says try again; the others have their pages."""
    monkeypatch.setattr(publishing, "WAIT_SECONDS", 0.1)
    end = threading.Event()
    hangs, good = MemoryPublisher(name="hangs", before=lambda: end.wait(60)), MemoryPublisher(name="good")
    begun = time.monotonic()
    outcomes = {each.target: each for each in publishing.publish_to_all([hangs, good], PAGES, Deadline(0.3))}
    took = time.monotonic() - begun
    end.set()

    assert outcomes["good"].error is None
    assert str(outcomes["hangs"].error).startswith("hangs: no end after 0.3 seconds")
    assert EXIT_TEMPORARY == outcomes["hangs"].error.exit_code
    assert took < 10


def test_a_missing_secret_of_one_does_not_stop_the_others(tmp_path: Path) -> None:
    """It is told, its target is not tried, and the exit code is that of some targets failing."""
    poor, good = MemoryPublisher(name="poor", missing=("the password is missing",)), MemoryPublisher()
    report = one_run.run(configuration(tmp_path, MemorySource(), poor, good), now=OPEN)

    assert (0, 1) == (poor.runs, good.runs)
    assert [["poor: the password is missing"]] == [
        list(error.problems) for error in report.errors if isinstance(error, ConfigError)
    ]
    assert EXIT_TEMPORARY == report.exit_code


def test_where_no_target_can_be_tried_nothing_is_fetched(tmp_path: Path) -> None:
    """The exchange is not asked for what cannot be published."""
    source = MemorySource()
    poor = [MemoryPublisher(name=f"poor {n}", missing=("no password",)) for n in range(2)]
    with pytest.raises(ConfigError) as caught:
        one_run.run(configuration(tmp_path, source, *poor), now=OPEN)

    assert (2, EXIT_CONFIGURATION, 0) == (len(caught.value.problems), caught.value.exit_code, source.asked)


def test_a_bug_in_one_target_is_a_bug_of_the_run(tmp_path: Path) -> None:
    """And the other target has its page."""
    good = MemoryPublisher()
    report = one_run.run(
        configuration(tmp_path, MemorySource(), MemoryPublisher(error=ZeroDivisionError()), good), now=OPEN
    )

    assert (EXIT_BUG, 1) == (report.exit_code, good.runs)


def test_all_that_fail_are_told(tmp_path: Path) -> None:
    """One error each."""
    targets = [MemoryPublisher(name=str(n), error=failure(PublishRefused)) for n in range(3)]
    report = one_run.run(configuration(tmp_path, MemorySource(), *targets), now=OPEN)

    assert (3, 3, 3) == (len(report.errors), report.failed_targets, report.targets)


def test_a_signal_breaks_off_what_is_under_way() -> None:
    """The waiting thread is interrupted: the deadline comes at once, and the signal is passed on."""
    deadline = Deadline(60)
    started, aborted = threading.Event(), threading.Event()

    def hang() -> None:
        with deadline.abort_at_deadline(aborted.set):
            started.set()
            aborted.wait(20)

    outcomes = publishing.publish_to_all([MemoryPublisher(), MemoryPublisher(before=hang)], PAGES, deadline)
    next(outcomes)
    assert started.wait(20)
    with pytest.raises(InterruptedError):
        outcomes.throw(InterruptedError())

    assert aborted.is_set()
    assert 0 == deadline.remaining()


@pytest.mark.serial
def test_after_a_signal_all_targets_have_one_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that cannot be interrupted are not waited for one after another."""
    monkeypatch.setattr(publishing, "STOP_SECONDS", 0.5)
    end = threading.Event()
    targets = [MemoryPublisher(name=str(n), before=lambda: end.wait(60)) for n in range(10)]
    outcomes = publishing.publish_to_all([MemoryPublisher(), *targets], PAGES, Deadline(60))
    next(outcomes)
    begun = time.monotonic()
    with pytest.raises(InterruptedError):
        outcomes.throw(InterruptedError())
    took = time.monotonic() - begun
    end.set()

    assert took < 3


def test_what_follows_the_pages() -> None:
    """Each target is asked what it lacks: beside the pages, then after each delivery, until it lacks nothing."""
    first, second = MemoryPublisher(name="first"), MemoryPublisher(name="second")
    asked: dict[str, list[Delivery | None]] = {"first": [], "second": []}

    def more(target: str, delivery: Delivery | None) -> list[WebFile]:
        asked[target].append(delivery)
        return (
            [WebFile(f"m/{len(asked[target])}", b"x", "archive")]
            if len(asked[target]) < 4 and target == "first"
            else []
        )

    outcomes = [*publishing.publish_to_all([first, second], PAGES, Deadline(30), more)]

    assert [None, None] == [outcome.error for outcome in outcomes]
    assert (["index.html", "m/1", "m/2", "m/3"], ["index.html"]) == (first.order, second.order)
    assert [None, Delivery(2, 0), Delivery(1, 0), Delivery(1, 0)] == asked["first"]
    assert [None, Delivery(1, 0)] == asked["second"]


def test_what_follows_fails_no_target(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither a target that is lost on the way, nor one that hangs then: it has the pages."""
    monkeypatch.setattr(publishing, "WAIT_SECONDS", 0.1)
    end = threading.Event()
    lost, hangs, slow = (MemoryPublisher(name=name) for name in ("lost", "hangs", "slow"))

    def more(target: str, delivery: Delivery | None) -> list[WebFile]:
        if delivery is None:
            return []
        if target == "lost":
            lost.error = failure(PublishRefused)
        if target == "hangs":
            hangs.before = lambda: end.wait(60)
        if target == "slow":
            time.sleep(1.9)  # then less than a tenth of the time is left, and no other delivery is begun
        return [WebFile("m/1", b"x", "archive")]

    outcomes = [*publishing.publish_to_all([lost, hangs, slow], PAGES, Deadline(2), more)]
    end.set()

    assert {"lost", "hangs", "slow"} == {outcome.target for outcome in outcomes if outcome.error is None}
    assert [["index.html"]] * 3 == [target.order for target in (lost, hangs, slow)]
