"""Archived days that a target could not get at their final: they come later, whole, and no page leads to nothing."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Iterator
from datetime import date, timedelta
from functools import cache
from pathlib import Path, PurePosixPath
from posixpath import normpath
from typing import Any

import pytest

from heatmap.config import loader
from heatmap.errors import PublishError
from heatmap.history.options import HistoryOptions
from heatmap.pages.archive import day_files, record
from heatmap.run.archive_delivery import Archives
from heatmap.state.report import Report
from heatmap.system import files
from tests.doubles import MemoryPublisher, failure
from tests.pages.archive.test_day_pages import DAY, FINAL, FRIDAY, LIST, MONDAY, OPEN, THURSDAY, Market

TICK = timedelta(minutes=5)
LINK = re.compile(r'(?:href|src)=["\']?([^"\'> ]+)')
FILE = re.compile(r"[\w./-]+")
REFUSALS = ("archive", "earlier day", "list of days")


@cache
def links_to_files(content: bytes) -> tuple[str, ...]:
    """Links of a page that may lead to files of its own site."""
    links = LINK.findall(content.decode())
    return tuple(link for link in links if FILE.fullmatch(link) and not link.startswith("//"))


def dead_links(pages: dict[str, bytes]) -> set[tuple[str, str]]:
    """Links of a site's pages to files of its own that are not there: from where to where."""
    found = set()
    for path, content in pages.items():
        for link in links_to_files(content) if path.endswith(".html") else ():
            to = normpath(str(PurePosixPath(path).parent / link)) + ("/" if link.endswith("/") else "")
            to = "index.html" if to == "./" else to + ("index.html" if to.endswith("/") else "")
            if to not in pages:
                found.add((path, to))
    return found


def folder(target: MemoryPublisher, day: str) -> dict[str, bytes]:
    """The files of a day's folder."""
    return {path.removeprefix(day): content for path, content in target.pages.items() if path.startswith(day)}


def assert_sound(*targets: MemoryPublisher) -> None:
    """No page of a target that can be reached leads to a file that it lacks."""
    for target in targets:
        assert set() == dead_links(target.pages), target.name


@pytest.fixture
def down() -> PublishError:
    """The error of a target that cannot be reached."""
    error = failure(PublishError)
    assert isinstance(error, PublishError)
    return error


def evening(market: Market, days: int = 0) -> list[Report]:
    """The runs of an evening, from the settled close on."""
    return [market.run(FINAL + timedelta(days=days, minutes=minutes)) for minutes in (0, 5, 480)]


def test_a_target_that_was_down_from_the_close_to_midnight(tmp_path: Path, down: PublishError) -> None:
    """It gets the day's whole folder with the next session's first tick, as the other target has it."""
    good, bad = MemoryPublisher("good:"), MemoryPublisher("bad:")
    market = Market(tmp_path, good, bad, history=HistoryOptions())
    for minutes in range(0, 60, 5):
        market.run(OPEN + timedelta(minutes=minutes))
    bad.error = down
    assert [75] * 3 == [report.exit_code for report in evening(market)]
    assert {} == folder(bad, THURSDAY)
    bad.error = None

    assert [0, 0] == [market.run(OPEN + DAY + n * TICK).exit_code for n in range(2)]

    there = folder(good, THURSDAY)
    assert {
        "snapshot.csv",
        "snapshot.json",
        "heatmap.svg",
        "history.json",
        "replay.json",
        "later.js",
    } < there.keys()
    assert there == folder(bad, THURSDAY)
    assert 'href="2026/09/17/"' in bad.pages[LIST].decode()
    assert_sound(good, bad)
    evening(market, 1)
    assert b'href="../../../2026/09/18/"' in bad.pages[f"{THURSDAY}index.html"]
    assert folder(good, FRIDAY) == folder(bad, FRIDAY)
    assert_sound(good, bad)


def test_the_only_target_was_down(tmp_path: Path, down: PublishError) -> None:
    """Then nobody has the day until the next session."""
    market = Market(tmp_path)
    market.run(OPEN)
    market.target.error = down
    evening(market)
    market.target.error = None
    report = market.run(OPEN + DAY)

    assert (0, []) == (report.exit_code, report.warnings)
    assert {"snapshot.csv", "index.html"} < folder(market.target, THURSDAY).keys()
    assert {"‹ 17 Sep 2026", "All days"} == market.links("nse-fno/index.html").keys()
    assert_sound(market.target)


