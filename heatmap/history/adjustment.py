"""Adjusts bars to the terms of the last session. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from heatmap.history.corporate_actions import CorporateAction
    from heatmap.market.bars import Bar


def adjust(bars: Iterable[Bar], actions: Iterable[CorporateAction]) -> list[Bar]:
    """Return the bars on the terms of the last session.

    Prices are multiplied by each later factor, volumes are divided by it. Actions without a factor change
    nothing.
    """
    actions_by_symbol: dict[str, list[CorporateAction]] = {}
    for action in actions:
        if action.factor is not None:
            actions_by_symbol.setdefault(action.symbol, []).append(action)
    return [
        _adjust_bar(bar, actions_by_symbol[bar.symbol]) if bar.symbol in actions_by_symbol else bar
        for bar in bars
    ]


def _adjust_bar(bar: Bar, actions: Iterable[CorporateAction]) -> Bar:
    factor = previous_factor = 1.0
    for action in actions:
        if bar.date < action.date:
            factor *= float(action.factor or 1)
        elif bar.date == action.date and bar.previous_close and action.leaves_old(bar.previous_close):
            previous_factor *= float(action.factor or 1)
    return bar._replace(
        open=_multiply(bar.open, factor),
        high=_multiply(bar.high, factor),
        low=_multiply(bar.low, factor),
        close=bar.close * factor,
        previous_close=_multiply(bar.previous_close, factor * previous_factor),
        volume=_multiply(bar.volume, 1 / factor),
    )


def _multiply(value: float | None, factor: float) -> float | None:
    return None if value is None else value * factor
