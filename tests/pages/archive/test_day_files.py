"""The saved files of the newest days: read whole, or set aside with a warning."""

from __future__ import annotations

import errno
import subprocess
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path

import pytest

from heatmap.market.quotes import Breadth
from heatmap.pages.archive import day_files, record
from heatmap.pictures.context import ArchivedDay
from heatmap.system import files
from tests.pages.archive.test_day_pages import FINAL, THURSDAY, Market
from tests.upgrades import make

FILES = {"snapshot.csv": b"symbol\nTCS\n" * 500, "index.html": b"<!DOCTYPE html>\n<p>17 Sep\n</html>\n"}
DAY, NEXT = date(2026, 9, 17), timedelta(days=1)
PAGE = f"{THURSDAY}index.html"
# Bad disks and full ones: what a file of so many bytes may have become.
DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "halved": lambda content: content[: len(content) // 2],
    "zeroed": lambda content: b"\0" * len(content),
    "empty": lambda _: b"",
    "a zeroed block": lambda content: content[:2000] + b"\0" * 512 + content[2512:],
    "without its last byte": lambda content: content[:-1],
    "with more at its end": lambda content: content + b"\n",
    "a bit": lambda content: content[:1000] + bytes([content[1000] ^ 4]) + content[1001:],
    "a bit of its checksum": lambda content: bytes([content[0] ^ 1]) + content[1:],
    "another file": lambda _: b"<!DOCTYPE html>\n<p>It works!</html>",
}


@pytest.mark.process
def test_saved_files_are_read_back(tmp_path: Path) -> None:
    """Every file comes back byte by byte; other programs can read it, too."""
    warnings: list[str] = []
    assert day_files.load(tmp_path, "nse", DAY, warnings.append) is None

    day_files.save(tmp_path, "nse", DAY, day_files.pack(FILES))

    assert (FILES, []) == (day_files.load(tmp_path, "nse", DAY, warnings.append), warnings)
    file = day_files.path(tmp_path, "nse", DAY)
    listed = subprocess.run(["python3", "-m", "zipfile", "-l", file], capture_output=True, check=True)
    assert b"snapshot.csv" in listed.stdout


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_day_replaces_no_page(tmp_path: Path, damage: str) -> None:
    """The good page at the target stays, the run succeeds and warns; the damaged file has another name."""
    market = Market(tmp_path)
    market.run(FINAL)
    good = market.target.pages[PAGE]
    file = day_files.path(market.state, "nse-fno", DAY)
    spoilt = DAMAGES[damage](file.read_bytes())
    file.write_bytes(spoilt)

    report = market.run(FINAL + NEXT)

    assert (good, 0, 1) == (market.target.pages[PAGE], report.exit_code, len(report.warnings))
    aside = "archive-nse-fno.damaged.zip"
    assert (
        f"{file} was damaged and set aside as {aside}: the published files of 2026-09-17"
        in report.warnings[0]
    )
    assert (spoilt, False) == ((market.state / aside).read_bytes(), file.exists())
    assert 'href="2026/09/17/"' in market.page("nse-fno/archive.html")
    assert [] == market.run(FINAL + 4 * NEXT).warnings


def test_any_bit_is_noticed() -> None:
    """Each byte is changed in turn, and each length is cut: only the original file is read."""
    content = day_files.pack({"index.html": b"<p>", "a.csv": b"1,2"})
    for number in range(len(content)):
        for spoilt in (
            content[:number],
            content[:number] + bytes([content[number] ^ 16]) + content[number + 1 :],
        ):
            with pytest.raises(ValueError, match="checksum"):
                day_files.unpack(spoilt)


@pytest.mark.parametrize(
    "name", ["../index.html", "/etc/passwd", "a/b.html", ".htaccess", "index.html\n", "X", "con:1"]
)
def test_names_that_no_day_has(name: str) -> None:
    """A file from another machine cannot leave the day's folder."""
    with pytest.raises(ValueError, match="not the files of a day"):
        day_files.unpack(day_files.pack({"index.html": b"", name: b""}))


def test_a_file_that_would_unpack_to_too_much_is_refused() -> None:
    """A few bytes can unpack to hundreds of MB."""
    packed = day_files.pack({"index.html": b" " * (day_files.MOST_UNPACKED_BYTES + 1)})
    assert len(packed) < 100_000
    with pytest.raises(ValueError, match="too large"):
        day_files.unpack(packed)


