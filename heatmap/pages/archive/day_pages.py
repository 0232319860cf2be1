"""A market's archive at one tick: the day's files at its final, and what each target lacks of all days.

A dated folder holds what the market's folder held at that final. It is kept in the state directory before
anything is published, so that a target that cannot be reached now gets it later.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from heatmap.market.calendar.session import Phase
from heatmap.pages.archive import breadths, day_files, list_page, record, sharing, target_days
from heatmap.pages.archive.day_files import PAGE_NAME
from heatmap.pictures import wording
from heatmap.pictures.context import DayLinks
from heatmap.system import parts
from heatmap.system.web_file import WebFile

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
    from datetime import date, datetime

    from heatmap.history.store import Store
    from heatmap.market.calendar.session import MarketIdentity, MarketStatus
    from heatmap.market.quotes import Snapshot
    from heatmap.pages.archive.options import ArchiveSettings
    from heatmap.pictures.context import ArchivedDay

NOT_KEPT = ("fragment-",)  # how the files begin that are for pages of others, which show the newest
MOST_SEARCHED = 120  # days that a target is asked for in one run


class MarketArchive:
    """The archive of one market at one tick. `archive_date` is the last session that every target has.

    `is_again`: the figures are later ones of a day that is out already, so it is drawn again.
    """

    def __init__(
        self,
        settings: ArchiveSettings,
        market: MarketIdentity,
        snapshot: Snapshot,
        verdict: MarketStatus,
        now: datetime,
        archive_date: str | None,
        warn: Callable[[str], None],
        *,
        is_again: bool = False,
    ) -> None:
        self.market = market
        self._folder = settings.state_directory
        self._snapshot = snapshot
        self._now = now
        self._warn = warn
        self._settings = settings
        self._names = [target.name for target in settings.targets]
        self._session = verdict.session.date if verdict.session else None
        self._loaded: dict[date, Mapping[str, bytes] | None] = {}  # days' files, once they were needed
        self._lists: dict[frozenset[date], bytes] = {}  # the list of days, by those that it leads to
        self._tried: dict[str, list[date | None]] = {}  # by target, the days of each delivery; None: the list
        self._is_drawn, self._is_again = False, is_again
        self.has_feed = settings.has_feed  # whether the market can have a feed
        self._may_add = settings.is_enabled and not snapshot.recording  # never to be taken for what was
        self.is_of_final = self._may_add and verdict.phase is Phase.FINAL and self._session is not None
        self.is_due = self.is_of_final and archive_date != str(self._session)
        self._saved = record.load(self._folder, market.name, warn)
        newest = self._saved.pages[-1:]
        doubtful = [day for day in newest if str(day) > (archive_date or "")]
        self._record = target_days.with_targets(self._saved, self._names, doubtful)

    @property
    def days(self) -> DayLinks | None:
        """The live page's way to other days; None where there is none yet."""
        if not self._settings.is_enabled or not (self.is_due or self._record.pages):
            return None
        return DayLinks(self._before(), feed=self.has_feed)

    def lacks_feed(self, target: str) -> bool:
        """Whether a target does not have the feed that announces the newest day."""
        return self.has_feed and bool(self._record.pages) and not self._record.targets[target].has_feed

    def note_feed(self, target: str) -> None:
        """Note that the feed arrived at a target."""
        entry = self._record.targets[target]._replace(has_feed=True)
        self._record = self._record._replace(targets={**self._record.targets, target: entry})

    @property
    def known(self) -> Sequence[ArchivedDay]:
        """All sessions, the oldest first; after `draw`, with today's.

        A day has a page only if one target has it or can get it.
        """
        reachable = {*self._kept}
        for name in self._names:
            reachable |= {*self._record.pages} - self._record.targets[name].lacks
        return sorted(list_page.link_only(reachable, self._record.days))

    def take(self, store: Store) -> None:
        """Take over days' files that other machines noted, where they are needed. Raises HistoryError."""
        if self.is_due or any(self._record.targets[name].lacks - {*self._kept} for name in self._names):
            sharing.pull_days(store, self._folder, self.market.name)
            self.__dict__.pop("_files", None)

    def learn(self, store: Store) -> None:
        """Take over the breadth of sessions before today's that only the history knows.

        Counted are the market's stocks of today. Raises HistoryError.
        """
        today = self._session
        if today is None:
            return
        sessions = [day for day in store.sessions(self.market.name) if day < today]
        missing = [day for day in sessions if day not in self._record.days]
        if not missing:
            return
        count = len(sessions) - sessions.index(missing[0])
        symbols = [quote.symbol for quote in self._snapshot.quotes]
        bars = store.bars(self.market.name, sessions[-1], count, symbols)
        days = {**self._record.days, **breadths.read_breadths(bars, {*missing})}
        self._record = self._record._replace(days=days)

    def draw(self, files: Iterable[WebFile], draw: Callable[[str, DayLinks], bytes]) -> None:
        """Make the day's files at its final; `files` are those of the market, just drawn.

        `draw` makes a page with this title and this way to other days. Once a target has the day
        it stays as it is, so that all targets get the same.
        """
        today = self._session
        if today is None or not self.is_due or self._has_drawing(today):
            return
        root = f"{self.market.name}/"
        beside = {
            name: file.content
            for file in files
            if (name := file.path.removeprefix(root)) != file.path
            and name != PAGE_NAME
            and not name.startswith(NOT_KEPT)
        }
        title = f"{self.market.title}, {wording.format_day(today)}"
        page = draw(title, DayLinks(self._before(), today, feed=self.has_feed))
        days = {**self._record.days, today: breadths.find_session_end(self._snapshot, today, self._now)}
        self._record = target_days.with_day(self._record._replace(days=days), today)
        self._loaded[today] = {**beside, PAGE_NAME: page}
        self._is_drawn = True

    def begin(self) -> bool:
        """Keep what was drawn, before anything is published; return whether anything was. Raises OSError."""
        if self._is_drawn and self._session:
            content = day_files.pack(self._loaded[self._session] or {})
            day_files.save(self._folder, self.market.name, self._session, content)
            self._save()
        return self._is_drawn

    def pages(self, target: str) -> list[WebFile]:
        """Return the files that bring a target the next day that it lacks, and its list of days.

        Nothing where it has all, and where this run can bring it no more.

        Call `note` after each delivery, and then this again.
        """
        entry, tried = self._record.targets[target], self._tried.setdefault(target, [])
        if not self._may_add or not self._record.days or None in tried:
            return []
        if entry.is_listed and not entry.lacks:
            return []
        today = self._session if self.is_of_final else None
        day, files = self._next(entry, [*filter(None, tried)], today)
        if entry.is_listed and day is None:
            return []
        tried.append(day)
        has = {*self._record.pages} - entry.lacks
        path, pages, part = f"{self.market.name}/{list_page.NAME}", list[WebFile](), ""
        if day:
            has.add(day)
            part = target_days.day_part(day, today)
            pages = target_days.make_pages(self.market.name, day, has, files, self._load, part)
        return [*pages, WebFile(path, self._list(frozenset(has)), parts.LIST, part)]

    def _next(
        self, entry: record.Target, tried: list[date], today: date | None
    ) -> tuple[date | None, Mapping[str, bytes]]:
        """Return the day to bring to a target next, and its files; None where there is none."""
        while day := target_days.next_day(entry, self._kept, tried, self._now, today):
            if self._is_whole(day):
                return day, self._load(day) or {}
            tried.append(day)
        return None, {}

    def note(self, target: str, failed: Collection[str]) -> None:
        """Note what a target has after a delivery of `pages`; `failed` are the parts that did not arrive."""
        tried = self._tried.get(target)
        if tried:
            today = self._session if self.is_of_final else None
            entry = target_days.with_outcome(
                self._record.targets[target], tried[-1], failed, self._now, today
            )
            self._record = self._record._replace(targets={**self._record.targets, target: entry})

    def keep(self) -> bool:
        """Remember what the targets have; return whether anything changed. Raises OSError."""
        today = self._session
        if (
            self._is_drawn
            and today
            and self._lacking(today) == self._names
            and today not in day_files.find(self._folder, self.market.name)
        ):
            days = {day: known for day, known in self._record.days.items() if day != today}
            self._record = self._record._replace(days=days)  # it could not be kept, and nobody has it
        self._record = target_days.without_forgotten(self._record, self._names)
        if not self._may_add or not self._record.days or self._record == self._saved:
            return False
        self._save()
        day_files.remove_old(self._folder, self.market.name)
        return True

    def days_to_search(self, target: str) -> list[date]:
        """Return days that a target may have although they are not known to be there, at most MOST_SEARCHED.

        These are days that no longer can be brought to it: somebody may have copied them, or given the
        target another address. It is asked when it is new, and after each final.
        """
        from random import sample

        entry = self._record.targets[target]
        if not self._may_add or (entry.is_searched and not self._is_drawn):
            return []
        missing = sorted(day for day in entry.lacks if not self._is_whole(day))
        return missing if len(missing) <= MOST_SEARCHED else sample(missing, MOST_SEARCHED)

    def note_found(self, target: str, asked: Collection[date], found: Collection[date]) -> None:
        """Note which of the days that a target was `asked` for it has."""
        entry = self._record.targets[target]
        is_searched = len(asked) < MOST_SEARCHED or not found
        changed = entry._replace(
            lacks=entry.lacks - {*found}, is_listed=entry.is_listed and not found, is_searched=is_searched
        )
        self._record = self._record._replace(targets={**self._record.targets, target: changed})

    @cached_property
    def _files(self) -> Collection[date]:
        return day_files.find(self._folder, self.market.name)

    @property
    def _kept(self) -> Collection[date]:
        """The days whose files are at hand, also those of today that could not be kept."""
        return {*self._files, *(day for day, files in self._loaded.items() if files)} - {
            day for day, files in self._loaded.items() if not files
        }

    def _lacking(self, day: date) -> list[str]:
        return [name for name in self._names if day in self._record.targets[name].lacks]

    def _has_drawing(self, today: date) -> bool:
        """Whether today's files are as all targets are to have them: one has them, or these are no newer."""
        known, lacking = self._record.days.get(today), self._lacking(today)
        if self._is_again or known is None or not known.page or (lacking and not self._is_whole(today)):
            return False
        return lacking != self._names or known.page >= self._now.isoformat(timespec="seconds")

    def _save(self) -> None:
        record.save(self._folder, self.market.name, self._record)
        self._saved = self._record

    def _before(self) -> date | None:
        """Return the newest day that a page may lead back to, before today's session where there is one."""
        return target_days.newest_everywhere(self._record, self._names, self._is_whole, self._session)

    def _is_whole(self, day: date) -> bool:
        """Whether a day can be brought: versions before 0.3 kept a page without the files beside it."""
        return len(self._load(day) or ()) > 1

    def _list(self, linked: frozenset[date]) -> bytes:
        """Return the list of days as a target is to have it that has these days' pages."""
        if linked not in self._lists:
            days = list_page.link_only(linked, self._record.days)
            self._lists[linked] = list_page.render(days, self.market.title, self._settings)
        return self._lists[linked]

    def _load(self, day: date) -> Mapping[str, bytes] | None:
        """Return a day's files; None where they are not kept whole."""
        if day not in self._loaded:
            self._loaded[day] = day_files.load(self._folder, self.market.name, day, self._warn)
        return self._loaded[day]
