"""Brings each target the archived days and the feeds that it lacks, and records which ones arrived."""

from __future__ import annotations

from threading import Lock
from typing import TYPE_CHECKING

from heatmap.errors import PublishError
from heatmap.pages.archive import sharing
from heatmap.pages.archive.target_days import page_path
from heatmap.state.report import PartOutcomes
from heatmap.system import parts

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from heatmap.history.store import Store
    from heatmap.pages.archive.day_pages import MarketArchive
    from heatmap.pages.archive.options import ArchiveSettings
    from heatmap.publishers.delivery import Delivery
    from heatmap.publishers.interface import Publisher
    from heatmap.run.feeds import Feed
    from heatmap.system.deadline import Deadline
    from heatmap.system.web_file import WebFile

    Attempt = Callable[[Callable[[Store], object]], object]

SEARCH_SECONDS = 20  # to look for archived days at one target


class Archives:
    """The archives of all markets that a run draws. A failure is the fault of a part."""

    def __init__(self, settings: ArchiveSettings, say: Callable[[str], None]) -> None:
        self._settings = settings
        self._say = say
        self._archives: list[tuple[MarketArchive, Attempt | None]] = []
        self._lock = Lock()
        self._feeds: dict[str, Feed] = {}  # by market
        # By market and target: the parts of the current delivery.
        self._offered_parts: dict[tuple[str, str], set[str]] = {}
        # By market and target, then by part: why its delivery failed; "" if it arrived.
        self._faults: dict[tuple[str, str], dict[str, str]] = {}

    def add(self, archive: MarketArchive, attempt: Attempt | None = None) -> None:
        """Add a market's archive.

        `attempt` works with the history that machines share: the days of other machines are copied from it.
        None means that there is no such history.
        """
        if attempt:
            attempt(archive.pull_days)
        self._archives.append((archive, attempt))

    def add_feed(self, market: str, feed: Feed) -> None:
        """Add a market's feed."""
        self._feeds[market] = feed

    def is_feed_missing(self, archive: MarketArchive) -> bool:
        """Whether a target does not have the market's feed yet."""
        return any(archive.lacks_feed(target.name) for target in self._settings.targets)

    def save_days(self) -> PartOutcomes:
        """Save the days that this run drew; return the days that cannot be saved."""
        outcomes = PartOutcomes()
        for archive, _ in self._archives:
            self._write(archive, archive.save_day, outcomes)
        return outcomes

    def next_files(self, target: str, delivery: Delivery | None) -> list[WebFile]:
        """Return the next archived day of each market for the target of this name; nothing at the end.

        `delivery` is the last one to the target, whose result is recorded; None before the first one. The
        targets' threads call this method.
        """
        with self._lock:
            return [
                file
                for archive, _ in self._archives
                for file in self._next_files_of_market(archive, target, delivery)
            ]

    def _next_files_of_market(
        self, archive: MarketArchive, target: str, delivery: Delivery | None
    ) -> list[WebFile]:
        name = archive.market.name
        key = (name, target)
        try:
            offered = self._offered_parts.pop(key, None)
            if delivery and offered:
                failed = {lack.part: lack.sentence for lack in delivery.missing_parts if lack.market == name}
                faults = {part: failed.get(part, "") for part in offered}
                if faults.get(parts.ARCHIVE) or faults.get(parts.EARLIER):
                    faults.pop(parts.LIST)  # the list waited for the day, and follows without it
                self._faults.setdefault(key, {}).update(faults)
                if offered != {parts.FEED}:
                    archive.record_delivery(target, failed)
                if parts.FEED in offered - failed.keys():
                    archive.record_feed(target)
            files = archive.next_files(target)
            feed = self._feeds.get(name)
            if feed and delivery is None and (feed.is_new or archive.lacks_feed(target)):
                files.append(feed.page)
        except Exception as bug:  # noqa: BLE001 -- a bug here must not cost the target its page
            self._faults.setdefault(key, {})[parts.ARCHIVE] = f"a bug, please report it: {bug!r}"
            return []
        self._offered_parts[key] = {file.part for file in files}
        return files

    def record(self, *, is_published: bool) -> PartOutcomes:
        """Return the outcomes of the deliveries. If a target has the pages, save each target's days."""
        outcomes = PartOutcomes()
        for (market, _), faults in self._faults.items():
            for part, why in faults.items():
                outcomes.add(market, part, why)
        for archive, attempt in self._archives if is_published else ():
            self._save(archive, attempt, outcomes)
        return outcomes

    def search_targets(self, reached: Mapping[int, bool], deadline: Deadline) -> PartOutcomes:
        """Look for archived days at targets that may have them from elsewhere, in the time left.

        `reached` says by a target's index whether it has the pages. Return the days that cannot be saved.
        """
        outcomes = PartOutcomes()
        for archive, attempt in self._archives:
            for number, target in enumerate(self._settings.targets):
                if reached.get(number) and self._search(archive, target, deadline):
                    self._save(archive, attempt, outcomes)
        return outcomes

    def _search(self, archive: MarketArchive, target: Publisher, deadline: Deadline) -> bool:
        """Look for days at one target, and record them; return whether the target answered."""
        from heatmap.system.deadline import Deadline

        days = {page_path(archive.market.name, day): day for day in archive.days_to_search(target.name)}
        seconds = min(SEARCH_SECONDS, deadline.remaining())
        if not days or seconds < 1:
            return False
        try:
            paths = target.find([*days], Deadline(seconds))
        except PublishError as error:
            self._say(f"{archive.market.name}: archived days could not be looked for: {error}")
            return False
        archive.record_search(target.name, days.values(), [days[path] for path in paths])
        return True

    def _save(self, archive: MarketArchive, attempt: Attempt | None, outcomes: PartOutcomes) -> None:
        """Save the record of a market's days, and share it with other machines."""
        folder, name = self._settings.state_directory, archive.market.name

        def push(store: Store) -> None:
            sharing.push_days(store, folder, name, self._say)

        if self._write(archive, archive.save_record, outcomes) and attempt:
            attempt(push)

    def _write(self, archive: MarketArchive, write: Callable[[], bool], outcomes: PartOutcomes) -> bool:
        """Return the result of `write`; False if the state directory cannot be written, which is a fault."""
        try:
            return write()
        except OSError as error:
            outcomes.add(
                archive.market.name,
                parts.ARCHIVE,
                f"its days cannot be kept ({error.strerror}), so that a target which fails now may never get "
                "this one: make room in the state directory",
            )
            return False
