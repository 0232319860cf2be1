"""The archive in whole runs: each day once, with links between the days, after any fault in between."""

from __future__ import annotations

import json
import re
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from heatmap.config.loader import NamedSource
from heatmap.errors import PublishError
from heatmap.history.options import HistoryOptions
from heatmap.history.store import open_store
from heatmap.market.bars import Bar
from heatmap.market.calendar.packaged import SessionOptions
from heatmap.market.quotes import Breadth, Quote
from heatmap.pages.archive import breadths, record
from heatmap.pages.archive.options import ArchiveOptions
from heatmap.pictures.context import ArchivedDay
from heatmap.run import one_run
from heatmap.run.follow_up import FollowUp
from heatmap.state.report import PartOutcomes, Report
from tests.doubles import MemoryPublisher, MemorySource, configuration, failure
from tests.drawings import data_of
from tests.history import ex_dates

OPEN = datetime.fromisoformat("2026-09-17T11:00:00+05:30")
FINAL = datetime.fromisoformat("2026-09-17T15:45:00+05:30")  # a Thursday
DAY, WEEKEND = timedelta(days=1), timedelta(days=4)
THURSDAY, FRIDAY, MONDAY = "nse-fno/2026/09/17/", "nse-fno/2026/09/18/", "nse-fno/2026/09/21/"
LIST = "nse-fno/archive.html"


class Market:
    """A market and a target in memory, and its runs."""

    def __init__(self, tmp_path: Path, *targets: MemoryPublisher, **changes: Any) -> None:
        self.source = MemorySource(is_open=None)
        self.target = targets[0] if targets else MemoryPublisher()
        config = configuration(tmp_path, self.source, *(targets or (self.target,)))
        self.config = config._replace(**changes)
        self.state = tmp_path / "state"

    def run(self, now: datetime, **options: Any) -> Report:
        """One run; returns its report. What it published is in `published`."""
        self.target.order.clear()
        return one_run.run(self.config, now=now, **options)

    @property
    def published(self) -> list[str]:
        """The paths of the archive that the last run published."""
        return [path for path in self.target.order if re.match(r".*/\d{4}/|.*archive", path)]

    def page(self, path: str) -> str:
        """The page at an address now."""
        return self.target.pages[path].decode()

    def links(self, path: str) -> dict[str, str]:
        """The targets of a page's links to other days, by their texts."""
        navigation = re.search(r'<nav[^>]*aria-label="Days".*?</nav>', self.page(path), re.DOTALL)
        return (
            dict((text, link) for link, text in re.findall(r'href="([^"]*)">([^<]*)<', navigation[0]))
            if navigation
            else {}
        )


def test_the_final_stays_at_its_own_address(tmp_path: Path) -> None:
    """The page comes with the files it refers to, parts first, then the list; an open market adds nothing."""
    market = Market(tmp_path)

    market.run(OPEN)
    assert [] == market.published
    market.run(FINAL)

    parts = [
        path.removeprefix("nse-fno/")
        for path in market.target.order[: market.target.order.index("nse-fno/index.html")]
    ]
    assert {"snapshot.json", "snapshot.csv", "heatmap.svg"} <= {*parts}
    assert [*(THURSDAY + name for name in parts), f"{THURSDAY}index.html", LIST] == market.published
    for name in parts:
        assert market.target.pages[f"nse-fno/{name}"] == market.target.pages[THURSDAY + name]
    page = market.page(f"{THURSDAY}index.html")
    assert "<title>nse-fno, 17 Sep 2026</title>" in page
    assert "The map of 17 Sep 2026 after the close, as it was." in page
    assert '<a href="snapshot.csv" download>' in page


