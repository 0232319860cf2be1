"""The replay track: a session's ticks so far, encoded for replay.json and for the day's sparklines. Pure.

A track is cached between runs. Each run adds its tick at the end and does not read the earlier ticks again.
A track that is made of all ticks at once is the same, to the last letter.
"""

from __future__ import annotations

from math import gcd
from typing import TYPE_CHECKING, Any

from heatmap.analysis import colours, measures
from heatmap.pictures.market_map import sparklines
from heatmap.system import varint

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from heatmap.history.model import TickRow
    from heatmap.market.quotes import Quote

HUNDREDTHS = 100  # of a percent


class ReplayTrack:
    """The moments of a session, for the stocks of its last snapshot in the order of their symbols.

    The cache has exactly its attributes: numbers, text, and lists of these. A stock's figures are encoded as
    steps from its last known figure: 0 if a moment has no figure, else one more than the step's zigzag.
    Percent changes are whole hundredths. Prices are whole ticks; a tick is the largest step of which all the
    stock's prices are multiples.
    """

    def __init__(self, quotes: Sequence[Quote], decimals: int = varint.PRICE_DECIMALS) -> None:
        quotes = sorted(quotes, key=lambda quote: quote.symbol)
        count = len(quotes)
        self.decimals = decimals  # of the prices: a unit is one of the last decimal
        self.symbols = [quote.symbol for quote in quotes]
        self.sectors = sorted({quote.sector for quote in quotes if quote.sector})
        # By sector: the indexes of its stocks. The stocks without a sector are last.
        self.members = [
            [index for index, quote in enumerate(quotes) if (quote.sector or None) == sector]
            for sector in (*self.sectors, None)
        ]
        self.tick_marks: list[list[str | int]] = []  # the caller's identification of each tick
        self.minutes: list[str] = []
        self.changes = [""] * count
        self.last_changes = [0] * count
        self.prices = [""] * count
        self.last_prices = [0] * count  # in units
        self.ticks = [0] * count  # in units; 0: unknown as yet
        # The first, the lowest and the highest price, in units; 0: none yet.
        self.firsts, self.lows, self.highs = [0] * count, [0] * count, [0] * count
        # The sparklines' points; "": the line must be redrawn.
        self.points = [""] * count
        self.breadths: list[str] = []
        # By moment, by sector: the median, 0 if it has none, and how many stocks rose and fell.
        self.groups: list[list[str]] = []
        # By the number of stocks on one side of 0 at any moment: their shades by rank, first to last.
        self.ranks: dict[str, str] = {}
        self.lowest: float | None = None  # price

    @classmethod
    def from_cache(cls, attributes: Mapping[str, Any]) -> ReplayTrack:
        """Return the track with these attributes."""
        track = cls(())
        vars(track).update(attributes)
        return track

    def add(self, minute: str, rows: Mapping[str, TickRow]) -> None:
        """Add a later moment."""
        own_rows = [rows.get(symbol) for symbol in self.symbols]
        changes = [None if row is None else row.percent_change for row in own_rows]
        hundredths = [
            None if change is None else round(change * HUNDREDTHS) for change in measures.rounded(changes)
        ]
        for index, number in enumerate(hundredths):
            self.changes[index] += _encode_step(number, self.last_changes[index])
            if number is not None:
                self.last_changes[index] = number
        for index, row in enumerate(own_rows):
            self._add_price(index, row.last_price if row else None)
        self.minutes.append(minute)
        self.breadths.append(varint.encode(measures.breadth(changes)))
        self.groups.append([_encode_group([changes[index] for index in group]) for group in self.members])
        known_numbers = [number for number in hundredths if number is not None]
        gains = sum(number >= 0 for number in known_numbers)
        for count in {gains, len(known_numbers) - gains} - {0}:
            if str(count) not in self.ranks:
                self.ranks[str(count)] = varint.encode(colours.rank_shades([0.0] * count))

    def _add_price(self, index: int, price: float | None) -> None:
        if price is None:
            self.prices[index] += sparklines.UNKNOWN
            self.points[index] += sparklines.UNKNOWN if self.points[index] else ""
            return
        self.lowest = price if self.lowest is None else min(self.lowest, price)
        units = round(price * 10**self.decimals)
        old_tick, tick = self.ticks[index], gcd(self.ticks[index], units)
        if tick != old_tick:
            self.ticks[index] = tick
            self.prices[index] = _multiply_steps(self.prices[index], old_tick // (tick or 1))
        tick = tick or 1
        self.prices[index] += _encode_step(units // tick, self.last_prices[index] // tick)
        self.last_prices[index] = units
        low, high = self.lows[index], self.highs[index]
        if not self.firsts[index]:
            self.firsts[index] = self.lows[index] = self.highs[index] = units
            self.points[index] = ""
        elif low <= units <= high:
            if self.points[index]:
                self.points[index] += sparklines.encode_height(units, low, high)
        else:
            self.lows[index], self.highs[index] = min(low, units), max(high, units)
            self.points[index] = ""

    def redraw_lines(self) -> None:
        """Draw the sparklines again whose price range has grown."""
        for index, points in enumerate(self.points):
            if not points:
                line = sparklines.draw(self._decode_prices(index))
                self.points[index] = line.points if line else ""

    def _decode_prices(self, index: int) -> list[int | None]:
        """Return a stock's prices, in units."""
        last, tick = 0, self.ticks[index] or 1
        prices: list[int | None] = []
        for code in varint.decode(self.prices[index]):
            last += varint.signed(code - 1) if code else 0
            prices.append(last * tick if code else None)
        return prices


def _encode_step(number: int | None, last: int) -> str:
    return sparklines.UNKNOWN if number is None else varint.encode([varint.zigzag(number - last) + 1])


def _multiply_steps(steps: str, factor: int) -> str:
    """Return encoded steps, each multiplied by `factor`."""
    codes = varint.decode(steps)
    return varint.encode([code and varint.zigzag(varint.signed(code - 1) * factor) + 1 for code in codes])


def _encode_group(changes: Sequence[float | None]) -> str:
    """Return a sector's median and how many of its stocks rose and fell, encoded.

    The median is one more than its zigzag, in hundredths; 0: it has none.
    """
    known_changes = [change for change in changes if change is not None]
    median = measures.median(known_changes)
    side = measures.breadth(known_changes)
    code = 0 if median is None else varint.zigzag(round(median * HUNDREDTHS)) + 1
    return varint.encode([code, side.advances, side.declines])
