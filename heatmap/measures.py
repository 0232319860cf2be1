"""Numbers about a market: the order of its instruments and its breadth. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from heatmap.model import Breadth, Quote

if TYPE_CHECKING:
    from collections.abc import Iterable


def in_order(quotes: Iterable[Quote]) -> list[Quote]:
    """Return the quotes as they are drawn: percent change descending, ties by symbol."""
    return sorted(quotes, key=lambda quote: (-quote.percent_change, quote.symbol))


def percent_change(last_price: float | None, previous_close: float | None) -> float | None:
    """Return (last price / previous close - 1) x 100 to two decimals; None unless both are positive."""
    if last_price is None or previous_close is None or last_price <= 0 or previous_close <= 0:
        return None
    return round((last_price / previous_close - 1) * 100, 2)


def breadth(quotes: Iterable[Quote]) -> Breadth:
    """Count the quotes above, below and at 0 percent change."""
    changes = [quote.percent_change for quote in quotes]
    advances = sum(change > 0 for change in changes)
    declines = sum(change < 0 for change in changes)
    return Breadth(advances, declines, len(changes) - advances - declines)
