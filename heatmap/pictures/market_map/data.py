"""The data of the page's script: every number and shade, as compact JSON.

A stock is identified by its index in the page. The sequences of a ranking are in its order, in which most of
them fall or rise steadily. A sequence of whole numbers is encoded by `varint`, mostly as its steps: the whole
page has to fit in a few round trips.
"""

from __future__ import annotations

import json
from base64 import b64encode
from bisect import bisect_left
from collections import Counter
from itertools import pairwise
from math import gcd
from typing import TYPE_CHECKING, Any

from heatmap.analysis import colours
from heatmap.analysis.modes import ALL_MODES, MODES
from heatmap.market.periods import parse_period
from heatmap.pictures import wording
from heatmap.pictures.market_map.sectors import SectorsView
from heatmap.pictures.market_map.table import LEGEND_SWATCHES, find_extremes
from heatmap.pictures.market_map.treemap import tile_order
from heatmap.system import package_files
from heatmap.system.varint import encode, falling, price_decimals, zigzag

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from heatmap.analysis.modes import Mode
    from heatmap.analysis.rankings import Ranking, Scale
    from heatmap.market.periods import Period
    from heatmap.market.quotes import Quote, Snapshot
    from heatmap.pictures.options import PageOptions
    from heatmap.pictures.shapes import Group

SCORED = ("change", "rs", "sector")  # modes whose scores are elsewhere in the data
# Made by `python -m tests.palettes`: computing the palettes would take a tenth of a run's time.
PALETTES = package_files.DATA / "palettes.json"
PRICES = {  # the name in the page's data: the attribute of a quote
    "last": "last_price",
    "low": "low",
    "high": "high",
    "year_low": "year_low",
    "year_high": "year_high",
}


def page_data(
    snapshot: Snapshot, by_mode_and_period: Mapping[tuple[str, str], Ranking], options: PageOptions
) -> dict[str, Any]:
    """Return the data of one page. Its cells are in the order of the first ranking."""
    page_order = next(iter(by_mode_and_period.values())).order
    page_index = {index: position for position, index in enumerate(page_order)}
    quotes = [snapshot.quotes[index] for index in page_order]
    sectors = sorted({quote.sector for quote in quotes if quote.sector})
    sector_index = {sector: index for index, sector in enumerate(sectors)}
    currency = snapshot.currency
    periods = filter(None, (parse_period(name) for mode, name in by_mode_and_period if mode == "change"))
    period_data = {period.name: _period_data(snapshot, period) for period in periods}
    by_cap = tile_order(snapshot, "market-cap")
    groups = {name: SectorsView().draw(snapshot, ranking) for name, ranking in by_mode_and_period.items()}
    caps = [snapshot.quotes[index].free_float_market_cap for index in by_cap]
    return {
        "palette": options.gradient,
        "heat": options.heat,
        "columns": options.columns,
        "palettes": json.loads(PALETTES.read_bytes())[options.up],
        "unknown": [colours.UNKNOWN, colours.UNKNOWN_INK],
        "modes": {mode.name: mode_data(mode) for mode in MODES.values()},
        "periods": period_data,
        "readings": {
            " ".join(name): encode_ranking(ranking, groups[name], page_index, sector_index, currency)
            for name, ranking in by_mode_and_period.items()
        },
        "sectors": sectors,
        "sector": encode(sector_index.get(quote.sector or "", len(sectors)) for quote in quotes),
        "prices": _encode_prices(quotes, currency),
        "by_cap": encode_order(page_index, by_cap),
        "caps": falling([_three_digits(cap) for cap in caps if cap]),  # in the order of `by_cap`
        "volumes": encode(1 + _three_digits(quote.volume) if quote.volume else 0 for quote in quotes),
        "money": {"sign": wording.currency_sign(currency), "units": wording.format_units(currency)},
        **({"doubts": doubts} if (doubts := _doubts(quotes)) else {}),
    }


def _doubts(quotes: Sequence[Quote]) -> dict[str, dict[str, str]]:
    """Return by period and symbol why a percent change is unknown although the source gave figures."""
    reasons: dict[str, dict[str, str]] = {}
    for quote in quotes:
        for period, reason in quote.doubts.items():
            reasons.setdefault(period, {})[quote.symbol] = reason
    return reasons


def _three_digits(value: float) -> int:
    """Return the ordinal of an amount, rounded to three digits, among all numbers of three digits.

    A decade has 900 of them: 1.00 is number 0, 9.99 number 899, 10.0 number 900. 0 is number -1; between 0
    and 1 there are no numbers.
    """
    if value < 0.5:
        return -1
    mantissa, exponent = f"{max(value, 1.0):.2e}".split("e")
    return round(float(mantissa) * 100) - 100 + 900 * int(exponent)


