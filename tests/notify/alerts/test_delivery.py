"""Alerts in whole runs: once a session, one message for each run, after publishing. They fail no run."""

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
    """A web hook. Its address is in the environment."""
    with Hooks() as server:
        monkeypatch.setenv("ALERT_URL", f"{server.url}/{SECRET}")
        yield server


class AlertMarket:
    """A market whose quotes a test sets, and its runs."""

    def __init__(self, tmp_path: Path, *alerts: AlertOptions, **more: Any) -> None:
        self.source, self.target = MemorySource(), MemoryPublisher()
        self.lines: list[str] = []
        self.config: Config = configuration(tmp_path, self.source, self.target, **more)._replace(
            alerts=alerts
        )

    def run(self, now: datetime, **changes: float) -> Report:
        """Run once. `changes` are the changes of the stocks in percent."""
        self.source.quotes = tuple(Quote(symbol, change) for symbol, change in changes.items())
        return one_run.run(self.config, now=now, say=self.lines.append)


def movers(**more: Any) -> AlertOptions:
    return AlertOptions(**({"name": "movers", "change_percent": 5.0, "url_env": "ALERT_URL"} | more))


def sent_symbols(hooks: Hooks) -> list[list[str]]:
    """The symbols of each message."""
    return [[event["symbol"] for event in json.loads(call.body)["events"]] for call in hooks.calls]


def test_once_a_session(tmp_path: Path, hooks: Hooks) -> None:
    """A stock that crosses the threshold again makes no new event. The other side and the next session do."""
    market = AlertMarket(tmp_path, movers())

    market.run(OPEN, A=5.0, B=1.0)
    market.run(OPEN + FIVE, A=6.0, B=1.0)
    market.run(OPEN + 2 * FIVE, A=1.0, B=1.0)
    market.run(OPEN + 3 * FIVE, A=7.0, B=-8.0)
    market.run(OPEN + 4 * FIVE, A=-7.0, B=-8.0)
    assert [["A"], ["B"], ["A"]] == sent_symbols(hooks)
    market.run(OPEN + timedelta(days=1), A=5.0, B=1.0)
    assert [["A"], ["B"], ["A"], ["A"]] == sent_symbols(hooks)


