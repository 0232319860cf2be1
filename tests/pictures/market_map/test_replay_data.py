"""replay.json, decoded by these tests' own decoder and compared with the source ticks."""

from __future__ import annotations

import gzip
import json
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from heatmap.analysis import colours
from heatmap.market.quotes import Quote, Snapshot
from heatmap.pictures.market_map import past as figures_of_a_tick
from heatmap.pictures.market_map import replay_data
from heatmap.pictures.options import PageOptions
from heatmap.run import demo
from tests.drawings import ranking_of, recorded, snapshot_of
from tests.history.markets import tape_of
from tests.pictures.market_map.test_data import falling, signed, unpack

ZONE = ZoneInfo("Asia/Kolkata")
START = datetime.fromisoformat("2026-09-17T03:45:20+00:00")


def figures(packed: str, tick: int = 1) -> list[int | None]:
    """A stock's figures: steps from the last known one; 0 is unknown."""
    last, values = 0, []
    for step in unpack(packed):
        last += signed(step - 1) if step else 0
        values.append(last * tick if step else None)
    return values


def content(*snapshots: Snapshot, options: PageOptions | None = None) -> bytes:
    """replay.json of the last of these ticks."""
    with TemporaryDirectory() as folder:
        track = tape_of(*snapshots, folder=Path(folder))
    return replay_data.replay_json(track, snapshots[-1].as_of, options or PageOptions())


def document(*snapshots: Snapshot, options: PageOptions | None = None) -> dict[str, Any]:
    """The document in a browser."""
    decoded: dict[str, Any] = json.loads(content(*snapshots, options=options))
    return decoded


@pytest.fixture(scope="module")
def day(tmp_path_factory: pytest.TempPathFactory) -> list[Snapshot]:
    """Every moment of the recorded day."""
    folder: Path = tmp_path_factory.mktemp("day")
    return [recorded(moment) for moment in demo.moments(demo.settings(folder, folder, 300))]


@pytest.fixture(scope="module")
def read(day: list[Snapshot]) -> dict[str, Any]:
    """The document of the recorded day."""
    return document(*day)


@pytest.mark.slow
def test_every_change_and_price_of_every_moment_comes_back(day: list[Snapshot], read: dict[str, Any]) -> None:
    """In hundredths of a percent and of a rupee, by symbol; times are in the market's time zone."""
    assert [f"{snapshot.as_of.astimezone(ZONE):%Y-%m-%dT%H:%M}" for snapshot in day] == read["moments"]
    ticks = unpack(read["ticks"])
    for place, symbol in enumerate(read["symbols"]):
        quotes = [next(quote for quote in each.quotes if quote.symbol == symbol) for each in day]
        assert [round(quote.percent_change * 100) for quote in quotes] == figures(read["changes"][place])
        assert [round((quote.last_price or 0) * 100) for quote in quotes] == figures(
            read["prices"][place], ticks[place]
        )


def test_the_day_fits_in_sixty_kib(day: list[Snapshot]) -> None:
    """75 moments and more of 210 stocks, even if every figure jumps at each of them."""
    assert len(day) >= 75
    wild = [
        replace(
            snapshot,
            quotes=tuple(
                replace(
                    quote,
                    percent_change=quote.percent_change + (number * 7919 + place * 104729) % 61 / 100,
                    last_price=round((quote.last_price or 100) * (1 + (number * 7919 + place) % 53 / 1e4), 2),
                )
                for place, quote in enumerate(snapshot.quotes)
            ),
        )
        for number, snapshot in enumerate(day)
    ]

    for snapshots in (day, wild):
        assert len(gzip.compress(content(*snapshots), 9)) <= 60 * 1024


@pytest.mark.parametrize("number", [0, 30, 76])
def test_a_moment_has_the_shades_of_its_own_page(
    day: list[Snapshot], read: dict[str, Any], number: int
) -> None:
    """On every scale, from the tables that a browser uses."""
    changes = {
        symbol: figures(read["changes"][place])[number] for place, symbol in enumerate(read["symbols"])
    }
    order = sorted(changes, key=lambda symbol: (-(changes[symbol] or 0), symbol))
    ranking = ranking_of(day[number], "change", "1d")
    gains = sum((changes[symbol] or 0) >= 0 for symbol in order)
    sides = [unpack(read["ranks"].get(str(count), "")) for count in (gains, len(order) - gains)]
    ranks = [*sides[0], *(shade + 1 + colours.SHADES for shade in sides[1])]

    assert [day[number].quotes[index].symbol for index in ranking.order] == order
    assert list(ranking.scales[0].shades) == ranks
    for scale, table in zip(ranking.scales[1:], read["scales"][1:], strict=True):
        least = falling(table["least"])
        shades = [
            next((shade for shade, bound in enumerate(least) if (changes[symbol] or 0) >= bound), len(least))
            for symbol in order
        ]
        assert (scale.name, list(scale.shades)) == (table["name"], shades)
        assert scale.clamp == table["limit"] / 100


