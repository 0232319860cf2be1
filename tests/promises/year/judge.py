"""Judges an installation from outside: by what visitors see, by exit codes, sentences, time, memory and disk.

It knows what was true at every moment (market) and what goes wrong when (plan), and nothing of the program but
what it promises: exit codes, sentences, the files it publishes, and a line for every failure.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Collection
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from tests.promises.year import endings, seen
from tests.promises.year.damages import MARKET, Damage
from tests.promises.year.kept import Kept
from tests.promises.year.market import Market
from tests.promises.year.mishaps import MIRROR_NAME, OK, SITE_NAME
from tests.promises.year.plan import ARCHIVED, HARMLESS, STUCK, Day, Tick
from tests.promises.year.rests import Rests
from tests.promises.year.runs import Ended
from tests.promises.year.seen import Seen
from tests.promises.year.sessions import Session, at
from tests.promises.year.site import FEED, LIVE, PAGE, Site
from tests.promises.year.told import Told
from tests.servers.hooks import Call

DEADLINE_SECONDS = 30  # `deadline_seconds` of the configuration
LONGEST_SECONDS = DEADLINE_SECONDS + 5  # of a run, as docs/promises.md has it
MOST_MIB = 100  # of memory, with every bomb
LEAST_SHARE = 0.7
STUCK_LIMIT = timedelta(minutes=25)  # for how long figures that stand still are believed: 20, and one tick
PAGES = (f"{MARKET}/snapshot.json", LIVE, PAGE)
FEED_PATH = f"{MARKET}/{FEED}"
FULL_DISK = "full disk"
SENTENCE = re.compile(r"heatmap: .*\S")
KILLED = -9
ENDING = date(2026, 12, 1)  # from then on the exchange's list is asked for, which may be told of once a day
UNCAUGHT = ("killed", "terminated")  # a signal may come before Python can tell of it in a sentence


class Violation(NamedTuple):
    """One broken promise: which, at which tick, and what was seen."""

    promise: str
    tick: Tick
    seen: str

    def __str__(self) -> str:
        return (
            f"{self.tick.at:%Y-%m-%d %H:%M} [{self.tick.trouble or 'all well'}] {self.promise}: {self.seen}"
        )


class Judge:
    """The judge of one installation in `home`; `tell` is called with each broken promise."""

    def __init__(self, home: Path, market: Market, tell: Callable[[Violation], None]) -> None:
        self._home = home
        self._tell = tell
        self._market = market
        self._pages: dict[str, Seen] = {}
        self._site = Site(home / SITE_NAME, market, self.violate)
        self._mirror = Site(home / MIRROR_NAME, market, self.violate)
        self._kept = Kept(home, market, self.violate)
        self._told = Told(self.violate)
        self._listed_since = self._linked_since = date.min
        self._differing: set[str] = set()
        self._rests = Rests()
        self._was_damaged = False
        self._to_be_told: list[tuple[Tick, int]] = []  # with the exit codes
        self._tick: Tick
        self._stuck_since: datetime | None = None
        self.violations: list[Violation] = []
        self.counts: Counter[str] = Counter()
        self.peak_kib = 0
        self.longest_seconds = 0.0

    def look(
        self,
        day: Day,
        tick: Tick,
        ended: Ended,
        *,
        stuck_since: datetime | None,
        damage: Damage | None = None,
        calls: Collection[Call] = (),
    ) -> None:
        """Judge a run that has just ended, and all that it left.

        `stuck_since`: as of when the figures are true that a stuck exchange shows. `damage`: what was damaged
        before the run. `calls`: what the web hook of the alerts got.
        """
        self._tick, self._stuck_since = tick, stuck_since
        if damage:
            self._strike(damage, day)
        self.counts["runs"] += 1
        self.counts["troubles"] += bool(tick.trouble)
        self.counts["kills"] += ended.code == KILLED
        self._judge_effort(ended)
        self._judge_words(ended)
        self._judge_code(day, ended)
        is_whole = not ended.is_struck and tick.mishap != FULL_DISK and ended.code >= OK
        is_done = is_whole and ended.code == OK
        changed = self._site.look(tick.at, is_done=is_done)
        self._mirror.look(tick.at, is_done=is_done)
        self.counts["pages"] += bool(changed & {*PAGES})
        self.counts["kills while publishing"] += bool(changed) and ended.code == KILLED
        for name in PAGES:
            self._judge_page(name)
        self._judge_aftermath(day, changed, calls, ended, is_whole=is_whole, is_done=is_done)
        if day.session and not tick.trouble and day.session.phase(tick.at):
            self._judge_freshness()
        self._rests.learn(tick)

    def _strike(self, damage: Damage, day: Day) -> None:
        """Take over what a damaged file may cost, as it is documented."""
        self._was_damaged = True
        self._kept.strike(damage)
        is_after = day.date in self._site.finals
        following = day.date + timedelta(days=is_after)
        if damage.kind == "archive's record":
            self._listed_since = following
        if damage.kind in ("archive's record", "archive's newest day"):
            self._linked_since = following
        if damage.kind == "alerts":
            self._told.forget(day.date)

    def _judge_aftermath(
        self,
        day: Day,
        changed: Collection[str],
        calls: Collection[Call],
        ended: Ended,
        *,
        is_whole: bool,
        is_done: bool,
    ) -> None:
        """Judge what follows from a run beyond its page: the state directory, the history, alerts."""
        has_published = LIVE in changed
        snapshot = self._site.seen(PAGES[0])
        is_final = bool(day.session and self._tick.at >= day.session.settles)
        self._kept.look(ended.err, is_done=is_done, has_published=has_published, is_final=is_final)
        if has_published and is_whole and day.session and snapshot:
            self._kept.publish(day.session, snapshot, is_final=is_final)
        page = snapshot if has_published or PAGES[0] in changed else None
        self._told.look(day.date, page, calls, is_taken=self._tick.hook_fault is None, is_done=is_whole)
        self.counts["alerts"] = self._told.count

    def session_over(self, day: Day, status: Ended) -> None:
        """Judge what is left of a session once its day is over, and what `heatmap status --json` tells of it."""
        session = day.session
        assert session
        self._tick = day.ticks[-1]
        self._judge_status(status)
        self.counts["sessions"] += 1
        had_chance = self._had_chance(day, session)
        has_final = session.date in self._site.finals
        if has_final:
            self.counts["finals"] += 1
            for site in (self._site, self._mirror) if had_chance else (self._site,):
                site.session_over(session, listed_since=self._listed_since, linked_since=self._linked_since)
            spoilt = any("state.json" in tick.trouble for tick in day.ticks if tick.at >= session.settles)
            if had_chance and not spoilt and self._kept.final_date() != session.date:
                self.violate("lost", f"the last final that is remembered is of {self._kept.final_date()}")
        elif had_chance:
            self.violate("lost", "the session has no final page, though its figures could be had")
        else:
            self.counts["without a chance"] += 1
        if had_chance:
            self._judge_targets()
        self._kept.session_over(session.date)
        self._told.session_over(session.date, self._site.seen(FEED_PATH), has_final=has_final)

    def _judge_targets(self) -> None:
        """Both targets have the same files."""
        found = {*self._site.others(self._mirror)}
        for difference in sorted(found - self._differing):
            self.violate("targets", difference)
        self._differing = found

    def violate(self, promise: str, what: str) -> None:
        """Note a broken promise, and tell it at once."""
        self.violations.append(Violation(promise, self._tick, what))
        self._tell(self.violations[-1])

    def _judge_effort(self, ended: Ended) -> None:
        self.longest_seconds = max(self.longest_seconds, ended.seconds)
        self.peak_kib = max(self.peak_kib, ended.peak_kib or 0)
        if ended.seconds > LONGEST_SECONDS:
            self.violate("too late", f"it took {ended.seconds:.0f} seconds")
        if (ended.peak_kib or 0) > MOST_MIB * 1024:
            self.violate("memory", f"its peak was {(ended.peak_kib or 0) / 1024:.0f} MiB")

    def _judge_words(self, ended: Ended) -> None:
        if ended.out:
            self.violate("words", f"on stdout: {ended.out[:300]!r}")
        if self._tick.mishap in UNCAUGHT:
            return
        said = ended.err.splitlines()
        if not all(map(SENTENCE.fullmatch, said)):
            self.violate("words", f"other than sentences on stderr: {ended.err[-1500:]!r}")
        if ended.code > 0 and not said:
            self.violate("words", f"not a word, with exit code {ended.code}")
        unexpected = [line for line in said if not self._is_warning(line)]
        if ended.code == OK and unexpected:
            self.violate("words", f"exit code 0, and on stderr: {unexpected[0][:300]!r}")

    def _is_warning(self, line: str) -> bool:
        """Whether a run that ends well may say this.

        It may warn of damage, a full disk, the calendar's last month, and alerts that no web hook took.
        """
        is_ending = ENDING <= self._tick.at.date() and "holiday list" in line
        is_of_damage = self._was_damaged and "damaged" in line
        is_of_clock = (self._tick.mishap or "").startswith("clock") and "clock" in line
        is_of_alerts = self._tick.hook_fault is not None and "the alerts failed" in line
        return (
            is_ending
            or is_of_alerts
            or is_of_damage
            or is_of_clock
            or (self._tick.mishap or "").endswith(("damaged", "full disk"))
        )

    def _judge_code(self, day: Day, ended: Ended) -> None:
        tick = self._tick
        is_trading = bool(day.session and day.session.phase(tick.at))
        possible = endings.possible_codes(tick, self._rests, is_trading=is_trading)
        if ended.code not in possible:
            self.violate("code", f"exit code {ended.code}: {ended.err[-300:]!r}")
        if "outcomes" in tick.trouble:
            self._to_be_told.clear()
        if (ended.code > 0 or (ended.code == OK and is_trading)) and not endings.may_lack_line(tick):
            self._to_be_told.append((tick, ended.code))

    def _judge_status(self, status: Ended) -> None:
        """Every failure has its line, and so has every tick at which the market traded."""
        try:
            (market,) = json.loads(status.out)["markets"]
            told = {
                (datetime.fromisoformat(line["at"]).replace(second=0, microsecond=0), line["exit_code"])
                for line in market["ticks"]
            }
        except (ValueError, KeyError, TypeError) as error:
            self.violate("untold", f"status ended with {status.code}: {error!r}, {status.err[-300:]!r}")
            return
        for tick, code in self._to_be_told:
            if (tick.at, code) not in told:
                trouble = tick.trouble or "all well"
                self.violate(
                    "untold", f"{tick.at:%H:%M} [{trouble}], exit code {code}, has no line in status"
                )
        self.counts["told"] += len(self._to_be_told)
        self._to_be_told.clear()

    def _judge_page(self, name: str) -> None:
        """Judge one of the market's pages if it was replaced."""
        before, shown = self._pages.get(name), self._site.seen(name)
        if shown is None or shown is before or shown.as_of is None:
            return
        if before and before.as_of and shown.as_of < before.as_of:
            self.violate("worse", f"{name} went back from {before.as_of} to {shown.as_of}")
        if before and len(shown.percents) < LEAST_SHARE * len(before.percents):
            self.violate("worse", f"{name} has {len(shown.percents)} stocks after {len(before.percents)}")
        self._judge_figures(name, shown, shown.as_of)
        self._pages[name] = shown

    def _judge_figures(self, name: str, shown: Seen, as_of: datetime) -> None:
        """What it shows must have been true when it says."""
        possible = [self._market.prices(as_of)]
        since = self._stuck_since
        if self._tick.fault == STUCK and since and as_of - since <= STUCK_LIMIT:
            possible.append(self._market.prices(since))
        wrong = min((seen.differences(shown, prices) for prices in possible), key=len)
        if wrong:
            self.violate("wrong", f"{name} as of {as_of}: {len(wrong)} figures, such as {wrong[0]}")

    def _judge_freshness(self) -> None:
        """While all is well and the market trades, the page is of this very tick."""
        if self._rests.may_rest("exchange", self._tick.at):
            return
        self.counts["good ticks"] += 1
        true = self._market.shown(self._tick.at).as_of
        page = self._pages.get(PAGES[1])
        if page is None or page.as_of != true:
            self.violate("stale", f"the page is as of {page and page.as_of}, not {true}")
        else:
            self._rests.answered("exchange")

    def _had_chance(self, day: Day, session: Session) -> bool:
        """Whether there was a tick after prices had settled at which a source answered and all was well here."""
        return any(
            (tick.fault in (None, *HARMLESS) and not self._rests.might_rest("exchange", tick))
            or (
                tick.at >= at(session.date, ARCHIVED)
                and not tick.archive_fault
                and not self._rests.might_rest("archive", tick)
            )
            for tick in day.ticks
            if tick.at >= session.settles and not tick.mishap
        )
