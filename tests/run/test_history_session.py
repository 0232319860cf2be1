"""A run writes the history and reads it, and no history that fails costs a page."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path

import pytest

from heatmap.config.loader import Config
from heatmap.errors import ConfigError, PublishError
from heatmap.history.options import HistoryOptions
from heatmap.history.schema import MIGRATIONS
from heatmap.history.store import Store, open_store
from heatmap.market.bars import Bar
from heatmap.market.calendar.session import Phase
from heatmap.market.quotes import Change, Quote
from heatmap.notify.alerts.options import AlertOptions
from heatmap.run import one_run
from heatmap.run.history_session import MOST_WARNINGS, HistorySession
from heatmap.state.memory import State
from heatmap.system import varint
from tests.doubles import MemoryPublisher, MemorySource, configuration, failure
from tests.history.conftest import Place, postgres, postgresql  # noqa: F401 -- fixtures
from tests.servers.disk import SmallDisk
from tests.servers.hooks import Hooks

OPEN = datetime.fromisoformat("2026-09-17T11:00:00+05:30")
FINAL = datetime.fromisoformat("2026-09-17T15:45:00+05:30")
SATURDAY = datetime.fromisoformat("2026-09-19T11:00:00+05:30")
SESSION = date(2026, 9, 17)
FIVE = timedelta(minutes=5)


def opened(config: Config) -> Store:
    """The history of a configuration."""
    return open_store(config.history, config.state_directory, pytest.fail)


def kept(config: Config, session: date = SESSION, market: str = "nse-fno") -> list[tuple[datetime, Phase]]:
    """The ticks there are of a session."""
    with opened(config) as store:
        return [(moment.as_of, moment.phase) for moment in store.ticks(market, session)]


def test_a_body_with_the_old_previous_close(tmp_path: Path) -> None:
    """On the day of a bonus of 1:1 its percent change is adjusted, its previous close is not: periods are right.

    547.00 before is 273.50 now, so 267.50 is -2.19 % over any number of sessions that stood still.
    """
    days = [date(2026, 9, day) for day in (9, 10, 11, 15, 16)]
    others = tuple(Quote(f"S{n}", 1.0, last_price=101.0, previous_close=100.0) for n in range(8))
    bonus = Quote(
        "BONUS",
        -2.2,
        last_price=267.5,
        previous_close=547.0,
        changes={"1mo": Change(-50.4, date(2026, 8, 17))},
    )
    target = MemoryPublisher()
    config = configuration(tmp_path, MemorySource(quotes=(bonus, *others)), target)
    with opened(config) as store:
        store.add_bars(
            "nse-fno",
            [
                Bar(quote.symbol, day, *[quote.previous_close or 0.0] * 5, 1e4, 1e6)
                for day in days
                for quote in (bonus, *others)
            ],
        )

    assert 0 == one_run.run(config, now=OPEN).exit_code
    row = next(
        row for row in json.loads(target.pages["nse-fno/snapshot.json"])["quotes"] if "BONUS" == row["symbol"]
    )
    assert (-2.2, 273.5) == (row["percent_change"], row["previous_close"])
    assert row["changes"]["1mo"]["percent"] is None
    assert "1mo" in row["doubts"]
    history = json.loads(target.pages["nse-fno/history.json"])
    values = varint.decode(history["readings"]["change 5d"]["values"])
    falls = [varint.signed(code) for code in values[:1]] + [-code for code in values[1:]]
    assert [100] + [0] * 7 + [-319] == falls  # 8 times +1.00 %, then by 3.19 points less: -2.19 %
    one_run.run(config, now=FINAL)
    with opened(config) as store:
        bar = next(bar for bar in store.bars("nse-fno", SESSION, 1) if "BONUS" == bar.symbol)
    assert (267.5, 273.5) == (bar.close, bar.previous_close)


def test_a_source_that_counts_no_split(tmp_path: Path) -> None:
    """Its change over a month is of two terms, as the history's closes tell: it is unknown from then on."""
    since, day = date(2026, 9, 9), date(2026, 9, 11)
    days = [since, date(2026, 9, 10), day, date(2026, 9, 15), date(2026, 9, 16)]
    quotes = [
        Quote(symbol, 0.0, last_price=100.0, previous_close=100.0, changes={"1mo": Change(change, since)})
        for symbol, change in [("SPLIT", -20.0), *((f"S{n}", 0.0) for n in range(8))]
    ]
    target = MemoryPublisher()
    config = configuration(tmp_path, MemorySource(quotes=tuple(quotes)), target)
    with opened(config) as store:
        closes = {("SPLIT", each): 125.0 for each in days if each < day}
        store.add_bars(
            "nse-fno",
            [
                Bar(quote.symbol, each, *[closes.get((quote.symbol, each), 100.0)] * 4, previous, 1e4, 1e6)
                for quote in quotes
                for each in days
                for previous in [closes.get((quote.symbol, each), 100.0)]
            ],
        )

    assert 0 == one_run.run(config, now=OPEN).exit_code
    rows = {row["symbol"]: row for row in json.loads(target.pages["nse-fno/snapshot.json"])["quotes"]}
    assert {"percent": None, "since": "2026-09-09"} == rows["SPLIT"]["changes"]["1mo"]
    assert "of 9 Sep 2026 was 100.00" in rows["SPLIT"]["doubts"]["1mo"]
    assert 0.0 == rows["S0"]["changes"]["1mo"]["percent"]


