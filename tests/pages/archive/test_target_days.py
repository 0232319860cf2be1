"""The days that a target has and gets: arithmetic of days, without a target."""

from __future__ import annotations

from datetime import date, datetime, timedelta

from heatmap.market.quotes import Breadth
from heatmap.pages.archive import target_days
from heatmap.pages.archive.record import Record, Target
from heatmap.pages.page import BEFORE, NEXT_LABEL, NEXT_LINK
from heatmap.pictures.context import ArchivedDay
from heatmap.system import parts

NOW = datetime.fromisoformat("2026-09-21T10:02:00+05:30")
THURSDAY, FRIDAY, MONDAY = date(2026, 9, 17), date(2026, 9, 18), date(2026, 9, 21)
DAYS = {day: ArchivedDay(day, Breadth(1, 0, 0), NOW.isoformat()) for day in (THURSDAY, FRIDAY, MONDAY)}
PAGE = f'<span>{BEFORE}</span><a href="{NEXT_LINK}">{NEXT_LABEL} ›</a>'.encode()


def lacking(*days: date, **more: object) -> Target:
    return Target(frozenset(days))._replace(**more)  # type: ignore[arg-type]


def test_targets_that_are_not_in_the_record() -> None:
    """In a record without targets, each has all days except doubtful ones. In a record with targets, a new one has nothing."""
    before = Record(DAYS)
    assert {"a": Target(), "b": Target()} == target_days.with_targets(before, ["a", "b"]).targets
    unsure = lacking(MONDAY, is_listed=False, has_feed=False, is_searched=False)
    assert {"a": unsure} == target_days.with_targets(before, ["a"], [MONDAY]).targets
    old_record = Record(DAYS, {"a": Target()})
    added = target_days.with_targets(old_record, ["a", "b"]).targets
    assert {"a": Target(), "b": lacking(*DAYS, is_listed=False, has_feed=False, is_searched=False)} == added
    assert old_record is target_days.with_targets(old_record, ["a"])


def test_a_new_day_is_nowhere_yet() -> None:
    """Not even at targets that are not configured now; those are deleted in the end."""
    old_record = Record(DAYS, {"a": Target(), "b": lacking(THURSDAY, failed_at=NOW.isoformat())})
    changed = target_days.with_day(old_record, MONDAY).targets
    assert lacking(MONDAY, is_listed=False, has_feed=False) == changed["a"]
    assert lacking(THURSDAY, MONDAY, is_listed=False, has_feed=False) == changed["b"]

    many = Record(DAYS, dict.fromkeys("ab", lacking(*(MONDAY + timedelta(n) for n in range(61)))))
    assert ["a"] == [*target_days.without_unused_targets(many, ["a"]).targets]


def test_the_newest_day_that_a_page_leads_to() -> None:
    """No page links to a day that one target lacks and cannot get."""
    old_record = Record(DAYS, {"a": Target(), "b": lacking(FRIDAY, MONDAY)})
    newest = target_days.newest_everywhere

    def never(_: date) -> bool:
        return False

    assert MONDAY == newest(old_record, ["a"], never, None)
    assert FRIDAY == newest(old_record, ["a"], never, MONDAY)
    assert THURSDAY == newest(old_record, ["a", "b"], never, None)
    assert FRIDAY == newest(old_record, ["a", "b"], lambda day: day == FRIDAY, None)
    assert None is newest(old_record, ["a", "b"], never, THURSDAY)
    refused = Record(DAYS, {"a": lacking(FRIDAY), "b": lacking(MONDAY, failed_at=NOW.isoformat())})
    assert FRIDAY == newest(refused, ["a", "b"], lambda _: True, None)


def test_the_next_day_of_a_target() -> None:
    """Today's is first, then the oldest; after a refusal earlier days wait for an hour, today's does not."""
    every = {THURSDAY, FRIDAY, MONDAY}
    entry = lacking(*every)
    assert MONDAY == target_days.next_day(entry, every, (), NOW, MONDAY)
    assert THURSDAY == target_days.next_day(entry, every, (MONDAY,), NOW, MONDAY)
    assert FRIDAY == target_days.next_day(entry, {FRIDAY}, (), NOW, None)
    assert None is target_days.next_day(entry, (), (), NOW, MONDAY)
    refused = entry._replace(failed_at=(NOW - timedelta(minutes=59)).isoformat())
    assert None is target_days.next_day(refused, every, (), NOW, None)
    assert MONDAY == target_days.next_day(refused, every, (), NOW, MONDAY)
    assert THURSDAY == target_days.next_day(refused, every, (), NOW + timedelta(minutes=1), None)
    ahead = entry._replace(
        failed_at=(NOW + timedelta(days=900)).isoformat()
    )  # noted by a clock that was wrong
    assert THURSDAY == target_days.next_day(ahead, every, (), NOW, None)


def test_a_day_between_two_others() -> None:
    """Parts are before the page; both neighbours link to it and it links to them, if they exist and are saved."""
    files = {"index.html": PAGE, "snapshot.csv": b"x"}
    pages = target_days.make_pages(
        "nse", FRIDAY, {THURSDAY, MONDAY}, files, lambda day: files if day == MONDAY else None, parts.EARLIER
    )

    contents = {page.path: page for page in pages}
    assert ["nse/2026/09/18/snapshot.csv", "nse/2026/09/18/index.html", "nse/2026/09/21/index.html"] == [
        *contents
    ]
    assert [("earlier day", ""), ("earlier day", ""), (parts.LINK, "earlier day")] == [
        (p.part, p.needs) for p in pages
    ]
    assert (
        '<span><a rel="prev" href="../../../../nse/2026/09/17/">‹ 17 Sep 2026</a></span>'
        '<a href="../../../2026/09/21/">21 Sep 2026 ›</a>'
    ).encode() == contents["nse/2026/09/18/index.html"].content
    assert (
        '<span><a rel="prev" href="../../../../nse/2026/09/18/">‹ 18 Sep 2026</a></span><a href="../../../">Live map ›</a>'
    ).encode() == contents["nse/2026/09/21/index.html"].content


def test_a_target_after_a_delivery() -> None:
    """The day and the list; the day alone; neither: then its list is as right as before."""
    entry = lacking(FRIDAY, failed_at=NOW.isoformat())
    after = target_days.with_outcome
    assert Target() == after(entry, FRIDAY, (), NOW, None)
    assert Target(is_listed=False) == after(entry, FRIDAY, {parts.LIST}, NOW, None)
    later = NOW + timedelta(hours=1)
    assert entry._replace(failed_at=later.isoformat()) == after(
        entry, FRIDAY, {parts.EARLIER, parts.LIST}, later, None
    )
    assert Target() == after(
        entry, FRIDAY, {parts.EARLIER}, NOW, FRIDAY
    )  # another part failed, this day's did not
    assert not after(entry, FRIDAY, {parts.ARCHIVE}, NOW, FRIDAY).lacks.isdisjoint({FRIDAY})
    assert entry._replace(is_listed=False) == after(entry, None, {parts.LIST}, NOW, None)


def test_gaps() -> None:
    """Days that are still to come, and days that are no longer saved, of the configured targets alone."""
    old_record = Record(DAYS, {"a": Target(), "b": lacking(*DAYS), "c": lacking(FRIDAY)})
    (gap,) = target_days.find_gaps(old_record, ["a", "b", "new"], {MONDAY})
    assert ("b", (MONDAY,), (THURSDAY, FRIDAY)) == tuple(gap)
