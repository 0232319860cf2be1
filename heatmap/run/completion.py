"""Completes the finals of sessions: it tries again bars, archive, feed and alerts that failed.

The page is published, so a failure here never fails a run. Runs of the same evening try, then the first run
of the next session and one an hour, until nothing is missing or the next final takes its place.
"""

from __future__ import annotations

from contextlib import ExitStack
from datetime import date
from typing import TYPE_CHECKING, NamedTuple

from heatmap.errors import LockedError
from heatmap.market.calendar import phases
from heatmap.market.calendar.session import Phase
from heatmap.notify.alerts import memory
from heatmap.run import due, final_figures, final_parts, market_files, publishing
from heatmap.run.follow_up import FollowUp
from heatmap.run.history_session import HistorySession
from heatmap.state.memory import State, lock, mark_name, merge_faults
from heatmap.state.report import Messages, PartOutcomes
from heatmap.system import parts, resource_errors, stop
from heatmap.system.deadline import Deadline

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime

    from heatmap.config.loader import Config, Market
    from heatmap.market.calendar.session import MarketStatus
    from heatmap.publishers.delivery import Delivery
    from heatmap.run.archive_delivery import Archives
    from heatmap.run.final_figures import Final
    from heatmap.system.web_file import WebFile


OF_TARGETS = {parts.ARCHIVE, parts.FEED}  # the parts that are published
GRACE_SECONDS = 3  # by which such a run may outlive its deadline


class Work(NamedTuple):
    """A final, and its missing parts."""

    market: Market
    status: MarketStatus  # at the final
    final: Final
    missing: frozenset[str]  # parts


def complete(
    config: Config,
    state: State,
    markets: Sequence[Market],
    now: datetime,
    deadline: Deadline,
    messages: Messages,
    *,
    is_history_lost: bool = False,
) -> None:
    """Try again the missing parts of the last finals of these markets, in half of the time left.

    `is_history_lost` says that the history could not be opened in this run. The caller must hold the lock of
    the state directory. Raises ConfigError if the state cannot be written.
    """
    with HistorySession(config, state, messages, now, deadline=deadline, is_lost=is_history_lost) as history:
        works = [
            work for market in markets for work in [_prepare(config, state, market, now, history)] if work
        ]
        runs = [(work, FollowUp(config, state, history, work.final.drawn_at, messages.say)) for work in works]
        outcomes = PartOutcomes()
        for work, follow_up in runs:
            outcomes.update(_retry(config, work, follow_up, history))
        if stop.is_requested():
            return  # nothing is saved, so the next run tries again
        if any(work.missing & OF_TARGETS for work in works):
            archives = [follow_up.archives for _, follow_up in runs]
            outcomes.update(_publish(config, works, archives, deadline, messages))
        for work, follow_up in runs:
            outcomes.update(follow_up.record_published(outcomes, is_page_out=True))
            if parts.ALERTS in work.missing:
                outcomes.update(follow_up.send_alerts(outcomes, deadline))
            _remember(config, state, work, outcomes.of_market(work.market.name))


def complete_alone(
    config: Config,
    statuses: Sequence[tuple[Market, MarketStatus]],
    now: datetime,
    messages: Messages,
    give_up: Callable[[], None] | None,
) -> bool:
    """Try again the missing parts of finals, in a run without a page; return whether one is still missing.

    `give_up` ends the process. It is called from another thread if the run hangs beyond its deadline. Raises
    ConfigError.
    """
    deadline = Deadline(config.deadline_seconds)
    with ExitStack() as stack:
        if give_up:
            stack.enter_context(Deadline(config.deadline_seconds + GRACE_SECONDS).abort_at_deadline(give_up))
        stack.enter_context(resource_errors.translating_resource_errors())
        try:
            stack.enter_context(lock(config.state_directory))
        except LockedError:
            return True  # the next run gets the lock
        state = State(config.state_directory)
        with stop.postpone():  # until all that was published is saved
            complete(config, state, due.find_owing(config, state, statuses, now), now, deadline, messages)
        return any(
            final_parts.find_missing(config, state[market.name]) or state[market.name].final_date is None
            for market, _ in statuses
        )