def test_a_weekend(tmp_path: Path, down: PublishError) -> None:
    """Down from Friday's close on: Monday's first tick brings Friday."""
    market = Market(tmp_path)
    evening(market)
    market.target.error = down
    evening(market, 1)
    market.run(OPEN + 2 * DAY)
    market.target.error = None
    market.run(OPEN + 4 * DAY)

    assert {"index.html", "snapshot.csv"} < folder(market.target, FRIDAY).keys()
    assert "../../../2026/09/18/" == market.links(f"{THURSDAY}index.html")["18 Sep 2026 ›"]
    assert_sound(market.target)


def test_three_days(tmp_path: Path, down: PublishError) -> None:
    """All of them come with one run, the oldest first, and lead to each other as if nothing had been."""
    good, bad = MemoryPublisher("good:"), MemoryPublisher("bad:")
    market = Market(tmp_path, good, bad)
    evening(market)
    bad.error = down
    for days in (1, 4, 5):
        market.run(OPEN + timedelta(days=days))
        evening(market, days)
    bad.error, before = None, len(bad.order)
    market.run(OPEN + 6 * DAY)

    brought = [path for path in bad.order[before:] if path.endswith("/index.html") and "/2026/" in path]
    new = [FRIDAY, MONDAY, "nse-fno/2026/09/22/"]
    assert [f"{day}index.html" for day in new] == [
        path for path in brought if path not in bad.order[:before]
    ][:1] + [path for path in dict.fromkeys(brought) if path[:-10] in new[1:]]
    for day in (THURSDAY, *new):
        assert folder(good, day) == folder(bad, day)
    assert good.pages[LIST] == bad.pages[LIST]
    assert_sound(good, bad)


def test_a_market_with_one_run_a_day(tmp_path: Path, down: PublishError) -> None:
    """It has no ticks between: the final of the day brings its own day first, then those before it."""
    market = Market(tmp_path)
    market.target.error = down
    for days in (0, 1, 4):
        market.run(FINAL + timedelta(days=days))
    market.target.error = None
    market.run(FINAL + 5 * DAY)

    for day in (THURSDAY, FRIDAY, MONDAY, "nse-fno/2026/09/22/"):
        assert "snapshot.csv" in folder(market.target, day)
    assert {"‹ 18 Sep 2026", "All days", "22 Sep 2026 ›"} == market.links(f"{MONDAY}index.html").keys()
    assert_sound(market.target)


def sessions(count: int) -> Iterator[int]:
    """The first sessions from 17 Sep 2026 on, in days from there; the market's holidays are left out."""
    holidays = {date(2026, 10, 2), date(2026, 10, 20)}
    days = (number for number in range(60) if (date(2026, 9, 17) + timedelta(number)).weekday() < 5)
    return (
        number
        for number, _ in zip(
            (d for d in days if date(2026, 9, 17) + timedelta(d) not in holidays), range(count)
        )
    )


def test_more_days_than_are_kept(
    tmp_path: Path, down: PublishError, capsys: pytest.CaptureFixture[str]
) -> None:
    """The newest ten come; to the others no page leads there, until somebody copies them."""
    good, bad = MemoryPublisher("good:"), MemoryPublisher("bad:")
    market = Market(tmp_path, good, bad)
    bad.error = down
    *days, last, after = sessions(14)
    for number in (*days, last):
        market.run(FINAL + timedelta(days=number))
    bad.error = None
    market.run(OPEN + timedelta(days=after))

    there = [path for path in bad.pages if re.fullmatch(r"nse-fno/2026/../../index.html", path)]
    assert 10 == len(there)
    assert (True, False) == tuple(b'href="2026/09/17/"' in target.pages[LIST] for target in (good, bad))
    assert_sound(good, bad)
    for path in [path for path in good.pages if re.match(r"nse-fno/\d{4}/", path) and path not in bad.pages]:
        bad.pages[path] = good.pages[path]  # as an operator copies folders
    market.run(FINAL + timedelta(days=after))
    market.run(OPEN + timedelta(days=after + 1))
    assert b'href="2026/09/17/"' in bad.pages[LIST]
    assert_sound(good, bad)


def test_a_target_added_later(tmp_path: Path) -> None:
    """It gets the newest ten days; its list leads to these alone."""
    first, second = MemoryPublisher("first:"), MemoryPublisher("second:")
    market = Market(tmp_path, first)
    *days, after = sessions(13)
    for number in days:
        market.run(FINAL + timedelta(days=number))
    market.config = market.config._replace(publishers=(first, second))
    assert 0 == market.run(OPEN + timedelta(days=after)).exit_code

    missing = {path for path in first.pages if path.endswith("/index.html")} - {*second.pages}
    assert {f"{THURSDAY}index.html", f"{FRIDAY}index.html"} == missing
    assert_sound(first, second)


