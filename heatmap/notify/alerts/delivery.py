"""Finds a run's new events, adds them to the feed before publishing, and sends them to web hooks afterwards.

An alert fails no run, and a run with alerts still ends by its deadline. Each event is sent once in a session.
If a web hook does not accept a message, the next run of the session sends the events again; after the
session's final, a later run does (see `completion`). If a run is killed after a web hook's answer and before
it saves the state, the next run sends the same events again.
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

MAX_SECONDS = 15.0  # for all web hooks together
MIN_SECONDS = 1.0  # with less time left, the next run sends the messages
RESERVED_SECONDS = 3.0  # the part of the run's time that monitoring needs
# In these phases quotes belong neither to a session that lasts nor to one that has just ended.
QUIET_PHASES = {"closed", "settling"}


class Settings(NamedTuple):
    """The part of the configuration that alerts need."""

    alerts: Sequence[AlertOptions]
    state_directory: Path
    public_url: str | None  # ends with a slash; None if it is not configured


class MarketRun(NamedTuple):
    """One market in one run. Its snapshot includes the changes over periods of the history."""

    market: MarketIdentity
    status: MarketStatus
    snapshot: Snapshot


class NewEvents(NamedTuple):
    """The events that one run found in one market, without the events of earlier runs of the session."""

    occurrence: Occurrence
    events: Mapping[str, Sequence[rules.Event]]  # by the alert's name


def new_events(settings: Settings, run: MarketRun, market_alerts: MarketAlerts) -> NewEvents | None:
    """Return the events that `market_alerts` does not have; None if no event may be sent now.

    A recording has no new events, and neither has a closed market.
    """
    market, status, snapshot = run
    if not settings.alerts or snapshot.recording or status.phase in QUIET_PHASES:
        return None
    as_of = snapshot.as_of.astimezone(ZoneInfo(market.time_zone))
    session = (status.session.date if status.session else as_of.date()).isoformat()
    states = market_alerts.for_session(session).states
    events = {
        alert.name: [
            event
            for event in rules.find_events(alert, snapshot)
            if event.key not in states.get(alert.name, memory.AlertState()).seen
        ]
        for alert in settings.alerts
        if alert.covers(market.name)
    }
    link = f"{settings.public_url}{market.name}/" if settings.public_url else None
    return NewEvents(messages.Occurrence(market.name, market.title, as_of, session, link), events)


def feed_entries(settings: Settings, run: MarketRun, warn: Callable[[str], None]) -> tuple[FeedEntry, ...]:
    """Return the feed's entries of a market, with the new ones of this run; newest first.

    If the disk has no room to save the new entries, leave them out: otherwise each run would add them again,
    with another time.
    """
    all_alerts = memory.load(settings.state_directory, warn)
    name = run.market.name
    market_alerts = all_alerts.get(name, memory.MarketAlerts())
    new = new_events(settings, run, market_alerts)
    entries = _make_entries(settings.alerts, new) if new else ()
    if new and entries:
        changed = {**all_alerts, name: _add_events(settings.alerts, market_alerts, new)}
        if not memory.has_room(settings.state_directory, changed):
            entries = ()
    return (*entries, *market_alerts.feed_entries)[: memory.MAX_FEED_ENTRIES]


def send(
    settings: Settings,
    runs: Sequence[MarketRun],
    deadline: Deadline,
    say: Callable[[str], None],
    warn: Callable[[str], None],
) -> dict[str, str]:
    """Send the new and the pending events to all web hooks, and save which of them were sent.

    Return, by the market's name, why events are still pending; "" if none are.
    """
    try:
        return _send(settings, runs, deadline, say, warn)
    except Exception as mistake:  # noqa: BLE001 -- no alert may fail a run; its text may hold an address
        reason = f"ended in a bug ({type(mistake).__name__})"
        say(f"alerts: {reason}")
        return {run.market.name: reason for run in runs}


def find_problems(alerts: Sequence[AlertOptions]) -> list[str]:
    """Return a sentence for each web hook whose address cannot be read. It does not use the network."""
    problems: list[str] = []
    for alert in alerts:
        try:
            if alert.posts:
                webhooks.read_address(alert)
        except ConfigError as error:
            problems += [f"{alert.name}: {problem}" for problem in error.problems]
    return problems


def _send(
    settings: Settings,
    runs: Sequence[MarketRun],
    deadline: Deadline,
    say: Callable[[str], None],
    warn: Callable[[str], None],
) -> dict[str, str]:
    all_alerts = memory.load(settings.state_directory, warn)
    saved = dict(all_alerts)
    occurrences = {}
    for run in runs:
        name = run.market.name
        market_alerts = all_alerts.get(name, memory.MarketAlerts())
        new = new_events(settings, run, market_alerts)
        if new:
            all_alerts[name] = _add_events(settings.alerts, market_alerts, new)
            occurrences[name] = new.occurrence
    # An event that cannot be saved is not sent: each later run would send it again. Pending events of earlier
    # runs are saved again too, because the disk may be full now.
    if all_alerts != saved or any(_has_pending(settings.alerts, all_alerts[name]) for name in occurrences):
        problem = _save(settings.state_directory, all_alerts, say)
        if problem:
            return {run.market.name: problem for run in runs}
    posts, problems = _start_posts(settings.alerts, all_alerts, occurrences, deadline, say)
    until = time.monotonic() + MAX_SECONDS
    for (market_name, alert_name), post in posts.items():
        post_problem = post.wait(until - time.monotonic())
        if post_problem:
            problems[market_name, alert_name] = f"the web hook {post_problem}"
            say(f"alerts: {alert_name}: the web hook {post_problem}; a later run sends the message again")
        else:
            all_alerts[market_name] = _clear_pending(all_alerts[market_name], alert_name)
    if posts:
        _save(settings.state_directory, all_alerts, say)
    return {
        run.market.name: "; ".join(
            f"{alert}: {problem}" for (name, alert), problem in problems.items() if name == run.market.name
        )
        for run in runs
    }


def _has_pending(alerts: Sequence[AlertOptions], market_alerts: MarketAlerts) -> bool:
    """Return whether an event of the market is still to be sent to a web hook."""
    return any(
        alert.posts and market_alerts.states.get(alert.name, memory.AlertState()).pending for alert in alerts
    )


def _add_events(alerts: Sequence[AlertOptions], market_alerts: MarketAlerts, new: NewEvents) -> MarketAlerts:
    """Return the market's alerts with the new events, which are pending for the web hooks."""
    session_alerts = market_alerts.for_session(new.occurrence.session)
    states = {}
    for alert in alerts:
        seen, pending = session_alerts.states.get(alert.name, memory.AlertState())
        events = new.events.get(alert.name, ())
        seen |= {event.key for event in events}
        states[alert.name] = memory.AlertState(seen, (*pending, *events) if alert.posts else ())
    entries = (*_make_entries(alerts, new), *session_alerts.feed_entries)[: memory.MAX_FEED_ENTRIES]
    return memory.MarketAlerts(new.occurrence.session, states, entries)


