"""Publishes what a run has drawn, and saves what follows from it.

A run may be killed at any moment. The order of the steps in BEFORE and AFTER makes the next run complete it:
each step must come before those that rely on it. While they work, a signal that asks the run to end waits.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from heatmap.run import due, marks, publishing
from heatmap.system import parts, stop

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from heatmap.config.loader import Config, Market
    from heatmap.market.calendar.session import MarketStatus
    from heatmap.run.follow_up import FollowUp
    from heatmap.run.history_session import HistorySession
    from heatmap.run.last_good import LastGood
    from heatmap.run.publishing import TargetResult
    from heatmap.state.memory import State
    from heatmap.state.report import Report
    from heatmap.system.deadline import Deadline
    from heatmap.system.web_file import WebFile


class DrawnRun(NamedTuple):
    """A run that has drawn its pages. The steps add to its report what they learn."""

    config: Config
    state: State
    statuses: Sequence[tuple[Market, MarketStatus]]  # of all markets of the run
    drawn: Sequence[tuple[Market, MarketStatus]]  # those that have a page
    pages: Sequence[WebFile]
    last_good: LastGood
    history: HistorySession
    follow_up: FollowUp
    now: datetime
    deadline: Deadline
    report: Report


def publish(run: DrawnRun) -> None:
    """Do all steps in their order. Raises ConfigError, and DeadlineError if nothing may be published."""
    if run.pages:
        for step in BEFORE:
            step(run)
        is_first = not any(run.state[market.name].published_at for market in run.config.markets)
        run.report.targets = len(run.config.publishers)
        for page in run.pages:
            if page.part:
                run.report.parts.add(page.market, page.part)
        for result in publishing.publish(
            *(run.config.publishers, run.pages, run.deadline, run.report.messages),
            run.follow_up.archives.next_files,
            is_first=is_first,
        ):
            _add_target(run.report, result)
    try:
        for step in AFTER:
            step(run)
    finally:
        run.history.reopen_turns(run.report.parts)


def _add_target(report: Report, result: TargetResult) -> None:
    """Add the result of a target to the report of the run."""
    report.reached[result.number] = result.error is None
    if result.error is None:
        for market, part, why in result.delivery.missing_parts if result.delivery else ():
            if part not in parts.OF_TARGETS:
                report.parts.add(market, part, why)
    elif not stop.is_requested():  # else the run ends on a signal, and reports that once
        report.errors.append(result.error)


def _confirm_turns(run: DrawnRun) -> None:
    run.history.confirm_turns()


def _mark_attempt(run: DrawnRun) -> None:
    run.last_good.mark_attempt()


def _save_archived_days(run: DrawnRun) -> None:
    run.report.parts.update(run.follow_up.archives.save_days())


def _record_archives(run: DrawnRun) -> None:
    outcomes = run.follow_up.record_published(run.report.parts, is_page_out=run.report.reaches_any)
    run.report.parts.update(outcomes)


def _commit_last_good(run: DrawnRun) -> None:
    run.last_good.commit(is_published=run.report.reaches_any)


def _record_history(run: DrawnRun) -> None:
    if run.report.reaches_any:
        run.report.parts.update(run.history.record(is_everywhere=not run.report.failed_targets))


def _complete_earlier_finals(run: DrawnRun) -> None:
    published = [market.name for market, _ in run.drawn if run.report.reaches_any]
    owing = due.find_owing(run.config, run.state, run.statuses, run.now, published)
    if owing and not stop.is_requested():
        from heatmap.run import completion

        completion.complete(
            *(run.config, run.state, owing, run.now, run.deadline, run.report.messages),
            is_history_lost=run.history.is_lost,
        )


def _remember_published(run: DrawnRun) -> None:
    if run.report.reaches_any:
        marks.remember_published(run.config, run.state, run.drawn, run.pages, run.now, run.report)


def _send_alerts(run: DrawnRun) -> None:
    run.report.parts.update(run.follow_up.send_alerts(run.report.parts, run.deadline))


def _forget_figures(run: DrawnRun) -> None:
    if run.report.reaches_any:
        marks.forget_figures(run.config, run.state, run.drawn)


BEFORE: tuple[Callable[[DrawnRun], None], ...] = (
    # First, because another machine may have drawn the market while this one slept: then nothing may be
    # saved or published.
    _confirm_turns,
    # Before a target gets the page: a killed run cannot say whether the target has it, so the checks of the
    # next run must know that visitors may have seen these figures.
    _mark_attempt,
    # Before a target gets the page, because a later run no longer has the figures of this day. From these
    # files it brings the day to the targets that lack it.
    _save_archived_days,
)
AFTER: tuple[Callable[[DrawnRun], None], ...] = (
    # Before the final is remembered: otherwise no run would look again for what the targets lack.
    _record_archives,
    # Before the final is remembered: the next run must compare with the page that visitors see.
    _commit_last_good,
    # Before the final is remembered: if the run is killed in between, the next one makes the final again,
    # and with it the bars.
    _record_history,
    # Before this run's final takes the place of an earlier one in the state: that one's missing parts would
    # be lost.
    _complete_earlier_finals,
    # From here on the final counts as published, and no run makes it again.
    _remember_published,
    # After the page is remembered: a web hook that hangs must not cost it. The state of alerts is saved by
    # itself, and alerts that were not sent are among the missing parts of a final.
    _send_alerts,
    # Last, because the steps before decide whether a later run still needs the figures.
    _forget_figures,
)