def test_a_target_under_another_address(tmp_path: Path) -> None:
    """The same folder by another way: its days are found there, and its list leads to all of them again."""
    target = MemoryPublisher("ftp://host/")
    market = Market(tmp_path, target)
    *days, after = sessions(13)
    for number in days:
        market.run(FINAL + timedelta(days=number))
    before = target.pages[LIST]
    again = MemoryPublisher("sftp://host/", pages=dict(target.pages))
    market.config = market.config._replace(publishers=(again,))
    runs = [market.run(OPEN + timedelta(days=after) + n * TICK) for n in range(2)]

    assert [0, 0] == [report.exit_code for report in runs]
    assert before == again.pages[LIST]
    assert_sound(again)
    found = record.load(market.state, "nse-fno", pytest.fail).targets["sftp://host/"]
    assert (frozenset(), True, True) == (found.lacks, found.is_listed, found.is_searched)


def test_a_file_that_one_target_refuses(tmp_path: Path) -> None:
    """Its list does not lead to the day, the page goes out with 0, and the day comes once the way is free."""
    market = Market(tmp_path)
    target = loader.read({"publish": [{"url": "file:site"}]}, base=tmp_path).publishers
    market.config = market.config._replace(publishers=target)
    site = tmp_path / "site"
    market.run(OPEN)
    stone = site / f"{THURSDAY}snapshot.csv"
    stone.mkdir(parents=True)
    report = market.run(FINAL)

    def pages() -> dict[str, bytes]:
        return {str(path.relative_to(site)): path.read_bytes() for path in site.rglob("*") if path.is_file()}

    assert 0 == report.exit_code
    assert str(stone) in report.warnings[0]
    assert b"2026/09/17/" not in pages()[LIST]
    assert set() == dead_links(pages())
    market.run(OPEN + DAY)
    stone.rmdir()
    market.run(OPEN + DAY + TICK)
    assert b"2026/09/17/" not in pages()[LIST]  # it is tried again after an hour, not with each tick
    market.run(OPEN + DAY + timedelta(hours=1))
    assert stone.is_file()
    assert b'href="2026/09/17/"' in pages()[LIST]
    assert set() == dead_links(pages())


def test_a_run_that_is_killed_while_it_publishes(tmp_path: Path) -> None:
    """And no other comes until the next day: the day was kept before, so it comes then."""
    market = Market(tmp_path)

    def killed() -> None:
        raise KeyboardInterrupt

    market.run(OPEN)
    save_days = Archives.save_days
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Archives, "save_days", lambda self: (save_days(self), killed()))
        with pytest.raises(KeyboardInterrupt):
            market.run(FINAL)
    market.run(OPEN + DAY)

    assert {"snapshot.csv", "index.html"} < folder(market.target, THURSDAY).keys()
    assert 'href="2026/09/17/"' in market.page(LIST)


def test_a_kept_day_that_is_damaged(tmp_path: Path, down: PublishError) -> None:
    """It is told, the target does not get it, and no page there leads to it."""
    good, bad = MemoryPublisher("good:"), MemoryPublisher("bad:")
    market = Market(tmp_path, good, bad)
    evening(market)
    bad.error = down
    evening(market, 1)
    file = day_files.path(market.state, "nse-fno", date(2026, 9, 18))
    file.write_bytes(file.read_bytes()[:-100])
    bad.error = None
    report = market.run(OPEN + 4 * DAY)
    market.run(OPEN + 4 * DAY + TICK)

    assert 1 == sum("was damaged and set aside" in warning for warning in report.warnings)
    assert {} == folder(bad, FRIDAY)
    assert_sound(good, bad)
    evening(market, 4)
    before = [
        re.findall(rb'rel="prev" href="[./]*/nse-fno/([\d/]+)"', site.pages[f"{MONDAY}index.html"])
        for site in (good, bad)
    ]
    assert [[b"2026/09/18/"], [b"2026/09/17/"]] == before
    assert_sound(good, bad)


def test_a_state_directory_without_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, down: PublishError
) -> None:
    """Targets that can be reached have the day; the loss for the others is reported, and no page links there."""
    good, bad = MemoryPublisher("good:"), MemoryPublisher("bad:", error=down)
    market = Market(tmp_path, good, bad)
    write = files.write

    def small(path: str | Path, content: bytes, **options: Any) -> None:  # noqa: ANN401 -- of many kinds
        if Path(path).suffix == ".zip":
            raise OSError(28, "No space left on device")
        write(path, content, **options)

    monkeypatch.setattr(files, "write", small)
    reports = evening(market)
    monkeypatch.undo()
    bad.error = None
    market.run(OPEN + DAY)

    assert "its days cannot be kept (No space left on device), so that a target" in reports[0].warnings[0]
    assert (True, False) == tuple(bool(folder(target, THURSDAY)) for target in (good, bad))
    assert_sound(good, bad)


