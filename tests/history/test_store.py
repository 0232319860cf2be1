"""The behaviour of every store, on SQLite and on a real PostgreSQL."""

from __future__ import annotations

import subprocess
import sys
import threading
import zlib
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from math import inf, nan

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from heatmap.errors import ConfigError, HistoryError, HistoryNonsense
from heatmap.history import tick_codec
from heatmap.history.model import AddResult, MarketStats, PruneResult, Tick, TickRow
from heatmap.history.options import HistoryOptions
from heatmap.market.bars import Bar
from heatmap.market.calendar.session import Phase
from heatmap.market.quotes import Quote
from heatmap.system import limits
from tests.checkout import CHECKOUT
from tests.history.conftest import Place
from tests.history.figures import MARKET, MONDAY, SYMBOLS, at, bar, price, rows, sessions_from, snapshot, utc

TUESDAY = MONDAY + timedelta(days=1)


def test_a_tick_comes_back_as_it_was(place: Place) -> None:
    """Every stored figure comes back exactly, after the history was reopened; None stays None, 0 stays 0."""
    as_of = at(MONDAY, 9, 20, 3)
    odd = Quote("ODD", -0.0, last_price=None, high=0.05, low=None, volume=0.0, turnover=1e17)
    taken = replace(snapshot(as_of), quotes=(*snapshot(as_of).quotes, odd))
    with place.open() as store:
        added = store.add_tick(MARKET, taken, MONDAY, Phase.OPEN)

    with place.open() as store:
        found = store.ticks(MARKET, MONDAY)

    assert AddResult(True, 0) == added
    assert [
        Tick(utc(as_of), Phase.OPEN, rows(as_of) | {"ODD": TickRow(None, 0.0, 0.05, None, 0.0, 1e17)})
    ] == found
    assert [*SYMBOLS, "ODD"] == list(found[0].rows)
    assert [] == place.warnings


def test_a_tick_of_the_same_time_is_kept_once(place: Place) -> None:
    """One time is one tick, added any number of times, in any time zone."""
    as_of = at(MONDAY, 10)
    with place.open() as store, place.open() as other:
        first = store.add_tick(MARKET, snapshot(as_of), MONDAY, Phase.OPEN)
        again = other.add_tick(MARKET, snapshot(utc(as_of)), MONDAY, Phase.OPEN)

        assert (True, False) == (first.is_new, again.is_new)
        assert [utc(as_of)] == [moment.as_of for moment in store.ticks(MARKET, MONDAY)]


def test_markets_and_sessions_are_apart(place: Place) -> None:
    """Each market's sessions have their own ticks, in the order of time, in whatever order they were added."""
    with place.open() as store:
        for minute in (20, 15, 25):
            store.add_tick(MARKET, snapshot(at(MONDAY, 9, minute)), MONDAY, Phase.OPEN)
        store.add_tick(MARKET, snapshot(at(TUESDAY, 9, 15)), TUESDAY, Phase.OPEN)
        store.add_tick("other", snapshot(at(MONDAY, 9, 15)), MONDAY, Phase.OPEN)

        assert [15, 20, 25] == [
            moment.as_of.minute - 30 + 60 * (moment.as_of.hour - 3) for moment in store.ticks(MARKET, MONDAY)
        ]
        assert 1 == len(store.ticks("other", MONDAY))
        assert (MONDAY, TUESDAY) == store.tick_sessions(MARKET)
        assert () == store.tick_sessions("unheard-of")
        assert [] == store.ticks(MARKET, date(2020, 1, 1))


