"""replay.json: every moment of a session so far, for the page's time slider. Pure.

Percent changes are whole hundredths, prices whole ticks. A stock's figures are packed as `data.packed` does,
as steps from its last known one: 0 where a moment has none, else one more than the step's zigzag.
"""

from __future__ import annotations

import json
from bisect import bisect_left
from math import gcd
from typing import TYPE_CHECKING, Any

from heatmap import colours, measures, readings
from heatmap.modes import MODES
from heatmap.render import data, words

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import tzinfo

    from heatmap.history.model import Moment
    from heatmap.model import Snapshot
    from heatmap.render.options import PageOptions

# Beyond it every second moment is left out, or two of three, …: 285 moments of 210 stocks, 30 of 2,000.
MOST_FIGURES = 60_000
HUNDREDTHS = 100  # of a percent


def replay_json(moments: Sequence[Moment], snapshot: Snapshot, options: PageOptions, zone: tzinfo) -> bytes:
    """Return replay.json of a session's moments, the oldest first, for the stocks of its last snapshot."""
    document = replay_data(moments, snapshot, options, zone)
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode()


def replay_data(
    moments: Sequence[Moment], snapshot: Snapshot, options: PageOptions, zone: tzinfo
) -> dict[str, Any]:
    """Return its document. Stocks stand in the order of their symbols, as where changes are equal."""
    quotes = sorted(snapshot.quotes, key=lambda quote: quote.symbol)
    by_minute = {f"{moment.as_of.astimezone(zone):%Y-%m-%dT%H:%M}": moment for moment in moments}
    minutes = _thinned(list(by_minute), len(quotes))
    rows = [[by_minute[minute].rows.get(quote.symbol) for quote in quotes] for minute in minutes]
    changes = [[None if row is None else row.percent_change for row in moment] for moment in rows]
    hundredths = [
        [None if change is None else round(change * HUNDREDTHS) for change in moment] for moment in changes
    ]
    sectors = sorted({quote.sector for quote in quotes if quote.sector})
    members = [
        [place for place, quote in enumerate(quotes) if quote.sector == sector] for sector in (*sectors, None)
    ]
    known = [[number for number in moment if number is not None] for moment in hundredths]
    gains = [sum(number >= 0 for number in moment) for moment in known]
    sides = {*gains, *(len(moment) - up for moment, up in zip(known, gains, strict=True))} - {0}
    lowest = min((row.last_price for moment in rows for row in moment if row and row.last_price), default=1.0)
    decimals = data.PRICE_DECIMALS if lowest >= 1 else data.SMALL_PRICE_DECIMALS
    prices = [
        [
            None if row is None or row.last_price is None else round(row.last_price * 10**decimals)
            for row in (moment[place] for moment in rows)
        ]
        for place in range(len(quotes))
    ]
    ticks = [gcd(*(price for price in column if price is not None)) or 1 for column in prices]
    return {
        "as_of": snapshot.as_of.isoformat(),
        "moments": minutes,
        "symbols": [quote.symbol for quote in quotes],
        "sectors": sectors,
        "changes": [_steps(column) for column in zip(*hundredths, strict=True)],
        "breadths": [data.packed(measures.breadth(moment)) for moment in changes],
        # By sector, those without one last: its median, 0 where it has none, and what rose and fell.
        "groups": [[_group([moment[place] for place in inside]) for inside in members] for moment in changes],
        "decimals": decimals,
        "ticks": data.packed(ticks),
        "prices": [
            _steps([None if price is None else price // tick for price in column])
            for column, tick in zip(prices, ticks, strict=True)
        ],
        "scales": [
            _scale(name, options) for name in (readings.RANK, *(f"{heat:g}" for heat in readings.HEATS))
        ],
        # Of a side of so many stocks, the shades, from its first to its last.
        "ranks": {count: data.packed(colours.rank_shades([0.0] * count)) for count in sorted(sides)},
    }


def _thinned(minutes: Sequence[str], stocks: int) -> list[str]:
    """Return so many of the moments as may be, evenly, the last among them."""
    step = -(-len(minutes) * max(stocks, 1) // MOST_FIGURES)
    return list(minutes[::-1][:: max(step, 1)][::-1])


def _steps(numbers: Sequence[int | None]) -> str:
    """Return whole numbers, packed as steps from the last known one; 0 is unknown."""
    last = 0
    found = []
    for number in numbers:
        found.append(0 if number is None else data.zigzag(number - last) + 1)
        last = last if number is None else number
    return data.packed(found)


def _group(changes: Sequence[float | None]) -> str:
    """Return one more than a sector's median's zigzag, in hundredths, and how many stocks rose and fell."""
    known = [change for change in changes if change is not None]
    median = measures.median(known)
    side = measures.breadth(known)
    code = 0 if median is None else data.zigzag(round(median * HUNDREDTHS)) + 1
    return data.packed([code, side.advances, side.declines])


def _scale(name: str, options: PageOptions) -> Mapping[str, Any]:
    """Return a scale: how it is called, and of one by value from which change on each shade is given.

    `limit` is where it clips; `least` holds for every shade but the last the least change, in hundredths,
    that has it, as the falling steps of a sequence.
    """
    if name == readings.RANK:
        return {"name": name, "low": "", "high": ""}
    clamp = (MODES["change"].clamp or options.clamp_percent) * float(name)
    limit = round(clamp * HUNDREDTHS)
    below = range(-limit - 1, limit + 2)  # one beyond the clamp each side

    def strength(hundredths: int) -> int:
        return -colours.value_shade(hundredths / HUNDREDTHS, clamp)

    least = [below[bisect_left(below, -shade, key=strength)] for shade in range(2 * colours.SHADES - 1)]
    return {
        "name": name,
        "low": words.signed(-clamp),
        "high": words.signed(clamp),
        "limit": limit,
        "least": data.falling(least),
    }
