"""Parts of a final that failed get another try: later that evening, or in the next session's first run."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Iterator
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from heatmap.errors import PublishError, SourceError
from heatmap.history.options import HistoryOptions
from heatmap.history.store import open_store
from heatmap.market.quotes import Quote
from heatmap.notify.alerts import webhooks
from heatmap.notify.alerts.options import AlertOptions
from heatmap.pages.archive import calendar_page
from heatmap.publishers.folder import FolderPublisher
from heatmap.run import final_figures, final_parts, history_session, one_run
from heatmap.state.memory import Memory, State
from heatmap.state.report import Report
from tests.doubles import MemoryPublisher, MemorySource, configuration, failure
from tests.history.conftest import Place, postgres, postgresql  # noqa: F401 -- fixtures
from tests.servers.hooks import Hooks

FINAL = datetime.fromisoformat("2026-09-17T15:45:00+05:30")  # a Thursday
FIVE = timedelta(minutes=5)
OPEN, SESSION = FINAL - timedelta(hours=4, minutes=45), date(2026, 9, 17)
MORNING = datetime.fromisoformat("2026-09-18T09:17:00+05:30")
DAY, LIST, FEED = "nse-fno/2026/09/17/", "nse-fno/archive.html", "nse-fno/feed.xml"
QUOTES = (
    Quote("UP", 6.0, last_price=106.0, previous_close=100.0, open=101.0, high=107.0, low=100.5),
    Quote("DOWN", -1.0, last_price=99.0, previous_close=100.0, open=100.0, high=100.0, low=98.0),
)
MOVERS = AlertOptions("movers", change_percent=5.0, url_env="ALERT_URL", kind="json")


class Market:
    """A market and a target in memory, with all that may follow a page."""

    def __init__(self, tmp_path: Path, *targets: MemoryPublisher, **changes: Any) -> None:
        self.source, self.target = MemorySource(is_open=None, quotes=QUOTES), MemoryPublisher()
        url = "https://www.example.org/heatmap/"
        config = configuration(tmp_path, self.source, *(targets or (self.target,)))
        self.config = config._replace(**({"public_url": url} | changes))

    def run(self, now: datetime) -> Report:
        """One run, after which the target tells what it took."""
        self.target.order.clear()
        report = one_run.run(self.config, now=now)
        assert (0, []) == (report.exit_code, report.errors)
        return report

    @property
    def memory(self) -> Memory:
        """The market's memory."""
        return State(self.config.state_directory)["nse-fno"]

    @property
    def owed(self) -> list[str]:
        """The parts that are still missing of the last final."""
        return sorted(final_parts.find_missing(self.config, self.memory))

    @property
    def bars(self) -> dict[str, tuple[float | None, float | None]]:
        """The previous close and the close of each of the session's daily bars."""
        with open_store(self.config.history, self.config.state_directory, pytest.fail) as store:
            found = store.bars("nse-fno", SESSION, 1) if store.sessions("nse-fno")[-1:] == (SESSION,) else []
        return {bar.symbol: (bar.previous_close, bar.close) for bar in found}


@pytest.fixture
def hooks(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hooks]:
    """A web hook that is down, whose address is in the environment."""
    monkeypatch.setattr(webhooks, "BACKOFF_SECONDS", 0.01)
    with Hooks(manner="error") as server:
        monkeypatch.setenv("ALERT_URL", f"{server.url}/")
        yield server


def symbols(hooks: Hooks) -> list[list[str]]:
    """The symbols of each message that the web hook was sent."""
    return [[event["symbol"] for event in json.loads(call.body)["events"]] for call in hooks.calls]