def test_the_volumes_at_a_time_are_the_last_ones_until_then(place: Place) -> None:
    """The volumes by a time of day: never of a later tick, never of another session."""
    with place.open() as store:
        for minute in (15, 20, 25):
            store.add_tick(MARKET, snapshot(at(MONDAY, 9, minute)), MONDAY, Phase.OPEN)

        def when(hour: int, minute: int, second: int = 0) -> datetime | None:
            found = store.volumes_at(
                MARKET, {MONDAY: at(MONDAY, hour, minute, second), TUESDAY: at(TUESDAY, 12)}
            )
            assert [MONDAY] * len(found) == [day for day, _, _ in found]
            for _, as_of, volumes in found:
                assert {symbol: row.volume for symbol, row in rows(as_of).items()} == volumes
                return as_of
            return None

        assert utc(at(MONDAY, 9, 20)) == when(9, 20)
        assert utc(at(MONDAY, 9, 20)) == when(9, 24, 59)
        assert utc(at(MONDAY, 9, 25)) == when(23, 0)
        assert None is when(9, 14, 59)


def test_a_final_makes_the_daily_bars(place: Place) -> None:
    """Open, high, low, close, previous close, volume and turnover of each instrument, by symbol."""
    as_of = at(MONDAY, 16, 0, 28)
    without_price = replace(snapshot(as_of), quotes=(*snapshot(as_of).quotes, Quote("HALTED", 0.0)))
    with place.open() as store:
        store.add_tick(MARKET, snapshot(at(MONDAY, 15)), MONDAY, Phase.OPEN)
        assert ((), None) == (store.sessions(MARKET), store.latest_final(MARKET))

        added = store.add_tick(MARKET, without_price, MONDAY, Phase.FINAL)

        assert AddResult(True, 3) == added
        last = {symbol: price(number, as_of) for number, symbol in enumerate(SYMBOLS)}
        expected = [
            Bar(
                symbol,
                MONDAY,
                last[symbol] - 0.5,
                last[symbol] + 2,
                last[symbol] - 3,
                last[symbol],
                last[symbol] - 1,
                volume,
                last[symbol] * 1000,
            )
            for symbol, volume in (("BAJAJ-AUTO", 3000.0), ("M&M", 2000.0), ("TCS", 1000.0))
        ]
        assert expected == store.bars(MARKET, MONDAY, 1)
        assert ((MONDAY,), MONDAY) == (store.sessions(MARKET), store.latest_final(MARKET))
        assert () == store.archived_sessions(MARKET)


def test_a_final_of_a_time_already_kept_still_makes_bars(place: Place) -> None:
    """After the close `as_of` may not change: the auction's tick becomes the final one, and is stored once."""
    as_of = at(MONDAY, 15, 35)
    with place.open() as store:
        store.add_tick(MARKET, snapshot(as_of), MONDAY, Phase.AUCTION)
        added = store.add_tick(MARKET, snapshot(as_of), MONDAY, Phase.FINAL)
        again = store.add_tick(MARKET, snapshot(as_of), MONDAY, Phase.FINAL)

        assert (AddResult(False, 3), AddResult(False, 0)) == (added, again)
        assert [Phase.FINAL] == [moment.phase for moment in store.ticks(MARKET, MONDAY)]
        assert 3 == len(store.bars(MARKET, MONDAY, 5))


def test_a_clock_that_jumps_back(place: Place) -> None:
    """An older tick is stored, and the result names the newer one; an older final changes no bar."""
    new, old = at(MONDAY, 16, 0, 28), at(MONDAY, 15, 50)
    with place.open() as store:
        store.add_tick(MARKET, snapshot(new), MONDAY, Phase.FINAL)
        late = store.add_tick(MARKET, snapshot(at(MONDAY, 11)), MONDAY, Phase.OPEN)
        late_final = store.add_tick(MARKET, snapshot(old), MONDAY, Phase.FINAL)

        assert AddResult(True, 0, utc(new)) == late
        assert AddResult(True, 0, utc(new)) == late_final
        assert [utc(at(MONDAY, 11)), utc(old), utc(new)] == [
            tick.as_of for tick in store.ticks(MARKET, MONDAY)
        ]
        assert {price(number, new) for number in range(3)} == {
            bar.close for bar in store.bars(MARKET, MONDAY, 1)
        }


