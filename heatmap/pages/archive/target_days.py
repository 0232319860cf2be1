"""Which archived days one target has, the files that bring it another, and what it has afterwards. Pure."""

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
TO_MARKET = "../../../"  # from a day's page
PATIENCE = timedelta(hours=1)  # until a day that a target refused is tried there again
MOST_UNKNOWN = 60  # days after which a target that is no longer configured is forgotten


def with_targets(record: Record, names: Sequence[str], doubtful: Collection[date] = ()) -> Record:
    """Return the record with an entry for each configured target.

    A target that is new to a record lacks all its days until it was searched. Where the record notes no
    targets at all, as versions before 0.3 left it, the targets are taken to have every day but the `doubtful`
    ones, for which they are searched.
    """
    missing = [name for name in names if name not in record.targets]
    if not missing:
        return record
    lacks = frozenset(record.pages if record.targets else doubtful)
    is_sure = not lacks
    added = dict.fromkeys(missing, Target(lacks, is_listed=is_sure, has_feed=is_sure, is_searched=is_sure))
    return record._replace(targets={**record.targets, **added})


def with_day(record: Record, day: date) -> Record:
    """Return the record after a day got its page, which no target has yet, configured or not."""
    targets = {
        name: target._replace(lacks=target.lacks | {day}, is_listed=False, has_feed=False, failed_at=None)
        for name, target in record.targets.items()
    }
    return record._replace(targets=targets)


def without_unused_targets(record: Record, names: Collection[str]) -> Record:
    """Return the record without targets that are not configured and have lacked days for long."""
    targets = {
        name: target
        for name, target in record.targets.items()
        if name in names or len(target.lacks) <= MOST_UNKNOWN
    }
    return record._replace(targets=targets)


def newest_everywhere(
    record: Record, names: Iterable[str], is_kept: Callable[[date], bool], before: date | None
) -> date | None:
    """Return the newest day with a page that each of these targets has or will have; None: there is none.

    `is_kept` tells whether the files of a day can be brought. A target that refused a day is not expected to
    take it. With `before`, only earlier days count.
    """
    lacking: dict[date, bool] = {}  # whether all targets that lack the day may still get it
    for name in names:
        target = record.targets[name]
        lacking |= {day: lacking.get(day, True) and not target.failed_at for day in target.lacks}
    days = (day for day in reversed(record.pages) if before is None or day < before)
    return next((day for day in days if day not in lacking or (lacking[day] and is_kept(day))), None)


def next_day(
    target: Target, kept: Collection[date], tried: Collection[date], now: datetime, today: date | None
) -> date | None:
    """Return the day to bring to a target next: `today`, else the oldest; None where there is none to bring.

    `kept` are the days whose files are at hand, `tried` those that this run has tried there. After a day that
    the target refused, earlier days wait.
    """
    lacks = target.lacks.intersection(kept).difference(tried)
    if today in lacks:
        return today
    since = now - datetime.fromisoformat(target.failed_at) if target.failed_at else PATIENCE
    return None if timedelta(0) <= since < PATIENCE else min(lacks, default=None)


def day_part(day: date, today: date | None) -> str:
    """Return the name of the part of a delivery that brings a day."""
    return parts.ARCHIVE if day == today else parts.EARLIER


def page_path(market: str, day: date) -> str:
    """Return the path of a day's page."""
    return f"{market}/{wording.day_folder(day)}{PAGE_NAME}"


def make_pages(
    market: str,
    day: date,
    has: Collection[date],
    files: Mapping[str, bytes],
    files_of: Callable[[date], Mapping[str, bytes] | None],
    part: str,
) -> list[WebFile]:
    """Return the files that bring a day to a target that `has` others, as a part of a delivery.

    The days before and after it get their pages again, with a link to it, where they are kept: `files_of`
    returns the files of a day, or None.
    """
    order = sorted({*has, day})
    folder = f"{market}/{wording.day_folder(day)}"
    pages = [WebFile(folder + name, content, part) for name, content in files.items() if name != PAGE_NAME]
    pages.append(
        WebFile(page_path(market, day), fill_links(files[PAGE_NAME], market, *_beside(order, day)), part)
    )
    for other in filter(None, _beside(order, day)):
        again = files_of(other)
        if again:
            page = fill_links(again[PAGE_NAME], market, *_beside(order, other))
            pages.append(WebFile(page_path(market, other), page, parts.LINK, part))
    return pages


def fill_links(page: bytes, market: str, before: date | None, after: date | None) -> bytes:
    """Return a kept page with its links to the day before and after; without the latter, to the live map."""
    link = f"{TO_MARKET}{wording.day_folder(after)}" if after else TO_MARKET
    label = wording.format_day(after) if after else LIVE
    filled = fill_before(page, market, before).replace(NEXT_LINK.encode(), link.encode())
    return filled.replace(NEXT_LABEL.encode(), label.encode())


def fill_before(page: bytes, market: str, before: date | None) -> bytes:
    """Return a kept page with its link to the day before; None: without one."""
    if before is None:
        return page.replace(BEFORE.encode(), b"")
    link = f"../{TO_MARKET}{market}/{wording.day_folder(before)}"
    day = wording.format_day(before)
    way = f'<a rel="prev" href="{link}">\N{SINGLE LEFT-POINTING ANGLE QUOTATION MARK} {day}</a>'
    return page.replace(BEFORE.encode(), way.encode())


def with_outcome(
    target: Target, day: date | None, failed: Collection[str], now: datetime, today: date | None
) -> Target:
    """Return what a target has after a delivery of a day and the list of days; None: of the list alone.

    `failed` are the names of the parts that did not arrive.
    """
    has_list = parts.LIST not in failed
    if day is None:
        return target._replace(is_listed=has_list)
    if day_part(day, today) in failed:  # then the list was left out, and the one that is there is still right
        # A final that is completed later has the time of its drawing, which may be before another try.
        before = datetime.fromisoformat(target.failed_at) if target.failed_at else now
        return target._replace(failed_at=max(now, before).isoformat(timespec="seconds"))
    return target._replace(lacks=target.lacks - {day}, is_listed=has_list, failed_at=None)


class Gap(NamedTuple):
    """The archived days that a target lacks, the oldest first."""

    target: str
    pending: tuple[date, ...]  # whose files are kept: the next runs bring them
    missing: tuple[date, ...]  # whose files are not kept any more


def find_gaps(record: Record, names: Iterable[str], kept: Collection[date]) -> list[Gap]:
    """Return what these targets lack, as far as the record knows; `kept` days can be brought."""
    lacking = {name: sorted(record.targets[name].lacks) for name in names if name in record.targets}
    return [
        Gap(name, tuple(day for day in days if day in kept), tuple(day for day in days if day not in kept))
        for name, days in lacking.items()
        if days
    ]


def _beside(order: Sequence[date], day: date) -> tuple[date | None, date | None]:
    """Return the days before and after one in `order`; None where there is none."""
    place = bisect(order, day)
    return (order[place - 2] if place > 1 else None), (order[place] if place < len(order) else None)
