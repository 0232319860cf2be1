"""A run may be killed after any step around publishing: the next run completes it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from heatmap.run import publishing, steps
from heatmap.run.steps import DrawnRun
from tests.doubles import MemoryPublisher
from tests.run.test_archive_delivery import dead_links
from tests.run.test_completion import DAY, FEED, FINAL, FIVE, LIST, MOVERS, Market, hooks, symbols  # noqa: F401
from tests.servers.hooks import Hooks

NAMES = [step.__name__ for step in (*steps.BEFORE, *steps.AFTER)]
BARS = {"UP": (100.0, 106.0), "DOWN": (100.0, 99.0)}


class Killed(BaseException):
    """The end of a process that is killed."""


def killing_after(step: Callable[[DrawnRun], None]) -> Callable[[DrawnRun], None]:
    """The same step, after which the process is killed."""

    def work(run: DrawnRun) -> None:
        step(run)
        raise Killed

    return work


def kill_after(name: str, patch: pytest.MonkeyPatch) -> None:
    """Let the process be killed after the step of this name."""
    for order in ("BEFORE", "AFTER"):
        changed = [killing_after(step) if step.__name__ == name else step for step in getattr(steps, order)]
        patch.setattr(steps, order, tuple(changed))


def assert_complete(market: Market, hooks: Hooks) -> None:  # noqa: F811 -- the fixture
    """The target has the final, its archived day, the list and the feed; bars and alerts are there once."""
    assert {"index.html", "nse-fno/index.html", f"{DAY}index.html", LIST, FEED} < market.target.pages.keys()
    assert set() == dead_links(market.target.pages)
    assert BARS == market.bars
    assert [["UP"]] == symbols(hooks)
    assert ("2026-09-17", [], None) == (market.memory.final_date, market.owed, market.memory.faults)


@pytest.mark.parametrize("name", NAMES)
def test_a_run_killed_after_a_step_is_completed(
    tmp_path: Path,
    hooks: Hooks,  # noqa: F811 -- the fixture
    monkeypatch: pytest.MonkeyPatch,
    name: str,
) -> None:
    """By the next run of the evening, whatever the step was; the one after it has nothing to do."""
    market = Market(tmp_path, alerts=(MOVERS,))
    hooks.manner = "ok"
    with monkeypatch.context() as patch, pytest.raises(Killed):
        kill_after(name, patch)
        market.run(FINAL)

    market.run(FINAL + FIVE)
    assert_complete(market, hooks)
    fetches = market.source.asked
    market.run(FINAL + 2 * FIVE)

    assert_complete(market, hooks)
    assert ([], fetches) == (market.target.order, market.source.asked)


def test_nothing_is_published_before_all_steps_that_must_come_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each step of BEFORE is done when the first target gets its first page, and none of AFTER."""
    done: list[str] = []

    def noting(step: Callable[[DrawnRun], None]) -> Callable[[DrawnRun], None]:
        return lambda run: (step(run), done.append(step.__name__))[0]

    for order in ("BEFORE", "AFTER"):
        monkeypatch.setattr(steps, order, tuple(noting(step) for step in getattr(steps, order)))
    seen: list[list[str]] = []
    market = Market(tmp_path, MemoryPublisher(before=lambda: seen.append([*done])))

    market.run(FINAL)

    assert NAMES == done
    assert NAMES[: len(steps.BEFORE)] == seen[0]


def test_a_run_without_pages_publishes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A source that says that the market is closed: no step before publishing is done, and no target tried."""
    calls: list[str] = []
    monkeypatch.setattr(publishing, "publish", lambda *_, **__: calls.append("publish") or ())
    monkeypatch.setattr(steps, "BEFORE", (lambda _: calls.append("before"),))
    market = Market(tmp_path)
    market.source.is_open, market.source.as_of = False, FINAL.replace(day=16)

    market.run(FINAL)

    assert [] == calls