def test_the_pages_of_version_0_2(tmp_path: Path) -> None:
    """It kept a page alone: such a day is not brought without its files, and no page leads there."""
    first, second = MemoryPublisher("first:"), MemoryPublisher("second:")
    market = Market(tmp_path, first)
    market.run(FINAL)
    files = day_files.load(market.state, "nse-fno", date(2026, 9, 17), pytest.fail) or {}
    day_files.path(market.state, "nse-fno", date(2026, 9, 17)).unlink()
    (market.state / "archive-nse-fno-2026-09-17.html").write_bytes(
        files["index.html"].replace(b"\0before\0", b"")
    )
    market.config = market.config._replace(publishers=(first, second))
    market.run(OPEN + DAY)
    market.run(FINAL + DAY)

    assert {} == folder(second, THURSDAY)
    assert b'href="../../../2026/09/18/"' in first.pages[f"{THURSDAY}index.html"]
    assert_sound(first, second)


def test_a_final_of_version_0_2_that_not_every_target_has(tmp_path: Path) -> None:
    """It did not note which: the targets are asked, and the list of each leads to the day only if it is there."""
    first, second = MemoryPublisher("first:"), MemoryPublisher("second:")
    market = Market(tmp_path, first, second)
    market.run(FINAL)
    second.pages = {path: content for path, content in second.pages.items() if not path.startswith(THURSDAY)}
    zipped = day_files.path(market.state, "nse-fno", date(2026, 9, 17))
    page = (day_files.load(market.state, "nse-fno", date(2026, 9, 17), pytest.fail) or {})["index.html"]
    zipped.unlink()
    zipped.with_suffix(".html").write_bytes(page.replace(b"\0before\0", b""))
    file = record.path(market.state, "nse-fno")
    file.write_text(json.dumps({"version": 1, "days": json.loads(file.read_bytes())["days"]}))
    state = market.state / "state.json"
    state.write_text(
        re.sub(r'"(final|archive|feed|bars|alerts)_date": "[^"]*"', r'"\1_date": null', state.read_text())
    )
    for number in range(3):
        market.run(OPEN + DAY + number * TICK)

    assert (True, False) == tuple(b'href="2026/09/17/"' in target.pages[LIST] for target in (first, second))
    assert_sound(first, second)
    market.run(FINAL + DAY)
    assert b'href="../../../2026/09/18/"' in first.pages[f"{THURSDAY}index.html"]
    assert_sound(first, second)


@pytest.mark.slow
@pytest.mark.parametrize(("seed", "refusals"), [(0, ()), (1, ()), (2, REFUSALS), (3, REFUSALS)])
def test_whatever_happens(tmp_path: Path, seed: int, refusals: tuple[str, ...], down: PublishError) -> None:
    """Targets fail, come and go, kept days are damaged, parts are refused: all is well in the end.

    Where nothing is refused there is no dead link at any moment.
    """
    chance = random.Random(seed)
    targets = [MemoryPublisher(f"{name}:") for name in "abc"]
    market = Market(tmp_path, *targets, public_url="https://www.example.org/")
    *numbers, last = sessions(26)
    for number in numbers:
        there = chance.sample(targets, chance.choice((2, 3, 3)))
        market.config = market.config._replace(publishers=tuple(there))
        if chance.random() < 0.1:
            kept = sorted(market.state.glob("archive-nse-fno-*.zip"))
            for file in kept[-1:]:
                file.write_bytes(file.read_bytes()[: chance.randrange(2000)])
        for moment in (OPEN, OPEN + timedelta(hours=2), FINAL, FINAL + TICK):
            for target in targets:
                target.error = down if chance.random() < 0.3 else None
                target.lacks = tuple(part for part in refusals if chance.random() < 0.2)
            market.run(moment + timedelta(days=number))
            for target in there:
                if target.error is None and not refusals:
                    assert_sound(target)
    for target in targets:
        target.error, target.lacks = None, ()
    market.config = market.config._replace(publishers=tuple(targets))
    for hours in (0, 2):
        market.run(OPEN + timedelta(days=last, hours=hours))
    kept = day_files.find(market.state, "nse-fno")
    pages = {
        day for day, known in record.load(market.state, "nse-fno", pytest.fail).days.items() if known.page
    }
    assert 5 < len(pages & kept.keys())
    for target in targets:
        for day in pages & kept.keys():
            assert {"index.html", "snapshot.csv", "heatmap.svg"} <= folder(
                target, f"nse-fno/{day:%Y/%m/%d}/"
            ).keys()
        linked = {*re.findall(r'href="(2026/\d\d/\d\d)/"', target.pages[LIST].decode())}
        assert linked == {
            path[8:-11] for path in target.pages if re.match(r"nse-fno/2026/.*/index.html", path)
        }
    assert_sound(*targets)
