"""Bars of an instrument."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from datetime import date


class Bar(NamedTuple):
    """The figures of one instrument in one session. None means unknown.

    Prices are in the market's currency, as they were on that day. They are never adjusted.
    """

    symbol: str
    date: date  # of the session
    open: float | None
    high: float | None
    low: float | None
    close: float
    previous_close: (
        float | None
    )  # as the exchange gave it that day: adjusted for corporate actions of that day
    volume: float | None  # shares
    turnover: float | None  # money traded, in the market's currency
