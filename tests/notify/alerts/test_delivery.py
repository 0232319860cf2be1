"""Alerts through whole runs: once a session, one message a run, after publishing, and never at a run's cost."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from heatmap.config.loader import Config
from heatmap.errors import PublishError
from heatmap.history.store import open_store
from heatmap.market.bars import Bar
from heatmap.market.quotes import Quote
from heatmap.notify.alerts import delivery, memory, webhooks
from heatmap.notify.alerts.options import AlertOptions
from heatmap.run import one_run
from heatmap.state.report import Report
from heatmap.system import files, secrets
from tests.doubles import MemoryPublisher, MemorySource, configuration, failure
from tests.servers.hooks import Hooks

OPEN = datetime.fromisoformat("2026-09-17T11:00:00+05:30")
FINAL = datetime.fromisoformat("2026-09-17T15:45:00+05:30")
FIVE = timedelta(minutes=5)
SECRET = "canary-address"


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhooks, "BACKOFF_SECONDS", 0.01)


@pytest.fixture
def hooks(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hooks]:
    """A web hook, whose address is in the environment."""
    with Hooks() as server:
        monkeypatch.setenv("ALERT_URL", f"{server.url}/{SECRET}")
        yield server


class Desk:
    """A market whose figures a test sets, and its runs."""

    def __init__(self, tmp_path: Path, *alerts: AlertOptions, **more: Any) -> None:
        self.source, self.target = MemorySource(), MemoryPublisher()
        self.said: list[str] = []
        self.config: Config = configuration(tmp_path, self.source, self.target, **more)._replace(
            alerts=alerts
        )

    def run(self, now: datetime, **changes: float) -> Report:
        """One run at which the stocks have changed by so many percent."""
        self.source.quotes = tuple(Quote(symbol, change) for symbol, change in changes.items())
        return one_run.run(self.config, now=now, say=self.said.append)


def movers(**more: Any) -> AlertOptions:
    return AlertOptions(**({"name": "movers", "change_percent": 5.0, "url_env": "ALERT_URL"} | more))


def told(hooks: Hooks) -> list[list[str]]:
    """The symbols of each message."""
    return [[event["symbol"] for event in json.loads(call.body)["events"]] for call in hooks.calls]


def test_once_a_session(tmp_path: Path, hooks: Hooks) -> None:
    """A stock that falls back and crosses again is no news; the other side is, and so is the next session."""
    market = Desk(tmp_path, movers())

    market.run(OPEN, A=5.0, B=1.0)
    market.run(OPEN + FIVE, A=6.0, B=1.0)
    market.run(OPEN + 2 * FIVE, A=1.0, B=1.0)
    market.run(OPEN + 3 * FIVE, A=7.0, B=-8.0)
    market.run(OPEN + 4 * FIVE, A=-7.0, B=-8.0)
    assert [["A"], ["B"], ["A"]] == told(hooks)
    market.run(OPEN + timedelta(days=1), A=5.0, B=1.0)
    assert [["A"], ["B"], ["A"], ["A"]] == told(hooks)


def test_over_a_period_of_the_history(tmp_path: Path, hooks: Hooks) -> None:
    """From the close five sessions before; a share that was split since is compared on today's terms.

    Until the history reaches back so far nobody is told anything, but on a terminal why.
    """
    month = AlertOptions(
        "week", change_percent=10.0, breadth_percent=75.0, period="5d", url_env="ALERT_URL", feed=False
    )
    market = Desk(tmp_path, month)
    quotes = [
        Quote(symbol, 0.0, last_price=last, previous_close=last)
        for symbol, last in [("UP", 110.0), ("SPLIT", 22.0), ("DOWN", 90.1), ("STILL", 101.0)]
    ]

    def run(now: datetime) -> None:
        market.source.quotes = tuple(quotes)
        assert [] == one_run.run(market.config, now=now, say=market.said.append).errors

    run(OPEN)
    assert [] == hooks.calls
    assert any(
        "alerts: week: nothing is known over 5d yet: it takes 5 sessions" in line for line in market.said
    )

    days = [date(2026, 9, day) for day in (9, 10, 11, 15, 16)]  # the 14th is a holiday, the 12th a Saturday
    with open_store(market.config.history, market.config.state_directory, pytest.fail) as store:
        for number, day in enumerate(days):
            close = {quote.symbol: 100.0 if number == 0 else quote.last_price or 0.0 for quote in quotes} | {
                "SPLIT": 100.0 if number == 0 else 110.0 if number < 4 else 22.0
            }
            store.add_bars(
                "nse-fno",
                [
                    Bar(
                        symbol,
                        day,
                        None,
                        None,
                        None,
                        price,
                        22.0 if symbol == "SPLIT" and number == 4 else None,
                        None,
                        None,
                    )
                    for symbol, price in close.items()
                ],
            )
    run(OPEN + FIVE)

    events = json.loads(hooks.calls[0].body)["events"]
    assert [("breadth", None, 75.0), ("change", "UP", 10.0), ("change", "SPLIT", 10.0)] == [
        (event["rule"], event["symbol"], event["value"]) for event in events
    ]
    assert {"5d"} == {event["period"] for event in events}
    assert "UP +10.00 % over 5 days" == events[1]["text"]


def test_the_final_prices_count_too(tmp_path: Path, hooks: Hooks) -> None:
    """What only the close brings is told after the close."""
    market = Desk(tmp_path, movers())

    market.run(OPEN, A=1.0)
    market.run(FINAL, A=5.0)

    assert [["A"]] == told(hooks)


def test_a_crash_is_one_message(tmp_path: Path, hooks: Hooks) -> None:
    """All that is new at a run is one call for each alert."""
    market = Desk(tmp_path, movers(), AlertOptions("side", breadth_percent=90.0, url_env="ALERT_URL"))

    market.run(OPEN, **{f"S{number}": -10.0 - number / 100 for number in range(210)})

    assert [1, 210] == sorted(map(len, told(hooks)))
    assert ["movers", "side"] == sorted(json.loads(call.body)["alert"] for call in hooks.calls)


@pytest.mark.serial
@pytest.mark.parametrize("manner", ["error", "refuse", "redirect", "rubbish", "throttle"])
def test_what_is_not_taken_waits(tmp_path: Path, hooks: Hooks, manner: str) -> None:
    """The run is well all the same, says what went wrong, and the next one tells it with its own news."""
    market = Desk(tmp_path, movers())
    market.config = market.config._replace(deadline_seconds=4.5)
    hooks.manner = manner

    assert 0 == market.run(OPEN, A=5.0, B=1.0).exit_code
    assert any("movers: the web hook " in line for line in market.said)
    assert SECRET not in "".join(market.said)
    hooks.manner = "ok"
    hooks.calls.clear()
    market.run(OPEN + FIVE, A=1.0, B=6.0)
    assert [["A", "B"]] == told(hooks)
    market.run(OPEN + 2 * FIVE, A=6.0, B=6.0)
    assert 1 == len(hooks.calls)


def test_what_waited_until_the_next_session_is_dropped(tmp_path: Path, hooks: Hooks) -> None:
    """Nobody is told today that a stock was up yesterday."""
    market = Desk(tmp_path, movers())
    hooks.manner = "refuse"
    market.run(OPEN, A=5.0)
    hooks.manner = "ok"
    hooks.calls.clear()

    market.run(OPEN + timedelta(days=1), A=1.0)

    assert [] == told(hooks)


@pytest.mark.serial
@pytest.mark.parametrize("manner", ["hang", "drip"])
def test_a_web_hook_that_hangs(tmp_path: Path, hooks: Hooks, manner: str) -> None:
    """The run ends by its deadline, and is well; a second web hook is not kept waiting."""
    hooks.manner = manner
    with Hooks() as other, pytest.MonkeyPatch.context() as patch:
        patch.setenv("OTHER_URL", other.url)
        market = Desk(tmp_path, movers(), movers(name="more", url_env="OTHER_URL"))
        market.config = market.config._replace(deadline_seconds=5.5)
        begun = time.monotonic()

        report = market.run(OPEN, A=5.0)

        assert time.monotonic() - begun < 5.5
    assert (0, [], [["A"]]) == (report.exit_code, report.errors, told(other))
    assert any("movers: the web hook did not end in time" in line for line in market.said)
    assert {"A"} == {
        event.symbol for event in memory.load(tmp_path / "state", print)["nse-fno"].told["movers"].waiting
    }


def test_nothing_is_told_before_the_page_is_out(tmp_path: Path, hooks: Hooks) -> None:
    """Where every target fails nobody is told; the next run tells it."""
    market = Desk(tmp_path, movers())
    market.target.error = failure(PublishError)
    market.run(OPEN, A=5.0)
    assert [] == told(hooks)

    market.target.error = None
    market.target.before = lambda: told(hooks) and pytest.fail("told before it was published")
    market.run(OPEN + FIVE, A=5.0)
    assert [["A"]] == told(hooks)


def test_no_news_from_what_is_not_live(tmp_path: Path, hooks: Hooks, monkeypatch: pytest.MonkeyPatch) -> None:
    """A dry run, a market drawn although it is closed, and a recording tell nobody."""
    market = Desk(tmp_path, movers())
    market.source.quotes = (Quote("A", 9.0),)

    one_run.run(market.config, now=OPEN, dry_run=True)
    one_run.run(market.config, now=OPEN - timedelta(hours=8), force=True)
    fetch: Callable[..., Any] = MemorySource.fetch
    monkeypatch.setattr(MemorySource, "fetch", lambda self, **asked: _recorded(fetch(self, **asked)))
    one_run.run(market.config, now=OPEN)

    assert 2 == market.target.runs
    assert [] == told(hooks)


def _recorded(snapshot: Any) -> Any:
    from dataclasses import replace

    return replace(snapshot, recording=True)


def test_which_market(tmp_path: Path, hooks: Hooks) -> None:
    """Each market has its own memory; an alert for one looks at no other."""
    other = MemorySource(quotes=(Quote("A", 6.0), Quote("B", 6.0)))
    market = Desk(tmp_path, movers(), movers(name="here", markets=("other",)), more=(("other", other),))

    market.run(OPEN, A=5.0)
    market.run(OPEN + FIVE, A=5.0)

    assert [("here", "other"), ("movers", "nse-fno"), ("movers", "other")] == sorted(
        (json.loads(call.body)["alert"], json.loads(call.body)["market"]) for call in hooks.calls
    )


def test_a_missing_address_is_said_and_costs_nothing(tmp_path: Path) -> None:
    """Neither the run nor the other alerts; what was to be told waits."""
    with Hooks() as hooks, pytest.MonkeyPatch.context() as patch:
        patch.delenv("ALERT_URL", raising=False)
        patch.setenv("OTHER_URL", hooks.url)
        market = Desk(tmp_path, movers(), movers(name="more", url_env="OTHER_URL"))

        assert 0 == market.run(OPEN, A=5.0).exit_code
        assert [["A"]] == told(hooks)
        assert any("ALERT_URL, which url_env names, is not set" in line for line in market.said)
        patch.setenv("ALERT_URL", hooks.url)
        market.run(OPEN + FIVE, A=5.0)
        assert [["A"], ["A"]] == told(hooks)


def test_no_child_inherits_the_address(tmp_path: Path, hooks: Hooks, monkeypatch: pytest.MonkeyPatch) -> None:
    """From before the first target is tried: what starts there has another environment."""
    monkeypatch.setattr(secrets, "_variables", set())  # other tests may have asked for it
    market = Desk(tmp_path, movers())
    seen: list[dict[str, str]] = []
    market.target.before = lambda: seen.append(secrets.child_environment())

    market.run(OPEN, A=5.0)

    assert [[]] == [[name for name, value in found.items() if SECRET in value] for found in seen]


@pytest.mark.parametrize(
    "content", [b"", b"{}", b"[]", b'{"markets": {"nse-fno": 3}}', b"\xff\xfe", b'{"markets": {"nse-fno": {"session": "x", "told": {"movers": {"seen": [], "waiting": [3]}}, "notices": []}}}']
)  # fmt: skip
def test_a_damaged_memory(tmp_path: Path, hooks: Hooks, content: bytes) -> None:
    """It is set aside and forgotten: the worst that follows is a message twice."""
    market = Desk(tmp_path, movers())
    (tmp_path / "state").mkdir()
    (tmp_path / "state/alerts.json").write_bytes(content)

    assert 0 == market.run(OPEN, A=5.0).exit_code
    market.run(OPEN + FIVE, A=5.0)

    assert [["A"]] == told(hooks)
    assert content == (tmp_path / "state/alerts.damaged.json").read_bytes()


def test_what_cannot_be_noted_is_not_told(
    tmp_path: Path, hooks: Hooks, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a full disk every run would tell it again."""

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(memory, "save", full)
    market = Desk(tmp_path, movers())

    assert 0 == market.run(OPEN, A=5.0).exit_code
    assert [] == told(hooks)
    assert any("alerts.json cannot be written (No space left on device)" in line for line in market.said)


