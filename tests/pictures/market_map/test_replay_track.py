"""The cached replay track: to the last letter the same as a track of all ticks at once."""

from __future__ import annotations

import random
import sqlite3
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from heatmap.history import tick_codec
from heatmap.history.options import HistoryOptions
from heatmap.history.store import FILE_NAME, Store, open_store
from heatmap.market.calendar.session import Phase
from heatmap.market.quotes import Quote, Snapshot
from heatmap.pictures.market_map import past, sparklines
from heatmap.pictures.market_map.past import PastReader
from heatmap.pictures.market_map.replay_track import ReplayTrack
from tests.history import markets
from tests.history.figures import MARKET, at
from tests.history.markets import SESSION
from tests.pictures.market_map.test_data import signed, unpack

NSE = markets.nse()
KEPT = f"tape-{MARKET}.kept"
SECTORS = {"A": "Banks", "B": "Banks", "C": "Cement", "D": None, "E": "Cement"}
FIVE_MINUTES = timedelta(minutes=5)


def read_track(store: Store, folder: Path, snapshot: Snapshot) -> dict[str, Any]:
    """The attributes of the replay track in a run."""
    return vars(PastReader(store, MARKET, NSE, (), folder).read(snapshot, SESSION, Phase.OPEN).replay_track)


def make_track(store: Store, snapshot: Snapshot) -> dict[str, Any]:
    """The same without a cache."""
    return read_track(store, Path("not/there"), snapshot)


def ticks(count: int, seed: int = 1, lowest: float = 50.0, step: float = 0.05) -> list[Snapshot]:
    """A random day: new highs, prices on a finer grid from noon on, some unknown."""
    dice = random.Random(seed)
    prices = {symbol: lowest * (place + 1) for place, symbol in enumerate(SECTORS)}
    snapshots = []
    for number in range(count):
        grid = step if number > count // 2 else 5 * step
        quotes = []
        for symbol, sector in SECTORS.items():
            prices[symbol] = max(round(prices[symbol] * (1 + dice.gauss(0, 0.01)) / grid), 1) * grid
            price = None if dice.random() < 0.1 else round(prices[symbol], 8)
            quotes.append(Quote(symbol, round(dice.gauss(0, 2), 2), sector=sector, last_price=price))
        dice.shuffle(quotes)
        snapshots.append(Snapshot("test", at(SESSION, 9, 15, 7) + number * FIVE_MINUTES, tuple(quotes)))
    return snapshots


def decode_figures(packed: str, tick: int = 1) -> list[int | None]:
    """A stock's figures: steps from the last known one; 0 is unknown."""
    last, values = 0, []
    for step in unpack(packed):
        last += signed(step - 1) if step else 0
        values.append(last * tick if step else None)
    return values


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(("lowest", "step"), [(50.0, 0.05), (1.02, 0.01), (0.004, 0.00001), (900.0, 2.5)])
def test_tick_by_tick_is_all_at_once(tmp_path: Path, seed: int, lowest: float, step: float) -> None:
    """For any prices, and if an earlier tick lacks a stock; and every figure comes back."""
    dice = random.Random(seed)
    stored: list[dict[str, Quote]] = []
    with open_store(HistoryOptions(), tmp_path, pytest.fail) as store:
        for snapshot in ticks(40, seed, lowest, step):
            attributes = read_track(store, tmp_path, snapshot)
            assert attributes == make_track(store, snapshot)
            some = tuple(quote for quote in snapshot.quotes if dice.random() < 0.9)
            store.add_tick(MARKET, replace(snapshot, quotes=some), SESSION, Phase.OPEN)
            stored.append({quote.symbol: quote for quote in some})
    stored[-1] = {quote.symbol: quote for quote in snapshot.quotes}

    for place, symbol in enumerate(attributes["symbols"]):
        quotes = [each.get(symbol) for each in stored]
        prices = [quote and quote.last_price for quote in quotes]
        units = [None if price is None else round(price * 10 ** attributes["decimals"]) for price in prices]
        changes = [quote and round(quote.percent_change * 100) for quote in quotes]
        line = sparklines.draw(units)
        assert line
        assert changes == decode_figures(attributes["changes"][place])
        assert units == decode_figures(attributes["prices"][place], attributes["ticks"][place])
        assert line.points == attributes["points"][place]
        assert (line.first, line.low, line.high, line.last) == tuple(
            attributes[name][place] for name in ("firsts", "lows", "highs", "last_prices")
        )
    assert attributes["decimals"] == (8 if attributes["lowest"] < 1 else 2)


def test_only_new_ticks_are_decoded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a day's ticks only the last one, and the one with the opening range."""
    day = ticks(30)
    unpacked: list[bytes] = []
    unpack_all = tick_codec.decode
    with open_store(HistoryOptions(), tmp_path, pytest.fail) as store:
        for snapshot in day[:-1]:
            read_track(store, tmp_path, snapshot)
            store.add_tick(MARKET, snapshot, SESSION, Phase.OPEN)
        monkeypatch.setattr(
            tick_codec, "decode", lambda value: (unpacked.append(value), unpack_all(value))[1]
        )
        read_track(store, tmp_path, day[-1])

    assert 2 == len(unpacked)