@pytest.mark.parametrize("days", [-400, -3, 3, 400])
def test_figures_of_another_day_are_refused(place: Place, days: int) -> None:
    """If the clock and the figures have different days, nothing is stored, and one sentence says why."""
    with place.open() as store:
        with pytest.raises(HistoryNonsense) as caught:
            store.add_tick(MARKET, snapshot(at(MONDAY, 11)), MONDAY + timedelta(days=days), Phase.FINAL)

        assert () == store.status()
    assert "nse-fno: figures as of 14 Sep 2026 11:00" in str(caught.value)
    assert "check this machine's clock" in str(caught.value)


def test_a_session_over_midnight(place: Place) -> None:
    """It is stored under the date on which it opened, in any time zone."""
    as_of = datetime(2026, 9, 15, 20, 59, tzinfo=UTC)  # Sunday's session in New York ends on Monday at 17:00
    with place.open() as store:
        assert store.add_tick("forex", snapshot(as_of), MONDAY, Phase.OPEN).is_new
        assert 1 == len(store.ticks("forex", MONDAY))


def test_an_archive_has_the_last_word(place: Place) -> None:
    """Its bars replace those of a final; a later final changes the previous close alone, and fills what is unknown.

    On the day of a split an archive's previous close is on the old terms, the final's is not.
    """
    with place.open() as store:
        store.add_tick(MARKET, snapshot(at(MONDAY, 15, 50)), MONDAY, Phase.FINAL)
        added = store.add_bars(MARKET, [bar("TCS", MONDAY, 4321.0), bar("NEW", MONDAY, 7.0)])
        later = replace(snapshot(at(MONDAY, 16)), quotes=snapshot(at(MONDAY, 16), (*SYMBOLS, "LATE")).quotes)
        store.add_tick(MARKET, later, MONDAY, Phase.FINAL)

        closes = {bar.symbol: bar.close for bar in store.bars(MARKET, MONDAY, 1)}
        assert 2 == added
        assert {"TCS": 4321.0, "NEW": 7.0, "LATE": price(3, at(MONDAY, 16))} == {
            symbol: closes[symbol] for symbol in ("TCS", "NEW", "LATE")
        }
        assert price(1, at(MONDAY, 15, 50)) == closes["M&M"]
        before = {bar.symbol: bar.previous_close for bar in store.bars(MARKET, MONDAY, 1)}
        assert (price(0, at(MONDAY, 16)) - 1, 7.0) == (before["TCS"], before["NEW"])
        assert (MONDAY,) == store.archived_sessions(MARKET) == store.sessions(MARKET)
        assert MONDAY == store.latest_final(MARKET)


def test_the_same_bars_twice(place: Place) -> None:
    """A day that is added twice or out of order has each bar once; the later file counts."""
    days = sessions_from(MONDAY, 3)
    with place.open() as store:
        for day in (days[2], days[0], days[1], days[0]):
            store.add_bars(MARKET, [bar("TCS", day, 100.0 + day.day), bar("M&M", day, 5.0)])
        store.add_bars(MARKET, [bar("TCS", days[1], 1.0)])

        assert tuple(days) == store.sessions(MARKET)
        assert [("M&M", 5.0), ("TCS", 114.0), ("M&M", 5.0), ("TCS", 1.0), ("M&M", 5.0), ("TCS", 116.0)] == [
            (bar.symbol, bar.close) for bar in store.bars(MARKET, days[2], 99)
        ]
        assert 0 == store.add_bars(MARKET, [])


def test_bars_of_the_last_sessions(place: Place) -> None:
    """Sessions with bars are counted, up to the date, which is included; only these symbols."""
    days = sessions_from(MONDAY, 8)
    with place.open() as store:
        for number, day in enumerate(days):
            store.add_bars(
                MARKET,
                [bar("TCS", day, 1.0 + number), *([bar("NEW", day, 50.0 + number)] if number > 4 else [])],
            )
        saturday = days[4] + timedelta(days=1)

        def found(until: date, sessions: int, symbols: list[str] | None = None) -> list[float]:
            return [bar.close for bar in store.bars(MARKET, until, sessions, symbols)]

        assert [3.0, 4.0, 5.0] == found(saturday, 3)
        assert [55.0, 6.0] == found(days[5], 1)
        assert [7.0, 8.0] == found(days[7], 2, ["TCS", "UNKNOWN"])
        assert [55.0, 56.0, 57.0] == found(days[7], 250, ["NEW"])
        assert [] == found(days[7], 3, [])
        assert [] == found(MONDAY - timedelta(days=1), 3)
        assert [] == store.bars("unheard-of", days[7], 3)