def _make_entries(alerts: Sequence[AlertOptions], new: NewEvents) -> tuple[FeedEntry, ...]:
    occurrence = new.occurrence
    return tuple(
        memory.FeedEntry(
            alert.name,
            occurrence.session,
            occurrence.as_of.isoformat(),
            messages.make_headline(events, occurrence),
            tuple(messages.make_lines(events)),
        )
        for alert in alerts
        if alert.feed and (events := new.events.get(alert.name))
    )


def _start_posts(
    alerts: Sequence[AlertOptions],
    all_alerts: Mapping[str, MarketAlerts],
    occurrences: Mapping[str, Occurrence],
    deadline: Deadline,
    say: Callable[[str], None],
) -> tuple[dict[tuple[str, str], BackgroundTask], dict[tuple[str, str], str]]:
    """Start to post the pending events: one message for each market and alert.

    Return the posts, and the problems of the messages that cannot be posted. The keys of both are the
    market's and the alert's name.
    """
    seconds = min(MAX_SECONDS, deadline.remaining() - RESERVED_SECONDS)
    posts: dict[tuple[str, str], BackgroundTask] = {}
    problems: dict[tuple[str, str], str] = {}
    for alert in alerts:
        for name, occurrence in occurrences.items():
            pending = all_alerts[name].states.get(alert.name, memory.AlertState()).pending
            if not pending or not alert.posts:
                continue
            if seconds < MIN_SECONDS or stop.is_requested():
                problems[name, alert.name] = "the run had no time left to send the message"
                continue
            try:
                url = webhooks.read_address(alert)
            except ConfigError as error:
                problems[name, alert.name] = str(error)
                say(f"alerts: {alert.name}: no message is sent: {error}")
                continue
            posts[name, alert.name] = _start_post(
                url, messages.make_body(alert, pending, occurrence), seconds
            )
    return posts, problems


def _start_post(url: str, body: bytes, seconds: float) -> BackgroundTask:
    return BackgroundTask(lambda: webhooks.deliver(url, body, seconds), seconds)


def _clear_pending(market_alerts: MarketAlerts, alert: str) -> MarketAlerts:
    """Return the market's alerts after the alert's web hook has received all its events."""
    return market_alerts._replace(
        states={**market_alerts.states, alert: market_alerts.states[alert]._replace(pending=())}
    )


def _save(directory: Path, all_alerts: Mapping[str, MarketAlerts], say: Callable[[str], None]) -> str:
    """Save the alerts of all markets. Return the problem; "" if there is none."""
    try:
        memory.save(directory, all_alerts)
    except OSError as error:
        problem = f"{directory / memory.FILE_NAME} cannot be written ({error.strerror}): no message is sent"
        say(f"alerts: {problem}")
        return problem
    return ""