@pytest.mark.parametrize("spoilt", [None, b"", b"\x00\xff", b"1\n[]", b"x\n[]", "cut", "letter"])
def test_a_missing_or_damaged_track_is_made_again(tmp_path: Path, spoilt: bytes | str | None) -> None:
    """Cut short or with one wrong letter: the page is the same, and the next run finds a whole one."""
    day, path = ticks(12), tmp_path / KEPT
    with open_store(HistoryOptions(), tmp_path, pytest.fail) as store:
        for snapshot in day[:-1]:
            read_track(store, tmp_path, snapshot)
            store.add_tick(MARKET, snapshot, SESSION, Phase.OPEN)
        expected = read_track(store, tmp_path, day[-1])
        whole = path.read_bytes()
        place = whole.index(b"09:2")
        damaged = {"cut": whole[:-7], "letter": whole[:place] + b"1" + whole[place + 1 :]}
        path.unlink()
        if spoilt is not None:
            path.write_bytes(damaged[spoilt] if isinstance(spoilt, str) else spoilt)

        assert expected == read_track(store, tmp_path, day[-1])
        assert whole == path.read_bytes()


def test_a_track_of_other_data_is_made_again(tmp_path: Path) -> None:
    """Of another day, another history with the same times, other stocks or sectors, another time zone."""
    day = ticks(8)
    with open_store(HistoryOptions(), tmp_path, pytest.fail) as store:
        for snapshot in day[:-1]:
            store.add_tick(MARKET, snapshot, SESSION, Phase.OPEN)
        others = [
            replace(day[-1], quotes=day[-1].quotes[1:]),
            replace(day[-1], quotes=tuple(replace(quote, sector="One") for quote in day[-1].quotes)),
            replace(day[-1], quotes=(*day[-1].quotes, Quote("NEW", 1.0, last_price=7.0))),
        ]
        for snapshot in (*others, day[-1]):
            assert make_track(store, snapshot) == read_track(store, tmp_path, snapshot)
        elsewhere = PastReader(store, MARKET, replace(NSE, time_zone="Asia/Tokyo"), (), tmp_path)
        assert "2026-09-17T12:45" == elsewhere.read(day[-1], SESSION, Phase.OPEN).replay_track.minutes[0]
    (tmp_path / "other").mkdir()
    with open_store(HistoryOptions(), tmp_path / "other", pytest.fail) as other:
        for snapshot in ticks(8, seed=2)[:-1]:
            other.add_tick(MARKET, snapshot, SESSION, Phase.OPEN)
        assert make_track(other, day[-1]) == read_track(other, tmp_path, day[-1])


def test_ticks_out_of_order_and_in_the_same_minute(tmp_path: Path) -> None:
    """A clock that jumps back, a tick drawn twice, a final with the same as_of, a tick that was not stored."""
    day = ticks(9)
    soon = replace(day[5], as_of=day[4].as_of + timedelta(seconds=20))
    final = replace(day[6], quotes=day[7].quotes)
    with open_store(HistoryOptions(), tmp_path, pytest.fail) as store:
        for snapshot, phase in (
            *((each, Phase.OPEN) for each in day[:3]),
            (day[1], Phase.OPEN),
            (day[6], Phase.OPEN),
            (day[4], Phase.OPEN),
            (soon, Phase.OPEN),
            (day[6], Phase.OPEN),
            (final, Phase.FINAL),
            (day[8], Phase.OPEN),
        ):
            for _ in range(2):
                assert make_track(store, snapshot) == read_track(store, tmp_path, snapshot)
            if snapshot is not day[2]:
                store.add_tick(MARKET, snapshot, SESSION, phase)
        attributes = read_track(store, tmp_path, day[8])

    assert ["09:15", "09:20", "09:35", "09:45", "09:55"] == [minute[-5:] for minute in attributes["minutes"]]


def test_a_market_of_many_has_fewer_moments(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each run has other ones, so the cached ones may be useless."""
    monkeypatch.setattr(past, "MOST_FIGURES", 20)  # four moments of five stocks
    with open_store(HistoryOptions(), tmp_path, pytest.fail) as store:
        for number, snapshot in enumerate(ticks(15)):
            attributes = read_track(store, tmp_path, snapshot)
            assert attributes == make_track(store, snapshot)
            assert len(attributes["minutes"]) == min(number + 1, 4) or number > 3
            assert len(attributes["minutes"]) in range(1, 5)
            store.add_tick(MARKET, snapshot, SESSION, Phase.OPEN)


def test_a_damaged_tick_is_left_out_with_a_warning(tmp_path: Path) -> None:
    """There is one sentence; the other ticks are replayed."""
    warnings: list[str] = []
    day = ticks(6)
    with open_store(HistoryOptions(), tmp_path, warnings.append) as store:
        for snapshot in day[:-1]:
            store.add_tick(MARKET, snapshot, SESSION, Phase.OPEN)
    with closing(sqlite3.connect(tmp_path / FILE_NAME)) as connection, connection:
        middle = "(SELECT as_of FROM ticks ORDER BY as_of LIMIT 1 OFFSET 3)"
        connection.execute(f"UPDATE ticks SET figures = x'00' WHERE as_of = {middle}")
    with open_store(HistoryOptions(), tmp_path, warnings.append) as store:
        first, second = (read_track(store, tmp_path, day[-1]) for _ in range(2))

    assert first == second
    assert ["09:15", "09:20", "09:25", "09:35", "09:40"] == [minute[-5:] for minute in first["minutes"]]
    assert {f"{MARKET}: 1 of 1 entries"} == {sentence[:23] for sentence in warnings}


def test_a_track_comes_back_as_it_was(tmp_path: Path) -> None:
    """The cache has all its attributes."""
    with open_store(HistoryOptions(), tmp_path, pytest.fail) as store:
        attributes = read_track(store, tmp_path, ticks(1)[0])

    assert attributes == vars(ReplayTrack.from_cache(attributes))