def test_series_of_one_figure(place: Place) -> None:
    """A value for each date and symbol; before the listing it is None, never 0."""
    days = sessions_from(MONDAY, 4)
    with place.open() as store:
        for number, day in enumerate(days):
            store.add_bars(
                MARKET,
                [
                    bar("TCS", day, 1.0 + number, volume=None if number == 2 else 9.0),
                    *([bar("NEW", day, 50.0)] if number > 2 else []),
                ],
            )

        closes = store.series(MARKET, "close", days[3], 3)
        assert tuple(days[1:]) == closes.dates
        assert {"TCS": (2.0, 3.0, 4.0), "NEW": (None, None, 50.0)} == closes.values
        assert {"TCS": (9.0, None, 9.0)} == store.series(MARKET, "volume", days[3], 3, ["TCS"]).values
        assert ((), {}) == tuple(store.series(MARKET, "close", date(2020, 1, 1), 3))
        with pytest.raises(ValueError, match="symbol"):
            store.series(MARKET, "symbol FROM bars --", days[3], 3)


@pytest.mark.parametrize(
    "figures", [{"open": 0.0}, {"low": -1.0}, {"high": inf}, {"close": nan}, {"volume": -1.0}, {"turnover": nan}], ids=str
)  # fmt: skip
def test_a_bar_that_cannot_be(place: Place, figures: dict[str, float]) -> None:
    """Negative, zero and infinite prices: one sentence with symbol and date, and no bar of the file is stored."""
    with place.open() as store:
        with pytest.raises(HistoryNonsense) as caught:
            store.add_bars(MARKET, [bar("TCS", MONDAY, 5.0), bar("M&M", MONDAY, 5.0)._replace(**figures)])

        assert () == store.status()
    assert "nse-fno: the bar of M&M on 14 Sep 2026 holds" in str(caught.value)


def test_what_fails_leaves_nothing(place: Place) -> None:
    """An error within a transaction rolls back all of it, and the store continues."""
    with place.open() as store:
        broken = replace(
            snapshot(at(MONDAY, 16)), quotes=(*snapshot(at(MONDAY, 16)).quotes, Quote("BAD", nan))
        )
        with pytest.raises(ValueError):
            store.add_tick(MARKET, broken, MONDAY, Phase.FINAL)

        def fail(cursor: object) -> None:
            cursor.execute(
                "INSERT INTO sessions (market, date, archived) VALUES (?, ?, 1)", (MARKET, "2026-09-14")
            )  # type: ignore[attr-defined]
            raise KeyError("in the middle")

        with pytest.raises(KeyError):
            store._database.write(fail)

        assert () == store.status()
        assert store.add_tick(MARKET, snapshot(at(MONDAY, 16)), MONDAY, Phase.FINAL).is_new


def test_pruning_counts_in_sessions(place: Place) -> None:
    """Ticks of the newest sessions stay, older sessions have bars only; bars stay, unless options limit them."""
    days = sessions_from(MONDAY, 6)
    with place.open() as store:
        for day in days:
            for hour in (10, 11):
                store.add_tick(MARKET, snapshot(at(day, hour)), day, Phase.OPEN)
            store.add_tick(MARKET, snapshot(at(day, 16)), day, Phase.FINAL)
        store.add_tick("other", snapshot(at(days[0], 10)), days[0], Phase.OPEN)

        assert PruneResult(0, 0) == store.prune(HistoryOptions(tick_sessions=6))
        assert PruneResult(3 * 4, 0) == store.prune(HistoryOptions(tick_sessions=2))
        assert tuple(days[4:]) == store.tick_sessions(MARKET)
        assert 3 == len(store.ticks(MARKET, days[4]))
        assert tuple(days) == store.sessions(MARKET)
        assert 6 * 3 == len(store.bars(MARKET, days[5], 99))
        assert (days[0],) == store.tick_sessions("other")
        assert PruneResult(0, 3) == store.prune(HistoryOptions(tick_sessions=2, bar_sessions=3))
        assert tuple(days[3:]) == store.sessions(MARKET)
        assert 3 * 3 == len(store.bars(MARKET, days[5], 99))
        assert days[5] == store.latest_final(MARKET)