def test_each_published_tick_is_kept_once(tmp_path: Path) -> None:
    """A tick adds its figures; one more with the same as_of adds nothing."""
    source = MemorySource()
    config = configuration(tmp_path, source, MemoryPublisher())

    for moment in (OPEN, OPEN + FIVE):
        assert 0 == one_run.run(config, now=moment).exit_code
    source.as_of = OPEN + FIVE
    report = one_run.run(config, now=OPEN + 2 * FIVE)

    assert [] == report.warnings
    assert [(OPEN, Phase.OPEN), (OPEN + FIVE, Phase.OPEN)] == kept(config)


def test_a_final_makes_the_daily_bars(tmp_path: Path) -> None:
    """The session's closing figures become its bars."""
    config = configuration(tmp_path, MemorySource(is_open=False), MemoryPublisher())

    one_run.run(config, now=FINAL)

    with opened(config) as store:
        assert SESSION == store.latest_final("nse-fno")
        assert [("DOWN", 99.0), ("UP", 102.0)] == [
            (bar.symbol, bar.close) for bar in store.bars("nse-fno", SESSION, 1)
        ]


def test_a_final_forgets_what_is_older_than_is_kept(tmp_path: Path) -> None:
    """The first tick after settling prunes; one during the day does not."""
    source = MemorySource()
    config = configuration(tmp_path, source, MemoryPublisher())
    config = config._replace(history=HistoryOptions(tick_sessions=1))
    yesterday = OPEN - timedelta(days=1)
    for moment in (yesterday, yesterday + FIVE, FINAL - timedelta(days=1), OPEN):
        source.is_open = moment.hour < 15
        one_run.run(config, now=moment)
    assert 3 == len(kept(config, yesterday.date()))

    source.is_open = False
    one_run.run(config, now=FINAL)

    assert 0 == len(kept(config, yesterday.date()))
    assert 2 == len(kept(config))


def test_a_run_killed_before_it_kept_its_final_is_made_up_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The final is remembered as done only once the history has it."""
    config = configuration(tmp_path, MemorySource(is_open=False), MemoryPublisher())

    def killed(_: HistorySession, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(HistorySession, "record", killed)
        one_run.run(config, now=FINAL)
    one_run.run(config, now=FINAL + FIVE)

    with opened(config) as store:
        assert SESSION == store.latest_final("nse-fno")


def test_one_target_is_enough_and_none_is_not(tmp_path: Path) -> None:
    """Figures that no visitor saw are not recorded; figures that one visitor saw are."""
    good, bad = MemoryPublisher("good:"), MemoryPublisher("bad:", error=failure(PublishError))

    one_run.run(configuration(tmp_path, MemorySource(), bad), now=OPEN)
    assert [] == kept(configuration(tmp_path, MemorySource()))
    one_run.run(configuration(tmp_path, MemorySource(), good, bad), now=OPEN)
    assert [(OPEN, Phase.OPEN)] == kept(configuration(tmp_path, MemorySource()))


def test_figures_of_another_day_are_not_kept(tmp_path: Path) -> None:
    """A page drawn of Thursday's figures on a Saturday is no tick of any session."""
    config = configuration(tmp_path, MemorySource(as_of=FINAL), MemoryPublisher())

    report = one_run.run(config, now=SATURDAY, force=True)

    assert (1, []) == (report.targets, report.warnings)
    assert [] == kept(config)
    assert [] == kept(config, SATURDAY.date())