class Full:
    """A disk with room for every file but `alerts.json`, while `is_full`."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.is_full = False
        write = files.write

        def written(path: Path, content: bytes) -> None:
            if self.is_full and path.name.startswith("alerts.json"):
                raise OSError(28, "No space left on device")
            write(path, content)

        monkeypatch.setattr(files, "write", written)


@pytest.mark.parametrize("manner", ["refuse", "ok"])
def test_a_disk_that_fills_up(
    tmp_path: Path, hooks: Hooks, monkeypatch: pytest.MonkeyPatch, manner: str
) -> None:
    """What waits is not sent while it cannot be noted that it was; once there is room, it is sent once.

    Where the disk fills up between the note before and the note after, it is sent twice, not with each run.
    """
    market, disk = Desk(tmp_path, movers()), Full(monkeypatch)
    if manner == "refuse":  # so that it does not try again for as long as it may
        market.config = market.config._replace(deadline_seconds=4.5)
    hooks.manner = manner
    tell = memory.save

    def fills_up(*arguments: Any) -> None:
        tell(*arguments)
        disk.is_full = True

    monkeypatch.setattr(memory, "save", fills_up)
    assert 0 == market.run(OPEN, A=5.0, B=1.0).exit_code
    hooks.manner = "ok"
    market.config = market.config._replace(deadline_seconds=60)
    sent = 1 if manner == "ok" else len(hooks.calls)
    assert sent == len(hooks.calls)

    for number in range(1, 4):
        assert 0 == market.run(OPEN + number * FIVE, A=5.0, B=1.0).exit_code
    assert sent == len(hooks.calls)

    monkeypatch.setattr(memory, "save", tell)
    disk.is_full = False
    for number in range(4, 7):
        assert 0 == market.run(OPEN + number * FIVE, A=5.0, B=1.0).exit_code
    assert sent + 1 == len(hooks.calls)
    assert ["A"] == told(hooks)[-1]


def test_the_feed_tells_only_what_is_noted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else each run would tell it under another time, and readers would see it anew."""
    market, disk = Desk(tmp_path, movers(url_env=None)), Full(monkeypatch)
    market.config = market.config._replace(public_url="https://www.example.org/map/")
    disk.is_full = True

    for number in range(3):
        assert 0 == market.run(OPEN + number * FIVE, A=5.0, B=1.0).exit_code
    assert "nse-fno/feed.xml" not in market.target.pages

    disk.is_full = False
    for number in range(3, 6):
        assert 0 == market.run(OPEN + number * FIVE, A=5.0, B=1.0).exit_code
        assert 1 == market.target.pages["nse-fno/feed.xml"].count(b"<entry>")
        assert b"11:15" in market.target.pages["nse-fno/feed.xml"]
    assert not [*(tmp_path / "state").glob("alerts.json.*")]