def test_it_is_the_whole_page(tmp_path: Path) -> None:
    """The same figures, rankings and script as the live page; it never asks for another page and is never old."""
    market = Market(tmp_path)
    market.run(FINAL)
    live, permanent = (market.page(path) for path in ("nse-fno/index.html", f"{THURSDAY}index.html"))

    def clock(page: str) -> dict[str, Any]:
        clock_data: dict[str, Any] = json.loads(re.search(r'id="heatmap-clock">(.*?)</script>', page)[1])  # type: ignore[index]
        return clock_data

    assert data_of(live) == data_of(permanent)
    assert re.findall(r"<script data-cfasync.*?</script>", live, re.DOTALL) == re.findall(
        r"<script data-cfasync.*?</script>", permanent, re.DOTALL
    )
    assert re.findall(r"<td .*?</td>", live) == re.findall(r"<td .*?</td>", permanent)
    assert "2027-01-01T00:00:00+05:30" == clock(live)["calendar_end"]
    never = {"next_open": None, "next_regular_open": None, "refresh_seconds": 10**9, "calendar_end": None}
    assert clock(live) | never == clock(permanent)
    assert "\0" not in live + permanent


def test_its_own_address(tmp_path: Path) -> None:
    """With a public_url: the preview image is the day's own, and a copied link leads to the day."""
    market = Market(tmp_path, public_url="https://www.example.org/heatmap/")
    market.run(FINAL)
    page = market.page(f"{THURSDAY}index.html")

    assert 'content="https://www.example.org/heatmap/nse-fno/2026/09/17/heatmap.svg"' in page
    assert data_of(page)["public_url"] is None
    assert 'type="application/atom+xml" href="../../../../nse-fno/feed.xml"' in page
    assert 'type="application/atom+xml" href="feed.xml"' in market.page("nse-fno/index.html")
    assert 'type="application/atom+xml" href="nse-fno/feed.xml"' in market.page("index.html")
    assert b"<feed" in market.target.pages["nse-fno/feed.xml"]


def test_from_day_to_day(tmp_path: Path) -> None:
    """The newest day links back and to the live map; the day before links to it; the live page links to the newest."""
    market = Market(tmp_path)
    market.run(FINAL)
    first = market.page(f"{THURSDAY}index.html")
    assert {"Live map ›": "../../../", "All days": "../../../../nse-fno/archive.html"} == market.links(
        f"{THURSDAY}index.html"
    )
    market.run(FINAL + DAY)
    assert f"{THURSDAY}index.html" in market.published
    market.run(FINAL + WEEKEND)

    assert {"‹ 17 Sep 2026", "All days", "21 Sep 2026 ›"} == set(market.links(f"{FRIDAY}index.html"))
    assert "../../../2026/09/21/" == market.links(f"{FRIDAY}index.html")["21 Sep 2026 ›"]
    assert "../../../../nse-fno/2026/09/17/" == market.links(f"{FRIDAY}index.html")["‹ 17 Sep 2026"]
    again = market.page(f"{THURSDAY}index.html")
    assert first.replace('"../../../"', '"../../../2026/09/18/"').replace("Live map", "18 Sep 2026") == again
    market.run(OPEN + WEEKEND + DAY)
    assert {"‹ 21 Sep 2026": "2026/09/21/", "All days": "archive.html"} == market.links("nse-fno/index.html")
    assert {"‹ 21 Sep 2026": MONDAY, "All days": LIST} == market.links("index.html")


def test_once_a_day(tmp_path: Path) -> None:
    """A later run of the same evening publishes no day again, not even a forced run."""
    market = Market(tmp_path)
    market.run(FINAL)
    before = dict(market.target.pages)

    market.run(FINAL + timedelta(minutes=30), force=True)

    assert [] == market.published
    assert before[f"{THURSDAY}index.html"] == market.target.pages[f"{THURSDAY}index.html"]
    assert before["nse-fno/index.html"] != market.target.pages["nse-fno/index.html"]