def test_history_can_be_switched_off(tmp_path: Path) -> None:
    """Then there is no file."""
    target = MemoryPublisher()
    config = configuration(tmp_path, MemorySource(), target)

    one_run.run(config._replace(history=HistoryOptions(enabled=False)), now=OPEN)

    assert target.pages
    assert [] == [
        path for kind in ("history", "digest", "tape") for path in config.state_directory.glob(f"{kind}*")
    ]


def test_a_dry_run_leaves_nothing(tmp_path: Path) -> None:
    """It makes no history, and adds nothing to one that is there."""
    config = configuration(tmp_path, MemorySource(), MemoryPublisher())

    one_run.run(config, now=OPEN, dry_run=True)
    assert not (config.state_directory / "history.sqlite").exists()
    one_run.run(config, now=OPEN)
    one_run.run(config, now=OPEN + FIVE, dry_run=True)
    assert [(OPEN, Phase.OPEN)] == kept(config)


def test_a_recorded_day_is_never_among_the_live_ones(tmp_path: Path) -> None:
    """A recording replayed under a market's name has a history of its own."""
    from heatmap.sources.recording import Recording

    config = configuration(tmp_path, MemorySource(), MemoryPublisher())
    market = config.markets[0]
    market = market._replace(sources=(market.sources[0]._replace(source=Recording()),))

    one_run.run(config._replace(markets=(market,)), now=OPEN)

    assert [] == kept(config)
    assert 1 == len(kept(config, market="nse-fno:recording"))


def damage(path: Path) -> None:
    """Overwrite the head of a database."""
    path.write_bytes(b"no database at all" * 100)


def make_newer(path: Path) -> None:
    """Let a later version of the program have written it."""
    connection = sqlite3.connect(path)
    connection.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
    connection.close()


def replace_by_folder(path: Path) -> None:
    """Let something else be there."""
    path.unlink()
    path.mkdir()


def cut_short(path: Path) -> None:
    """Let its last half be missing."""
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (damage, "is set aside"),
        (cut_short, "is set aside"),
        (make_newer, "written by a newer version"),
        (replace_by_folder, "cannot be used"),
    ],
)
def test_a_history_that_fails_costs_no_page(tmp_path: Path, spoil: object, sentence: str) -> None:
    """The page is published, the exit code is 0, and one sentence says what is wrong; the next run is silent."""
    source, target = MemorySource(), MemoryPublisher()
    config = configuration(tmp_path, source, target)
    one_run.run(config, now=OPEN)
    spoil(config.state_directory / "history.sqlite")  # type: ignore[operator]
    target.pages.clear()

    report = one_run.run(config, now=OPEN + FIVE)

    assert "nse-fno/index.html" in target.pages
    assert (0, 1) == (report.exit_code, len(report.warnings))
    assert report.warnings[0].startswith("nse-fno: the history ")
    assert sentence in report.warnings[0]
    assert "\n" not in report.warnings[0]

    assert [] == one_run.run(config, now=OPEN + 2 * FIVE).warnings


def test_a_damaged_history_begins_anew(tmp_path: Path) -> None:
    """The damaged file stays beside the new one, which has the tick."""
    config = configuration(tmp_path, MemorySource(), MemoryPublisher())
    config.state_directory.mkdir()
    damage(config.state_directory / "history.sqlite")

    one_run.run(config, now=OPEN)

    assert [(OPEN, Phase.OPEN)] == kept(config)
    assert b"no database" in (config.state_directory / "history.damaged-1.sqlite").read_bytes()


def test_what_recurs_is_told_once_a_day(tmp_path: Path) -> None:
    """The same sentence comes again the next day, and numbers in it do not make it another."""
    target = MemoryPublisher()
    config = configuration(tmp_path, MemorySource(), target)
    one_run.run(config, now=OPEN)
    make_newer(config.state_directory / "history.sqlite")

    told = [
        len(one_run.run(config, now=moment).warnings)
        for moment in (OPEN, OPEN + FIVE, OPEN + timedelta(days=1), OPEN + timedelta(days=1, minutes=5))
    ]

    assert [1, 0, 1, 0] == told
    assert 5 == target.runs


