"""The archives record_of machines that share a history, also after one machine was alone for a while."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import pytest

from heatmap.errors import HistoryNonsense
from heatmap.history.store import Store
from heatmap.market.quotes import Breadth
from heatmap.pages.archive import day_files, record, sharing
from heatmap.pictures.context import ArchivedDay
from tests.history.conftest import Place, sqlite  # noqa: F401 -- a fixture
from tests.upgrades import make

THURSDAY, FRIDAY, MONDAY = date(2026, 9, 17), date(2026, 9, 18), date(2026, 9, 21)
TUESDAY = date(2026, 9, 22)
PAGE = "2026-09-17T15:45:00+05:30"


def pages_in_record(folder: Path) -> dict[date, str | None]:
    """The days in a machine's record, with their pages."""
    return {day: entry.page for day, entry in record.load(folder, "nse", pytest.fail).days.items()}


def record_of(*days: ArchivedDay, **targets: record.Target) -> record.Record:
    """A record record_of these days."""
    return record.Record({day.date: day for day in days}, targets)


def share(store: Store, folder: Path, *days: ArchivedDay) -> None:
    """A machine that published these days."""
    folder.mkdir(exist_ok=True)
    record.save(folder, "nse", record_of(*days))
    for day in days:
        day_files.save(folder, "nse", day.date, day_files.pack(files_of(day.date)))
    sharing.push_days(store, folder, "nse", pytest.fail)


def files_of(day: date) -> dict[str, bytes]:
    """A day's files."""
    return {"snapshot.csv": b"symbol\n", "index.html": f"page record_of {day}".encode()}


def test_days_of_this_machine_alone_stay(tmp_path: Path, sqlite: Place) -> None:  # noqa: F811 -- the fixture
    """A machine that was cut off published Friday by itself; then it gets Monday, and Friday's colour."""
    here = tmp_path / "here"
    with sqlite.open() as store:
        sharing.pull_record(store, here, "nse", pytest.fail)
        assert not here.exists()
        share(store, tmp_path / "there", ArchivedDay(THURSDAY, Breadth(1, 0, 0), PAGE))
        here.mkdir()
        record.save(here, "nse", record_of(ArchivedDay(FRIDAY, Breadth(0, 1, 0), PAGE)))
        sharing.pull_record(store, here, "nse", pytest.fail)
        assert {THURSDAY: PAGE, FRIDAY: PAGE} == pages_in_record(here)
        share(
            store,
            tmp_path / "there",
            ArchivedDay(FRIDAY, Breadth(0, 1, 0)),
            ArchivedDay(MONDAY, Breadth(0, 1, 0), PAGE),
        )
        sharing.pull_record(store, here, "nse", pytest.fail)
        sharing.pull_days(store, here, "nse")

    assert {THURSDAY: PAGE, FRIDAY: PAGE, MONDAY: PAGE} == pages_in_record(here)
    assert files_of(MONDAY) == day_files.load(here, "nse", MONDAY, pytest.fail)


def test_a_damaged_record_of_others_gives_a_warning(tmp_path: Path, sqlite: Place) -> None:  # noqa: F811 -- the fixture
    """This machine's own record is used."""
    record.save(tmp_path, "nse", record_of(ArchivedDay(FRIDAY, Breadth(0, 1, 0), PAGE)))
    warnings: list[str] = []
    with sqlite.open() as store:
        store.share_values("nse", {sharing.RECORD: b"[]"})
        sharing.pull_record(store, tmp_path, "nse", warnings.append)

    assert {FRIDAY: PAGE} == pages_in_record(tmp_path)
    assert ["the archive's record in the history is damaged: this machine uses its own record"] == warnings