def test_pruning_keeps_the_last_tick_of_a_session_without_bars(place: Place) -> None:
    """Without its final, the last tick stays until bars of that age are deleted, too."""
    days = sessions_from(MONDAY, 4)
    with place.open() as store:
        for day in days:
            for hour in (10, 11):
                store.add_tick(MARKET, snapshot(at(day, hour)), day, Phase.OPEN)
        store.add_bars(MARKET, [bar("TCS", day, 5.0) for day in days[1:]])

        assert PruneResult(1 + 2 + 2, 0) == store.prune(HistoryOptions(tick_sessions=1))
        assert [utc(at(days[0], 11))] == [tick.as_of for tick in store.ticks(MARKET, days[0])]
        assert PruneResult(0, 0) == store.prune(HistoryOptions(tick_sessions=1))
        assert PruneResult(1, 2) == store.prune(HistoryOptions(tick_sessions=1, bar_sessions=1))
        assert (days[3],) == store.tick_sessions(MARKET)


def test_a_clock_that_jumps_ahead_forgets_nothing(place: Place) -> None:
    """One tick of a far future counts as one session: pruning is not by date."""
    future = date(2036, 1, 7)
    with place.open() as store:
        for day in (MONDAY, TUESDAY, future):
            store.add_tick(MARKET, snapshot(at(day, 10)), day, Phase.OPEN)

        assert PruneResult(0, 0) == store.prune(HistoryOptions(tick_sessions=3))
        assert (MONDAY, TUESDAY, future) == store.tick_sessions(MARKET)


def test_notes(place: Place) -> None:
    """The newest value of each name, by market; all of them are stored or none."""
    with place.open() as store:
        assert store.shared_value("nse", "a") is None
        store.share_values("nse", {"a": b"\x00\xff", "b": b""})
        store.share_values("bse", {"a": b"other"})
        store.share_values("nse", {"a": b"newer"})
        with pytest.raises(HistoryError):
            store.share_values("nse", {"a": b"newest", "b": None})  # type: ignore[dict-item]
    with place.open() as store:
        found = [
            store.shared_value(market, name) for market, name in (("nse", "a"), ("nse", "b"), ("bse", "a"))
        ]
    assert [b"newer", b"", b"other"] == found


def test_status(place: Place) -> None:
    """How much is stored of each market, its first and last times, and the size."""
    with place.open() as store:
        assert () == store.status()
        store.add_tick(MARKET, snapshot(at(TUESDAY, 10)), TUESDAY, Phase.OPEN)
        store.add_tick(MARKET, snapshot(at(TUESDAY, 16)), TUESDAY, Phase.FINAL)
        store.add_bars(MARKET, [bar("TCS", MONDAY, 5.0)])
        store.add_bars("bse", [bar("TCS", MONDAY, 5.0)])

        assert (
            MarketStats("bse", 1, MONDAY, MONDAY, 0, None, None),
            MarketStats(MARKET, 2, MONDAY, TUESDAY, 2, utc(at(TUESDAY, 10)), utc(at(TUESDAY, 16))),
        ) == store.status()
        assert 4096 <= store.size_bytes() < 1_000_000


def test_names_are_figures_not_words_of_sql(place: Place) -> None:
    """A market or symbol of any spelling is stored under it, and does no harm."""
    odd = "'; DROP TABLE ticks; -- ? %s é 株"
    with place.open() as store:
        store.add_tick(odd, snapshot(at(MONDAY, 16), (odd, "TCS")), MONDAY, Phase.FINAL)

        assert {odd, "TCS"} == set(store.ticks(odd, MONDAY)[0].rows)
        assert ["'; DROP TABLE ticks; -- ? %s é 株", "TCS"] == [
            bar.symbol for bar in store.bars(odd, MONDAY, 1)
        ]
        assert [price(0, at(MONDAY, 16))] == [bar.close for bar in store.bars(odd, MONDAY, 1, [odd])]


