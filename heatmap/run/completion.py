"""Completes the finals of sessions: bars, archive, feed and alerts that failed get another try.

The page is out, so nothing in here fails a run. Later runs of the session's evening try, then the first run
of the next session and one an hour, until all is done or the next final takes its place.
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
from heatmap.state.report import Report
from heatmap.system import parts, resource_errors, stop
from heatmap.system.deadline import Deadline

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from heatmap.config.loader import Config, Market
    from heatmap.market.calendar.session import MarketStatus
    from heatmap.publishers.delivery import Delivery
    from heatmap.run.archive_delivery import Archives
    from heatmap.run.final_figures import Final
    from heatmap.system.web_file import WebFile


OF_TARGETS = {parts.ARCHIVE, parts.FEED}  # what is owed to targets
GRACE_SECONDS = 3  # by which such a run may outlive its deadline


class Work(NamedTuple):
    """A final, and the parts of it that are still to be done."""

    market: Market
    verdict: MarketStatus  # of the final
    final: Final
    owed: frozenset[str]  # parts


def complete(
    config: Config,
    state: State,
    markets: Sequence[Market],
    now: datetime,
    deadline: Deadline,
    report: Report,
    *,
    is_history_lost: bool = False,
) -> None:
    """Try again what the last finals of these markets owe, in half of the time left.

    `is_history_lost`: the history cannot be opened in this run. The state directory's lock must be held.
    Raises ConfigError where the state cannot be written.
    """
    own = Report(report.say)
    with HistorySession(config, state, own, now, deadline=deadline, is_lost=is_history_lost) as chronicle:
        works = [
            work for market in markets for work in [_prepare(config, state, market, now, chronicle)] if work
        ]
        runs = [
            (work, FollowUp(config, state, chronicle, own, work.final.drawn_at, report.say)) for work in works
        ]
        for work, sequel in runs:
            _try(config, work, sequel, chronicle, own)
        if stop.is_requested():
            return  # nothing is noted, so the next run does it
        if any(work.owed & OF_TARGETS for work in works):
            _publish(config, works, [sequel.archives for _, sequel in runs], deadline, own)
        for work, sequel in runs:
            sequel.keep(is_page_out=True)
            if parts.ALERTS in work.owed:
                sequel.tell(deadline)
            _remember(config, state, work, own)
    report.warnings += own.warnings


def complete_alone(
    config: Config,
    verdicts: Sequence[tuple[Market, MarketStatus]],
    now: datetime,
    report: Report,
    give_up: Callable[[], None] | None,
) -> bool:
    """Try again what finals owe, in a run that draws no page; return whether something is still missing.

    `give_up` is called, from another thread, where that hangs beyond the run's deadline. Raises ConfigError.
    """
    deadline = Deadline(config.deadline_seconds)
    with ExitStack() as stack:
        if give_up:
            stack.enter_context(Deadline(config.deadline_seconds + GRACE_SECONDS).interrupting(give_up))
        stack.enter_context(resource_errors.translating_resource_errors())
        try:
            stack.enter_context(lock(config.state_directory))
        except LockedError:
            return True  # the next run finds the time
        state = State(config.state_directory)
        with stop.postpone():  # until what was delivered is noted
            complete(config, state, due.find_owing(config, state, verdicts, now), now, deadline, report)
        return any(
            final_parts.find_missing(config, state[market.name]) or state[market.name].final_date is None
            for market, _ in verdicts
        )


def _prepare(
    config: Config, state: State, market: Market, now: datetime, chronicle: HistorySession
) -> Work | None:
    """Return what a market's final owes; None where nothing can be done, which is remembered."""
    memory_of = state[market.name]
    day = date.fromisoformat(memory_of.closed_date or "")
    session = phases.session_on(market.calendar, day)
    final = final_figures.load(
        config.state_directory, market.name, day, lambda sentence: chronicle.tell(market, sentence)
    )
    if final is None or session is None or session.settles is None:
        _give_up(state, market, now, chronicle)
        return None
    owed = final_parts.find_missing(config, memory_of)
    if parts.ALERTS in owed and _is_superseded(config, market, day):
        owed -= {parts.ALERTS}
        state.remember(market.name, alerts_date=day.isoformat())
        chronicle.tell(market, f"alerts of {day:%d %b %Y} that no web hook took are dropped")
    return Work(market, phases.phase_at(market.calendar, session.settles), final, owed)


def _give_up(state: State, market: Market, now: datetime, chronicle: HistorySession) -> None:
    """Have the final made once more while its evening lasts; else forget what it owes, and say so."""
    day = state[market.name].closed_date
    verdict = phases.phase_at(market.calendar, now)
    if verdict.phase is Phase.FINAL and verdict.session and verdict.session.date.isoformat() == day:
        state.remember(market.name, final_date=None)
        return
    marks = {mark_name(part): day for part in parts.OF_FINAL}
    state.remember(market.name, **marks)
    chronicle.tell(market, f"what is missing of {day} cannot be made any more: its figures are not kept")


def _is_superseded(config: Config, market: Market, day: date) -> bool:
    """Whether alerts have told of a later session: what was told in this one is forgotten since."""
    known = memory.load(config.state_directory, lambda _: None).get(market.name, memory.MarketAlerts())
    return known.session > day.isoformat()


def _try(config: Config, work: Work, sequel: FollowUp, chronicle: HistorySession, own: Report) -> None:
    """Add the bars, and draw what archive and feed need of the final."""
    market, verdict, snapshot = work.market, work.verdict, work.final.snapshot
    if stop.is_requested():
        return
    if parts.BARS in work.owed:
        chronicle.note(market, snapshot, verdict)
        chronicle.keep()
    if work.owed == {parts.BARS}:
        return
    try:
        past = chronicle.past(market, snapshot, verdict)
        if work.owed & OF_TARGETS:
            market_files.draw(config, market, snapshot, verdict, work.final.drawn_at, past, sequel)
        else:
            sequel.shelf(market, snapshot, verdict, past)
    except Exception as mistake:  # noqa: BLE001 -- not even a bug in here may cost the run its end
        for part in work.owed - {parts.BARS}:
            own.note_part(market.name, part, f"a bug, please report it: {mistake!r}")


def _publish(
    config: Config, works: Sequence[Work], archives: Sequence[Archives], deadline: Deadline, own: Report
) -> None:
    """Bring each target what it lacks, and note the errors of whole targets as faults of what they lack."""

    def more(target: str, delivery: Delivery | None) -> list[WebFile]:
        return [page for each in archives for page in each.more(target, delivery)]

    for each in archives:
        each.begin()
    publishing.publish(config.publishers, (), Deadline(deadline.remaining() / 2), own, more, is_first=True)
    for work in works:
        for part in work.owed & OF_TARGETS:
            for error in own.errors:
                own.note_part(work.market.name, part, str(error).replace("\n", "; "))


def _remember(config: Config, state: State, work: Work, own: Report) -> None:
    name, day = work.market.name, state[work.market.name].closed_date
    tried = {
        part: why
        for part, why in own.parts.get(name, {}).items()
        if part in (*work.owed, parts.LINK, parts.LIST)
    }
    done = final_parts.find_done(config, tried) & work.owed
    faults = merge_faults(state[name], {**tried, **dict.fromkeys(done, "")})
    state.remember(name, **{mark_name(part): day for part in done}, faults=faults)
    if not final_parts.find_missing(config, state[name]):
        final_figures.remove(config.state_directory, name)