def test_until_every_target_has_it(tmp_path: Path) -> None:
    """A target that was down gets the day in a later run, and the day before gets its link to it."""
    good, bad = MemoryPublisher("good:"), MemoryPublisher("bad:")
    market = Market(tmp_path, good, bad)
    market.run(FINAL)
    bad.error = failure(PublishError)
    market.run(FINAL + DAY)
    assert f"{FRIDAY}index.html" not in bad.pages
    bad.error = None
    market.run(FINAL + DAY + timedelta(minutes=5))

    assert f"{FRIDAY}index.html" in bad.pages
    assert b"18 Sep 2026" in bad.pages[f"{THURSDAY}index.html"]
    assert [date(2026, 9, 17), date(2026, 9, 18)] == sorted(days_of(market))


def days_of(market: Market) -> dict[date, ArchivedDay]:
    """The days in the record."""
    return {**record.load(market.state, "nse-fno", pytest.fail).days}


def test_a_day_that_was_missed_is_left_out(tmp_path: Path) -> None:
    """No final ran on Friday: it has no page, and Thursday links to Monday."""
    market = Market(tmp_path)
    market.run(FINAL)
    market.run(OPEN + DAY)
    market.run(FINAL + WEEKEND)

    assert "../../../2026/09/21/" == market.links(f"{THURSDAY}index.html")["21 Sep 2026 ›"]
    assert f"{FRIDAY}index.html" not in market.target.pages
    assert re.search(r"<td>18</td>", market.page(LIST))


@pytest.mark.parametrize("changes", [{"archive": ArchiveOptions(enabled=False)}, {}])
def test_what_is_not_archived(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any]
) -> None:
    """If the archive is off, and for a recording: there are no files, no record, no link."""
    market = Market(tmp_path, **changes)
    if not changes:
        from dataclasses import replace

        fetch = MemorySource.fetch
        monkeypatch.setattr(
            MemorySource, "fetch", lambda self, *, now, folder: replace(fetch(self, now=now), recording=True)
        )
    market.run(FINAL)

    assert [] == market.published
    assert not record.path(market.state, "nse-fno").exists()
    assert {} == market.links("nse-fno/index.html")


def test_a_market_without_sessions_has_no_days(tmp_path: Path) -> None:
    """It never closes, so no price is final."""
    source, target = MemorySource(), MemoryPublisher()
    config = configuration(tmp_path, source, target, session=SessionOptions(calendar="always"))

    assert 0 == one_run.run(config, now=FINAL).exit_code
    assert LIST not in target.pages


def test_every_file_of_the_folder_but_fragments(tmp_path: Path) -> None:
    """Other sites include fragments for the newest map; files of another market are not in the day's folder."""
    from dataclasses import replace

    market = Market(tmp_path)
    look = replace(market.config.page, fragments=("rs-sectors",))
    other = MemorySource(is_open=None)
    markets = (
        *market.config.markets,
        market.config.markets[0]._replace(name="other", sources=(NamedSource("memory", "memory", other),)),
    )
    market.config = market.config._replace(page=look, markets=markets)
    market.run(FINAL)

    folder = {path.removeprefix(THURSDAY) for path in market.target.pages if path.startswith(THURSDAY)}
    assert {"snapshot.json", "snapshot.csv", "heatmap.svg", "index.html"} == folder
    assert "other/2026/09/17/index.html" in market.target.pages
    assert 'href="../../../../other/"' in market.page(f"{THURSDAY}index.html")


@pytest.mark.parametrize("content", [b"", b"[]", b'{"days": {"2026-09-17": [[1, 2]]}}', b'{"days": {"x": [[1, 2, 3]]}}', b'{"days": {"2026-09-17": [[1, 2, 3], "noon"]}}', b"\xff"])  # fmt: skip
def test_a_damaged_record(tmp_path: Path, content: bytes) -> None:
    """It is set aside with a warning; the page is published nevertheless, and the list starts again."""
    market = Market(tmp_path)
    market.state.mkdir()
    record.path(market.state, "nse-fno").write_bytes(content)

    report = market.run(FINAL)

    assert (0, 1) == (report.exit_code, len(report.warnings))
    assert "was damaged and set aside as archive-nse-fno.damaged.json" in report.warnings[0]
    assert content == (market.state / "archive-nse-fno.damaged.json").read_bytes()
    assert 'href="2026/09/17/"' in market.page(LIST)


