"""The archived days of one target: the next one to deliver, its files, and the outcome. Pure."""

from __future__ import annotations

from bisect import bisect
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

from heatmap.pages.archive.day_files import PAGE_NAME
from heatmap.pages.archive.record import Record, Target
from heatmap.pages.page import BEFORE, NEXT_LABEL, NEXT_LINK
from heatmap.pictures import wording
from heatmap.system import parts
from heatmap.system.web_file import WebFile

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
    from datetime import date

LIVE = "Live map"
TO_MARKET = "../../../"  # the path from a day's page to its market's folder
RETRY_AFTER = timedelta(hours=1)  # the time between two attempts at a day that a target refused
MOST_UNKNOWN = 60  # the record forgets a target that is not configured and lacks more days


def with_targets(record: Record, names: Sequence[str], doubtful: Collection[date] = ()) -> Record:
    """Return the record with an entry for each configured target.

    A target that is new to the record lacks all days until it was searched. A record without any target is
    from a version before 0.3: then the targets are assumed to have all days except the `doubtful` ones, for
    which they are searched.
    """
    missing = [name for name in names if name not in record.targets]
    if not missing:
        return record
    lacks = frozenset(record.pages if record.targets else doubtful)
    is_sure = not lacks
    new = dict.fromkeys(missing, Target(lacks, is_listed=is_sure, has_feed=is_sure, is_searched=is_sure))
    return record._replace(targets={**record.targets, **new})


def with_day(record: Record, day: date) -> Record:
    """Return the record with a new day's page, which no target has yet, configured or not."""
    targets = {
        name: target._replace(lacks=target.lacks | {day}, is_listed=False, has_feed=False, failed_at=None)
        for name, target in record.targets.items()
    }
    return record._replace(targets=targets)


def without_unused_targets(record: Record, names: Collection[str]) -> Record:
    """Return the record without targets that are not configured and lack more than MOST_UNKNOWN days."""
    targets = {
        name: target
        for name, target in record.targets.items()
        if name in names or len(target.lacks) <= MOST_UNKNOWN
    }
    return record._replace(targets=targets)


def newest_everywhere(
    record: Record, names: Iterable[str], has_files: Callable[[date], bool], before: date | None
) -> date | None:
    """Return the newest day whose page each of these targets has or will get; None: there is none.

    `has_files` returns whether this machine has a day's files and can deliver them. A target that refused a
    day is expected to refuse it again. With `before`, only earlier days count.
    """
    can_follow: dict[date, bool] = {}  # by missing day: whether all targets that lack it may still get it
    for name in names:
        target = record.targets[name]
        can_follow |= {day: can_follow.get(day, True) and not target.failed_at for day in target.lacks}
    days = (day for day in reversed(record.pages) if before is None or day < before)
    return next((day for day in days if day not in can_follow or (can_follow[day] and has_files(day))), None)


def next_day(
    target: Target, days: Collection[date], attempts: Collection[date], now: datetime, today: date | None
) -> date | None:
    """Return the next day to deliver to a target: `today`, else the oldest; None: there is none.

    `days` are the days whose files this machine has, `attempts` the days of this run's deliveries to the
    target. If the target refused a day, earlier days wait for RETRY_AFTER.
    """
    candidates = target.lacks.intersection(days).difference(attempts)
    if today in candidates:
        return today
    since = now - datetime.fromisoformat(target.failed_at) if target.failed_at else RETRY_AFTER
    return None if timedelta(0) <= since < RETRY_AFTER else min(candidates, default=None)


def day_part(day: date, today: date | None) -> str:
    """Return the name of the part of a delivery that has this day."""
    return parts.ARCHIVE if day == today else parts.EARLIER


def page_path(market: str, day: date) -> str:
    """Return the path of a day's page."""
    return f"{market}/{wording.day_folder(day)}{PAGE_NAME}"