def test_a_locked_history_is_waited_for_and_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another process that keeps on writing costs its patience, not the page."""
    from heatmap.history import sqlite

    monkeypatch.setattr(sqlite, "BUSY_SECONDS", 0.05)
    target = MemoryPublisher()
    config = configuration(tmp_path, MemorySource(), target)
    one_run.run(config, now=OPEN)
    other = sqlite3.connect(config.state_directory / "history.sqlite", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")

    report = one_run.run(config, now=OPEN + FIVE)
    other.execute("ROLLBACK")
    other.close()

    assert (0, 2) == (report.exit_code, target.runs)
    assert 1 == len(report.warnings)
    assert "busy" in report.warnings[0]
    one_run.run(config, now=OPEN + 2 * FIVE)
    assert [OPEN, OPEN + 2 * FIVE] == [as_of for as_of, _ in kept(config)]


def test_a_disk_that_fills(tmp_path: Path, small_disk: Callable[[Path, int], SmallDisk]) -> None:
    """The history leaves the last room to the state: pages go on, one sentence says what to do."""
    target = MemoryPublisher()
    config = configuration(tmp_path, MemorySource(), target)
    config.state_directory.mkdir()
    small_disk(config.state_directory, 512)

    reports = [one_run.run(config, now=OPEN + number * FIVE) for number in range(3)]

    assert ([0, 0, 0], 3) == ([report.exit_code for report in reports], target.runs)
    assert [1, 0, 0] == [len(report.warnings) for report in reports]
    assert "less than 16 MiB are left on the disk of" in reports[0].warnings[0]
    assert [] == kept(config)
    assert State(config.state_directory)["nse-fno"].published_at is not None


@pytest.mark.parametrize("room_kib", [4, 64])
def test_a_disk_that_is_full(
    tmp_path: Path, small_disk: Callable[[Path, int], SmallDisk], room_kib: int
) -> None:
    """Where not even the run's own state has room, pages go on, and no run leaves a file behind."""
    target = MemoryPublisher()
    config = configuration(tmp_path, MemorySource(), target)
    small_disk(config.state_directory, room_kib)
    (config.state_directory / "filling").write_bytes(bytes((room_kib - 4) * 1024 or 4096))

    for number in range(3):
        with pytest.raises(ConfigError, match="No space left on device.*: make room or name another"):
            one_run.run(config, now=OPEN + number * FIVE)

    assert 3 == target.runs
    assert [] == [*config.state_directory.rglob("*.tmp")]


def test_a_bug_in_the_history_costs_no_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also what nobody foresaw is a sentence."""
    target = MemoryPublisher()
    config = configuration(tmp_path, MemorySource(), target)

    def fail(*_: object) -> None:
        message = "nobody thought of that"
        raise RuntimeError(message)

    monkeypatch.setattr(Store, "encoded_ticks", fail)
    report = one_run.run(config, now=OPEN)

    assert (0, 1) == (report.exit_code, target.runs)
    assert ["nobody thought of that" in warning for warning in report.warnings] == [True]


def test_never_more_than_a_few_sentences_a_day(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Faults that differ each time still do not fill a mailbox."""
    config = configuration(tmp_path, MemorySource(), MemoryPublisher())
    words = iter("abcdefghijklmnopqrstuvwxyz")

    def fail(*_: object) -> None:
        raise RuntimeError(next(words))

    monkeypatch.setattr(Store, "encoded_ticks", fail)
    told = sum(len(one_run.run(config, now=OPEN + number * FIVE).warnings) for number in range(12))

    assert MOST_WARNINGS == told


def test_figures_that_go_back_in_time_are_told(tmp_path: Path) -> None:
    """A source whose clock jumps back, taken by force: its figures are kept in their place, and told of."""
    source = MemorySource()
    config = configuration(tmp_path, source, MemoryPublisher())
    one_run.run(config, now=OPEN + 2 * FIVE)
    source.as_of = OPEN

    report = one_run.run(config, now=OPEN + 3 * FIVE, force=True)

    assert 0 == report.exit_code
    assert ["older than those of 11:10" in warning for warning in report.warnings] == [True]
    assert [OPEN, OPEN + 2 * FIVE] == [as_of for as_of, _ in kept(config)]


def test_history_json_comes_with_the_second_tick(tmp_path: Path) -> None:
    """The first tick of all has no past; from the second on the day has a line, published before the page."""
    target = MemoryPublisher()
    config = configuration(tmp_path, MemorySource(), target)

    one_run.run(config, now=OPEN)
    assert "nse-fno/history.json" not in target.pages
    target.order.clear()
    one_run.run(config, now=OPEN + FIVE)

    assert target.order.index("nse-fno/history.json") < target.order.index("nse-fno/index.html")
    document = json.loads(target.pages["nse-fno/history.json"])
    assert ["11:00", "11:05"] == document["sparks"]["day"]["times"]


