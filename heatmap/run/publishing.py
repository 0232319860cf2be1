"""Publishes to all targets at once, one thread a target, so that no target waits for another."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from heatmap.errors import ConfigError, PublishError
from heatmap.system import stop
from heatmap.system.background import Job
from heatmap.system.deadline import Deadline
from heatmap.system.resource_errors import as_known_error

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from queue import SimpleQueue

    from heatmap.publishers.delivery import Delivery
    from heatmap.publishers.interface import Publisher
    from heatmap.state.report import Messages
    from heatmap.system.web_file import WebFile

WAIT_SECONDS = 1.0  # after the deadline, so that the targets can report their results
STOP_SECONDS = 2.0  # the same after a signal
LEAST_SHARE = 0.1  # of a run's time: with less left, a target that has the pages gets no further files


class TargetResult(NamedTuple):
    """The result of one target: a delivery, or an error."""

    number: int  # its place in the configuration, from 0
    target: str
    delivery: Delivery | None
    error: BaseException | None


def problems(target: Publisher) -> list[str]:
    """Return why a target cannot be tried, such as a missing secret."""
    return [f"{target.name}: {problem}" for problem in target.problems()]


def publish(
    targets: Sequence[Publisher],
    pages: Sequence[WebFile],
    deadline: Deadline,
    messages: Messages,
    next_files: Callable[[str, Delivery | None], Sequence[WebFile]],
    *,
    is_first: bool,
) -> Iterator[TargetResult]:
    """Publish the pages to every target at once, and yield each target's result as it comes.

    A target that fails neither stops nor delays the others. `next_files` returns the files that only one
    target needs, see `publish_to_all`, and records their results itself. `is_first` says that nothing was
    published before: then it is normal that folders had to be made.
    """
    for result in publish_to_all(targets, pages, deadline, next_files):
        if result.error is None:
            messages.say(f"{result.target}: {result.delivery}")
            for lock in result.delivery.removed_locks if result.delivery else ():
                messages.warn(
                    f"{result.target}: removed the lock {lock}, which a killed git process had left behind"
                )
            if result.delivery and result.delivery.new_places and not is_first:
                places = " and ".join(result.delivery.new_places)
                messages.warn(
                    f"{result.target}: {places} had to be made: check that visitors see the pages there"
                )
        yield result


def no_files(target: str, delivery: Delivery | None) -> Sequence[WebFile]:  # noqa: ARG001 -- see below
    """Return no further files."""
    return ()


def publish_to_all(
    targets: Sequence[Publisher],
    pages: Sequence[WebFile],
    deadline: Deadline,
    next_files: Callable[[str, Delivery | None], Sequence[WebFile]] = no_files,
) -> Iterator[TargetResult]:
    """Yield each target's result as it comes. A target that hangs fails at the deadline.

    `next_files` returns the files that the target of this name gets beside `pages`. It is called with None
    before the pages are put, and then with each delivery, until it returns no files. The targets' threads
    call it. Files after the pages cannot fail a target. A signal that ends the run aborts all deliveries.
    """
    from queue import Empty, SimpleQueue

    results: SimpleQueue[TargetResult] = SimpleQueue()
    reached: dict[int, TargetResult] = {}

    def work(number: int, target: Publisher) -> None:
        try:
            for result in _deliver(number, target, pages, deadline, next_files):
                reached[number] = result
            results.put(reached[number])
        except BaseException as error:  # noqa: BLE001 -- a bug in one target must not cost the others their page
            results.put(TargetResult(number, target.name, None, as_known_error(error)))

    jobs = [Job(partial(work, number, target), f"heatmap-{number}") for number, target in enumerate(targets)]
    pending = dict(enumerate(targets))
    try:
        while pending:
            result = _wait_for_result(results, deadline)
            del pending[result.number]
            yield result
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


def _wait_for_result(results: SimpleQueue[TargetResult], deadline: Deadline) -> TargetResult:
    """Return the next result. Raises queue.Empty if none comes in time."""
    from queue import Empty

    until = time.monotonic() + deadline.remaining() + WAIT_SECONDS
    while True:
        if stop.is_requested() and deadline.remaining():
            deadline.expire()
        left = min(until - time.monotonic(), stop.seconds_left())
        try:
            return results.get(timeout=max(0.0, min(left, stop.LOOK_SECONDS)))
        except Empty:
            if left <= 0:
                raise


def _deliver(
    number: int,
    target: Publisher,
    pages: Sequence[WebFile],
    deadline: Deadline,
    next_files: Callable[[str, Delivery | None], Sequence[WebFile]],
) -> Iterator[TargetResult]:
    """Yield the result when the target has the pages, and again after each further delivery.

    Raises the error of `Publisher.publish` if the target does not get the pages.
    """
    from contextlib import suppress

    from heatmap.publishers.delivery import Delivery

    sentences = problems(target)
    if sentences:
        raise ConfigError(sentences)
    first = [*pages, *next_files(target.name, None)]
    delivery = target.publish(first, deadline) if first else Delivery(0, 0)
    result = TargetResult(number, target.name, delivery, None)
    yield result
    least = deadline.seconds * LEAST_SHARE
    with suppress(PublishError):  # the target failed after the pages: the next run goes on
        while (added := next_files(target.name, delivery)) and deadline.remaining() > least:
            delivery = target.publish(added, deadline)
            yield result
