"""What machines that share a history know of each other's archive, also after one was alone for a while."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from heatmap import documents
from heatmap.archive import record, shared
from heatmap.history.store import Store
from heatmap.model import Breadth, Day
from tests.history.conftest import Place, sqlite  # noqa: F401 -- a fixture

THURSDAY, FRIDAY, MONDAY = date(2026, 9, 17), date(2026, 9, 18), date(2026, 9, 21)
PAGE = "2026-09-17T15:45:00+05:30"


def known(folder: Path) -> dict[date, str | None]:
    """The days a machine knows of, with their pages."""
    return {day: found.page for day, found in record.load(folder, "nse", pytest.fail).items()}


def given(store: Store, folder: Path, *days: Day) -> None:
    """A machine that has published these."""
    folder.mkdir(exist_ok=True)
    record.save(folder, "nse", days)
    for day in days:
        documents.write(folder / f"archive-nse-{day.date}.html", f"page of {day.date}".encode())
    shared.give(store, folder, "nse")


def test_what_is_known_here_alone_stays(tmp_path: Path, sqlite: Place) -> None:  # noqa: F811
    """A machine that was cut off published Friday by itself; then it hears of Monday, and of Friday's colour."""
    here = tmp_path / "here"
    with sqlite.open() as store:
        shared.take_record(store, here, "nse", pytest.fail)
        assert not here.exists()
        given(store, tmp_path / "there", Day(THURSDAY, Breadth(1, 0, 0), PAGE))
        here.mkdir()
        record.save(here, "nse", [Day(FRIDAY, Breadth(0, 1, 0), PAGE)])
        shared.take_record(store, here, "nse", pytest.fail)
        assert {THURSDAY: PAGE, FRIDAY: PAGE} == known(here)
        given(store, tmp_path / "there", Day(FRIDAY, Breadth(0, 1, 0)), Day(MONDAY, Breadth(0, 1, 0), PAGE))
        shared.take_record(store, here, "nse", pytest.fail)
        shared.take_pages(store, here, "nse")

    assert {THURSDAY: PAGE, FRIDAY: PAGE, MONDAY: PAGE} == known(here)
    assert b"page of 2026-09-21" == shared.pages(here, "nse")["2026-09-21"].read_bytes()


def test_a_damaged_note_is_told(tmp_path: Path, sqlite: Place) -> None:  # noqa: F811
    """What this machine knows itself holds."""
    record.save(tmp_path, "nse", [Day(FRIDAY, Breadth(0, 1, 0), PAGE)])
    told: list[str] = []
    with sqlite.open() as store:
        store.keep_notes("nse", {shared.RECORD: b"[]"})
        shared.take_record(store, tmp_path, "nse", told.append)

    assert {FRIDAY: PAGE} == known(tmp_path)
    assert ["the archive's record in the history is damaged: this machine's own holds"] == told