def test_a_record_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The run succeeds, and tells the operator what will be missing."""

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    market = Market(tmp_path)
    monkeypatch.setattr(record, "save", full)
    report = market.run(FINAL)

    assert (0, 1) == (report.exit_code, len(report.warnings))
    assert "its days cannot be kept (No space left on device)" in report.warnings[0]
    assert f"{THURSDAY}index.html" in market.target.pages


def test_a_bug_in_the_archive_costs_no_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The live page is published; the operator gets a message."""
    from heatmap.pages.archive import calendar_page

    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    market = Market(tmp_path)
    monkeypatch.setattr(calendar_page, "render", broken)
    report = market.run(FINAL)

    assert (0, []) == (report.exit_code, market.published)
    assert "the archive's map of the day failed, though the page itself is out: a bug" in report.warnings[0]
    monkeypatch.undo()
    market.run(OPEN + DAY)
    assert {f"{THURSDAY}index.html", LIST} <= {*market.published}


def test_the_record_comes_back_as_it_was(tmp_path: Path) -> None:
    """With all fields of a day without a page, and of one with a page."""
    days = [
        ArchivedDay(date(2026, 9, 16), Breadth(1, 2, 3)),
        ArchivedDay(date(2026, 9, 17), Breadth(4, 5, 6), FINAL.isoformat(), ("M&M", 5.25), ("TCS", -4.0)),
    ]

    targets = {
        "ftp://host/a": record.Target(
            frozenset([date(2026, 9, 17)]), is_listed=False, failed_at=FINAL.isoformat()
        ),
        "file:b": record.Target(is_searched=False),
    }
    saved = record.Record({day.date: day for day in days}, targets)

    record.save(tmp_path, "nse-fno", saved)

    assert saved == record.load(tmp_path, "nse-fno", pytest.fail)


def test_days_that_only_the_history_has(tmp_path: Path) -> None:
    """Their colours follow from the closes of the market's own stocks; they have no link; they stay when the history goes."""
    market = Market(tmp_path)
    market.state.mkdir()
    with open_store(HistoryOptions(), market.state, pytest.fail) as store:
        store.add_bars("nse-fno", [
            bar("UP", date(2026, 9, 15), 11, 10), bar("DOWN", date(2026, 9, 15), 9, 10), bar("OTHER", date(2026, 9, 15), 9, 10),
            bar("UP", date(2026, 9, 16), 12, 11), bar("DOWN", date(2026, 9, 16), 9.5, 9), bar("OTHER", date(2026, 9, 16), 8, 9),
            bar("UP", date(2026, 9, 14), 10, None),
        ])  # fmt: skip
    market.run(FINAL)

    days = days_of(market)
    assert {Breadth(1, 1, 0), Breadth(2, 0, 0)} == {days[date(2026, 9, day)].breadth for day in (15, 16)}
    assert date(2026, 9, 14) not in days
    page = market.page(LIST)
    assert '<td class="s8" title="1 up, 1 down, 0 flat">15 <small>0</small></td>' in page
    assert '<td class="s0" title="2 up, 0 down, 0 flat">16 <small>+100</small></td>' in page
    for file in market.state.glob("history.sqlite*"):
        file.unlink()
    market.run(FINAL + DAY)
    assert "+100" in market.page(LIST)


def bar(symbol: str, day: date, close: float, previous: float | None) -> Bar:
    return Bar(symbol, day, close, close, close, close, previous, 1.0, 1.0)


def test_a_history_that_fails_costs_colours_alone(tmp_path: Path) -> None:
    """A store that cannot be opened: the day is archived nevertheless."""
    market = Market(tmp_path)
    (market.state / "history.sqlite").mkdir(parents=True)

    assert 0 == market.run(FINAL).exit_code
    assert f"{THURSDAY}index.html" in market.target.pages


