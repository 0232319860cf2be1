"""The data of the page's script, decoded by these tests' own decoder and compared with the source."""

from __future__ import annotations

from dataclasses import replace
from itertools import accumulate
from typing import Any

import pytest

from heatmap.analysis import colours
from heatmap.analysis.modes import MODES
from heatmap.market.quotes import Change, Quote, Snapshot
from heatmap.pictures.market_map.data import PALETTES
from heatmap.pictures.market_map.sectors import SectorsView
from heatmap.pictures.options import PageOptions
from tests import palettes
from tests.drawings import data_of, page_of, ranking_of, recorded, snapshot_of

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"


def unpack(text: str) -> list[int]:
    """Base64 VLQ: five bits a digit, lowest first."""
    numbers, digits = [], []
    for letter in text:
        digits.append(LETTERS.index(letter) % 32)
        if LETTERS.index(letter) < 32:
            numbers.append(sum(digit << 5 * place for place, digit in enumerate(digits)))
            digits = []
    return numbers


def signed(number: int) -> int:
    """0, -1, 1, -2, … from 0, 1, 2, 3, …."""
    return -(number + 1) // 2 if number % 2 else number // 2


def falling(text: str) -> list[int]:
    """The first number, then how much less each next one is."""
    first, *falls = unpack(text) or [0]
    return list(accumulate(falls, lambda before, fall: before - fall, initial=signed(first))) if text else []


def decode_order(text: str, count: int) -> list[int]:
    """Each position among the remaining ones, in as many bits as the last of them needs."""
    bits = "".join(f"{LETTERS.index(letter):06b}" for letter in text)
    left, places = list(range(count)), []
    while left:
        width = (len(left) - 1).bit_length()
        places.append(left.pop(int(bits[:width] or "0", 2)))
        bits = bits[width:]
    return places


@pytest.fixture(scope="module")
def market() -> Snapshot:
    """The recorded day at its close."""
    return recorded()


@pytest.fixture(scope="module")
def data(market: Snapshot) -> dict[str, Any]:
    """The data in its page."""
    return data_of(page_of(market))


def in_last_decimal(value: float, decimals: int) -> int:
    """A value as Python writes it, in units of its last decimal."""
    return int(f"{value:.{decimals}f}".replace(".", ""))


ALL = [(mode, over) for mode in ("change", "rs", "sector") for over in ("1d", "1mo", "1y")]
ALL += [("liquidity", "1d"), ("amount", "1d"), ("range", "1d"), ("range", "1y")]