@pytest.mark.parametrize("damage", [None, "halved", "zeroed", "empty", "a zeroed block", "another file"])
def test_a_page_saved_by_an_earlier_version(tmp_path: Path, damage: str | None) -> None:
    """It has no checksum: its end and its markers show whether it is whole."""
    page = (make.UPGRADES / "0.2.0/state/archive-nse-fno-2026-09-17.html").read_bytes()
    file = tmp_path / "archive-nse-fno-2026-09-17.html"
    content = DAMAGES[damage](page) if damage else page
    file.write_bytes(content)
    warnings: list[str] = []

    loaded_files = day_files.load(tmp_path, "nse-fno", DAY, warnings.append)

    if damage:
        assert (None, 1, False) == (loaded_files, len(warnings), file.exists())
        assert content == (tmp_path / "archive-nse-fno.damaged.html").read_bytes()
    else:
        assert ({"index.html": page}, []) == (loaded_files, warnings)
    day_files.save(tmp_path, "nse-fno", DAY, day_files.pack(FILES))
    assert {DAY: day_files.path(tmp_path, "nse-fno", DAY)} == day_files.find(tmp_path, "nse-fno")
    assert not file.exists()


def test_old_days_are_deleted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The newest ten days stay, within 16 MiB, and the newest two at any size; other markets are separate."""
    days = [DAY + timedelta(days=number) for number in range(12)]
    for day in days:
        day_files.save(tmp_path, "nse", day, day_files.pack(FILES))
    day_files.save(tmp_path, "nse-fno", DAY, b"x")

    day_files.remove_old(tmp_path, "nse")
    assert days[2:] == [*day_files.find(tmp_path, "nse")]
    monkeypatch.setattr(day_files, "MOST_BYTES", 3 * day_files.path(tmp_path, "nse", days[-1]).stat().st_size)
    day_files.remove_old(tmp_path, "nse")
    assert days[-3:] == [*day_files.find(tmp_path, "nse")]
    monkeypatch.setattr(day_files, "MOST_BYTES", 1)
    day_files.remove_old(tmp_path, "nse")
    assert (days[-2:], [DAY]) == ([*day_files.find(tmp_path, "nse")], [*day_files.find(tmp_path, "nse-fno")])


def test_a_full_disk_costs_the_oldest_days(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The newest two days stay; if not even a third has room, there is a warning and the two are whole."""
    days = [DAY + timedelta(days=number) for number in range(5)]
    for day in days[:4]:
        day_files.save(tmp_path, "nse", day, day_files.pack(FILES))
    write = files.write

    def small(path: Path, content: bytes) -> None:
        if len([*tmp_path.iterdir()]) > room:
            raise OSError(errno.ENOSPC, "No space left on device")
        write(path, content)

    monkeypatch.setattr(files, "write", small)
    room = 2
    day_files.save(tmp_path, "nse", days[4], day_files.pack(FILES))
    assert days[2:] == [*day_files.find(tmp_path, "nse")]
    room = 0
    with pytest.raises(OSError, match="No space left"):
        day_files.save(tmp_path, "nse", days[4] + NEXT, b"x")
    assert {2} == {len(day_files.load(tmp_path, "nse", day, pytest.fail) or ()) for day in days[-1:]}


def test_a_bit_of_the_record(tmp_path: Path) -> None:
    """A slightly wrong breadth or time is valid JSON; the checksum detects it."""
    day = ArchivedDay(DAY, Breadth(123, 45, 6), "2026-09-17T15:45:00+05:30", ("A", 1.5))
    record.save(tmp_path, "nse", record.Record({DAY: day}))
    content = record.path(tmp_path, "nse").read_bytes()
    for good, bad in ((b"123", b"122"), (b"15:45", b"15:44"), (b"1.5", b"1.4"), (b'"A"', b'"B"')):
        warnings: list[str] = []
        record.path(tmp_path, "nse").write_bytes(content.replace(good, bad))
        assert record.Record() == record.load(tmp_path, "nse", warnings.append)
        assert "was damaged and set aside as archive-nse.damaged" in warnings[0]
        with pytest.raises(ValueError, match=r"\d"):
            record.parse(content.replace(good, bad))