def two_machines(tmp_path: Path, place: Place) -> list[tuple[Config, MemoryPublisher, MemorySource]]:
    """Two installations that share a history."""
    machines = []
    for name in ("a", "b"):
        source, target = MemorySource(), MemoryPublisher()
        config = configuration(tmp_path / name, source, target)
        machines.append((config._replace(history=place.options), target, source))
    return machines


@pytest.mark.real
def test_two_machines_publish_each_tick_once(tmp_path: Path, postgres: Place) -> None:  # noqa: F811 -- the fixture
    """Of two with the same cron line and history one draws each tick, and the final once a session."""
    (a, of_a, asked_a), (b, of_b, asked_b) = two_machines(tmp_path, postgres)

    for number in range(3):
        one_run.run(a, now=OPEN + number * FIVE + timedelta(seconds=1))
        one_run.run(b, now=OPEN + number * FIVE + timedelta(seconds=3))
    assert (3, 0) == (of_a.runs, of_b.runs)
    one_run.run(b, now=OPEN + 3 * FIVE)
    one_run.run(a, now=OPEN + 3 * FIVE)
    assert (3, 1) == (of_a.runs, of_b.runs)

    asked_a.is_open = asked_b.is_open = False
    for number in range(3):
        one_run.run(b, now=FINAL + number * FIVE)
        one_run.run(a, now=FINAL + number * FIVE)
    assert (3, 2) == (of_a.runs, of_b.runs)
    assert State(a.state_directory)["nse-fno"].final_date == SESSION.isoformat()  # it need not ask again
    assert 5 == len(kept(a))


@pytest.mark.real
def test_a_final_that_failed_is_the_next_machines(tmp_path: Path, postgres: Place) -> None:  # noqa: F811 -- the fixture
    """A turn whose page reached nobody, or not everybody, is not done."""
    (a, of_a, source_a), (b, of_b, source_b) = two_machines(tmp_path, postgres)
    source_a.is_open = source_b.is_open = False
    of_a.error = failure(PublishError)

    assert 75 == one_run.run(a, now=FINAL).exit_code
    assert 0 == one_run.run(b, now=FINAL).exit_code

    assert (0, 1) == (of_a.runs, of_b.runs)


@pytest.mark.real
def test_machines_share_the_archive_and_what_was_told(
    tmp_path: Path,
    postgres: Place,  # noqa: F811 -- the fixture
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each day's final by the other machine, to one web server: every day is listed and linked to the next.

    What one has told a web hook the other does not tell again in that session.
    """
    (a, web, of_a), (b, _, of_b) = two_machines(tmp_path, postgres)
    alert = AlertOptions("movers", change_percent=2.0, url_env="ALERT_URL")
    a, b = (machine._replace(publishers=(web,), alerts=(alert,)) for machine in (a, b))
    days = [timedelta(days=number) for number in (0, 1, 4)]  # Thursday, Friday, Monday
    with Hooks() as hooks:
        monkeypatch.setenv("ALERT_URL", hooks.url)
        one_run.run(a, now=OPEN)
        one_run.run(b, now=OPEN + FIVE)
        assert 1 == len(hooks.calls)
        of_a.is_open = of_b.is_open = None
        for first, second, day in ((a, b, days[0]), (b, a, days[1]), (a, b, days[2])):
            for machine in (first, second):
                assert [] == one_run.run(machine, now=FINAL + day).errors
        assert 3 == len(hooks.calls)

    listed = web.pages["nse-fno/archive.html"].decode()
    assert all(f'href="2026/09/{day}/"' in listed for day in (17, 18, 21))
    assert 'href="../../../2026/09/18/"' in web.pages["nse-fno/2026/09/17/index.html"].decode()
    assert 'href="../../../2026/09/21/"' in web.pages["nse-fno/2026/09/18/index.html"].decode()
    assert 'href="../../../../nse-fno/2026/09/18/"' in web.pages["nse-fno/2026/09/21/index.html"].decode()


@pytest.mark.real
def test_alone_where_the_server_is_gone(tmp_path: Path, postgres: Place) -> None:  # noqa: F811 -- the fixture
    """A database that cannot be reached: every machine publishes, and says so."""
    (a, of_a, _), _ = two_machines(tmp_path, postgres)
    gone = replace(postgres.options, url="postgresql://nobody@127.0.0.1:1/none")

    report = one_run.run(a._replace(history=gone), now=OPEN)

    assert (0, 1, 1) == (report.exit_code, of_a.runs, len(report.warnings))