def _prepare(
    config: Config, state: State, market: Market, now: datetime, history: HistorySession
) -> Work | None:
    """Return the missing parts of a market's final; None if they cannot be made, which is saved."""
    remembered = state[market.name]
    day = date.fromisoformat(remembered.closed_date or "")
    session = phases.session_on(market.calendar, day)
    final = final_figures.load(
        config.state_directory, market.name, day, lambda sentence: history.warn_once_a_day(market, sentence)
    )
    if final is None or session is None or session.settles is None:
        _give_up(state, market, now, history)
        return None
    missing = final_parts.find_missing(config, remembered)
    if parts.ALERTS in missing and _is_superseded(config, market, day):
        missing -= {parts.ALERTS}
        state.remember(market.name, alerts_date=day.isoformat())
        history.warn_once_a_day(market, f"alerts of {day:%d %b %Y} that no web hook took are dropped")
    return Work(market, phases.phase_at(market.calendar, session.settles), final, missing)


def _give_up(state: State, market: Market, now: datetime, history: HistorySession) -> None:
    """Make the runs of the same evening draw the final again; later, warn that its parts are lost."""
    day = state[market.name].closed_date
    status = phases.phase_at(market.calendar, now)
    if status.phase is Phase.FINAL and status.session and status.session.date.isoformat() == day:
        state.remember(market.name, final_date=None)
        return
    marks = {mark_name(part): day for part in parts.OF_FINAL}
    state.remember(market.name, **marks)
    history.warn_once_a_day(
        market, f"what is missing of {day} cannot be made any more: its figures are not kept"
    )


def _is_superseded(config: Config, market: Market, day: date) -> bool:
    """Whether the state of alerts is of a later session: that of this one is gone."""
    alerts = memory.load(config.state_directory, lambda _: None).get(market.name, memory.MarketAlerts())
    return alerts.session > day.isoformat()


def _retry(config: Config, work: Work, follow_up: FollowUp, history: HistorySession) -> PartOutcomes:
    """Add the bars, and draw the files that archive and feed need; return what became of these parts."""
    market, status, snapshot = work.market, work.status, work.final.snapshot
    outcomes = PartOutcomes()
    if stop.is_requested():
        return outcomes
    if parts.BARS in work.missing:
        history.add_snapshot(market, snapshot, status)
        outcomes.update(history.record(is_everywhere=True))
    if work.missing == {parts.BARS}:
        return outcomes
    try:
        past = history.read(market, snapshot, status)
        if work.missing & OF_TARGETS:
            market_files.draw(config, market, snapshot, status, work.final.drawn_at, past, follow_up)
        else:
            follow_up.open_archive(market, snapshot, status, past)
    except Exception as bug:  # noqa: BLE001 -- a bug here must not fail the run
        for part in work.missing - {parts.BARS}:
            outcomes.add(market.name, part, f"a bug, please report it: {bug!r}")
    outcomes.update(follow_up.take_drawing_faults())
    return outcomes


def _publish(
    config: Config,
    works: Sequence[Work],
    archives: Sequence[Archives],
    deadline: Deadline,
    messages: Messages,
) -> PartOutcomes:
    """Publish to each target what it lacks. An error of a target is a fault of the missing parts."""
    outcomes = PartOutcomes()

    def next_files(target: str, delivery: Delivery | None) -> list[WebFile]:
        return [file for each in archives for file in each.next_files(target, delivery)]

    for each in archives:
        outcomes.update(each.save_days())
    half = Deadline(deadline.remaining() / 2)
    results = [*publishing.publish(config.publishers, (), half, messages, next_files, is_first=True)]
    errors = [result.error for result in results if result.error and not stop.is_requested()]
    for work in works:
        for part in work.missing & OF_TARGETS:
            for error in errors:
                outcomes.add(work.market.name, part, str(error).replace("\n", "; "))
    return outcomes


def _remember(config: Config, state: State, work: Work, outcomes: Mapping[str, str]) -> None:
    name, day = work.market.name, state[work.market.name].closed_date
    attempts = {
        part: why for part, why in outcomes.items() if part in (*work.missing, parts.LINK, parts.LIST)
    }
    done = final_parts.find_done(config, attempts) & work.missing
    faults = merge_faults(state[name], {**attempts, **dict.fromkeys(done, "")})
    state.remember(name, **{mark_name(part): day for part in done}, faults=faults)
    if not final_parts.find_missing(config, state[name]):
        final_figures.remove(config.state_directory, name)
