"""Checks figures before they are stored, and makes daily bars of a session's last quotes. Pure."""

from __future__ import annotations

from datetime import UTC, timedelta
from math import isfinite
from typing import TYPE_CHECKING

from heatmap.errors import HistoryNonsense

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date, datetime

    from heatmap.market.bars import Bar
    from heatmap.market.quotes import Quote

FARTHEST = timedelta(
    days=1
)  # from the session's date to the date in UTC: sessions cross midnight, zones differ


def refuse_other_session(market: str, as_of: datetime, session_date: date) -> None:
    """Raise HistoryNonsense if figures of `as_of` cannot belong to that session."""
    if abs(as_of.astimezone(UTC).date() - session_date) > FARTHEST:
        raise HistoryNonsense(
            f"{market}: figures as of {as_of:%d %b %Y %H:%M %Z} cannot be of the session of "
            f"{session_date:%d %b %Y}, so they are not kept: check this machine's clock"
        )


def refuse_impossible(market: str, bar: Bar) -> None:
    """Raise HistoryNonsense for a bar with an impossible price or amount."""
    prices = (bar.open, bar.high, bar.low, bar.close, bar.previous_close)
    amounts = (bar.volume, bar.turnover)
    wrong = [price for price in prices if price is not None and not (isfinite(price) and price > 0)]
    wrong += [amount for amount in amounts if amount is not None and not (isfinite(amount) and amount >= 0)]
    if wrong:
        raise HistoryNonsense(
            f"{market}: the bar of {bar.symbol} on {bar.date:%d %b %Y} holds {wrong[0]:g}, which no price or "
            "amount can be, so nothing of its file is kept: get the file again"
        )


def make_bar_rows(market: str, session: str, quotes: Sequence[Quote]) -> list[tuple[object, ...]]:
    """Return the rows of daily bars, made of a session's last quotes."""
    from heatmap.history.corporate_actions import find_previous_close  # only a session's final needs it

    return [
        (
            *(market, quote.symbol, session, quote.open, quote.high, quote.low, quote.last_price),
            *(find_previous_close(quote), quote.volume, quote.turnover),
        )
        for quote in quotes
        if quote.last_price is not None
    ]