def encode_order(page_index: Mapping[int, int], indexes: Sequence[int]) -> str:
    """Return the order of the quotes at `indexes` as base64.

    Each quote is encoded as its position among the remaining quotes in the page's order, with as many bits
    as the last remaining position needs. `page_index` gives a quote's index in the page.
    """
    remaining = list(range(len(page_index)))
    number = bits = 0
    for index in indexes:
        width = (len(remaining) - 1).bit_length()
        position = bisect_left(remaining, page_index[index])
        del remaining[position]
        number = number << width | position
        bits += width
    whole = -(-bits // 24) * 24  # the bits of whole bytes and whole letters
    return b64encode((number << whole - bits).to_bytes(whole // 8)).decode()[: -(-bits // 6)]


def encode_palettes(up: str) -> dict[str, list[str]]:
    """Return every palette, encoded, as in PALETTES; `up` is the colour of a gain."""
    gradients = {name: by_up[up] for name, by_up in colours.GRADIENTS.items()}
    palettes = {
        name: _encode_palette(colours.palette(gradient), colours.palette_inks(gradient))
        for name, gradient in gradients.items()
    }
    for name in colours.ONE_SIDED:
        fills = colours.one_sided_palette(name)
        palettes[name] = _encode_palette(fills, colours.inks(fills))
    return palettes


def _encode_palette(fills: Sequence[str], inks: Sequence[str]) -> list[str]:
    """Return the steps of the fills' red, green and blue, and of their inks: black is 0, white 1."""
    channels = [[int(fill[start : start + 2], 16) for fill in fills] for start in (1, 3, 5)]
    whites = [int(ink == colours.WHITE) for ink in inks]
    return [
        encode(zigzag(number - previous) for previous, number in pairwise([0, *column]))
        for column in (*channels, whites)
    ]


def mode_data(mode: Mode) -> dict[str, Any]:
    """Return the script's data of a mode."""
    return {
        "unit": "" if mode.unit == "currency" else mode.unit,  # an amount's text has its unit
        "ramp": mode.palette_kind,
        "centre": mode.centre,
        "signed": mode.signed,
        "decimals": mode.decimals,
        "needs": mode.required_data,
        "periods": mode.periods,
        "swatches": colours.swatches(LEGEND_SWATCHES, two_sided=mode.two_sided)[::-1],
    }


def _period_data(snapshot: Snapshot, period: Period) -> dict[str, Any]:
    """Return the day on which a period began for most stocks."""
    changes = (quote.changes.get(period.name) for quote in snapshot.quotes)
    starts = Counter(change.since for change in changes if change and change.since)
    return {"since": wording.format_day(starts.most_common(1)[0][0] if starts else None)}


def encode_ranking(
    ranking: Ranking,
    groups: Sequence[Group],
    page_index: Mapping[int, int],
    sector_index: Mapping[str, int],
    currency: str | None,
) -> dict[str, Any]:
    """Return a ranking, encoded. Stocks and sectors are indexes in the page and in its list of sectors.

    `groups` are the ranking's sectors.
    """
    mode = ALL_MODES[ranking.mode]
    medians = [group.median for group in groups if group.median is not None]
    return {
        "order": encode_order(page_index, ranking.order),
        "values": _encode_values(ranking.values, mode),
        # In halves of a rank: without ties they fall evenly.
        "percentiles": falling([round(value / 50 * len(ranking.values)) for value in ranking.percentiles]),
        # The scores of the percent change are the values of "rs"; the values of "rs" and "sector" are scores.
        "scores": "" if mode.name in SCORED else _encode_values(ranking.scores, MODES["rs"]),
        "scales": [_scale_data(ranking, scale, mode, currency) for scale in ranking.scales],
        "groups": encode(sector_index.get(group.sector or "", len(sector_index)) for group in groups),
        "medians": _encode_values(medians, mode),
        "breadths": encode(
            count for group in groups for count in (group.breadth.advances, group.breadth.declines)
        ),
    }


def _encode_values(values: Sequence[float], mode: Mode) -> str:
    """Return a mode's falling values, encoded: in units of its last decimal; amounts as three digits."""
    if mode.unit == "currency":
        return falling([_three_digits(value) for value in values])
    return falling([round(value * 10**mode.decimals) for value in mode.rounded(values)])


def _scale_data(ranking: Ranking, scale: Scale, mode: Mode, currency: str | None) -> dict[str, Any]:
    low, high = find_extremes(ranking, scale)
    return {
        "name": scale.name,
        "low": "" if low is None else wording.format_value(low, mode, currency),
        "high": "" if high is None else wording.format_value(high, mode, currency),
        "clipped": scale.beyond_clamp,
        "shades": falling([-shade for shade in scale.shades]),
    }


def _encode_prices(quotes: Sequence[Quote], currency: str | None) -> dict[str, Any]:
    """Return each stock's tick and its prices in ticks, encoded.

    A tick is the largest step of which all the stock's prices are multiples, in units of the last decimal.
    The last price is itself, each other price is its distance below the last price. 0 means unknown; so
    numbers from 0 up are one more.
    """
    lowest = min((quote.last_price for quote in quotes if quote.last_price), default=1.0)
    decimals = price_decimals(lowest)
    ticks: list[int] = []
    columns: dict[str, list[int]] = {name: [] for name in PRICES}
    for quote in quotes:
        units = {
            name: None if (price := getattr(quote, field)) is None else round(price * 10**decimals)
            for name, field in PRICES.items()
        }
        tick = gcd(*(unit for unit in units.values() if unit is not None)) or 1
        last = units["last"]
        ticks.append(tick)
        for name, unit in units.items():
            if unit is None or last is None:
                columns[name].append(0)
            else:
                number = (unit if name == "last" else last - unit) // tick
                columns[name].append(number + (number >= 0))
    return {
        "currency": currency,
        "decimals": decimals,
        "ticks": encode(ticks),
        **{name: encode(map(zigzag, numbers)) for name, numbers in columns.items()},
    }
