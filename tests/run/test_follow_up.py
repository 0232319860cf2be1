"""The feed through whole runs, and what `heatmap check` says of archive, feed and alerts."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from heatmap import cli
from heatmap.errors import PublishError
from heatmap.market.quotes import Quote
from heatmap.notify.alerts.options import AlertOptions
from heatmap.pages import feed
from heatmap.pages.archive import calendar_page, record
from heatmap.pages.archive.options import ArchiveOptions
from heatmap.run import one_run
from heatmap.state.memory import Memory, State
from heatmap.system import parts
from tests.doubles import MemoryPublisher, MemorySource, configuration, failure
from tests.pages.test_feed import ATOM, faults

OPEN = datetime.fromisoformat("2026-09-17T11:00:00+05:30")
FINAL = datetime.fromisoformat("2026-09-17T15:45:00+05:30")
FIVE, DAY = timedelta(minutes=5), timedelta(days=1)
FEED = "nse-fno/feed.xml"
URL = "https://www.example.org/heatmap/"
MOVERS = AlertOptions("movers", change_percent=5.0)


class Market:
    """A market and a target in memory, with a public address."""

    def __init__(self, tmp_path: Path, **changes: Any) -> None:
        self.source, self.target = MemorySource(is_open=None), MemoryPublisher()
        config = configuration(tmp_path, self.source, self.target)
        self.config = config._replace(**({"public_url": URL, "title": "A market"} | changes))

    def run(self, now: datetime, **changes: float) -> bool:
        """One run at which the stocks have changed by so many percent; whether it published the feed."""
        self.target.order.clear()
        if changes:
            self.source.quotes = tuple(Quote(symbol, change) for symbol, change in changes.items())
        report = one_run.run(self.config, now=now)
        assert not report.warnings
        return FEED in self.target.order

    @property
    def ids(self) -> list[str]:
        """The titles of the feed's entries, without their beginning; the feed is well formed."""
        content = self.target.pages[FEED]
        assert [] == faults(content)
        entries = ET.fromstring(content).findall(f"{ATOM}entry")
        return [(entry.findtext(f"{ATOM}id") or "").removeprefix("tag:www.example.org,") for entry in entries]


def test_each_final_is_announced(tmp_path: Path) -> None:
    """Once, with the list of days and the page it leads to; between finals the feed is left alone."""
    market = Market(tmp_path)

    assert [False, True, False] == [market.run(now) for now in (OPEN, FINAL, FINAL + FIVE)]
    assert market.run(FINAL + DAY)
    assert ["2026-09-18:heatmap/nse-fno/final", "2026-09-17:heatmap/nse-fno/final"] == market.ids
    assert market.target.order.index("nse-fno/2026/09/18/index.html") < market.target.order.index(FEED)


@pytest.mark.parametrize("changes", [{"public_url": None}, {"archive": ArchiveOptions(feed=False)}])
def test_no_feed(tmp_path: Path, changes: dict[str, Any]) -> None:
    """Without an address for its links, and where none is wanted: no file, and no page tells of one."""
    market = Market(tmp_path, alerts=(MOVERS,), **changes)

    assert not market.run(OPEN, A=9.0)
    assert not market.run(FINAL)
    assert not any(b"feed.xml" in content for content in market.target.pages.values())


def test_alerts_are_announced(tmp_path: Path) -> None:
    """With the tick that finds them, once; the session's ticks after it keep the feed up."""
    market = Market(tmp_path, alerts=(MOVERS,))

    assert not market.run(OPEN, A=1.0)
    assert market.run(OPEN + FIVE, A=5.0)
    assert ["2026-09-17:heatmap/nse-fno/alert/movers/20260917T110500"] == market.ids
    market.run(OPEN + 2 * FIVE, A=6.0)
    assert 1 == len(market.ids)
    market.run(OPEN + 3 * FIVE, A=6.0, B=-7.0)
    before = market.ids
    assert 2 == len(before)
    market.run(FINAL)
    assert ["2026-09-17:heatmap/nse-fno/final", *before] == market.ids
    assert not market.run(OPEN + DAY, A=1.0, B=0.0)
    market.run(FINAL + DAY)
    assert ["2026-09-18:heatmap/nse-fno/final", "2026-09-17:heatmap/nse-fno/final", *before] == market.ids


def test_an_alert_that_was_not_published_is_announced_by_the_next_run(tmp_path: Path) -> None:
    """No target took the feed: then nobody was told."""
    market = Market(tmp_path, alerts=(MOVERS,))
    market.target.error = failure(PublishError)
    market.run(OPEN, A=5.0)
    market.target.error = None

    assert market.run(OPEN + FIVE, A=5.0)
    assert ["2026-09-17:heatmap/nse-fno/alert/movers/20260917T110500"] == market.ids


def test_an_alert_that_is_for_a_web_hook_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The feed does not tell it."""
    monkeypatch.setenv("ALERT_URL", "http://127.0.0.1:9/")
    silent = AlertOptions("movers", change_percent=5.0, feed=False, url_env="ALERT_URL")
    market = Market(tmp_path, alerts=(silent,))

    assert not market.run(OPEN, A=5.0)


def test_without_an_archive_the_feed_has_alerts_alone(tmp_path: Path) -> None:
    """No entry leads to a page that is not there."""
    market = Market(tmp_path, alerts=(MOVERS,), archive=ArchiveOptions(enabled=False))

    market.run(OPEN, A=5.0)
    market.run(FINAL)
    assert ["2026-09-17:heatmap/nse-fno/alert/movers/20260917T110000"] == market.ids


DAY_PAGE, LIST = "nse-fno/2026/09/17/index.html", "nse-fno/archive.html"


def memory_of(market: Market) -> Memory:
    """The market's memory."""
    return State(market.config.state_directory)["nse-fno"]


