"""Brings pages to all targets at once, each in a thread of its own, so that none waits for another."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from heatmap.errors import ConfigError, PublishError
from heatmap.system import parts, stop
from heatmap.system.background import Job
from heatmap.system.deadline import Deadline
from heatmap.system.resource_errors import as_known_error

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from queue import SimpleQueue

    from heatmap.publishers.delivery import Delivery
    from heatmap.publishers.interface import Publisher
    from heatmap.state.report import Report
    from heatmap.system.web_file import WebFile

WAIT_SECONDS = 1.0  # after the deadline, for the targets to say how far they came
STOP_SECONDS = 2.0  # the same after a signal
LEAST_SHARE = 0.1  # of a run's time, left for another delivery to a target that has the pages


class TargetResult(NamedTuple):
    """How it went with one target. Either what it took, or why it did not."""

    number: int  # its place in the configuration, from 0
    target: str
    delivery: Delivery | None
    error: BaseException | None


def problems(target: Publisher) -> list[str]:
    """Say what keeps a target from being tried, such as a missing secret."""
    return [f"{target.name}: {problem}" for problem in target.problems()]


def publish(
    targets: Sequence[Publisher],
    pages: Sequence[WebFile],
    deadline: Deadline,
    report: Report,
    more: Callable[[str, Delivery | None], Sequence[WebFile]],
    *,
    is_first: bool,
) -> None:
    """Bring the pages to every target at once and report how it went.

    One target that fails neither stops nor delays the others. `more` adds the parts of which each target gets
    what it lacks, as `bring` has it, and notes itself what became of them.
    `is_first`: nothing was published before, so that it is no wonder if folders had to be made.
    """
    report.targets = len(targets)
    for page in pages:
        if page.part:
            report.note_part(page.market, page.part)
    for outcome in publish_to_all(targets, pages, deadline, more):
        report.reached[outcome.number] = outcome.error is None
        if outcome.error is None:
            report.say(f"{outcome.target}: {outcome.delivery}")
            for lock in outcome.delivery.removed_locks if outcome.delivery else ():
                report.warnings.append(
                    f"{outcome.target}: removed the lock {lock}, which a killed git process had left behind"
                )
            for market, part, why in outcome.delivery.missing_parts if outcome.delivery else ():
                if part not in parts.OF_TARGETS:
                    report.note_part(market, part, why)
            if outcome.delivery and outcome.delivery.new_places and not is_first:
                places = " and ".join(outcome.delivery.new_places)
                report.warnings.append(
                    f"{outcome.target}: {places} had to be made: check that visitors see the pages there"
                )
        else:
            report.failed_targets += 1
            if not stop.is_requested():  # else it was broken off, which the run as a whole tells
                report.errors.append(outcome.error)


def add_nothing(target: str, delivery: Delivery | None) -> Sequence[WebFile]:  # noqa: ARG001 -- as `bring` has it
    """Return no more pages."""
    return ()


def publish_to_all(
    targets: Sequence[Publisher],
    pages: Sequence[WebFile],
    deadline: Deadline,
    more: Callable[[str, Delivery | None], Sequence[WebFile]] = add_nothing,
) -> Iterator[TargetResult]:
    """Yield each target's outcome as it comes. One that does not end is left behind at the deadline.

    `more` returns what the target of this name gets beside `pages`: with None before they are put, then after
    each delivery what is to follow, until nothing is. It is called from the targets' threads. What follows
    cannot fail a target that has the pages. Where the run is asked to end, all that is under way
    is broken off.
    """
    from queue import Empty, SimpleQueue

    outcomes: SimpleQueue[TargetResult] = SimpleQueue()
    reached: dict[int, TargetResult] = {}

    def work(number: int, target: Publisher) -> None:
        try:
            for outcome in _outcomes(number, target, pages, deadline, more):
                reached[number] = outcome
            outcomes.put(reached[number])
        except BaseException as error:  # noqa: BLE001 -- a bug in one target must not cost the others their page
            outcomes.put(TargetResult(number, target.name, None, as_known_error(error)))

    jobs = [Job(partial(work, number, target), f"heatmap-{number}") for number, target in enumerate(targets)]
    pending = dict(enumerate(targets))
    try:
        while pending:
            outcome = _next(outcomes, deadline)
            del pending[outcome.number]
            yield outcome
    except Empty:
        for number, target in pending.items():
            sentence = f"{target.name}: no end after {deadline.seconds:.3g} seconds: the next run tries again"
            yield reached.get(number) or TargetResult(number, target.name, None, PublishError(sentence))
    except BaseException:  # nothing may be under way any more when the process ends
        deadline.expire()
        end = Deadline(STOP_SECONDS)
        for job in jobs:
            job.wait(end.remaining())
        raise


def _next(outcomes: SimpleQueue[TargetResult], deadline: Deadline) -> TargetResult:
    """Return the next outcome. Raises queue.Empty where none comes in time."""
    from queue import Empty

    until = time.monotonic() + deadline.remaining() + WAIT_SECONDS
    while True:
        if stop.is_requested() and deadline.remaining():
            deadline.expire()
        left = min(until - time.monotonic(), stop.seconds_left())
        try:
            return outcomes.get(timeout=max(0.0, min(left, stop.LOOK_SECONDS)))
        except Empty:
            if left <= 0:
                raise


def _outcomes(
    number: int,
    target: Publisher,
    pages: Sequence[WebFile],
    deadline: Deadline,
    more: Callable[[str, Delivery | None], Sequence[WebFile]],
) -> Iterator[TargetResult]:
    """Yield the outcome once the target has the pages, and again after each delivery that follows.

    Raises what `publish` raises before the target has the pages.
    """
    from contextlib import suppress

    from heatmap.publishers.delivery import Delivery

    found = problems(target)
    if found:
        raise ConfigError(found)
    first = [*pages, *more(target.name, None)]
    delivery = target.publish(first, deadline) if first else Delivery(0, 0)
    outcome = TargetResult(number, target.name, delivery, None)
    yield outcome
    least = deadline.seconds * LEAST_SHARE
    with suppress(PublishError):  # the target was lost on the way: the next run goes on
        while (added := more(target.name, delivery)) and deadline.remaining() > least:
            delivery = target.publish(added, deadline)
            yield outcome