def test_symbols_sort_by_code_point(place: Place) -> None:
    """The order is the same everywhere, in any language of the database server."""
    names = ("abc", "ABD", "A-C", "Z", "M&M", "MARICO", "a")
    with place.open() as store:
        store.add_bars(MARKET, [bar(name, MONDAY, 5.0) for name in names])

        assert sorted(names) == [bar.symbol for bar in store.bars(MARKET, MONDAY, 1)]


def test_a_damaged_entry_is_left_out(place: Place) -> None:
    """A damaged tick is left out with one sentence; the others are read."""
    with place.open() as store:
        for minute in (15, 20, 25, 30):
            store.add_tick(MARKET, snapshot(at(MONDAY, 9, minute)), MONDAY, Phase.OPEN)
        whole = tick_codec.encode(snapshot(at(MONDAY, 9, 20)).quotes)

        def spoil(cursor: object) -> None:
            for minute, value in ((20, whole[:-1]), (25, b"\0" * 90), (30, tick_codec.encode(())[:4] + b"x")):
                cursor.execute(  # type: ignore[attr-defined]
                    "UPDATE ticks SET figures = ? WHERE as_of = ?",
                    (value, utc(at(MONDAY, 9, minute)).isoformat(timespec="microseconds")),
                )

        store._database.write(spoil)

        assert [utc(at(MONDAY, 9, 15))] == [tick.as_of for tick in store.ticks(MARKET, MONDAY)]
    assert [
        "nse-fno: 3 of 4 entries of the history are damaged and were left out: a backup or a backfill would bring them back"
    ] == place.warnings


def test_ten_thousand_quotes(place: Place) -> None:
    """A market of that size is stored and read completely."""
    symbols = tuple(f"S{number}" for number in range(10_000))
    as_of = at(MONDAY, 16)
    with place.open() as store:
        assert AddResult(True, 10_000) == store.add_tick(
            MARKET, snapshot(as_of, symbols), MONDAY, Phase.FINAL
        )

        assert rows(as_of, symbols) == store.ticks(MARKET, MONDAY)[0].rows
        assert 10_000 == len(store.bars(MARKET, MONDAY, 1, symbols))


def test_two_at_once_add_each_tick_once(place: Place) -> None:
    """Two writers add the same ticks at the same time: each tick is new for one of them, and stored once."""
    moments = [at(MONDAY, 10, minute) for minute in range(20)]
    start = threading.Barrier(2)
    new: list[datetime] = []

    def write() -> None:
        with place.open() as store:
            start.wait()
            for as_of in moments:
                if store.add_tick(MARKET, snapshot(as_of), MONDAY, Phase.OPEN).is_new:
                    new.append(as_of)

    writers = [threading.Thread(target=write) for _ in range(2)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()

    assert moments == sorted(new)
    with place.open() as store:
        assert [utc(as_of) for as_of in moments] == [tick.as_of for tick in store.ticks(MARKET, MONDAY)]


@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.tuples(
            st.text(
                st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=8
            ),
            st.lists(
                st.none() | st.floats(allow_nan=False, allow_infinity=False, width=64), min_size=6, max_size=6
            ),
        ),
        unique_by=lambda item: item[0],
        max_size=30,
    )
)
def test_packing_loses_nothing(entries: list[tuple[str, list[float | None]]]) -> None:
    """Any symbols and finite figures are decoded to the last bit."""
    quotes = [
        Quote(
            symbol,
            figures[1] or 0.0,
            last_price=figures[0],
            high=figures[2],
            low=figures[3],
            volume=figures[4],
            turnover=figures[5],
        )
        for symbol, figures in entries
    ]

    assert {
        symbol: (figures[0], figures[1] or 0.0, *figures[2:]) for symbol, figures in entries
    } == tick_codec.decode(tick_codec.encode(quotes))
    assert {symbol: figures[4] for symbol, figures in entries} == tick_codec.decode_volumes(
        tick_codec.encode(quotes)
    )