def test_the_strongest_and_the_weakest(tmp_path: Path) -> None:
    """Of all stocks that day; ties by symbol."""
    market = Market(tmp_path)
    market.source.quotes = (
        Quote("C", 5.0),
        Quote("A", 5.0),
        Quote("B", -5.0),
        Quote("D", -5.0),
        Quote("E", 0.0),
    )
    market.run(FINAL)

    day = days_of(market)[date(2026, 9, 17)]
    assert (Breadth(2, 2, 1), ("A", 5.0), ("D", -5.0)) == (day.breadth, day.strongest, day.weakest)


def test_stocks_whose_percent_change_is_unknown(tmp_path: Path) -> None:
    """They are neither the strongest nor the weakest, count for no side, and are on the day's own map."""
    market = Market(tmp_path)
    market.source.quotes = (Quote("A", 5.0), Quote("B", None, doubts={"1d": "A split."}), Quote("C", -5.0))
    market.run(FINAL)

    day = days_of(market)[date(2026, 9, 17)]
    assert (Breadth(1, 1, 0), ("A", 5.0), ("C", -5.0)) == (day.breadth, day.strongest, day.weakest)
    page = market.target.pages[f"{THURSDAY}index.html"].decode()
    assert 'data-symbol="B" data-percent-change="" class="unknown"' in page


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_run_that_dies_before_it_is_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    """Before or after the archive's record is saved: the next run does the missing steps, and nothing is lost."""
    market = Market(tmp_path)
    market.run(FINAL)
    record_published = FollowUp.record_published

    def dies(self: FollowUp, earlier: PartOutcomes, *, is_page_out: bool) -> None:
        if when == "after":
            record_published(self, earlier, is_page_out=is_page_out)
        raise KeyboardInterrupt

    monkeypatch.setattr(FollowUp, "record_published", dies)
    with pytest.raises(KeyboardInterrupt):
        market.run(FINAL + DAY)
    monkeypatch.setattr(FollowUp, "record_published", record_published)
    market.run(FINAL + DAY + timedelta(minutes=5))

    assert [date(2026, 9, 17), date(2026, 9, 18)] == sorted(days_of(market))
    again = {f"{THURSDAY}index.html", f"{FRIDAY}index.html", LIST}
    assert again & {*market.published} == (again if when == "before" else set())
    assert {"‹ 17 Sep 2026", "All days", "Live map ›"} == set(market.links(f"{FRIDAY}index.html"))
    assert {"All days", "18 Sep 2026 ›"} == set(market.links(f"{THURSDAY}index.html"))


def test_only_what_is_needed_stays_on_the_disk(tmp_path: Path) -> None:
    """The newest ten days and the record, after any number of days."""
    market = Market(tmp_path)
    runs = [market.run(FINAL + timedelta(days=days)) for days in range(20)]
    days = sorted(days_of(market))

    assert {0} == {report.exit_code for report in runs}
    assert [*(f"archive-nse-fno-{day}.zip" for day in days[-10:]), "archive-nse-fno.json"] == sorted(
        path.name for path in market.state.glob("archive-*")
    )


def test_breadths_of_earlier_sessions_count_no_split_as_a_fall() -> None:
    """JLHL rose on the day of its split, NARMADA's change is unknown; 100.004 after 100 shows as 0.00: flat."""
    day = date(2026, 7, 24)
    bars = [
        ex_dates.JLHL[1],
        ex_dates.NARMADA[1]._replace(date=day),
        Bar("FLAT", day, 100.0, 101.0, 99.0, 100.004, 100.0, 1.0, 1.0),
        Bar("NEW", day, 100.0, 101.0, 99.0, 100.0, None, 1.0, 1.0),
    ]

    assert {day: ArchivedDay(day, Breadth(1, 0, 1))} == breadths.read_breadths(bars, {day})
