"""A market's archive in one run: the files of today's final, and the days that each target lacks.

A dated folder has the files that the market's folder had at that day's final. They are saved in the state
directory before anything is published: a target that cannot be reached now gets them later.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from heatmap.market.calendar.session import Phase
from heatmap.pages.archive import breadths, day_files, list_page, record, sharing, target_days
from heatmap.pages.archive.day_files import PAGE_NAME
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

NOT_ARCHIVED = ("fragment-",)  # the beginnings of files for other sites' pages, which show the newest map
MOST_SEARCHED = 120  # the most days that one search of a target in one run looks for


class MarketArchive:
    """The archive of one market in one run. `archive_date` is the last session that every target has.

    `is_redrawn`: the day is published already, and these are later figures, so it is drawn again.
    """

    def __init__(
        self,
        settings: ArchiveSettings,
        market: MarketIdentity,
        snapshot: Snapshot,
        status: MarketStatus,
        now: datetime,
        archive_date: str | None,
        warn: Callable[[str], None],
        *,
        is_redrawn: bool = False,
    ) -> None:
        self.market = market
        self._folder = settings.state_directory
        self._snapshot = snapshot
        self._now = now
        self._warn = warn
        self._settings = settings
        self._names = [target.name for target in settings.targets]
        self._session = status.session.date if status.session else None
        self._loaded: dict[date, Mapping[str, bytes] | None] = {}  # files by day; None: not whole
        self._lists: dict[frozenset[date], bytes] = {}  # the list of days, by the days that it links to
        # By target: the day of each delivery; None: the list alone.
        self._attempts: dict[str, list[date | None]] = {}
        self._has_new_day, self._is_redrawn = False, is_redrawn
        self.has_feed = settings.has_feed  # whether the market can have a feed
        self._may_add = settings.is_enabled and not snapshot.recording  # a recording is no day of the market
        self.is_final = self._may_add and status.phase is Phase.FINAL and self._session is not None
        self.publishes_today = self.is_final and archive_date != str(self._session)
        self._saved = record.load(self._folder, market.name, warn)
        newest = self._saved.pages[-1:]
        doubtful = [day for day in newest if str(day) > (archive_date or "")]
        self._record = target_days.with_targets(self._saved, self._names, doubtful)

    @property
    def day_links(self) -> DayLinks | None:
        """The live page's links to other days; None if there are none yet."""
        if not self._settings.is_enabled or not (self.publishes_today or self._record.pages):
            return None
        return DayLinks(self._previous_day(), has_feed=self.has_feed)

    def lacks_feed(self, target: str) -> bool:
        """Whether a target does not have the feed that announces the newest day."""
        return self.has_feed and bool(self._record.pages) and not self._record.targets[target].has_feed

    def record_feed(self, target: str) -> None:
        """Record that the feed arrived at a target."""
        entry = self._record.targets[target]._replace(has_feed=True)
        self._record = self._record._replace(targets={**self._record.targets, target: entry})

    @property
    def sessions(self) -> Sequence[ArchivedDay]:
        """All sessions, the oldest first; after `add_day`, with today's.

        A session has a page only if a target has the page or can get it.
        """
        reachable = {*self._days_with_files}
        for name in self._names:
            reachable |= {*self._record.pages} - self._record.targets[name].lacks
        return sorted(list_page.link_only(reachable, self._record.days))

    def pull_days(self, store: Store) -> None:
        """Save the days' files that other machines shared, if they are needed. Raises HistoryError."""
        if self.publishes_today or any(
            self._record.targets[name].lacks - {*self._days_with_files} for name in self._names
        ):
            sharing.pull_days(store, self._folder, self.market.name)
            self.__dict__.pop("_day_files", None)

    def backfill_breadth(self, store: Store) -> None:
        """Add the breadth of earlier sessions that only the history has.

        It counts the stocks that the market has today. Raises HistoryError.
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

    @property
    def permanent_links(self) -> DayLinks | None:
        """The links of today's permanent page, at the day's final; None if this run draws no such page.

        A day that a target has is not drawn again, so all targets get the same.
        """
        today = self._session
        if today is None or not self.publishes_today or self._has_drawing(today):
            return None
        return DayLinks(self._previous_day(), today, has_feed=self.has_feed)

    def add_day(self, page: bytes, files: Iterable[WebFile]) -> None:
        """Add today: the permanent page with `permanent_links`, and the market's `files` beside it."""
        today = self._session
        if today is None:
            message = "a day needs a session"
            raise ValueError(message)
        root = f"{self.market.name}/"
        other_files = {
            name: file.content
            for file in files
            if (name := file.path.removeprefix(root)) != file.path
            and name != PAGE_NAME
            and not name.startswith(NOT_ARCHIVED)
        }
        days = {
            **self._record.days,
            today: breadths.find_session_end(self._snapshot.quotes, today, self._now),
        }
        self._record = target_days.with_day(self._record._replace(days=days), today)
        self._loaded[today] = {**other_files, PAGE_NAME: page}
        self._has_new_day = True

    def save_day(self) -> bool:
        """Save the day that this run drew, before publication; return whether it drew one. Raises OSError."""
        if self._has_new_day and self._session:
            content = day_files.pack(self._loaded[self._session] or {})
            day_files.save(self._folder, self.market.name, self._session, content)
            self._save()
        return self._has_new_day

    def next_files(self, target: str) -> list[WebFile]:
        """Return the files of the next day that a target lacks, and its list of days.

        The list is empty if the target has all days, or if this run cannot deliver another one to it.

        Call `record_delivery` after each delivery, and then this method again.
        """
        entry, attempts = self._record.targets[target], self._attempts.setdefault(target, [])
        if not self._may_add or not self._record.days or None in attempts:
            return []
        if entry.is_listed and not entry.lacks:
            return []
        today = self._session if self.is_final else None
        day, files = self._next_day(entry, [*filter(None, attempts)], today)
        if entry.is_listed and day is None:
            return []
        attempts.append(day)
        linked_days = {*self._record.pages} - entry.lacks
        path, pages, part = f"{self.market.name}/{list_page.NAME}", list[WebFile](), ""
        if day:
            linked_days.add(day)
            part = target_days.day_part(day, today)
            pages = target_days.make_pages(self.market.name, day, linked_days, files, self._load, part)
        return [*pages, WebFile(path, self._draw_list(frozenset(linked_days)), parts.LIST, part)]

    def _next_day(
        self, entry: record.Target, attempts: list[date], today: date | None
    ) -> tuple[date | None, Mapping[str, bytes]]:
        """Return the next day to deliver to a target, and its files; None if there is none."""
        while day := target_days.next_day(entry, self._days_with_files, attempts, self._now, today):
            if self._is_whole(day):
                return day, self._load(day) or {}
            attempts.append(day)
        return None, {}

    def record_delivery(self, target: str, failed_parts: Collection[str]) -> None:
        """Record the days that a target has after a delivery of `next_files`, of which some parts failed."""
        attempts = self._attempts.get(target)
        if attempts:
            today = self._session if self.is_final else None
            entry = target_days.with_outcome(
                self._record.targets[target], attempts[-1], failed_parts, self._now, today
            )
            self._record = self._record._replace(targets={**self._record.targets, target: entry})

    def save_record(self) -> bool:
        """Save the record of the targets' days; return whether it changed. Raises OSError."""
        today = self._session
        if (
            self._has_new_day
            and today
            and self._targets_without(today) == self._names
            and today not in day_files.find(self._folder, self.market.name)
        ):
            days = {day: entry for day, entry in self._record.days.items() if day != today}
            self._record = self._record._replace(days=days)  # it could not be saved, and no target has it
        self._record = target_days.without_unused_targets(self._record, self._names)
        if not self._may_add or not self._record.days or self._record == self._saved:
            return False
        self._save()
        day_files.remove_old(self._folder, self.market.name)
        return True

    def days_to_search(self, target: str) -> list[date]:
        """Return days that a target may have although the record lacks them, at most MOST_SEARCHED.

        Their files are no longer in the state directory, so they cannot be delivered. But the operator may
        have copied them, or changed the target's address. A target is searched when it is new, and after
        each final.
        """
        from random import sample

        entry = self._record.targets[target]
        if not self._may_add or (entry.is_searched and not self._has_new_day):
            return []
        missing = sorted(day for day in entry.lacks if not self._is_whole(day))
        return missing if len(missing) <= MOST_SEARCHED else sample(missing, MOST_SEARCHED)

    def record_search(self, target: str, days: Collection[date], existing: Collection[date]) -> None:
        """Record a search of a target for `days`: it has the `existing` ones."""
        entry = self._record.targets[target]
        changed_entry = entry._replace(
            lacks=entry.lacks - {*existing},
            is_listed=entry.is_listed and not existing,
            is_searched=len(days) < MOST_SEARCHED or not existing,
        )
        self._record = self._record._replace(targets={**self._record.targets, target: changed_entry})

    @cached_property
    def _day_files(self) -> Collection[date]:
        return day_files.find(self._folder, self.market.name)

    @property
    def _days_with_files(self) -> Collection[date]:
        """The days whose files this run has, with today's even if they could not be saved."""
        return {*self._day_files, *(day for day, files in self._loaded.items() if files)} - {
            day for day, files in self._loaded.items() if not files
        }

    def _targets_without(self, day: date) -> list[str]:
        return [name for name in self._names if day in self._record.targets[name].lacks]

    def _has_drawing(self, today: date) -> bool:
        """Whether today's saved files are final: a target has them, or this run's figures are no newer."""
        day, lacking = self._record.days.get(today), self._targets_without(today)
        if self._is_redrawn or day is None or not day.page or (lacking and not self._is_whole(today)):
            return False
        return lacking != self._names or day.page >= self._now.isoformat(timespec="seconds")

    def _save(self) -> None:
        record.save(self._folder, self.market.name, self._record)
        self._saved = self._record

    def _previous_day(self) -> date | None:
        """Return the newest day that a page may link to; in a session, the newest before today."""
        return target_days.newest_everywhere(self._record, self._names, self._is_whole, self._session)

    def _is_whole(self, day: date) -> bool:
        """Whether a day can be delivered: versions before 0.3 saved a page without its other files."""
        return len(self._load(day) or ()) > 1

    def _draw_list(self, linked_days: frozenset[date]) -> bytes:
        """Return the list of days for a target that has these days' pages."""
        if linked_days not in self._lists:
            days = list_page.link_only(linked_days, self._record.days)
            self._lists[linked_days] = list_page.render(days, self.market.title, self._settings)
        return self._lists[linked_days]

    def _load(self, day: date) -> Mapping[str, bytes] | None:
        """Return a day's files; None if they are missing or not whole."""
        if day not in self._loaded:
            self._loaded[day] = day_files.load(self._folder, self.market.name, day, self._warn)
        return self._loaded[day]
