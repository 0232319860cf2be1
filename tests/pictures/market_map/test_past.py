"""PastReader: the cached summary of earlier sessions, the opening range, the usual volume."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pytest

from heatmap.history import summary
from heatmap.history.model import TermsBreak, Tick, TickRow
from heatmap.history.options import HistoryOptions
from heatmap.history.store import Store, open_store
from heatmap.market.bars import Bar
from heatmap.market.calendar import phases
from heatmap.market.calendar.phases import Calendar, DeclaredSplit
from heatmap.market.calendar.session import Phase, Session
from heatmap.market.quotes import Quote, Snapshot
from heatmap.pictures.market_map import past as figures
from heatmap.pictures.market_map.past import PastReader
from heatmap.state import cache
from tests.history import ex_dates, markets
from tests.history.figures import MARKET, at
from tests.history.markets import SESSION

NSE = markets.nse()


def hours(day: date = SESSION) -> Session:
    """The session of a day."""
    session = phases.session_on(NSE, day)
    assert session
    return session


def reader(
    store: Store, folder: Path, names: tuple[str, ...] = ("5d",), calendar: Calendar = NSE
) -> PastReader:
    """A reader of the market's history."""
    return PastReader(store, MARKET, calendar, names, folder)


def test_a_summary_is_made_once_a_session(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The next run reads the cached one; one more session, archive, period, symbol or declared split gives a new one."""
    bars, quotes = markets.bars(NSE, 30)
    sessions: list[date] = []
    make = summary.make
    monkeypatch.setattr(
        summary, "make", lambda *arguments: (sessions.append(arguments[3]), make(*arguments))[1]
    )
    with open_store(HistoryOptions(), tmp_path, pytest.fail) as store:
        store.add_bars(MARKET, [bar for bar in bars if bar.date != bars[0].date])
        first = reader(store, tmp_path).summarize(quotes, SESSION)[0]
        assert first == reader(store, tmp_path).summarize(quotes, SESSION)[0]
        assert 1 == len(sessions)
        reader(store, tmp_path, ("5d", "7d")).summarize(quotes, SESSION)[0]
        reader(store, tmp_path).summarize(quotes[1:], SESSION)[0]
        reader(store, tmp_path).summarize(quotes, SESSION + timedelta(days=1))[0]
        assert 4 == len(sessions)
        reader(store, tmp_path).summarize(quotes, SESSION)[0]
        store.add_bars(MARKET, [bar for bar in bars if bar.date == bars[0].date])
        reader(store, tmp_path).summarize(quotes, SESSION)[0]
        assert 6 == len(sessions)
        figures.forget_summaries(tmp_path)
        reader(store, tmp_path).summarize(quotes, SESSION)[0]
        assert 7 == len(sessions)
        changed_calendar = replace(
            NSE, declared_splits=(DeclaredSplit(quotes[0].symbol, bars[-1].date, 1, 2),)
        )
        reader(store, tmp_path, calendar=changed_calendar).summarize(quotes, SESSION)[0]
        assert 8 == len(sessions)


@pytest.mark.parametrize("spoilt", [b"", b"{", b"[]", b'{"key": 1}', b"\xff\xfe", b"null", b"0\n", b"0\n{}"])
def test_a_damaged_summary_is_made_again(tmp_path: Path, spoilt: bytes) -> None:
    """The cache has nothing that the history lacks; one wrong letter is detected."""
    bars, quotes = markets.bars(NSE, 30)
    with open_store(HistoryOptions(), tmp_path, pytest.fail) as store:
        store.add_bars(MARKET, bars)
        first = reader(store, tmp_path).summarize(quotes, SESSION)[0]
        path = tmp_path / cache.summary_name(MARKET)
        whole = path.read_bytes()
        for damaged in (spoilt, whole[:-9], whole.replace(b"5", b"6", 1)):
            path.write_bytes(damaged)
            assert first == reader(store, tmp_path).summarize(quotes, SESSION)[0]
            assert whole == path.read_bytes()


def test_without_disk_space_each_run_makes_its_own(tmp_path: Path) -> None:
    """A summary that cannot be written is no failure."""
    bars, quotes = markets.bars(NSE, 30)
    with open_store(HistoryOptions(), tmp_path, pytest.fail) as store:
        store.add_bars(MARKET, bars)
        somewhere = reader(store, tmp_path).summarize(quotes, SESSION)[0]
        assert somewhere == reader(store, tmp_path / "not" / "there").summarize(quotes, SESSION)[0]


def moment(hour: int, minute: int, low: float | None, high: float | None, second: int = 0) -> Tick:
    """A tick with the range so far."""
    return Tick(at(SESSION, hour, minute, second), Phase.OPEN, {"A": TickRow(10.0, 0.0, high, low, 1.0, 1.0)})


@pytest.mark.parametrize(
    ("moments", "now", "expected", "lack"),
    [
        ([(9, 20, 9, 11), (9, 30, 8, 12), (9, 35, 7, 13)], (9, 35), (8, 12), ""),
        ([(9, 20, 9, 11), (9, 26, 8, 12), (9, 40, 7, 13)], (9, 40), (8, 12), ""),
        ([(9, 20, 9, 11), (9, 40, 7, 13)], (9, 40), None, "first 15 minutes of this session are not known"),
        ([(9, 45, 7, 13)], (9, 45), None, "are not known"),
        ([(9, 20, 9, 11)], (9, 20), None, "first 15 minutes, which end at 09:30"),
        ([(9, 30, 10, 10)], (9, 31), None, ""),  # no range
        ([(9, 30, None, 10)], (9, 31), None, ""),
    ],
)
def test_the_opening_range(
    moments: list[tuple[int, int, float | None, float | None]],
    now: tuple[int, int],
    expected: tuple[float, float] | None,
    lack: str,
) -> None:
    """High and low so far in the last tick by 09:30; without a tick of 09:25 or later the range is unknown."""
    opening_range = figures.find_opening_range(
        [moment(*each) for each in moments], hours(), at(SESSION, *now)
    )

    assert expected == opening_range.ranges.get("A")
    assert lack in opening_range.reason_missing
    assert bool(lack) == bool(opening_range.reason_missing)


def test_a_tick_just_after_the_opening_counts() -> None:
    """Cron's 09:30 has figures of 09:30:04."""
    opening_range = figures.find_opening_range([moment(9, 30, 8, 12, 4)], hours(), at(SESSION, 9, 30, 4))

    assert {"A": (8, 12)} == opening_range.ranges
    assert "opening is known" in figures.find_opening_range([], None, at(SESSION, 10)).reason_missing


@pytest.mark.parametrize(
    ("time", "expected"), [((9, 0), 0), ((9, 15), 0), ((12, 25), 0.5), ((15, 35), 1), ((18, 0), 1)]
)
def test_how_much_of_the_session_is_over(time: tuple[int, int], expected: float) -> None:
    """Only trading time counts: 09:15 to 15:35 are 380 minutes."""
    assert pytest.approx(expected) == figures.elapsed_share(hours(), at(SESSION, *time))
    assert 0 == figures.elapsed_share(None, at(SESSION, *time))


def add_ticks(store: Store, sessions: int, minutes: tuple[int, ...] = (660,), volume: float = 100.0) -> None:
    """Give so many sessions before this one ticks at these minutes of the day."""
    for day in markets.sessions_before(NSE, SESSION, sessions):
        for minute in minutes:
            as_of = at(day, 0) + timedelta(minutes=minute)
            quote = Quote("A", 0.0, last_price=10.0, volume=volume)
            store.add_tick(MARKET, Snapshot("test", as_of, (quote,)), day, Phase.OPEN)


@pytest.mark.parametrize(("sessions", "expected"), [(0, 190.0), (4, 190.0), (5, 100.0), (20, 100.0)])
def test_when_there_are_enough_ticks(tmp_path: Path, sessions: int, expected: float) -> None:
    """Below five sessions the usual volume is the mean of whole days, times the elapsed share of the session."""
    days = markets.sessions_before(NSE, SESSION, 21)
    bars, _ = markets.bars(NSE, 21)
    daily = [bar._replace(symbol="A", volume=380.0) for bar in bars if bar.symbol == "B" and bar.date in days]
    close = daily[-1].close
    quote = Quote("A", 0.0, last_price=close, previous_close=close, volume=50.0)
    now = at(SESSION, 12, 25)
    with open_store(HistoryOptions(), tmp_path, pytest.fail) as store:
        add_ticks(store, sessions, (745,))
        store.add_bars(MARKET, daily)
        past = reader(store, tmp_path).read(Snapshot("test", now, (quote,)), SESSION, Phase.OPEN)

    assert expected == pytest.approx(past.usual_volumes.volumes["A"])
    assert sessions == past.usual_volumes.sessions


@pytest.mark.parametrize(("since", "counted"), [(3, 0), (6, 1)])
def test_volumes_before_an_unexplained_break_do_not_count(tmp_path: Path, since: int, counted: int) -> None:
    """They have other terms: with fewer than five sessions since, the mean volume of those sessions counts."""
    days = markets.sessions_before(NSE, SESSION, 8)
    bars = [
        Bar("A", day, price, price, price, price, 10.0 if number == 8 - since else price, 380.0, 1e3)
        for number, day in enumerate(days)
        for price in [10.0 if number < 8 - since else 3.7]
    ]
    quote = Quote("A", 0.0, last_price=3.7, previous_close=3.7, volume=50.0)
    with open_store(HistoryOptions(), tmp_path, pytest.fail) as store:
        add_ticks(store, 8, (660,))
        store.add_bars(MARKET, bars)
        snapshot = Snapshot("test", at(SESSION, 11), (quote,))
        past = reader(store, tmp_path).read(snapshot, SESSION, Phase.OPEN)

    assert {"A": TermsBreak(days[-since], is_gap=False)} == past.earlier_sessions.breaks
    assert counted == past.usual_volumes.by_time
    assert 380.0 == past.earlier_sessions.volumes["A"]


def test_ticks_of_another_time_of_day_do_not_count(tmp_path: Path) -> None:
    """An earlier session whose last tick was an hour before this time does not count."""
    quote = Quote("A", 0.0, last_price=10.0, volume=50.0)
    with open_store(HistoryOptions(), tmp_path, pytest.fail) as store:
        add_ticks(store, 8, (600, 720))
        past = reader(store, tmp_path).read(Snapshot("test", at(SESSION, 11), (quote,)), SESSION, Phase.OPEN)

    assert (0, 0, {}) == (
        past.usual_volumes.sessions,
        past.usual_volumes.by_time,
        dict(past.usual_volumes.volumes),
    )


def test_the_running_session_is_not_its_own_past(tmp_path: Path) -> None:
    """After the final the history has this session's bars; the previous close is still of the session before."""
    bars, quotes = markets.bars(NSE, 10)
    as_of = at(SESSION, 15, 50)
    snapshot = Snapshot("test", as_of, tuple(quotes))
    with open_store(HistoryOptions(), tmp_path, pytest.fail) as store:
        store.add_bars(MARKET, bars)
        store.add_tick(MARKET, replace(snapshot, as_of=at(SESSION, 15)), SESSION, Phase.OPEN)
        before = reader(store, tmp_path).read(snapshot, SESSION, Phase.FINAL)
        store.add_tick(MARKET, snapshot, SESSION, Phase.FINAL)
        after = reader(store, tmp_path).read(snapshot, SESSION, Phase.FINAL)

    assert vars(before.replay_track) == vars(after.replay_track)
    assert before == after._replace(replay_track=before.replay_track)
    assert SESSION not in after.earlier_sessions.dates
    assert ["2026-09-17T15:00", "2026-09-17T15:50"] == after.replay_track.minutes


def test_a_price_that_comes_back_is_comparable_again(tmp_path: Path) -> None:
    """First all trades are a quarter below the previous close; after one trade within the band, nothing has changed."""
    days = markets.sessions_before(NSE, SESSION, 3)
    bars = [Bar("A", day, 100.0, 100.0, 100.0, 100.0, 100.0, 1e3, 1e5) for day in days]
    at_the_open = Quote("A", -25.0, last_price=75.0, previous_close=100.0, open=74.0, high=75.0, low=73.0)
    later = replace(at_the_open, percent_change=-15.0, last_price=85.0, high=85.0)
    with open_store(HistoryOptions(), tmp_path, pytest.fail) as store:
        store.add_bars(MARKET, bars)
        past_reader = figures.PastReader(store, MARKET, NSE, ("2d",), tmp_path)
        first, second = (past_reader.summarize((quote,), SESSION)[0] for quote in (at_the_open, later))

    assert ({}, {"A": TermsBreak(SESSION, is_gap=False)}) == (first.starts["2d"].closes, first.breaks)
    assert ({"A": 100.0}, {}) == (second.starts["2d"].closes, second.breaks)


def test_a_guess_stays_a_guess_the_day_after(tmp_path: Path) -> None:
    """The closing page of an ex-date came from an archive, with a guessed close: the next session still calls it probable."""
    before, after = ex_dates.GENESYS
    next_day = date(2026, 8, 7)
    guessed = Quote(
        "GENESYS", 4.5, last_price=229.0, previous_close=219.13, open=after.open, high=after.high, low=after.low,
        volume=after.volume, turnover=after.turnover, doubts={"1d": "Probably a bonus of 1:2."},
    )  # fmt: skip
    today = Quote("GENESYS", 1.0, last_price=231.29, previous_close=229.0)
    with open_store(HistoryOptions(), tmp_path, pytest.fail) as store:
        store.add_bars(MARKET, [before])
        store.add_tick(MARKET, Snapshot("test", at(after.date, 16), (guessed,)), after.date, Phase.FINAL)
        earlier = figures.PastReader(store, MARKET, NSE, ("2d",), tmp_path).summarize((today,), next_day)[0]

    assert 328.7 * 2 / 3 == pytest.approx(earlier.starts["2d"].closes["GENESYS"])
    assert {"GENESYS": after.date} == earlier.guesses
