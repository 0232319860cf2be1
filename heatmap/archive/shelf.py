"""What goes into a market's archive at one tick: the day's map, the list of days, the way between days.

A dated folder holds what the market's folder held at that final. The day before gets its page once more,
the same but for the link to the day after it; so the newest days' files are kept in the state directory.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from heatmap import measures, parts
from heatmap.archive import day_files, record
from heatmap.archive.day_files import PAGE_NAME
from heatmap.archive.options import ArchiveOptions
from heatmap.model import Breadth, Day, Days, Page
from heatmap.render import words
from heatmap.render.page import NEXT_LABEL, NEXT_LINK
from heatmap.session import Phase

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from datetime import date, datetime

    from heatmap.config import Config, Market
    from heatmap.history.model import Bar
    from heatmap.history.store import Store
    from heatmap.model import Snapshot
    from heatmap.session import Verdict

LIST_NAME = "archive.html"
LIVE = "Live map"
NOT_KEPT = ("fragment-",)  # how the files begin that are for pages of others, which show the newest


class Shelf:
    """The archive of one market at one tick. `archive_date` is the last session that every target has."""

    def __init__(
        self,
        config: Config,
        market: Market,
        snapshot: Snapshot,
        verdict: Verdict,
        now: datetime,
        archive_date: str | None,
        warn: Callable[[str], None],
    ) -> None:
        self._config = config
        self._market = market
        self._snapshot = snapshot
        self._now = now
        self._warn = warn
        self._options = config.archive or ArchiveOptions()
        self._known = record.load(config.state_directory, market.name, warn)
        self._session = verdict.session.date if verdict.session else None
        self._files: Mapping[str, bytes] | None = None  # of today, drawn; the page without its link on
        self.is_of_final = (
            self._options.enabled
            and verdict.phase is Phase.FINAL
            and self._session is not None
            and not snapshot.recording  # never to be taken for what was
        )
        self.is_due = self.is_of_final and archive_date != str(self._session)

    @property
    def days(self) -> Days | None:
        """The live page's way to other days; None where there is none yet."""
        if not self._options.enabled or not (self.is_due or self._with_page):
            return None
        return Days(self._before(), feed=self.has_feed)

    @property
    def has_feed(self) -> bool:
        """Whether the market can have a feed."""
        return self._config.public_url is not None and self._options.feed

    @property
    def known(self) -> Sequence[Day]:
        """All sessions, the oldest first; after `pages`, with today's."""
        return sorted(self._known.values())

    def learn(self, store: Store) -> None:
        """Take over the breadth of sessions before today's that only the history knows.

        Counted are the market's stocks of today. Raises HistoryError.
        """
        today = self._session
        if today is None:
            return
        sessions = [day for day in store.sessions(self._market.name) if day < today]
        missing = [day for day in sessions if day not in self._known]
        if not missing:
            return
        count = len(sessions) - sessions.index(missing[0])
        symbols = [quote.symbol for quote in self._snapshot.quotes]
        bars = store.bars(self._market.name, sessions[-1], count, symbols)
        self._known |= _breadths(bars, {*missing})

    def pages(self, files: Iterable[Page], draw: Callable[[str, Days], bytes]) -> list[Page]:
        """Return what the archive adds at the day's final; `files` are those of the market, just drawn.

        `draw` makes a page with this title and this way to other days.
        """
        today = self._session
        if today is None or not self.is_due:
            return []
        before = self._before()
        raw = draw(f"{self._market.title}, {words.day(today)}", Days(before, today, feed=self.has_feed))
        known = {**self._known, today: self._day(today)}
        root = f"{self._market.name}/"
        contents = {
            name: file.content
            for file in files
            if (name := file.path.removeprefix(root)) != file.path
            and name != PAGE_NAME
            and not name.startswith(NOT_KEPT)
        }
        folder = f"{root}{words.day_folder(today)}"
        added = [Page(folder + name, content, parts.ARCHIVE) for name, content in contents.items()]
        added.append(Page(folder + PAGE_NAME, _leading(raw, "../../../", LIVE), parts.ARCHIVE))
        earlier = self._raw_of(before)
        if before and earlier:
            link = f"../../../{words.day_folder(today)}"
            again = _leading(earlier, link, words.day(today))
            earlier_page = f"{root}{words.day_folder(before)}{PAGE_NAME}"
            added.append(Page(earlier_page, again, parts.LINK, needs=parts.ARCHIVE))
        added.append(Page(root + LIST_NAME, self._list(known.values()), parts.ARCHIVE))
        self._known, self._files = known, {**contents, PAGE_NAME: raw}
        return added

    def keep(self) -> None:
        """Remember that the day has its page. Raises OSError."""
        if self._files is None or self._session is None:
            return
        folder, name = self._config.state_directory, self._market.name
        day_files.save(folder, name, self._session, day_files.pack(self._files))
        record.save(folder, name, self._known.values())
        day_files.remove_old(folder, name)

    @property
    def _with_page(self) -> list[date]:
        return [day.date for day in self._known.values() if day.page]

    def _before(self) -> date | None:
        """Return the newest day with a page, before today's session where there is one."""
        found = [day for day in self._with_page if self._session is None or day < self._session]
        return max(found, default=None)

    def _day(self, today: date) -> Day:
        quotes = self._snapshot.quotes
        already = self._known.get(today)
        changes = measures.percent_changes(quotes)
        order = measures.in_order(quotes, changes)
        ends = [(quotes[index].symbol, change) for index in order if (change := changes[index]) is not None]
        return Day(
            today,
            measures.breadth(changes),
            (already and already.page) or self._now.isoformat(timespec="seconds"),
            ends[0] if ends else None,
            ends[-1] if ends else None,
        )

    def _list(self, days: Iterable[Day]) -> bytes:
        from heatmap.render import archive

        config = self._config
        return archive.render(
            days, self._market.title, config.page, feed=self.has_feed, cache=config.state_directory
        )

    def _raw_of(self, day: date | None) -> bytes | None:
        """Return a day's page without its link on; None where it is not kept whole."""
        if day is None:
            return None
        files = day_files.load(self._config.state_directory, self._market.name, day, self._warn)
        return files[PAGE_NAME] if files else None


def _leading(raw: bytes, link: str, label: str) -> bytes:
    """Return a day's page with its link to the next day, or to the live map where there is none yet."""
    return raw.replace(NEXT_LINK.encode(), link.encode()).replace(NEXT_LABEL.encode(), label.encode())


def _breadths(bars: Sequence[Bar], wanted: set[date]) -> Mapping[date, Day]:
    """Return the breadth of some sessions, without shares whose close before is on unknown terms."""
    from heatmap.history.actions import judge_terms

    changes: dict[date, list[float]] = {day: [] for day in wanted}
    for bar in bars:
        if bar.date not in changes:
            continue
        change = measures.percent_change(bar.close, judge_terms(bar).previous_close)
        if change is not None:
            changes[bar.date].append(change)
    return {day: Day(day, Breadth(*measures.breadth(found))) for day, found in changes.items() if found}
