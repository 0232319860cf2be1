"""What is new at a tick: told to the feed before it is published, and to the web hooks afterwards.

Nothing in here fails a run or outlasts its deadline. An event is told once a session. What a web hook does
not take waits for the next run of the session, or after its final for a later run (see `completion`). A
run that is killed between a hook's answer and the note of it tells the same again.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, NamedTuple
from zoneinfo import ZoneInfo

from heatmap.errors import ConfigError
from heatmap.notify.alerts import memory, messages, rules, webhooks
from heatmap.system import stop
from heatmap.system.background import BackgroundTask

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from heatmap.market.calendar.session import MarketIdentity, MarketStatus
    from heatmap.market.quotes import Snapshot
    from heatmap.notify.alerts.memory import FeedEntry, MarketAlerts
    from heatmap.notify.alerts.messages import Occurrence
    from heatmap.notify.alerts.options import AlertOptions
    from heatmap.system.deadline import Deadline

MOST_SECONDS = 15.0  # for all web hooks together
LEAST_SECONDS = 1.0  # below which nothing is begun: the next run tells it
RESERVED_SECONDS = 3.0  # of the run, for those who watch over it
STALE = {"closed", "settling"}  # phases in which figures are not of a session that goes on or has just ended


class Settings(NamedTuple):
    """What the configuration says of alerts."""

    alerts: Sequence[AlertOptions]
    state_directory: Path
    public_url: str | None  # with a slash at its end; None where it is not known


class MarketRun(NamedTuple):
    """One market at one tick. The snapshot has the changes that alerts ask of the history."""

    market: MarketIdentity
    verdict: MarketStatus
    snapshot: Snapshot


class NewEvents(NamedTuple):
    """What one tick finds in one market that was not told yet, by the alert's name."""

    where: Occurrence
    found: Mapping[str, Sequence[rules.Event]]


def new_events(settings: Settings, tick: MarketRun, known: MarketAlerts) -> NewEvents | None:
    """Return what is new, compared with what is known; None where nothing may be told.

    A recording is no news, nor are the figures of a closed market.
    """
    market, verdict, snapshot = tick
    if not settings.alerts or snapshot.recording or verdict.phase in STALE:
        return None
    as_of = snapshot.as_of.astimezone(ZoneInfo(market.time_zone))
    session = (verdict.session.date if verdict.session else as_of.date()).isoformat()
    told = known.of(session).told
    found = {
        alert.name: [
            event
            for event in rules.events(alert, snapshot)
            if event.key not in told.get(alert.name, memory.AlertState()).seen
        ]
        for alert in settings.alerts
        if alert.covers(market.name)
    }
    link = f"{settings.public_url}{market.name}/" if settings.public_url else None
    return NewEvents(messages.Occurrence(market.name, market.title, as_of, session, link), found)


def notices(settings: Settings, tick: MarketRun, warn: Callable[[str], None]) -> tuple[FeedEntry, ...]:
    """Return the feed's entries of a market, those that this tick adds among them; newest first.

    An entry that cannot be noted is not added: each run would add it anew, with another time.
    """
    memories = memory.load(settings.state_directory, warn)
    name = tick.market.name
    before = memories.get(name, memory.MarketAlerts())
    found = new_events(settings, tick, before)
    added = _notices(settings.alerts, found) if found else ()
    if found and added:
        noted = {**memories, name: _noted(settings.alerts, before, found)}
        if not memory.has_room(settings.state_directory, noted):
            added = ()
    return (*added, *before.notices)[: memory.MOST_NOTICES]


def send(
    settings: Settings,
    ticks: Sequence[MarketRun],
    deadline: Deadline,
    say: Callable[[str], None],
    warn: Callable[[str], None],
) -> dict[str, str]:
    """Tell every web hook what this tick, or one before, has found for it; and note what was told.

    Return by market why something still waits to be told; "" where nothing does.
    """
    try:
        return _tell(settings, ticks, deadline, say, warn)
    except Exception as mistake:  # noqa: BLE001 -- no alert may fail a run; its text may hold an address
        why = f"ended in a bug ({type(mistake).__name__})"
        say(f"alerts: {why}")
        return {tick.market.name: why for tick in ticks}


def problems(alerts: Sequence[AlertOptions]) -> list[str]:
    """Say what keeps a web hook from being told; touches no network."""
    found: list[str] = []
    for alert in alerts:
        try:
            if alert.posts:
                webhooks.address(alert)
        except ConfigError as error:
            found += [f"{alert.name}: {problem}" for problem in error.problems]
    return found


