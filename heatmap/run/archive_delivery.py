"""Brings the archives and feeds of a run's markets to the targets, each what it lacks; notes what arrived."""

from __future__ import annotations

from threading import Lock
from typing import TYPE_CHECKING

from heatmap.errors import PublishError
from heatmap.pages.archive import sharing
from heatmap.pages.archive.target_days import page_path
from heatmap.system import parts

if TYPE_CHECKING:
    from collections.abc import Callable

    from heatmap.history.store import Store
    from heatmap.pages.archive.day_pages import MarketArchive
    from heatmap.pages.archive.options import ArchiveSettings
    from heatmap.publishers.delivery import Delivery
    from heatmap.publishers.interface import Publisher
    from heatmap.run.feeds import Feed
    from heatmap.state.report import Report
    from heatmap.system.deadline import Deadline
    from heatmap.system.web_file import WebFile

    Ask = Callable[[Callable[[Store], object]], object]

SEARCH_SECONDS = 20  # for asking one target which archived days it has


class Archives:
    """The archives of all markets that a run draws. What fails is noted as the fault of a part."""

    def __init__(self, settings: ArchiveSettings, report: Report, say: Callable[[str], None]) -> None:
        self._settings = settings
        self._report = report
        self._say = say
        self._shelves: list[tuple[MarketArchive, Ask | None]] = []
        self._lock = Lock()
        # By market and target: the parts of the delivery under way; of each part tried why it failed, or "".
        self._offered: dict[tuple[str, str], set[str]] = {}
        self._feeds: dict[str, Feed] = {}  # by market
        self._faults: dict[tuple[str, str], dict[str, str]] = {}

    def add(self, shelf: MarketArchive, ask: Ask | None = None) -> None:
        """Add a market's archive.

        `ask` does work with the history that machines share: what others keep of the archive is taken over.
        None: there is no such history.
        """
        if ask:
            ask(shelf.pull_days)
        self._shelves.append((shelf, ask))

    def add_feed(self, market: str, feed: Feed) -> None:
        """Add a market's feed."""
        self._feeds[market] = feed

    def is_feed_lacking(self, shelf: MarketArchive) -> bool:
        """Whether a target does not have the market's feed yet."""
        return any(shelf.lacks_feed(target.name) for target in self._settings.targets)

    def begin(self) -> None:
        """Keep the days that were drawn, before anything is published: a target may get them later."""
        for shelf, _ in self._shelves:
            self._write(shelf, shelf.save_day)

    def more(self, target: str, delivery: Delivery | None) -> list[WebFile]:
        """Return what the target of this name lacks of the archives, a day of each market at a time.

        `delivery` is the last one to it, of which is noted what arrived; None: there was none yet. Called
        from the targets' threads.
        """
        with self._lock:
            return [page for shelf, _ in self._shelves for page in self._more(shelf, target, delivery)]

    def _more(self, shelf: MarketArchive, target: str, delivery: Delivery | None) -> list[WebFile]:
        name = shelf.market.name
        key = (name, target)
        try:
            offered = self._offered.pop(key, None)
            if delivery and offered:
                failed = {lack.part: lack.sentence for lack in delivery.missing_parts if lack.market == name}
                faults = {part: failed.get(part, "") for part in offered}
                if faults.get(parts.ARCHIVE) or faults.get(parts.EARLIER):
                    faults.pop(parts.LIST)  # it waited for the day, and follows alone
                self._faults.setdefault(key, {}).update(faults)
                if offered != {parts.FEED}:
                    shelf.record_delivery(target, failed)
                if parts.FEED in offered - failed.keys():
                    shelf.record_feed(target)
            pages = shelf.next_files(target)
            feed = self._feeds.get(name)
            if feed and delivery is None and (feed.is_new or shelf.lacks_feed(target)):
                pages.append(feed.page)
        except Exception as mistake:  # noqa: BLE001 -- it must not cost the target its page
            self._faults.setdefault(key, {})[parts.ARCHIVE] = f"a bug, please report it: {mistake!r}"
            return []
        self._offered[key] = {page.part for page in pages}
        return pages

    def keep(self, *, is_published: bool) -> None:
        """Note what failed, and remember which days the targets have, if the pages are at one of them."""
        for (market_name, _), faults in self._faults.items():
            for part, why in faults.items():
                self._report.note_part(market_name, part, why)
        for shelf, ask in self._shelves if is_published else ():
            self._keep(shelf, ask)

    def search(self, deadline: Deadline) -> None:
        """Ask targets that have the pages for archived days that nobody brought there, in the time left."""
        for shelf, ask in self._shelves:
            for number, target in enumerate(self._settings.targets):
                if self._report.reached.get(number) and self._search(shelf, target, deadline):
                    self._keep(shelf, ask)

    def _search(self, shelf: MarketArchive, target: Publisher, deadline: Deadline) -> bool:
        """Ask one target, and note which days it has; return whether it answered."""
        from heatmap.system.deadline import Deadline

        days = {page_path(shelf.market.name, day): day for day in shelf.days_to_search(target.name)}
        seconds = min(SEARCH_SECONDS, deadline.remaining())
        if not days or seconds < 1:
            return False
        try:
            paths = target.find([*days], Deadline(seconds))
        except PublishError as error:
            self._say(f"{shelf.market.name}: archived days could not be looked for: {error}")
            return False
        shelf.record_search(target.name, days.values(), [days[path] for path in paths])
        return True

    def _keep(self, shelf: MarketArchive, ask: Ask | None) -> None:
        folder, name = self._settings.state_directory, shelf.market.name

        def give(store: Store) -> None:
            sharing.push_days(store, folder, name, self._say)

        if self._write(shelf, shelf.save_record) and ask:
            ask(give)

    def _write(self, shelf: MarketArchive, work: Callable[[], bool]) -> bool:
        """Return what `work` returns; False where the state directory cannot be written, which is noted."""
        try:
            return work()
        except OSError as error:
            self._report.note_part(
                shelf.market.name,
                parts.ARCHIVE,
                f"its days cannot be kept ({error.strerror}), so that a target which fails now may never get "
                "this one: make room in the state directory",
            )
            return False