def take_history_away(market: Market, monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Put a folder in the place of the history's file; return what brings the history back."""
    path = market.config.state_directory / "history.sqlite"
    path.mkdir(parents=True)
    return path.rmdir


def fill_disk(market: Market, monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Leave less room than the history leaves to the state."""
    patch = pytest.MonkeyPatch()
    patch.setattr(history_session, "LEAST_FREE_BYTES", 1 << 60)
    return patch.undo


@pytest.mark.parametrize("spoil", [take_history_away, fill_disk])
def test_bars_that_could_not_be_made_are_made_that_evening(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    spoil: Callable[[Market, pytest.MonkeyPatch], Callable[[], None]],
) -> None:
    """By a run that asks no source and publishes nothing; then runs are idle until the next opening."""
    market = Market(tmp_path)
    heal = spoil(market, monkeypatch)
    first = market.run(FINAL)
    told = [warning for warning in first.warnings if warning.startswith("nse-fno: ")]
    assert (1, "2026-09-17", ["bars"]) == (len(told), market.memory.final_date, market.owed)
    assert told[0].removeprefix("nse-fno: ") == (market.memory.faults or {})["bars"]

    failed = market.run(FINAL + FIVE)
    assert ([], None) == (failed.warnings, failed.idle_until)
    heal()
    healed = market.run(FINAL + 2 * FIVE)

    assert {"UP": (100.0, 106.0), "DOWN": (100.0, 99.0)} == market.bars
    assert (1, 1) == (market.source.asked, market.target.runs)
    assert ([], None) == (market.owed, market.memory.faults)
    assert [MORNING.replace(minute=15), []] == [healed.idle_until, healed.warnings]
    assert [] == [*(tmp_path / "state/last").glob("*.final")]


def test_a_complete_final_leaves_nothing_to_do(tmp_path: Path, hooks: Hooks) -> None:
    """The runs after it are as idle as can be: nothing is kept for them, and nap lasts until the opening."""
    hooks.manner = "ok"
    market = Market(tmp_path, alerts=(MOVERS,))
    market.run(FINAL)

    assert [] == market.owed
    assert [] == [*(tmp_path / "state/last").glob("*.final")]
    assert MORNING.replace(minute=15) == market.run(FINAL + FIVE).idle_until


def test_a_map_that_a_target_did_not_take_comes_later(tmp_path: Path) -> None:
    """The late files equal those that would have come at once, to the byte; the feed then announces them."""
    market, twin = Market(tmp_path / "one"), Market(tmp_path / "twin")
    market.target.lacks = ("archive",)
    twin.run(FINAL)
    market.run(FINAL)
    assert ["archive", "feed"] == market.owed
    assert not {FEED, f"{DAY}index.html"} & market.target.pages.keys()
    assert b"2026/09/17/" not in market.target.pages[LIST]

    market.run(FINAL + FIVE)
    assert ["archive", "feed"] == market.owed
    market.target.lacks = ()
    market.run(FINAL + 2 * FIVE)

    assert [] == market.owed
    assert 1 == market.source.asked
    assert {path for path in twin.target.pages if path.startswith((DAY, LIST, FEED))} == set(
        market.target.order
    )
    assert {path: twin.target.pages[path] for path in market.target.order} == {
        path: market.target.pages[path] for path in market.target.order
    }


def test_what_is_in_the_way_at_a_target_is_a_warning(tmp_path: Path) -> None:
    """Once a day, with its path and what to do; the exit code is 0, and mending it is enough."""
    site = tmp_path / "site"
    (site / "nse-fno/feed.xml").mkdir(parents=True)
    (site / "nse-fno/2026").touch()
    market = Market(tmp_path, publishers=(FolderPublisher(f"file:{site}"),))
    first = market.run(FINAL)

    assert 1 == len(first.warnings)
    assert f"{site}/nse-fno/2026 is a file, where a folder is due: remove or rename it" in first.warnings[0]
    assert {"UP": (100.0, 106.0), "DOWN": (100.0, 99.0)} == market.bars
    assert (["archive", "feed"], []) == (market.owed, market.run(FINAL + FIVE).warnings)
    (site / "nse-fno/2026").unlink()
    second = market.run(FINAL + 2 * FIVE)
    assert 1 == len(second.warnings)
    assert f"{site}/nse-fno/feed.xml is a folder, where a file is to be put: remove" in second.warnings[0]
    assert (["feed"], True) == (market.owed, (site / f"{DAY}index.html").exists())
    assert b"2026/09/17/" in (site / LIST).read_bytes()
    (site / "nse-fno/feed.xml").rmdir()
    third = market.run(FINAL + 3 * FIVE)

    assert ([], [], None) == (third.warnings, market.owed, market.memory.faults)
    assert b"nse-fno/2026/09/17/" in (site / FEED).read_bytes()
    assert 1 == market.source.asked


def test_a_database_that_was_away(tmp_path: Path, postgres: Place) -> None:  # noqa: F811 -- the fixture
    """The page came by itself; the bars follow once the database is back."""
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        url = f"postgresql://heatmap@127.0.0.1:{nobody.getsockname()[1]}/heatmap"
        market = Market(tmp_path, history=HistoryOptions(url=url))
        market.run(FINAL)
        market.run(FINAL + FIVE)
    assert (["bars"], "2026-09-17") == (market.owed, market.memory.final_date)
    market.config = market.config._replace(history=postgres.options)
    market.run(FINAL + 2 * FIVE)

    assert ([], 1) == (market.owed, market.source.asked)
    assert {"UP": (100.0, 106.0), "DOWN": (100.0, 99.0)} == market.bars


def test_one_target_of_two_lacks_the_map(tmp_path: Path) -> None:
    """It gets the map by itself; the other has it already."""
    good, bad = MemoryPublisher(name="good"), MemoryPublisher(name="bad", lacks=("archive",))
    market = Market(tmp_path, good, bad)
    market.run(FINAL)
    assert (["archive", "feed"], True) == (market.owed, f"{DAY}index.html" in good.pages)
    assert f"{DAY}index.html" not in bad.pages

    bad.lacks = ()
    market.run(FINAL + FIVE)

    assert ([], True, True) == (market.owed, f"{DAY}index.html" in bad.pages, FEED in bad.pages)
    assert good.pages[f"{DAY}index.html"] == bad.pages[f"{DAY}index.html"]


def test_a_target_that_is_gone_meanwhile_fails_no_run(tmp_path: Path) -> None:
    """The page was out before; that the target is down is remembered as what keeps the map from it."""
    market = Market(tmp_path)
    market.target.lacks = ("archive",)
    market.run(FINAL)
    market.target.error = failure(PublishError)
    market.run(FINAL + FIVE)

    assert ["archive", "feed"] == market.owed
    assert "it broke, because the test wants it" in (market.memory.faults or {})["archive"]


def test_a_map_that_could_not_be_drawn_is_drawn_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where the configuration was mended, or the program."""

    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    market = Market(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(calendar_page, "render", broken)
        market.run(FINAL)
        assert f"{DAY}index.html" not in market.target.pages
        assert b"/2026/09/17/" not in market.target.pages.get(FEED, b"")
        assert ["archive", "feed"] == market.owed
    market.run(FINAL + FIVE)

    assert [] == market.owed
    assert b"2026/09/17/" in market.target.pages[LIST]
    assert b"nse-fno/2026/09/17/" in market.target.pages[FEED]
    assert f"{DAY}index.html" in market.target.pages


def test_a_web_hook_that_was_down_is_told_that_evening(tmp_path: Path, hooks: Hooks) -> None:
    """Once, with all that waited; each run asks it anew, none in a loop, and no source is asked."""
    market = Market(tmp_path, alerts=(MOVERS,))
    market.run(FINAL)
    assert ["alerts"] == market.owed
    tries = len(hooks.calls)
    market.run(FINAL + FIVE)
    assert (2 * tries, ["alerts"]) == (len(hooks.calls), market.owed)

    hooks.manner = "ok"
    hooks.calls.clear()
    for number in range(2, 5):
        market.run(FINAL + number * FIVE)

    assert [["UP"]] == symbols(hooks)
    assert json.loads(hooks.calls[0].body)["session"] == "2026-09-17"
    assert ([], 1, 1) == (market.owed, market.source.asked, market.target.runs)


def test_a_run_killed_before_it_told_its_final(
    tmp_path: Path, hooks: Hooks, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next run finds the same news in the figures that are kept, and tells it."""
    from heatmap.run.follow_up import FollowUp

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    market = Market(tmp_path, alerts=(MOVERS,))
    hooks.manner = "ok"
    with monkeypatch.context() as patch:
        patch.setattr(FollowUp, "send_alerts", killed)
        with pytest.raises(KeyboardInterrupt):
            market.run(FINAL)
    assert ([], "2026-09-17", ["alerts"]) == (symbols(hooks), market.memory.final_date, market.owed)

    market.run(FINAL + FIVE)

    assert ([["UP"]], []) == (symbols(hooks), market.owed)


def test_the_next_morning_makes_up_for_the_evening(
    tmp_path: Path, hooks: Hooks, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bars, map, feed and alerts, from the figures of the evening, after the morning's own page is out."""
    market = Market(tmp_path, alerts=(MOVERS,))
    heal = take_history_away(market, monkeypatch)
    market.target.lacks = ("archive",)
    market.run(FINAL)
    assert ["alerts", "archive", "bars", "feed"] == market.owed
    night = market.run(FINAL + timedelta(hours=10))  # after midnight: nothing is tried
    assert (2, MORNING.replace(minute=15)) == (
        market.target.runs,
        night.idle_until,
    )  # the pages, and the list
    heal()
    market.target.lacks = ()
    hooks.manner = "ok"
    hooks.calls.clear()
    market.source.quotes = (
        Quote("UP", 0.5, last_price=106.53, previous_close=106.0),
        Quote("DOWN", -1.0, last_price=98.01, previous_close=99.0),
    )
    market.source.is_open = True

    market.run(MORNING)

    assert [] == market.owed
    assert {"UP": (100.0, 106.0), "DOWN": (100.0, 99.0)} == market.bars
    assert [("2026-09-17", ["UP"])] == [
        (json.loads(call.body)["session"], symbols(hooks)[0]) for call in hooks.calls
    ]
    assert "nse-fno/index.html" in market.target.order[: market.target.order.index(f"{DAY}index.html")]
    assert b"DOWN" in market.target.pages[f"{DAY}snapshot.csv"]
    assert b"2026/09/17/" in market.target.pages[LIST]


def test_a_target_that_is_down_until_midnight(
    tmp_path: Path, hooks: Hooks, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other has the page, so that what follows from it is not lost: the next morning makes up for it."""
    good, bad = MemoryPublisher(name="good"), MemoryPublisher(name="bad", error=failure(PublishError))
    market = Market(tmp_path, good, bad, alerts=(MOVERS,))
    heal = take_history_away(market, monkeypatch)
    for number in range(3):
        assert 75 == one_run.run(market.config, now=FINAL + number * FIVE).exit_code
    assert (None, "2026-09-17", 3) == (
        market.memory.final_date,
        market.memory.closed_date,
        market.source.asked,
    )
    heal()
    bad.error = None
    hooks.manner = "ok"
    hooks.calls.clear()
    market.source.is_open = True

    market.run(MORNING)

    assert {"UP": (100.0, 106.0), "DOWN": (100.0, 99.0)} == market.bars
    assert ([], ["UP"]) == (market.owed, symbols(hooks)[0])
    assert "2026-09-17" == json.loads(hooks.calls[0].body)["session"]
    assert f"{DAY}index.html" in bad.pages


def test_a_morning_that_fails_too_tries_once_an_hour(tmp_path: Path, hooks: Hooks) -> None:
    """Events that a web hook did not take in the morning's first run are dropped once today's are sent."""
    market = Market(tmp_path, alerts=(MOVERS,))
    market.target.lacks = ("archive", "earlier day")
    market.run(FINAL)
    market.source.is_open = True
    market.source.quotes = (Quote("UP", 0.5, last_price=106.5), Quote("DOWN", 1.0, last_price=100.0))

    runs = [market.target.runs]
    for minute in (0, 5, 10, 45):  # 09:17, :22, :27, 10:02
        market.run(MORNING + timedelta(minutes=minute))
        runs.append(market.target.runs)

    assert [2, 1, 1, 2] == [after - before for before, after in zip(runs, runs[1:], strict=False)]
    assert ["archive", "feed"] == market.owed
    hooks.manner = "ok"
    hooks.calls.clear()
    market.run(MORNING + timedelta(minutes=50))
    assert [] == symbols(hooks)


@pytest.mark.parametrize("damage", ["missing", "cut", "of another day"])
def test_figures_that_are_not_kept_whole(tmp_path: Path, damage: str) -> None:
    """That evening the final is made once more, from the source; nothing is made of damaged figures."""
    market = Market(tmp_path)
    market.target.lacks = ("archive",)
    market.run(FINAL)
    kept = tmp_path / "state/last/nse-fno.final"
    if damage == "missing":
        kept.unlink()
    elif damage == "cut":
        kept.write_bytes(kept.read_bytes()[:-200])
    else:
        from heatmap.state.json_files import seal, unseal

        content = unseal(kept.read_bytes()) or b""
        kept.write_bytes(seal(content.replace(b'"date": "2026-09-17"', b'"date": "2026-09-16"')))
    market.target.lacks = ()
    one_run.run(market.config, now=FINAL + FIVE)
    market.run(FINAL + 2 * FIVE)

    assert ([], 2) == (market.owed, market.source.asked)
    assert f"{DAY}index.html" in market.target.pages


def test_figures_that_are_lost_by_the_morning(tmp_path: Path) -> None:
    """Nothing can be made any more: that is said once, and no later run tries."""
    market = Market(tmp_path)
    market.target.lacks = ("archive",)
    market.run(FINAL)
    (tmp_path / "state/last/nse-fno.final").unlink()
    market.source.is_open = True
    reports = [market.run(MORNING + number * FIVE) for number in range(2)]

    assert [1, 0] == [
        sum("cannot be made any more" in each for each in report.warnings) for report in reports
    ]
    assert [] == market.owed


def test_figures_that_cannot_be_kept_leave_the_final_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else nothing could be made up for: the next run makes the whole final again."""

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    market = Market(tmp_path)
    market.target.lacks = ("archive",)
    with monkeypatch.context() as patch:
        patch.setattr(final_figures, "save", full)
        market.run(FINAL)
    assert market.memory.final_date is None
    market.target.lacks = ()
    market.run(FINAL + FIVE)

    assert (2, [], "2026-09-17") == (market.source.asked, market.owed, market.memory.final_date)


def test_a_market_that_fails_keeps_no_other_from_its_second_try(tmp_path: Path) -> None:
    """Each market owes its own."""
    other = MemorySource(is_open=None)
    market = Market(tmp_path)
    market.config = configuration(tmp_path, market.source, market.target, more=(("other", other),))._replace(
        public_url="https://www.example.org/"
    )
    market.target.lacks = ("archive",)
    other.error = failure(SourceError)
    assert 75 == one_run.run(market.config, now=FINAL).exit_code
    assert ["archive", "feed"] == market.owed

    market.target.lacks = ()
    assert 75 == one_run.run(market.config, now=FINAL + FIVE).exit_code

    assert ([], 1) == (market.owed, market.source.asked)
    assert f"{DAY}index.html" in market.target.pages


def test_a_bug_in_the_second_try_costs_no_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The run ends well, the operator is told, and the next run tries again."""
    from heatmap.run import market_files

    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    market = Market(tmp_path)
    market.target.lacks = ("archive",)
    market.run(FINAL)
    market.target.lacks = ()
    with monkeypatch.context() as patch:
        patch.setattr(market_files, "draw", broken)
        market.run(FINAL + FIVE)
    assert "ZeroDivisionError" in (market.memory.faults or {})["archive"]
    assert ["archive", "feed"] == market.owed
    market.run(FINAL + 2 * FIVE)
    assert [] == market.owed