def test_the_newest_days_come_whole_or_not_at_all(tmp_path: Path, sqlite: Place) -> None:  # noqa: F811 -- the fixture
    """The days of the machine that published last replace our own; a value with one wrong character does not."""
    here = tmp_path / "here"
    here.mkdir()
    day_files.save(here, "nse", FRIDAY, day_files.pack({"index.html": b"drawn here, published by nobody"}))
    with sqlite.open() as store:
        share(
            store,
            tmp_path / "there",
            *(ArchivedDay(day, Breadth(1, 0, 0), PAGE) for day in (THURSDAY, FRIDAY)),
        )
        note = store.shared_value("nse", sharing.DAYS) or b""
        store.share_values("nse", {sharing.DAYS: note[:-200] + b"A" + note[-199:]})
        with pytest.raises(HistoryNonsense, match="damaged: this machine uses its own days"):
            sharing.pull_days(store, here, "nse")
        assert [FRIDAY] == [*day_files.find(here, "nse")]
        store.share_values("nse", {sharing.DAYS: note})
        sharing.pull_days(store, here, "nse")

    for day in (THURSDAY, FRIDAY):
        assert files_of(day) == day_files.load(here, "nse", day, pytest.fail)


def test_a_page_of_a_machine_with_an_earlier_version(tmp_path: Path, sqlite: Place) -> None:  # noqa: F811 -- the fixture
    """It shares pages alone; an evidently whole page is saved if the day is missing here."""
    page = (make.UPGRADES / "0.2.0/state/archive-nse-fno-2026-09-17.html").read_text("utf-8")
    day_files.save(tmp_path, "nse", FRIDAY, day_files.pack(files_of(FRIDAY)))
    with sqlite.open() as store:
        for shared_page in (page[:-200], page):
            pages = {str(THURSDAY): shared_page, str(FRIDAY): page}
            store.share_values("nse", {sharing.PAGES: json.dumps(pages).encode()})
            if shared_page is not page:
                with pytest.raises(HistoryNonsense):
                    sharing.pull_days(store, tmp_path, "nse")
        sharing.pull_days(store, tmp_path, "nse")

    assert {"index.html": page.encode()} == day_files.load(tmp_path, "nse", THURSDAY, pytest.fail)
    assert files_of(FRIDAY) == day_files.load(tmp_path, "nse", FRIDAY, pytest.fail)


def test_all_machines_know_the_missing_days_of_a_target(tmp_path: Path, sqlite: Place) -> None:  # noqa: F811 -- the fixture
    """A machine that takes over knows the days to deliver, and has the files; days that it published alone are added."""
    there, here = tmp_path / "there", tmp_path / "here"
    lacks = record.Target(frozenset([THURSDAY]))
    days = [ArchivedDay(day, Breadth(1, 0, 0), PAGE) for day in (THURSDAY, FRIDAY, MONDAY)]
    here.mkdir()
    record.save(
        here, "nse", record_of(ArchivedDay(TUESDAY, Breadth(1, 0, 0), PAGE), a=record.Target(), b=lacks)
    )
    with sqlite.open() as store:
        share(store, there, *days)
        record.save(there, "nse", record_of(*days, a=lacks, c=record.Target()))
        sharing.push_days(store, there, "nse", pytest.fail)
        sharing.pull_record(store, here, "nse", pytest.fail)
        sharing.pull_days(store, here, "nse")

    merged = record.load(here, "nse", pytest.fail)
    assert [THURSDAY, FRIDAY, MONDAY, TUESDAY] == merged.pages
    unsure = record.Target(frozenset([TUESDAY]), is_listed=False)
    assert {"a": lacks, "b": lacks, "c": unsure} == merged.targets
    assert [THURSDAY, FRIDAY, MONDAY] == [*day_files.find(here, "nse")]
    assert files_of(THURSDAY) == day_files.load(here, "nse", THURSDAY, pytest.fail)


def test_a_list_that_is_known_to_be_missing_stays_missing(tmp_path: Path, sqlite: Place) -> None:  # noqa: F811 -- the fixture
    """A run was killed between the day and the list at one target, and the others did not get its record."""
    here, there = tmp_path / "here", tmp_path / "there"
    thursday, friday = (ArchivedDay(day, Breadth(1, 0, 0), PAGE) for day in (THURSDAY, FRIDAY))
    broken = record.Target(is_listed=False, has_feed=False)
    for folder in (here, there):
        folder.mkdir()
    record.save(there, "nse", record_of(thursday, a=record.Target(), b=record.Target()))
    record.save(here, "nse", record_of(thursday, friday, a=record.Target(), b=broken))
    with sqlite.open() as store:
        sharing.push_days(store, there, "nse", pytest.fail)
        sharing.pull_record(store, here, "nse", pytest.fail)

    assert {"a": record.Target(), "b": broken} == record.load(here, "nse", pytest.fail).targets
