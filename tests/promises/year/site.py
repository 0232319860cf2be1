"""Judges one target: every file that visitors can ask for, after every run, and each day's archive for good."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Iterator
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from tests.promises.year import seen
from tests.promises.year.damages import MARKET
from tests.promises.year.market import Market
from tests.promises.year.seen import Seen
from tests.promises.year.sessions import Session

PUBLIC_URL = "https://www.example.org/heatmap/"
PAGE, LIST, FEED, STATUS = "index.html", "archive.html", "feed.xml", "status.json"
LIVE = f"{MARKET}/{PAGE}"
DATED = re.compile(rf"{MARKET}/(\d{{4}})/(\d\d)/(\d\d)/(.+)")
ON_THE_WAY = re.compile(r"\.heatmap-([0-9a-f]{8})-[0-9a-f]{16}\.tmp")
LEFT_FOR = timedelta(minutes=65)  # a temporary file is removed once it is an hour old, and a tick
LAST_TRADE = timedelta(minutes=1)  # by which a source's last figures may come before the close
ALWAYS_KEPT = ("snapshot.json", "snapshot.csv", "heatmap.svg", PAGE)  # of each day
LATER = ("history.json", "replay.json")  # and where the history has it
FEED_ENTRIES = 60

Violate = Callable[[str, str], None]


class File(NamedTuple):
    """A file as it was last read; `mark` tells whether it has changed since."""

    mark: tuple[int, int, int]
    seen: Seen | None  # None: it was not whole


class Site:
    """The judge of the target in `folder`; `violate(promise, what)` is called for each broken promise."""

    def __init__(self, folder: Path, market: Market, violate: Violate) -> None:
        self._folder = folder
        self._market = market
        self._violate = violate
        self._files: dict[str, File] = {}
        self._on_the_way: dict[str, datetime] = {}  # temporary files, and when each was first there
        self._dangling: set[tuple[str, str]] = set()  # told already
        self.finals: list[date] = []  # days whose page is in the archive, as they came

    def seen(self, name: str) -> Seen | None:
        """Return what a file showed when it was last looked at; None where it is not there, or not whole."""
        file = self._files.get(name)
        return file.seen if file else None

    def look(self, now: datetime, *, is_done: bool) -> set[str]:
        """Judge what is there after a run; return the names of the files that are new or have changed.

        `is_done`: the run was not struck on its way. Then what is there must fit together.
        """
        found = {self._name(path): path for path in self._folder.rglob("*") if path.is_file()}
        temporary = {name for name in found if ON_THE_WAY.fullmatch(posixpath.basename(name))}
        self._judge_temporary(temporary, now, is_done=is_done)
        for name in sorted(self._files.keys() - found.keys()):
            self._violate("lost", f"{self._folder.name}/{name} is gone")
            del self._files[name]
        changed = {name for name in sorted(found.keys() - temporary) if self._read(name, found[name], now)}
        self.finals += sorted(
            {day for name in changed if name.endswith(f"/{PAGE}") and (day := day_of(name))} - {*self.finals}
        )
        if is_done:
            self._judge_links(found.keys() - temporary)
            if LIVE in changed:
                self._judge_together()
        return changed

    def _name(self, path: Path) -> str:
        return str(path.relative_to(self._folder))

    def _read(self, name: str, path: Path, now: datetime) -> bool:
        """Judge one file if it has changed; return whether it has."""
        found = path.stat()
        mark = (found.st_mtime_ns, found.st_size, found.st_ino)
        before = self._files.get(name)
        if before and before.mark == mark:
            return False
        try:
            shown = seen.read(path)
        except seen.DAMAGED as error:
            self._violate("worse", f"{self._folder.name}/{name} is not whole: {error!r}")
            self._files[name] = File(mark, None)
            return True
        self._files[name] = File(mark, shown)
        day = day_of(name)
        if day:
            self._judge_dated(name, day, shown, before and before.seen, now)
        return not before or before.seen != shown or name.endswith(".js")

    def _judge_temporary(self, names: set[str], now: datetime, *, is_done: bool) -> None:
        self._on_the_way = {name: self._on_the_way.get(name, now) for name in names}
        for name, since in self._on_the_way.items():
            if is_done and now - since > LEFT_FOR:
                self._violate("left behind", f"{self._folder.name}/{name} is there since {since:%d %b %H:%M}")

    def _judge_dated(self, name: str, day: date, shown: Seen, before: Seen | None, now: datetime) -> None:
        """A day's files are of that day, and once it is over they stay, but for the link to the next day."""
        where = f"{self._folder.name}/{name}"
        if shown.as_of and shown.as_of.date() != day:
            self._violate("worse", f"{where} is as of {shown.as_of}")
        kept = before and before._replace(links=(), next=None)
        if before and now.date() > day and kept != shown._replace(links=(), next=None):
            self._violate("worse", f"{where} has changed after its day, in more than its link to the next")
        if shown.percents and shown.as_of:
            wrong = seen.differences(shown, self._market.prices(shown.as_of))
            if wrong:
                self._violate("wrong", f"{where}: {len(wrong)} figures, such as {wrong[0]}")

    def _judge_links(self, names: set[str]) -> None:
        """Every relative link of every page leads to a file that is there."""
        found = {
            (page, link)
            for page, file in self._files.items()
            for link in (file.seen.links if file.seen else ())
            if _target(page, link) not in names
        }
        for page, link in sorted(found - self._dangling):
            self._violate("dead link", f"{self._folder.name}/{page} links to {link}, which is not there")
        self._dangling = found

    def _judge_together(self) -> None:
        """What was published together is of the same time, and of the same figures."""
        live = self.seen(LIVE)
        if live is None or live.as_of is None:
            return
        names = [PAGE, *(f"{MARKET}/{name}" for name in (*ALWAYS_KEPT[:-1], STATUS))]
        for name in names:
            other = self.seen(name)
            if other is None:
                self._violate(
                    "apart", f"{self._folder.name}/{name} is missing or not whole beside a new page"
                )
            elif other.as_of and not seen.is_same_time(other.as_of, live.as_of):
                self._violate("apart", f"{self._folder.name}/{name} is as of {other.as_of}, not {live.as_of}")
            elif other.percents and other.percents != live.percents:
                self._violate("apart", f"{self._folder.name}/{name} has other figures than the page")

    def session_over(self, session: Session, *, listed_since: date, linked_since: date) -> None:
        """Judge the archive once a session has its final page.

        `listed_since`: the list may have forgotten days before it, as its record was damaged then.
        `linked_since`: the same of the links between days.
        """
        self._judge_final(session)
        links = self.seen(f"{MARKET}/{LIST}")
        days = sorted(seen.listed(links.links)) if links else []
        missing = [day for day in self.finals if day >= listed_since and day not in days]
        if missing:
            self._violate("unlisted", f"{self._folder.name}/{MARKET}/{LIST} lacks {missing[-1]}")
        strange = [day for day in days if day not in self.finals]
        if strange:
            self._violate(
                "unlisted", f"{self._folder.name}/{MARKET}/{LIST} has {strange[0]}, which has no page"
            )
        self._judge_way([day for day in days if day >= max(linked_since, listed_since)])
        self._judge_feed(session.date)

    def _judge_final(self, session: Session) -> None:
        """The day's folder holds what the market's folder held at the final."""
        for name in ALWAYS_KEPT:
            shown = self.seen(f"{folder_of(session.date)}{name}")
            if shown is None:
                self._violate("worse", f"{self._folder.name}: the final {name} is missing or not whole")
            elif shown.as_of and shown.as_of < session.closes - LAST_TRADE:
                self._violate("worse", f"the final {name} is as of {shown.as_of}, before the close")
        page = self.seen(f"{folder_of(session.date)}{PAGE}")
        for name in LATER:
            live, dated = self.seen(f"{MARKET}/{name}"), self.seen(f"{folder_of(session.date)}{name}")
            if page and live and live.as_of == page.as_of and dated != live:
                self._violate("worse", f"{self._folder.name}: the final {name} is not that of the live page")

    def _judge_way(self, days: list[date]) -> None:
        """From each day a link leads to the next one, and back."""
        for day, following in zip(days, days[1:], strict=False):
            one, other = (self.seen(f"{folder_of(each)}{PAGE}") for each in (day, following))
            if one and _target(f"{folder_of(day)}{PAGE}", one.next or "") != f"{folder_of(following)}{PAGE}":
                self._violate("way", f"{self._folder.name}: {day} leads on to {one.next}, not to {following}")
            if (
                other
                and _target(f"{folder_of(following)}{PAGE}", other.previous or "")
                != f"{folder_of(day)}{PAGE}"
            ):
                self._violate(
                    "way", f"{self._folder.name}: {following} leads back to {other.previous}, not {day}"
                )

    def _judge_feed(self, day: date) -> None:
        """The feed announces the day, and leads only to what is there."""
        feed = self.seen(f"{MARKET}/{FEED}")
        entries = feed.entries if feed else ()
        finals = [entry.link for entry in entries if entry.id.endswith("/final")]
        if f"{PUBLIC_URL}{folder_of(day)}" not in finals:
            self._violate("feed", f"{self._folder.name}/{MARKET}/{FEED} does not announce {day}")
        for entry in entries:
            path = entry.link.removeprefix(PUBLIC_URL)
            if path == entry.link or _target("", path) not in self._files:
                self._violate("feed", f"{self._folder.name}/{MARKET}/{FEED} links to {entry.link}")
        if len(entries) > FEED_ENTRIES:
            self._violate("feed", f"it has {len(entries)} entries")

    def others(self, other: Site) -> Iterator[str]:
        """Yield in what another target differs from this one."""
        for name in sorted(self._files.keys() | other._files.keys()):
            one, two = self._files.get(name), other._files.get(name)
            if one is None or two is None:
                yield f"{name} is only at one target"
            elif (one.mark[1], one.seen) != (two.mark[1], two.seen):
                yield f"{name} is not the same at both targets"


def folder_of(day: date) -> str:
    """Return the folder of a day's final page."""
    return f"{MARKET}/{day:%Y/%m/%d}/"


def day_of(name: str) -> date | None:
    """Return the day whose folder a file is in; None for others."""
    found = DATED.fullmatch(name)
    return date(*map(int, found.groups()[:3])) if found else None


def _target(page: str, link: str) -> str:
    """Return the name of the file that a link leads to; a link to a folder leads to its page."""
    path = posixpath.normpath(posixpath.join(posixpath.dirname(page), link))
    is_folder = link.endswith("/") or not link or posixpath.basename(path) in (".", "..", MARKET)
    return posixpath.normpath(posixpath.join(path, PAGE)) if is_folder else path
