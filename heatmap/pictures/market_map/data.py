"""What the page's script picks from: every number and shade, as compact JSON.

Stocks are named by their place in the page. What belongs to a reading follows its order, in which most
sequences fall or rise steadily. A sequence of whole numbers is written as base64 VLQ (`vlq`), mostly as its
steps: the whole page has to fit in a few round trips.
"""

from __future__ import annotations

import json
from base64 import b64encode
from bisect import bisect_left
from collections import Counter
from itertools import pairwise
from math import gcd
from typing import TYPE_CHECKING, Any

from heatmap.analysis import colours, rankings
from heatmap.analysis.modes import ALL_MODES, MODES
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

SCORED = ("change", "rs", "sector")  # modes whose scores stand in another place
# Made by `python -m tests.palettes`: asking `colour` anew would be a tenth of what a tick costs.
PALETTES = package_files.DATA / "palettes.json"
PRICES = {  # by the name they have in the page
    "last": "last_price",
    "low": "low",
    "high": "high",
    "year_low": "year_low",
    "year_high": "year_high",
}


def page_data(
    snapshot: Snapshot, found: Mapping[tuple[str, str], Ranking], options: PageOptions
) -> dict[str, Any]:
    """Return the data of one page, whose cells stand in the order of its first reading."""
    shown = next(iter(found.values())).order
    place_of = {index: place for place, index in enumerate(shown)}
    quotes = [snapshot.quotes[index] for index in shown]
    sectors = sorted({quote.sector for quote in quotes if quote.sector})
    sector_places = {sector: place for place, sector in enumerate(sectors)}
    currency = snapshot.currency
    by_cap = tile_order(snapshot, "market-cap")
    caps = [snapshot.quotes[index].free_float_market_cap for index in by_cap]
    return {
        "palette": options.gradient,
        "heat": options.heat,
        "columns": options.columns,
        "palettes": json.loads(PALETTES.read_bytes())[options.up],
        "unknown": [colours.UNKNOWN, colours.UNKNOWN_INK],
        "modes": {mode.name: mode_data(mode) for mode in MODES.values()},
        "periods": {over.name: _period(snapshot, over) for over in rankings.periods(snapshot)},
        "readings": {
            f"{mode} {over}": encode_ranking(snapshot, reading, place_of, sector_places)
            for (mode, over), reading in found.items()
        },
        "sectors": sectors,
        "sector": encode(sector_places.get(quote.sector or "", len(sectors)) for quote in quotes),
        "prices": _prices(quotes, currency),
        "by_cap": encode_order(place_of, by_cap),
        "caps": falling([_three_digits(cap) for cap in caps if cap]),  # in the order of `by_cap`
        "volumes": encode(1 + _three_digits(quote.volume) if quote.volume else 0 for quote in quotes),
        "money": {"sign": wording.currency_sign(currency), "units": wording.format_units(currency)},
        **({"doubts": doubts} if (doubts := _doubts(quotes)) else {}),
    }


def _doubts(quotes: Sequence[Quote]) -> dict[str, dict[str, str]]:
    """Return by period and symbol why a percent change is not known, though the source gave figures."""
    found: dict[str, dict[str, str]] = {}
    for quote in quotes:
        for period, reason in quote.doubts.items():
            found.setdefault(period, {})[quote.symbol] = reason
    return found


def _three_digits(value: float) -> int:
    """Return which of all numbers of three digits an amount comes nearest to, 900 of them a decade.

    1.00 is number 0, 9.99 number 899, 10.0 number 900; nothing is below 1 but 0, which is number -1.
    """
    if value < 0.5:
        return -1
    mantissa, exponent = f"{max(value, 1.0):.2e}".split("e")
    return round(float(mantissa) * 100) - 100 + 900 * int(exponent)