def _tell(
    settings: Settings,
    ticks: Sequence[MarketRun],
    deadline: Deadline,
    say: Callable[[str], None],
    warn: Callable[[str], None],
) -> dict[str, str]:
    memories = memory.load(settings.state_directory, warn)
    before = dict(memories)
    occurrences = {}
    for tick in ticks:
        name = tick.market.name
        known = memories.get(name, memory.MarketAlerts())
        found = new_events(settings, tick, known)
        if found:
            memories[name] = _noted(settings.alerts, known, found)
            occurrences[name] = found.where
    # An event that cannot be noted is not sent: each later run would send it again. An event that waits since
    # an earlier run is noted once more, for the disk may have filled up since.
    if memories != before or any(_waits(settings.alerts, memories[name]) for name in occurrences):
        unsaved = _saved(settings.state_directory, memories, say)
        if unsaved:
            return {tick.market.name: unsaved for tick in ticks}
    errands, faults = _errands(settings.alerts, memories, occurrences, deadline, say)
    until = time.monotonic() + MOST_SECONDS
    for (market_name, alert_name), errand in errands.items():
        problem = errand.wait(until - time.monotonic())
        if problem:
            faults[market_name, alert_name] = f"the web hook {problem}"
            say(f"alerts: {alert_name}: the web hook {problem}; what it was to be told waits")
        else:
            memories[market_name] = _taken(memories[market_name], alert_name)
    if errands:
        _saved(settings.state_directory, memories, say)
    return {
        tick.market.name: "; ".join(
            f"{alert}: {why}" for (name, alert), why in faults.items() if name == tick.market.name
        )
        for tick in ticks
    }


def _waits(alerts: Sequence[AlertOptions], known: MarketAlerts) -> bool:
    """Whether a web hook has not taken everything yet."""
    return any(alert.posts and known.told.get(alert.name, memory.AlertState()).waiting for alert in alerts)


def _noted(alerts: Sequence[AlertOptions], known: MarketAlerts, found: NewEvents) -> MarketAlerts:
    """Return the memory with what is new, yet to be told."""
    before = known.of(found.where.session)
    told = {}
    for alert in alerts:
        seen, waiting = before.told.get(alert.name, memory.AlertState())
        new = found.found.get(alert.name, ())
        seen |= {event.key for event in new}
        told[alert.name] = memory.AlertState(seen, (*waiting, *new) if alert.posts else ())
    entries = (*_notices(alerts, found), *before.notices)[: memory.MOST_NOTICES]
    return memory.MarketAlerts(found.where.session, told, entries)


def _notices(alerts: Sequence[AlertOptions], found: NewEvents) -> tuple[FeedEntry, ...]:
    where = found.where
    return tuple(
        memory.FeedEntry(
            alert.name,
            where.session,
            where.as_of.isoformat(),
            messages.summary(events, where),
            tuple(messages.lines(events)),
        )
        for alert in alerts
        if alert.feed and (events := found.found.get(alert.name))
    )


def _errands(
    alerts: Sequence[AlertOptions],
    memories: Mapping[str, MarketAlerts],
    occurrences: Mapping[str, Occurrence],
    deadline: Deadline,
    say: Callable[[str], None],
) -> tuple[dict[tuple[str, str], BackgroundTask], dict[tuple[str, str], str]]:
    """Begin to tell every web hook what waits for it, one message each; by market and alert.

    Return with it why some are not told, by market and alert, too.
    """
    seconds = min(MOST_SECONDS, deadline.remaining() - RESERVED_SECONDS)
    errands: dict[tuple[str, str], BackgroundTask] = {}
    faults: dict[tuple[str, str], str] = {}
    for alert in alerts:
        for name, where in occurrences.items():
            waiting = memories[name].told.get(alert.name, memory.AlertState()).waiting
            if not waiting or not alert.posts:
                continue
            if seconds < LEAST_SECONDS or stop.is_requested():
                faults[name, alert.name] = "the run had no time left to tell the web hook"
                continue
            try:
                url = webhooks.address(alert)
            except ConfigError as error:
                faults[name, alert.name] = str(error)
                say(f"alerts: {alert.name}: nobody is told: {error}")
                continue
            errands[name, alert.name] = _errand(url, messages.body(alert, waiting, where), seconds)
    return errands, faults


def _errand(url: str, body: bytes, seconds: float) -> BackgroundTask:
    return BackgroundTask(lambda: webhooks.deliver(url, body, seconds), seconds)


def _taken(known: MarketAlerts, alert: str) -> MarketAlerts:
    """Return the memory without what the alert's web hook has taken."""
    return known._replace(told={**known.told, alert: known.told[alert]._replace(waiting=())})


def _saved(directory: Path, memories: Mapping[str, MarketAlerts], say: Callable[[str], None]) -> str:
    """Note what was found and told; return why that cannot be, "" where it is."""
    try:
        memory.save(directory, memories)
    except OSError as error:
        why = f"{directory / memory.FILE_NAME} cannot be written ({error.strerror}): nobody is told"
        say(f"alerts: {why}")
        return why
    return ""
