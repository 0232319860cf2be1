"""Judges two machines from outside: by the page that visitors see, by exit codes, sentences and time."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from tests.promises.machines.plan import BLOCKED, Tick, Trouble
from tests.promises.year import seen
from tests.promises.year.market import Market

MARKET = "nse-fno"
DEADLINE_SECONDS = 280  # a machine that has much else to do is slow, and that is not what is tried here
LONGEST_SECONDS = DEADLINE_SECONDS + 5
OK, TEMPORARY, KILLED = 0, 75, -9
# A vanished machine costs the others one tick: a page that is two intervals old may be there without a word.
SILENT_AGE = timedelta(minutes=11)
CHANGE_PERCENT = 4.0  # of the alert
SENTENCE = re.compile(r"heatmap: .*\S")


class Ended(NamedTuple):
    """How the run of a machine ended. `has_drawn`: the page was another one after it than before."""

    machine: int
    code: int
    err: str
    seconds: float
    has_drawn: bool


class Told(NamedTuple):
    """An event that a web hook was told, and whether something befell the machine in that run."""

    session: str
    key: str
    was_troubled: bool


class Judge:
    """Notes every broken promise, and tells it at once."""

    def __init__(self, site: Path, market: Market, tell: Callable[[str], None]) -> None:
        self._site = site / MARKET
        self._market = market
        self._tell = tell
        self._tick: Tick
        self._last: datetime | None = None  # as of when the page is
        self._told: list[Told] = []
        self._due: set[tuple[str, str]] = set()  # events that must be told by the session's end
        self._warned: set[tuple[int, date]] = (
            set()
        )  # which machine has said on which day why a past is missing
        self.drawn: dict[datetime, bool] = {}  # as of; whether something befell the machine that drew it
        self.counts: Counter[str] = Counter()
        self.broken: Counter[str] = Counter()
        self.longest_seconds = 0.0

    def violate(self, promise: str, what: str) -> None:
        """Note a broken promise."""
        self.broken[promise] += 1
        self._tell(f"{self._tick} {promise}: {what}")

    def as_of(self) -> datetime | None:
        """Return as of when the page is now; None where there is none yet."""
        try:
            return seen.read(self._site / "index.html").as_of
        except FileNotFoundError:
            return None

    def look_at_run(self, tick: Tick, ended: Ended) -> None:
        """Judge how a run ended."""
        self._tick = tick
        trouble = tick.troubles[ended.machine]
        self.counts["runs"] += 1
        self.counts["killed"] += ended.code == KILLED
        self.longest_seconds = max(self.longest_seconds, ended.seconds)
        who = f"{'AB'[ended.machine]} ended with {ended.code}: {ended.err[-400:]!r}"
        if ended.seconds > LONGEST_SECONDS and not (trouble and trouble.is_deadly):
            self.violate("too late", f"{who}, after {ended.seconds:.0f} seconds")
        if not all(map(SENTENCE.fullmatch, ended.err.splitlines())) or (
            ended.code == TEMPORARY and not ended.err
        ):
            self.violate("failed", f"no sentence, or something else: {who}")
        if ended.code not in _possible(trouble):
            self.violate("failed", who)
        if tick.is_calm and (ended.code != OK or ended.err):
            self.violate("failed", f"all is well, and {who}")
        as_of = self.as_of()
        if "the history " in ended.err:
            self._warned.add((ended.machine, tick.at.date()))
        if ended.has_drawn and as_of:
            # Each sentence on the history is told once a day: who has said one may have met it again.
            is_known = bool(trouble) or (ended.machine, tick.at.date()) in self._warned
            self.drawn[as_of] = self.drawn.get(as_of, True) and is_known
            self.counts["drawn"] += 1

    def look_at_tick(self, tick: Tick, ended: Sequence[Ended]) -> None:
        """Judge the page once both machines have had their run."""
        self._tick = tick
        self.counts["ticks"] += 1
        self.counts["troubled"] += not tick.is_calm
        true = self._market.shown(tick.at).as_of
        try:
            page, snapshot = (seen.read(self._site / name) for name in ("index.html", "snapshot.json"))
        except (OSError, *seen.DAMAGED) as error:
            self.violate("worse", f"the page is gone or not whole: {error!r}")
            return
        assert page.as_of
        if self._last and page.as_of < self._last:
            self.violate("worse", f"it went back from {self._last} to {page.as_of}")
        self._last = page.as_of
        wrong = seen.differences(snapshot, self._market.prices(page.as_of))
        if wrong:
            self.violate("wrong", f"as of {page.as_of}: {wrong[:3]}")
        has_source = [
            each is None or each.is_of_database for each in tick.troubles
        ]  # a machine that nothing but the database keeps from drawing
        if all(has_source) and page.as_of != true:
            self.violate("old", f"the page is as of {page.as_of}, not {true}: {[each.err for each in ended]}")
        silent = all(each.code in (OK, KILLED) and not each.err for each in ended)
        if page.as_of != true:
            self.counts["not renewed"] += 1
            if (
                tick.at - page.as_of > SILENT_AGE
                and silent
                and ended
                and self._is_same_stretch(tick.at, page.as_of)
            ):
                self.violate("untold", f"the page is as of {page.as_of}, and nobody says a word")
        elif tick.is_calm:
            self._due |= {
                (f"{true.date()}", symbol)
                for symbol, percent in snapshot.percents.items()
                if abs(percent) >= CHANGE_PERCENT
            }

    def _is_same_stretch(self, moment: datetime, as_of: datetime) -> bool:
        """Whether the ticks between the two were in the plan: it leaves out hours."""
        return moment - as_of < timedelta(minutes=30)

    def hear(self, tick: Tick, machine: int, bodies: Sequence[bytes]) -> None:
        """Judge what the web hook was told in one run."""
        was_troubled = tick.troubles[machine] is not None or (machine, tick.at.date()) in self._warned
        for body in bodies:
            document = json.loads(body)
            for event in document["events"]:
                told = Told(document["session"], event["symbol"], was_troubled)
                twins = [each for each in self._told if each[:2] == told[:2]]
                self.counts["events"] += not twins
                if twins:
                    self.counts["repeated"] += 1
                    if not was_troubled and not any(each.was_troubled for each in twins):
                        self.violate("doubled", f"{told.key} was told twice on {told.session}")
                self._told.append(told)

    def session_over(self, day: date, final_dates: Sequence[date], kept: Sequence[datetime]) -> None:
        """Judge a session: its final page, its daily bars, its ticks in the history, what was told of it."""
        self.counts["sessions"] += 1
        if not (self._site / f"{day:%Y/%m/%d}/index.html").exists():
            self.violate("lost", "the session has no final page")
        if day not in final_dates:
            self.violate("lost", "the history has no daily bars of it")
        lost = [
            as_of
            for as_of, was_troubled in self.drawn.items()
            if as_of.date() == day and not was_troubled and as_of not in kept
        ]
        if lost:
            self.violate("lost", f"the history lacks ticks that were published: {lost}")
        told = {each[:2] for each in self._told}
        silent = {(session, key) for session, key in self._due if session == f"{day}"} - told
        if silent:
            self.violate("lost", f"nobody was told: {sorted(silent)}")


def _possible(trouble: Trouble | None) -> set[int]:
    """Return how a run may end. The other machine's trouble may leave it without a turn, which it says."""
    if trouble and trouble.is_deadly:
        return {OK, TEMPORARY, KILLED}
    if trouble and trouble.kind == BLOCKED:
        return {OK, TEMPORARY}  # 0 where the other one has drawn
    return {OK, TEMPORARY}