def encode_order(place_of: Mapping[int, int], indexes: Sequence[int]) -> str:
    """Return the places of the quotes at `indexes`, each among those that are left, as base64.

    Each takes as many bits as the last that is left needs.
    """
    left = list(range(len(place_of)))
    number = bits = 0
    for index in indexes:
        width = (len(left) - 1).bit_length()
        among = bisect_left(left, place_of[index])
        del left[among]
        number = number << width | among
        bits += width
    whole = -(-bits // 24) * 24  # the bits of whole bytes and whole letters
    return b64encode((number << whole - bits).to_bytes(whole // 8)).decode()[: -(-bits // 6)]


def encode_palettes(up: str) -> dict[str, list[str]]:
    """Return every palette, packed, with a gain shown as `up` says: what PALETTES holds."""
    gradients = {name: by_up[up] for name, by_up in colours.GRADIENTS.items()}
    ramps = {
        name: _ramp(colours.palette(gradient), colours.palette_inks(gradient))
        for name, gradient in gradients.items()
    }
    for name in colours.ONE_SIDED:
        fills = colours.one_sided_palette(name)
        ramps[name] = _ramp(fills, colours.inks(fills))
    return ramps


def _ramp(fills: Sequence[str], inks: Sequence[str]) -> list[str]:
    """Return the steps of the fills' red, green and blue, and of their inks: black is 0, white 1."""
    channels = [[int(fill[start : start + 2], 16) for fill in fills] for start in (1, 3, 5)]
    whites = [int(ink == colours.WHITE) for ink in inks]
    return [
        encode(zigzag(number - before) for before, number in pairwise([0, *column]))
        for column in (*channels, whites)
    ]


def mode_data(mode: Mode) -> dict[str, Any]:
    """Return what the script knows of a mode."""
    return {
        "unit": "" if mode.unit == "currency" else mode.unit,  # amounts are written with theirs
        "ramp": mode.palette_kind,
        "centre": mode.centre,
        "signed": mode.signed,
        "decimals": mode.decimals,
        "needs": mode.required_data,
        "periods": mode.periods,
        "swatches": colours.swatches(LEGEND_SWATCHES, two_sided=mode.two_sided)[::-1],
    }


def _period(snapshot: Snapshot, over: Period) -> dict[str, Any]:
    """Return when a period began for most stocks, and each sector's advances and declines over it."""
    starts = Counter(
        change.since for quote in snapshot.quotes if (change := quote.changes.get(over.name)) and change.since
    )
    return {"since": wording.format_day(starts.most_common(1)[0][0] if starts else None)}


def encode_ranking(
    snapshot: Snapshot,
    reading: Ranking,
    place_of: Mapping[int, int],
    sector_places: Mapping[str, int],
    changes: Sequence[float | None] | None = None,
) -> dict[str, Any]:
    """Return a reading, packed, of stocks by their place in the page and sectors by theirs in its list.

    `changes` are those of its period, where they are not the source's own.
    """
    mode = ALL_MODES[reading.mode]
    currency = snapshot.currency
    groups = SectorsView().draw(snapshot, reading, changes)
    medians = [group.median for group in groups if group.median is not None]
    return {
        "order": encode_order(place_of, reading.order),
        "values": _values(reading.values, mode),
        # In halves of a place, in which they fall evenly but for ties.
        "percentiles": falling([round(value / 50 * len(reading.values)) for value in reading.percentiles]),
        # Of the percent change they are the relative strengths; that and the sector's are scores themselves.
        "scores": "" if mode.name in SCORED else _values(reading.scores, MODES["rs"]),
        "scales": [_scale(reading, scale, mode, currency) for scale in reading.scales],
        "groups": encode(sector_places.get(group.sector or "", len(sector_places)) for group in groups),
        "medians": _values(medians, mode),
        "breadths": encode(
            count for group in groups for count in (group.breadth.advances, group.breadth.declines)
        ),
    }


def _values(values: Sequence[float], mode: Mode) -> str:
    """Return a mode's falling values, packed: in units of its last decimal, or amounts as three digits."""
    if mode.unit == "currency":
        return falling([_three_digits(value) for value in values])
    return falling([round(value * 10**mode.decimals) for value in mode.rounded(values)])


def _scale(reading: Ranking, scale: Scale, mode: Mode, currency: str | None) -> dict[str, Any]:
    low, high = find_extremes(reading, scale)
    return {
        "name": scale.name,
        "low": "" if low is None else wording.format_value(low, mode, currency),
        "high": "" if high is None else wording.format_value(high, mode, currency),
        "clipped": scale.beyond_clamp,
        "shades": falling([-shade for shade in scale.shades]),
    }


def _prices(quotes: Sequence[Quote], currency: str | None) -> dict[str, Any]:
    """Return each stock's tick, the largest step all its prices are multiples of, and the prices in ticks.

    A tick counts units of the last decimal. All but the last price are given by how far below it they
    are. 0 is unknown; numbers from 0 up are given as one more.
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