def test_over_a_period_of_the_history(tmp_path: Path, hooks: Hooks) -> None:
    """The change starts at the close five sessions before; splits since then are taken into account.

    While the history is too short, no event is sent, and the run says why.
    """
    month = AlertOptions(
        "week", change_percent=10.0, breadth_percent=75.0, period="5d", url_env="ALERT_URL", feed=False
    )
    market = AlertMarket(tmp_path, month)
    quotes = [
        Quote(symbol, 0.0, last_price=last, previous_close=last)
        for symbol, last in [("UP", 110.0), ("SPLIT", 22.0), ("DOWN", 90.1), ("STILL", 101.0)]
    ]

    def run(now: datetime) -> None:
        market.source.quotes = tuple(quotes)
        assert [] == one_run.run(market.config, now=now, say=market.lines.append).errors

    run(OPEN)
    assert [] == hooks.calls
    assert any(
        "alerts: week: nothing is known over 5d yet: it takes 5 sessions" in line for line in market.lines
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
    """An event that only the closing prices have is sent after the close."""
    market = AlertMarket(tmp_path, movers())

    market.run(OPEN, A=1.0)
    market.run(FINAL, A=5.0)

    assert [["A"]] == sent_symbols(hooks)


def test_a_crash_is_one_message(tmp_path: Path, hooks: Hooks) -> None:
    """The new events of a run are one call for each alert."""
    market = AlertMarket(tmp_path, movers(), AlertOptions("side", breadth_percent=90.0, url_env="ALERT_URL"))

    market.run(OPEN, **{f"S{number}": -10.0 - number / 100 for number in range(210)})

    assert [1, 210] == sorted(map(len, sent_symbols(hooks)))
    assert ["movers", "side"] == sorted(json.loads(call.body)["alert"] for call in hooks.calls)


@pytest.mark.serial
@pytest.mark.parametrize("manner", ["error", "refuse", "redirect", "rubbish", "throttle"])
def test_a_failed_message_is_sent_again(tmp_path: Path, hooks: Hooks, manner: str) -> None:
    """The run succeeds and reports the problem. The next run sends the events with its own new ones."""
    market = AlertMarket(tmp_path, movers())
    market.config = market.config._replace(deadline_seconds=4.5)
    hooks.manner = manner

    assert 0 == market.run(OPEN, A=5.0, B=1.0).exit_code
    assert any("movers: the web hook " in line for line in market.lines)
    assert SECRET not in "".join(market.lines)
    hooks.manner = "ok"
    hooks.calls.clear()
    market.run(OPEN + FIVE, A=1.0, B=6.0)
    assert [["A", "B"]] == sent_symbols(hooks)
    market.run(OPEN + 2 * FIVE, A=6.0, B=6.0)
    assert 1 == len(hooks.calls)


def test_pending_events_are_dropped_in_the_next_session(tmp_path: Path, hooks: Hooks) -> None:
    """Yesterday's events are not sent today."""
    market = AlertMarket(tmp_path, movers())
    hooks.manner = "refuse"
    market.run(OPEN, A=5.0)
    hooks.manner = "ok"
    hooks.calls.clear()

    market.run(OPEN + timedelta(days=1), A=1.0)

    assert [] == sent_symbols(hooks)


@pytest.mark.serial
@pytest.mark.parametrize("manner", ["hang", "drip"])
def test_a_web_hook_that_hangs(tmp_path: Path, hooks: Hooks, manner: str) -> None:
    """The run succeeds and ends by its deadline. A second web hook gets its message in time."""
    hooks.manner = manner
    with Hooks() as other, pytest.MonkeyPatch.context() as patch:
        patch.setenv("OTHER_URL", other.url)
        market = AlertMarket(tmp_path, movers(), movers(name="more", url_env="OTHER_URL"))
        market.config = market.config._replace(deadline_seconds=5.5)
        started = time.monotonic()

        report = market.run(OPEN, A=5.0)

        assert time.monotonic() - started < 5.5
    assert (0, [], [["A"]]) == (report.exit_code, report.errors, sent_symbols(other))
    assert any("movers: the web hook did not end in time" in line for line in market.lines)
    assert {"A"} == {
        event.symbol for event in memory.load(tmp_path / "state", print)["nse-fno"].states["movers"].pending
    }


def test_nothing_is_sent_before_the_page_is_published(tmp_path: Path, hooks: Hooks) -> None:
    """If every target fails, no message is sent; the next run sends it."""
    market = AlertMarket(tmp_path, movers())
    market.target.error = failure(PublishError)
    market.run(OPEN, A=5.0)
    assert [] == sent_symbols(hooks)

    market.target.error = None
    market.target.before = lambda: sent_symbols(hooks) and pytest.fail("a message was sent before publishing")
    market.run(OPEN + FIVE, A=5.0)
    assert [["A"]] == sent_symbols(hooks)


def test_no_events_without_live_quotes(tmp_path: Path, hooks: Hooks, monkeypatch: pytest.MonkeyPatch) -> None:
    """A dry run, a closed market that is drawn with --force, and a recording send no message."""
    market = AlertMarket(tmp_path, movers())
    market.source.quotes = (Quote("A", 9.0),)

    one_run.run(market.config, now=OPEN, dry_run=True)
    one_run.run(market.config, now=OPEN - timedelta(hours=8), force=True)
    fetch: Callable[..., Any] = MemorySource.fetch
    monkeypatch.setattr(MemorySource, "fetch", lambda self, **arguments: _recorded(fetch(self, **arguments)))
    one_run.run(market.config, now=OPEN)

    assert 2 == market.target.runs
    assert [] == sent_symbols(hooks)


def _recorded(snapshot: Any) -> Any:
    from dataclasses import replace

    return replace(snapshot, recording=True)


def test_which_market(tmp_path: Path, hooks: Hooks) -> None:
    """Each market has its own alert state; an alert of one market does not apply to another."""
    other = MemorySource(quotes=(Quote("A", 6.0), Quote("B", 6.0)))
    market = AlertMarket(
        tmp_path, movers(), movers(name="here", markets=("other",)), more=(("other", other),)
    )

    market.run(OPEN, A=5.0)
    market.run(OPEN + FIVE, A=5.0)

    assert [("here", "other"), ("movers", "nse-fno"), ("movers", "other")] == sorted(
        (json.loads(call.body)["alert"], json.loads(call.body)["market"]) for call in hooks.calls
    )


def test_a_missing_address_is_reported_and_fails_nothing(tmp_path: Path) -> None:
    """The run and the other alerts succeed; the events are sent later."""
    with Hooks() as hooks, pytest.MonkeyPatch.context() as patch:
        patch.delenv("ALERT_URL", raising=False)
        patch.setenv("OTHER_URL", hooks.url)
        market = AlertMarket(tmp_path, movers(), movers(name="more", url_env="OTHER_URL"))

        assert 0 == market.run(OPEN, A=5.0).exit_code
        assert [["A"]] == sent_symbols(hooks)
        assert any("ALERT_URL, which url_env names, is not set" in line for line in market.lines)
        patch.setenv("ALERT_URL", hooks.url)
        market.run(OPEN + FIVE, A=5.0)
        assert [["A"], ["A"]] == sent_symbols(hooks)


def test_no_child_inherits_the_address(tmp_path: Path, hooks: Hooks, monkeypatch: pytest.MonkeyPatch) -> None:
    """The address is removed from the environment of children before the first target is tried."""
    monkeypatch.setattr(secrets, "_variables", set())  # other tests may have read it
    market = AlertMarket(tmp_path, movers())
    seen: list[dict[str, str]] = []
    market.target.before = lambda: seen.append(secrets.child_environment())

    market.run(OPEN, A=5.0)

    assert [[]] == [[name for name, value in environment.items() if SECRET in value] for environment in seen]


@pytest.mark.parametrize(
    "content", [b"", b"{}", b"[]", b'{"markets": {"nse-fno": 3}}', b"\xff\xfe", b'{"markets": {"nse-fno": {"session": "x", "told": {"movers": {"seen": [], "waiting": [3]}}, "notices": []}}}']
)  # fmt: skip
def test_a_damaged_memory(tmp_path: Path, hooks: Hooks, content: bytes) -> None:
    """The file is set aside and forgotten: at worst, a message is sent twice."""
    market = AlertMarket(tmp_path, movers())
    (tmp_path / "state").mkdir()
    (tmp_path / "state/alerts.json").write_bytes(content)

    assert 0 == market.run(OPEN, A=5.0).exit_code
    market.run(OPEN + FIVE, A=5.0)

    assert [["A"]] == sent_symbols(hooks)
    assert content == (tmp_path / "state/alerts.damaged.json").read_bytes()


def test_events_that_cannot_be_saved_are_not_sent(
    tmp_path: Path, hooks: Hooks, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise, on a full disk, every run would send them again."""

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(memory, "save", full)
    market = AlertMarket(tmp_path, movers())

    assert 0 == market.run(OPEN, A=5.0).exit_code
    assert [] == sent_symbols(hooks)
    assert any("alerts.json cannot be written (No space left on device)" in line for line in market.lines)


class Full:
    """A disk with room for every file but `alerts.json`, while `is_full`."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.is_full = False
        write = files.write

        def written(path: str | Path, content: bytes, **options: Any) -> None:  # noqa: ANN401 -- of many kinds
            if self.is_full and Path(path).name.startswith("alerts.json"):
                raise OSError(28, "No space left on device")
            write(path, content, **options)

        monkeypatch.setattr(files, "write", written)


@pytest.mark.parametrize("manner", ["refuse", "ok"])
def test_a_disk_that_fills_up(
    tmp_path: Path, hooks: Hooks, monkeypatch: pytest.MonkeyPatch, manner: str
) -> None:
    """Pending events are not sent while the state cannot be saved; once there is room, they are sent once.

    If the disk fills up between the two saves of a run, the events are sent twice, but not in each run.
    """
    market, disk = AlertMarket(tmp_path, movers()), Full(monkeypatch)
    if manner == "refuse":  # so that it does not try again for as long as it may
        market.config = market.config._replace(deadline_seconds=4.5)
    hooks.manner = manner
    save = memory.save

    def fills_up(*arguments: Any) -> None:
        save(*arguments)
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

    monkeypatch.setattr(memory, "save", save)
    disk.is_full = False
    for number in range(4, 7):
        assert 0 == market.run(OPEN + number * FIVE, A=5.0, B=1.0).exit_code
    assert sent + 1 == len(hooks.calls)
    assert ["A"] == sent_symbols(hooks)[-1]


def test_the_feed_has_only_saved_events(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise each run would add the event with another time, and readers would see it again."""
    market, disk = AlertMarket(tmp_path, movers(url_env=None)), Full(monkeypatch)
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


def test_a_bug_fails_no_run(tmp_path: Path, hooks: Hooks, monkeypatch: pytest.MonkeyPatch) -> None:
    """The run reports the type of the error, but not its text, which may contain the address."""

    def broken(*_: object) -> None:
        raise KeyError(SECRET)

    monkeypatch.setattr(delivery, "_start_posts", broken)
    market = AlertMarket(tmp_path, movers())

    assert 0 == market.run(OPEN, A=5.0).exit_code
    assert "alerts: ended in a bug (KeyError)" in market.lines
    assert SECRET not in "".join(market.lines)


def test_the_saved_state_is_loaded_unchanged(tmp_path: Path) -> None:
    """Text that UTF-8 cannot encode does no harm."""
    from heatmap.notify.alerts.rules import Event

    event = Event("change", "up", "M&M", None, "1d", 5.5, 5.0, "M&M +5.50 %")
    entry = memory.FeedEntry("movers", "2026-09-17", OPEN.isoformat(), "a title", ("one", "two"))
    alerts = memory.MarketAlerts(
        "2026-09-17", {"movers": memory.AlertState(frozenset({"a", "b"}), (event,))}, (entry,)
    )

    memory.save(tmp_path, {"nse-fno": alerts})
    assert {"nse-fno": alerts} == memory.load(tmp_path, print)
    memory.save(tmp_path, {"nse-fno": alerts._replace(feed_entries=(entry._replace(title="\ud800"),))})
    assert "?" == memory.load(tmp_path, print)["nse-fno"].feed_entries[0].title