def marks(market: Market) -> list[str]:
    """The parts of the session's final that are done."""
    return [part for part in parts.OF_FINAL if getattr(memory_of(market), f"{part}_date") == "2026-09-17"]


def test_a_fault_of_the_feed_costs_no_archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The day has its page, the list of days leads there, and the operator is told of the feed, once a day."""

    def broken(*_: object, **__: object) -> None:
        raise ValueError("Invalid IPv6 URL")

    market = Market(tmp_path)
    monkeypatch.setattr(feed, "render", broken)
    report = one_run.run(market.config, now=FINAL)

    assert (0, []) == (report.exit_code, report.errors)
    told = "nse-fno: the feed failed, though the page itself is out: a bug, please report it: ValueError("
    assert [True] == [warning.startswith(told) for warning in report.warnings]
    assert DAY_PAGE in market.target.pages
    assert b"2026/09/17/" in market.target.pages[LIST]
    assert ["bars", "archive", "alerts"] == marks(market)
    assert [] == one_run.run(market.config, now=FINAL + FIVE).warnings


def test_a_fault_of_the_archive_costs_no_feed_and_no_link(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A page that was drawn and not published is not recorded: no later list of days links to it."""

    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    market = Market(tmp_path, alerts=(MOVERS,))
    with monkeypatch.context() as patch:
        patch.setattr(calendar_page, "render", broken)
        assert 0 == one_run.run(market.config, now=FINAL).exit_code
    assert ["bars", "alerts"] == marks(market)  # a feed without the day is not done
    known = record.load(market.config.state_directory, "nse-fno", pytest.fail)
    assert known.targets["memory:"].lacks == {*known.days}
    assert DAY_PAGE not in market.target.pages


@pytest.mark.parametrize(
    ("lacks", "missing", "done"),
    [
        (("archive",), {DAY_PAGE, FEED}, ["bars", "alerts"]),
        (("feed",), {FEED}, ["bars", "archive", "alerts"]),
    ],
)
def test_what_a_target_lacks_is_not_done(
    tmp_path: Path, lacks: tuple[str, ...], missing: set[str], done: list[str]
) -> None:
    """The page decides the exit code; the rest is a warning, and is remembered with its advice."""
    market = Market(tmp_path)
    market.target.lacks = lacks
    report = one_run.run(market.config, now=FINAL)

    assert (0, []) == (report.exit_code, report.errors)
    assert all("memory:: something is in the way: remove it" in warning for warning in report.warnings)
    assert missing == {DAY_PAGE, LIST, FEED, "nse-fno/index.html"} - market.target.pages.keys()
    assert "2026-09-17" == memory_of(market).final_date
    assert done == marks(market)
    assert {*lacks, "feed"} == (memory_of(market).faults or {}).keys()


@pytest.mark.parametrize(
    ("tables", "said"),
    [
        ("", "  ok    archive: each session's final map is kept; no feed: its links need public_url\n"),
        ("[archive]\nenabled = false\nfeed = false\n", "  ok    archive: no map is kept; no feed: [archive] has feed = false\n"),
        (
            '[[alert]]\nname = "a"\nyear_high = true\n',
            "  WARN  alert a: is sent to nobody, because there is no feed: its links need public_url\n",
        ),
        (
            '[[alert]]\nname = "a"\nyear_high = true\nurl_env = "NOT_SET_HERE"\n',
            "  WARN  alert a: the environment variable NOT_SET_HERE, which url_env names, is not set",
        ),
        (
            '[[alert]]\nname = "a"\nyear_high = true\n[[alert]]\nname = "b"\nyear_low = true\nkind = "slack"\nurl_env = "X"\n',
            "  ok    alerts: a (feed), b (feed and slack)\n",
        ),
        (
            '[[alert]]\nname = "a"\nchange_percent = 9\nperiod = "10d"\n',
            "  WARN  alert a: finds nothing over 10d, unless the source gives it: under [history] add '10d' to its periods\n",
        ),
        (
            '[[alert]]\nname = "a"\nchange_percent = 9\nperiod = "ytd"\n[history]\nenabled = false\n',
            "  WARN  alert a: finds nothing over ytd, unless the source gives it: under [history] set its enabled = true\n",
        ),
    ],
)  # fmt: skip
def test_check(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tables: str,
    said: str,
) -> None:
    """It says what keeps anybody from being told, which fails no tick and so not the check."""
    monkeypatch.chdir(tmp_path)
    source = '[[market]]\nname = "nse-fno"\n[market.source]\ntype = "recording"\n'
    (tmp_path / "heatmap.toml").write_text(source + tables)

    assert 0 == cli.main(["check"])
    assert said in capsys.readouterr().out


def test_check_with_a_feed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where the pages' address is known."""
    monkeypatch.chdir(tmp_path)
    source = '[[market]]\nname = "nse-fno"\n[market.source]\ntype = "recording"\n'
    (tmp_path / "heatmap.toml").write_text(f'public_url = "{URL}"\n{source}')

    assert 0 == cli.main(["check"])
    assert "  ok    archive: each session's final map is kept; with a feed\n" in capsys.readouterr().out