@pytest.mark.parametrize(("mode", "over"), ALL)
def test_rankings_come_out_as_they_went_in(
    market: Snapshot, data: dict[str, Any], mode: str, over: str
) -> None:
    """Order, values, percentiles and shades of every mode over every period."""
    ranking = ranking_of(market, mode, over)
    packed = data["readings"][f"{mode} {over}"]
    page_order = ranking_of(market, "change").order
    count = len(ranking.values)

    assert list(ranking.order) == [page_order[place] for place in decode_order(packed["order"], 210)]
    decimals = MODES[mode].decimals
    if mode == "amount":
        values = [(100 + n % 900) * 10 ** (n // 900 - 2) for n in falling(packed["values"])]
        assert [pytest.approx(value, rel=0.005) for value in ranking.values] == values
    else:
        assert [in_last_decimal(value, decimals) for value in ranking.values] == falling(packed["values"])
    assert list(ranking.percentiles) == [
        pytest.approx(number * 50 / count) for number in falling(packed["percentiles"])
    ]
    for scale, other in zip(ranking.scales, packed["scales"], strict=True):
        assert scale.name == other["name"]
        assert list(scale.shades) == [-shade for shade in falling(other["shades"])]
        assert list(scale.beyond_clamp) == other["clipped"]


@pytest.mark.parametrize(("mode", "over"), ALL)
def test_every_value_has_its_score(market: Snapshot, data: dict[str, Any], mode: str, over: str) -> None:
    """z of a percent change is the relative strength; the values of strength and sector are scores."""
    ranking = ranking_of(market, mode, over)
    packed = data["readings"][f"{mode} {over}"]
    scores = (
        data["readings"][f"rs {over}"]["values"] if mode == "change" else packed["scores"] or packed["values"]
    )
    expected = ranking.values if mode == "sector" else ranking.scores

    assert [round(score * 100) for score in expected] == falling(scores)


@pytest.mark.parametrize(("mode", "over"), ALL)
def test_sectors_come_out_as_they_went_in(
    market: Snapshot, data: dict[str, Any], mode: str, over: str
) -> None:
    """Order, medians and breadth."""
    groups = SectorsView().draw(market, ranking_of(market, mode, over))
    packed = data["readings"][f"{mode} {over}"]
    breadths = unpack(packed["breadths"])

    assert [group.sector for group in groups] == [data["sectors"][n] for n in unpack(packed["groups"])]
    assert [(g.breadth.advances, g.breadth.declines) for g in groups] == list(
        zip(breadths[::2], breadths[1::2], strict=True)
    )
    if mode != "amount":
        decimals = MODES[mode].decimals
        assert [in_last_decimal(g.median or 0.0, decimals) for g in groups] == falling(packed["medians"])


def test_weights_come_out_as_they_went_in(market: Snapshot, data: dict[str, Any]) -> None:
    """The market caps, the highest first, to three digits: they give the areas of a treemap."""
    page_order = ranking_of(market, "change").order
    caps = [
        market.quotes[page_order[place]].free_float_market_cap for place in decode_order(data["by_cap"], 210)
    ]
    decoded_caps = [(100 + n % 900) * 10 ** (n // 900 - 2) for n in falling(data["caps"])]

    assert caps == sorted(filter(None, caps), reverse=True)
    assert [pytest.approx(cap, rel=0.005) for cap in caps] == decoded_caps


def test_prices_come_out_as_they_went_in(market: Snapshot, data: dict[str, Any]) -> None:
    """To the last decimal."""
    prices = data["prices"]
    ticks = unpack(prices["ticks"])
    columns = {
        name: [
            (n > 0 and n - 1) or (n < 0 and n) or (None if n == 0 else 0)
            for n in map(signed, unpack(prices[name]))
        ]
        for name in ("last", "low", "high", "year_low", "year_high")
    }
    for place, index in enumerate(ranking_of(market, "change").order):
        quote = market.quotes[index]
        last = columns["last"][place]
        assert last is not None
        assert quote.last_price == pytest.approx(last * ticks[place] / 100)
        for name in ("low", "high", "year_low", "year_high"):
            below = columns[name][place]
            assert below is not None
            assert getattr(quote, name) == pytest.approx((last - below) * ticks[place] / 100)


@pytest.mark.parametrize("palette", [*colours.GRADIENTS, *colours.ONE_SIDED])
def test_palettes_come_out_as_they_went_in(data: dict[str, Any], palette: str) -> None:
    """Every shade and its ink."""
    red, green, blue, ink = (
        list(accumulate(map(signed, unpack(column)))) for column in data["palettes"][palette]
    )
    if palette in colours.GRADIENTS:
        gradient = colours.GRADIENTS[palette]["green"]
        expected, inks = colours.palette(gradient), colours.palette_inks(gradient)
    else:
        expected = colours.one_sided_palette(palette)
        inks = tuple(colours.inks(expected))

    assert list(expected) == [f"#{r:02x}{g:02x}{b:02x}" for r, g, b in zip(red, green, blue, strict=True)]
    assert list(inks) == [("#000000", "#ffffff")[number] for number in ink]


def test_the_palettes_file_is_up_to_date() -> None:
    """The file has the palettes of `colours`, for each colour of a gain; `python -m tests.palettes` writes it."""
    assert palettes.content() == PALETTES.read_text("utf-8")


def test_quotes_without_figures() -> None:
    """Their rankings have no values, their prices are 0 for unknown, and they have no sector."""
    data = data_of(page_of(snapshot_of(Quote("A", 1.0), Quote("B", 2.0), currency=None)))

    assert "" == data["readings"]["amount 1d"]["values"] == data["caps"]
    assert {"sign": "", "units": [[12, "trillion"], [9, "billion"], [6, "million"], [3, "thousand"]]} == data[
        "money"
    ]
    assert [0, 0] == unpack(data["prices"]["last"]) == unpack(data["volumes"])
    assert ([], [0, 0]) == (data["sectors"], unpack(data["sector"]))


def test_small_prices_keep_their_digits() -> None:
    """Such as a coin of a hundred-thousandth of a dollar."""
    coin = Quote("COIN", 1.0, last_price=0.00001234, low=0.000012, high=0.000013)
    prices = data_of(page_of(snapshot_of(coin, currency="USD")))["prices"]

    assert 8 == prices["decimals"]
    assert 1234 == (signed(unpack(prices["last"])[0]) - 1) * unpack(prices["ticks"])[0]


def test_a_period_begins_on_the_day_of_most_stocks(market: Snapshot, data: dict[str, Any]) -> None:
    """The page shows it; the period of a day begins with the previous close."""
    assert {"1d": "", "1mo": "17 Aug 2026", "1y": "16 Sep 2025"} == {
        name: over["since"] for name, over in data["periods"].items()
    }
    later = replace(market.quotes[0], changes={"1mo": Change(1.0, None)})
    odd = replace(market, quotes=(later, *market.quotes[1:]))
    assert "17 Aug 2026" == data_of(page_of(odd))["periods"]["1mo"]["since"]


def test_names_cannot_break_out_of_the_data() -> None:
    """A sector whose name ends a script stays a name."""
    page = page_of(snapshot_of(Quote("A", 1.0, sector="</script><b>"), Quote("B", 1.0)))

    assert ["</script><b>"] == data_of(page)["sectors"]
    assert "</script><b>" not in page


def test_the_first_view_follows_the_configuration() -> None:
    """Palette, scale and columns."""
    page = page_of(snapshot_of(), options=PageOptions(5, "colour-blind", scale="value"))

    assert ("colour-blind", "1", 5) == tuple(data_of(page)[key] for key in ("palette", "heat", "columns"))
