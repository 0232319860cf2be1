"""Until when a source that blocked again and again may be left alone at the latest, as is promised."""

from __future__ import annotations

from datetime import datetime, timedelta

from tests.promises.year.plan import BLOCKING, Tick

BLOCKS = 3  # in a row
REST = timedelta(minutes=60)
WISHED = {"429 for 6 hours": timedelta(hours=6)}


class Rests:
    """What may be said of both sources, tick by tick; where it is not certain that one was asked, it may have been."""

    def __init__(self) -> None:
        self._in_a_row = {"exchange": 0, "archive": 0}
        self._until: dict[str, datetime] = {}
        self._resting: set[tuple[str, datetime]] = set()

    def may_rest(self, source: str, now: datetime) -> bool:
        """Whether a source may be left alone now."""
        return source in self._until and now < self._until[source]

    def might_rest(self, source: str, tick: Tick) -> bool:
        """Whether a source might be left alone at a tick that was."""
        return (source, tick.at) in self._resting

    def answered(self, source: str) -> None:
        """Take over that a source gave what was drawn: it starts anew."""
        self._in_a_row[source] = 0

    def learn(self, tick: Tick) -> None:
        """Take over what might follow from a tick."""
        for source, fault in (("exchange", tick.fault), ("archive", tick.archive_fault)):
            if self.may_rest(source, tick.at):
                self._resting.add((source, tick.at))
            if fault not in BLOCKING:
                continue
            self._in_a_row[source] += 1
            if self._in_a_row[source] >= BLOCKS:
                until = tick.at + WISHED.get(fault, REST)
                self._until[source] = max(self._until.get(source, until), until)