def test_breadth_and_medians_are_of_their_moment(day: list[Snapshot], read: dict[str, Any]) -> None:
    """For the market and for every sector."""
    for number in (0, 40):
        quotes = day[number].quotes
        changes = [quote.percent_change for quote in quotes]
        counts = [sum(change > 0 for change in changes), sum(change < 0 for change in changes)]
        assert [*counts, len(changes) - sum(counts)] == unpack(read["breadths"][number])
        for sector, packed in zip(read["sectors"], read["groups"][number], strict=False):
            inside = [quote.percent_change for quote in quotes if quote.sector == sector]
            code, up, down = unpack(packed)
            assert median(inside) == pytest.approx(signed(code - 1) / 100, abs=0.0051)
            assert (sum(change > 0 for change in inside), sum(change < 0 for change in inside)) == (up, down)


def test_missing_figures_of_a_moment_are_unknown() -> None:
    """A stock that came later, a stock without a price, a sector that was not there."""
    early = replace(
        snapshot_of(Quote("OLD", 1.0, last_price=10.0), Quote("BARE", -1.0), Quote("GONE", 3.0)), as_of=START
    )
    late = replace(
        snapshot_of(Quote("OLD", -2.0, last_price=9.5), Quote("BARE", 0.0), Quote("NEW", 4.0, sector="New")),
        as_of=START + timedelta(minutes=5),
    )
    read = document(early, late)

    assert ["BARE", "NEW", "OLD"] == read["symbols"]
    assert [[-100, 0], [None, 400], [100, -200]] == [figures(packed) for packed in read["changes"]]
    assert [[None, None], [None, None], [1000, 950]] == [
        figures(packed, tick) for packed, tick in zip(read["prices"], unpack(read["ticks"]), strict=True)
    ]
    assert [0, 0, 0] == unpack(read["groups"][0][0])
    assert [1 + 800, 1, 0] == unpack(read["groups"][1][0])


def test_of_two_ticks_in_a_minute_the_later_counts() -> None:
    """The slider's moments are minutes."""
    ticks = [
        replace(snapshot_of(Quote("A", change)), as_of=START + timedelta(seconds=15 * number))
        for number, change in enumerate((1.0, 2.0, 3.0))
    ]
    read = document(*ticks)

    assert ["2026-09-17T09:15"] == read["moments"]
    assert [300] == figures(read["changes"][0])


def test_a_market_of_many_has_fewer_moments_and_the_newest() -> None:
    """The number of figures keeps the file small; the moments are evenly spread."""
    quotes = [Quote(f"S{number:04}", 1.0) for number in range(2000)]
    ticks = [replace(snapshot_of(*quotes), as_of=START + timedelta(minutes=5 * n)) for n in range(75)]
    moments = document(*ticks)["moments"]

    assert figures_of_a_tick.MOST_FIGURES // 2 < len(moments) * 2000 <= figures_of_a_tick.MOST_FIGURES
    assert "2026-09-17T15:25" == moments[-1]
    times = [datetime.fromisoformat(moment) for moment in moments]
    assert 1 == len({after - before for before, after in zip(times, times[1:], strict=False)})


@pytest.mark.parametrize("clamp", [0.01, 1.7, 1000.0])
def test_any_clamp_has_its_table(clamp: float) -> None:
    """The least change of every shade: a change one hundredth less has the next shade."""
    decoded = document(replace(snapshot_of(), as_of=START), options=PageOptions(clamp_percent=clamp))
    for heat, table in zip((0.5, 1, 2), decoded["scales"][1:], strict=True):
        least = falling(table["least"])
        for hundredths in {*least, *(bound - 1 for bound in least), 0, 10**6, -(10**6)}:
            shade = next((shade for shade, bound in enumerate(least) if hundredths >= bound), len(least))
            assert colours.value_shade(hundredths / 100, clamp * heat) == shade