def make_pages(
    market: str,
    day: date,
    target_has: Collection[date],
    files: Mapping[str, bytes],
    load_files: Callable[[date], Mapping[str, bytes] | None],
    part: str,
) -> list[WebFile]:
    """Return a part of a delivery: a day's files for a target that has the days `target_has`.

    It also has new pages of the days before and after, with a link to the day. `load_files` returns the files
    of such a day; None: this machine does not have them, so that page stays as it is.
    """
    order = sorted({*target_has, day})
    folder = f"{market}/{wording.day_folder(day)}"
    pages = [WebFile(folder + name, content, part) for name, content in files.items() if name != PAGE_NAME]
    pages.append(
        WebFile(page_path(market, day), fill_links(files[PAGE_NAME], market, *_neighbours(order, day)), part)
    )
    for other in filter(None, _neighbours(order, day)):
        other_files = load_files(other)
        if other_files:
            page = fill_links(other_files[PAGE_NAME], market, *_neighbours(order, other))
            pages.append(WebFile(page_path(market, other), page, parts.LINK, part))
    return pages


def fill_links(page: bytes, market: str, previous: date | None, following: date | None) -> bytes:
    """Return a saved page with links to the days before and after; without a day after, to the live map."""
    link = f"{TO_MARKET}{wording.day_folder(following)}" if following else TO_MARKET
    label = wording.format_day(following) if following else LIVE
    filled = fill_previous(page, market, previous).replace(NEXT_LINK.encode(), link.encode())
    return filled.replace(NEXT_LABEL.encode(), label.encode())


def fill_previous(page: bytes, market: str, previous: date | None) -> bytes:
    """Return a saved page with its link to the day before; None: without a link."""
    if previous is None:
        return page.replace(BEFORE.encode(), b"")
    url = f"../{TO_MARKET}{market}/{wording.day_folder(previous)}"
    day = wording.format_day(previous)
    link = f'<a rel="prev" href="{url}">\N{SINGLE LEFT-POINTING ANGLE QUOTATION MARK} {day}</a>'
    return page.replace(BEFORE.encode(), link.encode())


def with_outcome(
    target: Target, day: date | None, failed_parts: Collection[str], now: datetime, today: date | None
) -> Target:
    """Return a target after a delivery of a day and the list of days; `day` None: of the list alone.

    `failed_parts` are the names of the parts that did not arrive.
    """
    has_list = parts.LIST not in failed_parts
    if day is None:
        return target._replace(is_listed=has_list)
    if day_part(day, today) in failed_parts:  # the list was not sent; the target's list is still right
        # `now` may be earlier: a final that is completed later has the time of its drawing.
        last_failure = datetime.fromisoformat(target.failed_at) if target.failed_at else now
        return target._replace(failed_at=max(now, last_failure).isoformat(timespec="seconds"))
    return target._replace(lacks=target.lacks - {day}, is_listed=has_list, failed_at=None)


class Gap(NamedTuple):
    """The archived days that a target lacks, the oldest first."""

    target: str
    pending: tuple[date, ...]  # days whose files are saved: the next runs deliver them
    missing: tuple[date, ...]  # days whose files are no longer saved


def find_gaps(record: Record, names: Iterable[str], saved_days: Collection[date]) -> list[Gap]:
    """Return the days that these targets lack by the record. The files of `saved_days` can be delivered."""
    missing_days = {name: sorted(record.targets[name].lacks) for name in names if name in record.targets}
    return [
        Gap(
            name,
            pending=tuple(day for day in days if day in saved_days),
            missing=tuple(day for day in days if day not in saved_days),
        )
        for name, days in missing_days.items()
        if days
    ]


def _neighbours(order: Sequence[date], day: date) -> tuple[date | None, date | None]:
    """Return the days before and after `day` in `order`; None: there is none."""
    index = bisect(order, day)
    return (order[index - 2] if index > 1 else None), (order[index] if index < len(order) else None)
