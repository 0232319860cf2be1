"""Renames bars to the newest symbols. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import date

    from heatmap.market.bars import Bar
    from heatmap.market.calendar.phases import SymbolChange


def rename(bars: Iterable[Bar], aliases: Sequence[SymbolChange]) -> list[Bar]:
    """Return the bars under their newest symbols; a bar that already has that symbol in a session wins."""
    originals = list(bars)
    old_symbols = {alias.old for alias in aliases}  # only few symbols need a search
    new_symbols = {alias.new for alias in aliases}
    used = {(bar.symbol, bar.date) for bar in originals if bar.symbol in new_symbols}  # may conflict
    result = []
    for bar in originals:
        is_changed = bar.symbol in old_symbols
        symbol = newest_symbol(bar.symbol, bar.date, aliases) if is_changed else bar.symbol
        if symbol == bar.symbol:
            result.append(bar)
        elif (symbol, bar.date) not in used:
            used.add((symbol, bar.date))
            result.append(bar._replace(symbol=symbol))
    return result


def newest_symbol(symbol: str, day: date, aliases: Sequence[SymbolChange]) -> str:
    """Return what a symbol of that day became; the first alias that fits counts, and each one only once."""
    unused = [alias for alias in aliases if alias.since is None or day < alias.since]
    while change := next((alias for alias in unused if alias.old == symbol), None):
        unused.remove(change)
        symbol = change.new
    return symbol
