"""Brings bars to the terms and symbols of the last session. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import date

    from heatmap.guard import Alias
    from heatmap.history.actions import Action
    from heatmap.history.model import Bar


def adjusted(bars: Iterable[Bar], actions: Iterable[Action]) -> list[Bar]:
    """Return the bars on the terms of the last session: prices times, volumes by, each later factor.

    Actions without a factor change nothing.
    """
    known: dict[str, list[Action]] = {}
    for action in actions:
        if action.factor is not None:
            known.setdefault(action.symbol, []).append(action)
    return [_on_later_terms(bar, known[bar.symbol]) if bar.symbol in known else bar for bar in bars]


def renamed(bars: Iterable[Bar], aliases: Sequence[Alias]) -> list[Bar]:
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


def newest_symbol(symbol: str, day: date, aliases: Sequence[Alias]) -> str:
    """Return what a symbol of that day became; the first alias that fits counts, and each one only once."""
    left = [alias for alias in aliases if alias.since is None or day < alias.since]
    while later := next((alias for alias in left if alias.old == symbol), None):
        left.remove(later)
        symbol = later.new
    return symbol


def _on_later_terms(bar: Bar, actions: Iterable[Action]) -> Bar:
    factor = previous = 1.0
    for action in actions:
        if bar.date < action.date:
            factor *= float(action.factor or 1)
        elif bar.date == action.date and bar.previous_close and action.leaves_old(bar.previous_close):
            previous *= float(action.factor or 1)
    return bar._replace(
        open=_times(bar.open, factor),
        high=_times(bar.high, factor),
        low=_times(bar.low, factor),
        close=bar.close * factor,
        previous_close=_times(bar.previous_close, factor * previous),
        volume=_times(bar.volume, 1 / factor),
    )


def _times(figure: float | None, factor: float) -> float | None:
    return None if figure is None else figure * factor
