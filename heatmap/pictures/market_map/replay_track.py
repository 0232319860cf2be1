"""What a session's ticks so far come down to, packed as replay.json and the panel's lines have it. Pure.

A tape is kept between ticks: each adds itself at the end, so that the earlier ones need not be read again.
One made of all ticks at once is the same, to the last letter.
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
    """The moments of a session, of the stocks of its last snapshot in the order of their symbols.

    Its attributes are what is kept: numbers, text, and lists of these. A stock's figures are packed as steps
    from its last known one: 0 where a moment has none, else one more than the step's zigzag. Percent changes
    are whole hundredths, prices whole ticks, the largest step that all of a stock's prices are multiples of.
    """

    def __init__(self, quotes: Sequence[Quote], decimals: int = varint.PRICE_DECIMALS) -> None:
        quotes = sorted(quotes, key=lambda quote: quote.symbol)
        count = len(quotes)
        self.decimals = decimals  # of the prices: a tick, a low and a high count units of the last one
        self.symbols = [quote.symbol for quote in quotes]
        self.sectors = sorted({quote.sector for quote in quotes if quote.sector})
        # By sector, those without one last: the places of its stocks.
        self.members = [
            [place for place, quote in enumerate(quotes) if (quote.sector or None) == sector]
            for sector in (*self.sectors, None)
        ]
        self.seen: list[list[str | int]] = []  # what tells the ticks that it was made of, whoever adds them
        self.minutes: list[str] = []
        self.changes = [""] * count
        self.last_changes = [0] * count
        self.prices = [""] * count
        self.last_prices = [0] * count  # in units
        self.ticks = [0] * count  # in units; 0: no price yet that tells
        # The first, the lowest and the highest price, in units; 0: none yet.
        self.firsts, self.lows, self.highs = [0] * count, [0] * count, [0] * count
        # The lines' heights; "" where they are to be drawn anew.
        self.points = [""] * count
        self.breadths: list[str] = []
        # By moment, by sector: its median, 0 where it has none, and what rose and fell.
        self.groups: list[list[str]] = []
        # By how many stocks were on one side of 0 at any moment: their shades by rank, first to last.
        self.ranks: dict[str, str] = {}
        self.lowest: float | None = None  # price

    @classmethod
    def revived(cls, kept: Mapping[str, Any]) -> ReplayTrack:
        """Return the tape whose attributes these are."""
        tape = cls(())
        vars(tape).update(kept)
        return tape

    def add(self, minute: str, rows: Mapping[str, TickRow]) -> None:
        """Add a later moment."""
        found = [rows.get(symbol) for symbol in self.symbols]
        changes = [None if row is None else row.percent_change for row in found]
        hundredths = [
            None if change is None else round(change * HUNDREDTHS) for change in measures.rounded(changes)
        ]
        for place, number in enumerate(hundredths):
            self.changes[place] += _step(number, self.last_changes[place])
            if number is not None:
                self.last_changes[place] = number
        for place, row in enumerate(found):
            self._add_price(place, row.last_price if row else None)
        self.minutes.append(minute)
        self.breadths.append(varint.encode(measures.breadth(changes)))
        self.groups.append([_group([changes[place] for place in inside]) for inside in self.members])
        known = [number for number in hundredths if number is not None]
        gains = sum(number >= 0 for number in known)
        for count in {gains, len(known) - gains} - {0}:
            if str(count) not in self.ranks:
                self.ranks[str(count)] = varint.encode(colours.rank_shades([0.0] * count))

    def _add_price(self, place: int, price: float | None) -> None:
        if price is None:
            self.prices[place] += sparklines.UNKNOWN
            self.points[place] += sparklines.UNKNOWN if self.points[place] else ""
            return
        self.lowest = price if self.lowest is None else min(self.lowest, price)
        units = round(price * 10**self.decimals)
        before, tick = self.ticks[place], gcd(self.ticks[place], units)
        if tick != before:
            self.ticks[place] = tick
            self.prices[place] = _finer(self.prices[place], before // (tick or 1))
        tick = tick or 1
        self.prices[place] += _step(units // tick, self.last_prices[place] // tick)
        self.last_prices[place] = units
        low, high = self.lows[place], self.highs[place]
        if not self.firsts[place]:
            self.firsts[place] = self.lows[place] = self.highs[place] = units
            self.points[place] = ""
        elif low <= units <= high:
            if self.points[place]:
                self.points[place] += sparklines.encode_height(units, low, high)
        else:
            self.lows[place], self.highs[place] = min(low, units), max(high, units)
            self.points[place] = ""

    def settle(self) -> None:
        """Draw the lines anew whose range has grown."""
        for place, points in enumerate(self.points):
            if not points:
                line = sparklines.draw(self._units(place))
                self.points[place] = line.heights if line else ""

    def _units(self, place: int) -> list[int | None]:
        """Return a stock's prices, in units."""
        last, tick = 0, self.ticks[place] or 1
        found: list[int | None] = []
        for code in varint.decode(self.prices[place]):
            last += varint.signed(code - 1) if code else 0
            found.append(last * tick if code else None)
        return found


def _step(number: int | None, last: int) -> str:
    return sparklines.UNKNOWN if number is None else varint.encode([varint.zigzag(number - last) + 1])


def _finer(packed: str, times: int) -> str:
    """Return steps that are so many times as long."""
    codes = varint.decode(packed)
    return varint.encode([code and varint.zigzag(varint.signed(code - 1) * times) + 1 for code in codes])


def _group(changes: Sequence[float | None]) -> str:
    """Return one more than a sector's median's zigzag, in hundredths, and how many stocks rose and fell."""
    known = [change for change in changes if change is not None]
    median = measures.median(known)
    side = measures.breadth(known)
    code = 0 if median is None else varint.zigzag(round(median * HUNDREDTHS)) + 1
    return varint.encode([code, side.advances, side.declines])
