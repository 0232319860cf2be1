"""Brings bars to the symbols of today. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import date

    from heatmap.market.bars import Bar
    from heatmap.market.calendar.phases import SymbolChange


def rename(bars: Iterable[Bar], aliases: Sequence[SymbolChange]) -> list[Bar]:
    """Return the bars under today's symbols; a session's own bar of that symbol stays the one it has."""
    given = list(bars)
    changed = {alias.old for alias in aliases}  # few of all symbols: the others need no search
    later = {alias.new for alias in aliases}
    taken = {(bar.symbol, bar.date) for bar in given if bar.symbol in later}  # no other is looked up
    result = []
    for bar in given:
        is_changed = bar.symbol in changed
        symbol = newest_symbol(bar.symbol, bar.date, aliases) if is_changed else bar.symbol
        if symbol == bar.symbol:
            result.append(bar)
        elif (symbol, bar.date) not in taken:
            taken.add((symbol, bar.date))
            result.append(bar._replace(symbol=symbol))
    return result


def newest_symbol(symbol: str, day: date, aliases: Sequence[SymbolChange]) -> str:
    """Return what a symbol of that day became; the first alias that fits counts, and each one only once."""
    left = [alias for alias in aliases if alias.since is None or day < alias.since]
    while later := next((alias for alias in left if alias.old == symbol), None):
        left.remove(later)
        symbol = later.new
    return symbol
