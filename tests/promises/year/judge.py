"""Judges an installation from outside: by what visitors see, by exit codes, sentences, time, memory and disk.

It knows what was true at every moment (market) and what goes wrong when (plan), and nothing of the program but
what it promises: exit codes, sentences, the files it publishes, and a line for every failure.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from tests.promises.year import seen
from tests.promises.year.market import Market
from tests.promises.year.mishaps import DATA, MISHAPS, OK, STATE_NAME, TEMPORARY
from tests.promises.year.plan import ARCHIVED, HARMLESS, OLD, PASSING, STUCK, VETO, Day, Tick
from tests.promises.year.rests import Rests
from tests.promises.year.runs import Ended
from tests.promises.year.seen import Seen
from tests.promises.year.sessions import Session, at

DEADLINE_SECONDS = 30  # `deadline_seconds` of the configuration
LONGEST_SECONDS = DEADLINE_SECONDS + 5  # of a run, as docs/promises.md has it
MOST_MIB = 100  # of memory, with every bomb
LEAST_SHARE = 0.7
STUCK_LIMIT = timedelta(minutes=25)  # for how long figures that stand still are believed: 20, and one tick
LAST_TRADE = timedelta(minutes=1)  # by which a source's last figures may come before the close
MARKET = "nse-fno"
SITE = Path("site", MARKET)
PAGES = (SITE / "snapshot.json", SITE / "index.html", Path("site/index.html"))
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


def _is_blind(tick: Tick) -> bool:
    """Whether a run may be unable to say when it was, or to write it down."""
    return (tick.mishap or "").startswith(("clock", "full disk", "killed", "terminated"))


class Judge:
    """The judge of one installation in `home`; `tell` is called with each broken promise."""

    def __init__(self, home: Path, market: Market, tell: Callable[[Violation], None]) -> None:
        self._home = home
        self._tell = tell
        self._market = market
        self._pages: dict[Path, tuple[bytes, Seen]] = {}
        self._rests = Rests()
        self._was_damaged = False
        self._to_be_told: list[tuple[Tick, int]] = []  # with the exit codes
        self._tick: Tick
        self._stuck_since: datetime | None = None
        self.violations: list[Violation] = []
        self.counts: Counter[str] = Counter()
        self.peak_kib = 0
        self.longest_seconds = 0.0

    def look(self, day: Day, tick: Tick, ended: Ended, *, stuck_since: datetime | None) -> None:
        """Judge a run that has just ended, and what it left.

        `stuck_since`: as of when the figures are true that a stuck exchange shows.
        """
        self._tick, self._stuck_since = tick, stuck_since
        self._was_damaged |= "damaged" in tick.trouble
        self.counts["runs"] += 1
        self.counts["troubles"] += bool(tick.trouble)
        self.counts["kills"] += ended.code == KILLED
        self._judge_effort(ended)
        self._judge_words(ended)
        self._judge_code(day, ended)
        replaced = [self._judge_page(name) for name in PAGES]
        self.counts["pages"] += any(replaced)
        if day.session and not tick.trouble and day.session.phase(tick.at):
            self._judge_freshness()
        self._rests.learn(tick)

    def session_over(self, day: Day, status: Ended) -> None:
        """Judge what is left of a session once its day is over, and what `heatmap status --json` tells of it."""
        session = day.session
        assert session
        self._tick = day.ticks[-1]
        self._judge_status(status)
        self.counts["sessions"] += 1
        folder = self._home / SITE / f"{session.date:%Y/%m/%d}"
        had_chance = self._had_chance(day, session)
        if (folder / "index.html").exists():
            self.counts["finals"] += 1
            self._judge_final(folder, session)
            spoilt = any("damaged" in tick.trouble for tick in day.ticks if tick.at >= session.settles)
            if had_chance and not spoilt and self._final_date() != session.date:
                self.violate("lost", f"the last final that is remembered is of {self._final_date()}")
        elif had_chance:
            self.violate("lost", "the session has no final page, though its figures could be had")
        else:
            self.counts["without a chance"] += 1

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
        """Whether a run that ends well may say this: of damage done, a full disk, the calendar's last month."""
        is_ending = ENDING <= self._tick.at.date() and "holiday list" in line
        is_of_damage = self._was_damaged and "damaged" in line
        return is_ending or is_of_damage or (self._tick.mishap or "").endswith(("damaged", "full disk"))

    def _judge_code(self, day: Day, ended: Ended) -> None:
        tick = self._tick
        is_trading = bool(day.session and day.session.phase(tick.at))
        possible = self._possible_codes(is_trading=is_trading)
        if ended.code not in possible:
            self.violate("code", f"exit code {ended.code}: {ended.err[-300:]!r}")
        if "outcomes" in tick.trouble:
            self._to_be_told.clear()
        if (ended.code > 0 or (ended.code == OK and is_trading)) and not _is_blind(tick):
            self._to_be_told.append((tick, ended.code))

    def _possible_codes(self, *, is_trading: bool) -> set[int]:
        """Return how a run may end. A source that fails is asked while the market trades, unless it rests."""
        tick = self._tick
        of_archive = {TEMPORARY, DATA} if tick.archive_fault else set()
        if tick.mishap:
            return {*MISHAPS[tick.mishap].codes} | of_archive
        if tick.fault is None or tick.fault in HARMLESS or tick.fault == VETO:
            return {OK} | of_archive
        failed = TEMPORARY if tick.fault in PASSING else DATA
        is_sure = (
            is_trading and tick.fault not in (STUCK, OLD) and not self._rests.may_rest("exchange", tick.at)
        )
        return {failed} if is_sure else {OK, failed} | of_archive

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

    def _judge_page(self, name: Path) -> bool:
        """Judge a file that visitors see if it was replaced; return whether it was."""
        path = self._home / name
        before = self._pages.get(name)
        try:
            content = path.read_bytes()
            if before and before[0] == content:
                return False
            shown = seen.read(path)
        except (OSError, ValueError, KeyError, TypeError) as error:
            if before or path.exists():
                self.violate("worse", f"{name} is gone or not whole: {error!r}")
            return False
        if before and shown.as_of < before[1].as_of:
            self.violate("worse", f"{name} went back from {before[1].as_of} to {shown.as_of}")
        if before and len(shown.percents) < LEAST_SHARE * len(before[1].percents):
            self.violate("worse", f"{name} has {len(shown.percents)} stocks after {len(before[1].percents)}")
        self._judge_figures(name, shown)
        self._pages[name] = (content, shown)
        return True

    def _judge_figures(self, name: Path, shown: Seen) -> None:
        """What it shows must have been true when it says."""
        possible = [self._market.prices(shown.as_of)]
        since = self._stuck_since
        if self._tick.fault == STUCK and since and shown.as_of - since <= STUCK_LIMIT:
            possible.append(self._market.prices(since))
        wrong = min((seen.differences(shown, prices) for prices in possible), key=len)
        if wrong:
            self.violate("wrong", f"{name} as of {shown.as_of}: {len(wrong)} figures, such as {wrong[0]}")

    def _judge_freshness(self) -> None:
        """While all is well and the market trades, the page is of this very tick."""
        if self._rests.may_rest("exchange", self._tick.at):
            return
        self.counts["good ticks"] += 1
        true = self._market.shown(self._tick.at).as_of
        page = self._pages.get(PAGES[1])
        if page is None or page[1].as_of != true:
            self.violate("stale", f"the page is as of {page and page[1].as_of}, not {true}")
        else:
            self._rests.answered("exchange")

    def _judge_final(self, folder: Path, session: Session) -> None:
        for path in (folder / "index.html", folder / "snapshot.json"):
            try:
                shown = seen.read(path)
            except (OSError, ValueError, KeyError, TypeError) as error:
                self.violate("worse", f"the final {path.name} is not whole: {error!r}")
                continue
            if shown.as_of < session.closes - LAST_TRADE:
                self.violate("worse", f"the final {path.name} is as of {shown.as_of}, before the close")
            elif wrong := seen.differences(shown, self._market.prices(shown.as_of)):
                self.violate("wrong", f"the final {path.name}: {len(wrong)} figures, such as {wrong[0]}")

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

    def _final_date(self) -> date | None:
        try:
            document = json.loads((self._home / STATE_NAME / "state.json").read_text("utf-8"))
            return date.fromisoformat(document["markets"][MARKET]["final_date"])
        except (OSError, ValueError, KeyError, TypeError):
            return None