@pytest.mark.parametrize("value", [b"", b"x", b"\0" * 5000, b"SQLite format 3", "text", None, 5])
def test_unpacking_what_was_not_packed(value: bytes) -> None:
    """Any bytes raise one of the errors that the store treats as damage."""
    for unpack in (tick_codec.decode, tick_codec.decode_volumes):
        with pytest.raises((ValueError, TypeError)):
            unpack(value)


@pytest.mark.parametrize(
    "text", ["", "[", "[]", "{}", "7", "[[]]", '[["A"],[1]]', '[["A"],[1],[1],[1],[1],5]', "[7,[1],[1],[1],[1],[1]]",
             '[["A"],[1],[1],[1],[1],[1,2],[1]]', '[["A]"],[1'],
)  # fmt: skip
def test_unpacking_other_json(text: str) -> None:
    """The same for bytes that `encode` made and that were changed."""
    for unpack in (tick_codec.decode, tick_codec.decode_volumes):
        with pytest.raises((ValueError, TypeError)):
            unpack(zlib.compress(text.encode()))


def test_unpacking_a_bomb(monkeypatch: pytest.MonkeyPatch) -> None:
    """A value that is longer than any market after decoding is refused before it fills the memory."""
    packed = tick_codec.encode(snapshot(at(MONDAY, 10), tuple(f"S{number}" for number in range(500))).quotes)
    monkeypatch.setattr(limits, "TICK_BYTES", 10_000)

    with pytest.raises(ValueError, match="far too long"):
        tick_codec.decode(packed)


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        ({"tick_sessions": 0}, "tick_sessions must be 1 or more"),
        ({"bar_sessions": 10}, "bar_sessions must not be less than tick_sessions"),
        ({"url": "mysql://host/db"}, "url must look like postgresql://user@host/database"),
        ({"url": "postgresql://me:canary@host/db"}, "hold no password"),
        ({"url": "postgresql://me@host/db?password=canary"}, "hold no password"),
        ({"url": "postgresql://host/db", "password_env": "not a name"}, "NAME of an environment variable"),
        ({"password_env": "NAME"}, "password_env needs a url"),
        ({"periods": ("1d",)}, 'periods must be sessions, such as "20d" (2d to 999d), or "ytd", not \'1d\''),
        ({"periods": ("20d", "1mo")}, "not '1mo'"),
        ({"periods": ("1000d",)}, "not '1000d'"),
        ({"periods": ("0d",)}, "not '0d'"),
        ({"periods": ("5d", "5d")}, "each once"),
        ({"periods": tuple(f"{number}d" for number in range(2, 13))}, "10 at most"),
    ],
)
def test_options_that_cannot_be(values: dict[str, object], problem: str) -> None:
    """Each error names the key and repeats no secret."""
    with pytest.raises(ConfigError) as caught:
        HistoryOptions(**values)  # type: ignore[arg-type]

    assert problem in str(caught.value)
    assert "canary" not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://host/db",
        "postgres://me@host:5432/db?sslmode=require",
        "postgresql:///db?host=/run/postgresql",
    ],
)
def test_options_that_can_be(url: str) -> None:
    """Addresses that libpq accepts are accepted."""
    assert url == HistoryOptions(url=url).url


@pytest.mark.process
def test_options_are_light() -> None:
    """A run in a closed market reads the configuration's table: this loads no database."""
    done = subprocess.run(
        [sys.executable, "-S", "-c", "import sys, heatmap.history.options; print(*sys.modules)"],
        cwd=CHECKOUT, capture_output=True, text=True, check=True,
    )  # fmt: skip

    assert set() == {"sqlite3", "psycopg", "json", "zlib", "heatmap.history.store", "urllib.parse"} & set(
        done.stdout.split()
    )
