"""Judges what alerts tell: each event of a page that visitors saw is told, and told once a session."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Mapping
from datetime import date

from tests.promises.year.seen import Seen
from tests.servers.hooks import Call

ALERT, CHANGE_PERCENT = "movers", 2.5
UP, DOWN = "up", "down"
MOST_LINES = 20  # of an entry of the feed
MOST_NOTICES = 30  # entries of alerts in the feed

Event = tuple[str, str]  # symbol, side


class Told:
    """The judge of the alerts of one market; `violate(promise, what)` is called for each broken promise."""

    def __init__(self, violate: Callable[[str, str], None]) -> None:
        self._violate = violate
        self._shown: dict[date, set[Event]] = defaultdict(set)
        self._due: dict[date, dict[Event, bool]] = defaultdict(dict)  # whether it must have been told
        self._taken: dict[date, Counter[Event]] = defaultdict(Counter)
        self._may_repeat: dict[date, set[Event]] = defaultdict(set)  # the documented window
        self._forgot_on: date | None = None  # when the memory of alerts was damaged last
        self.count = 0  # events told

    def forget(self, day: date) -> None:
        """Take over that the memory of alerts was damaged: what was told on this day may be told again."""
        self._forgot_on = day
        for session, taken in self._taken.items():
            self._may_repeat[session] |= set(taken)

    def look(
        self, session: date, page: Seen | None, calls: Collection[Call], *, is_taken: bool, is_done: bool
    ) -> None:
        """Judge what a run told. `page`: what it published; None: nothing.

        `is_taken`: whether the web hook takes messages. `is_done`: the run was not struck on its way: a run
        that is killed between the hook's answer and the note of it may tell the same again.
        """
        if page:
            events = events_of(page.percents)
            self._shown[session] |= events
            for event in events if is_done else ():
                self._due[session].setdefault(event, False)
            if is_done and is_taken:  # all that waits is told by a run that publishes
                self._due[session] = dict.fromkeys(self._due[session], True)
        for call in calls if is_taken else ():
            self._take(call, is_done=is_done)

    def _take(self, call: Call, *, is_done: bool) -> None:
        message = json.loads(call.body)
        session = date.fromisoformat(message["session"])
        events = {(event["symbol"], event["side"]) for event in message["events"]}
        if len(events) < message["count"] or message["alert"] != ALERT:
            self._violate("alerts", f"a message counts {message['count']} events and has {len(events)}")
        for event in sorted(events):
            self.count += 1
            if event not in self._shown[session]:
                self._violate("alerts", f"{event} of {session} was told, and no page has shown it")
            if self._taken[session][event] and event not in self._may_repeat[session]:
                self._violate("told twice", f"{event} of {session}")
        self._taken[session].update(events)
        if is_done:
            self._may_repeat[session] -= events
        else:
            self._may_repeat[session] |= events

    def session_over(self, session: date, feed: Seen | None, *, has_final: bool) -> None:
        """Judge the session before: what waited in its evening may be told the next morning. And the feed."""
        for day in [day for day in self._due if day < session]:
            due, taken = self._due.pop(day), self._taken.pop(day, Counter[Event]())
            missing = sorted(event for event, is_sure in due.items() if is_sure and not taken[event])
            if missing and not self._is_forgotten(day):
                self._violate("not told", f"{len(missing)} events of {day}, such as {missing[0]}")
        if has_final and not self._is_forgotten(session):
            self._judge_feed(session, feed)

    def _is_forgotten(self, day: date) -> bool:
        return self._forgot_on is not None and self._forgot_on >= day

    def _judge_feed(self, session: date, feed: Seen | None) -> None:
        """The feed has an entry for each event of the session."""
        entries = [
            entry
            for entry in (feed.entries if feed else ())
            if f",{session}:" in entry.id and "/alert/" in entry.id
        ]
        lines = [line for entry in entries for line in entry.lines]
        is_cut = any(len(entry.lines) > MOST_LINES for entry in entries)
        symbols = {line.partition(" ")[0] for line in lines}
        missing = sorted(
            symbol for (symbol, _), is_sure in self._due[session].items() if is_sure and symbol not in symbols
        )
        if missing and not is_cut and len(entries) < MOST_NOTICES:
            self._violate("feed", f"it lacks {len(missing)} events of {session}, such as {missing[0]}")


def events_of(percents: Mapping[str, float]) -> set[Event]:
    """Return what the configured alert finds on a page."""
    return {
        (symbol, UP if percent > 0 else DOWN)
        for symbol, percent in percents.items()
        if abs(percent) >= CHANGE_PERCENT
    }