def test_a_bug_costs_no_run(tmp_path: Path, hooks: Hooks, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its kind is said; its text, which may hold the address, is not."""

    def broken(*_: object) -> None:
        raise KeyError(SECRET)

    monkeypatch.setattr(delivery, "_errands", broken)
    market = Desk(tmp_path, movers())

    assert 0 == market.run(OPEN, A=5.0).exit_code
    assert "alerts: ended in a bug (KeyError)" in market.said
    assert SECRET not in "".join(market.said)


def test_the_memory_comes_back_as_it_was(tmp_path: Path) -> None:
    """Also what no encoding knows does no harm."""
    from heatmap.notify.alerts.rules import Event

    event = Event("change", "up", "M&M", None, "1d", 5.5, 5.0, "M&M +5.50 %")
    notice = memory.FeedEntry("movers", "2026-09-17", OPEN.isoformat(), "a title", ("one", "two"))
    kept = memory.MarketAlerts(
        "2026-09-17", {"movers": memory.AlertState(frozenset({"a", "b"}), (event,))}, (notice,)
    )

    memory.save(tmp_path, {"nse-fno": kept})
    assert {"nse-fno": kept} == memory.load(tmp_path, print)
    memory.save(tmp_path, {"nse-fno": kept._replace(notices=(notice._replace(title="\ud800"),))})
    assert "?" == memory.load(tmp_path, print)["nse-fno"].notices[0].title
