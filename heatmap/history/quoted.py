"""The previous closes that a day's ticks had: what the exchange itself made of a split or a bonus."""

from __future__ import annotations

from typing import TYPE_CHECKING

from heatmap.history import actions, adjustment

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date

    from heatmap.guard import Alias
    from heatmap.history.actions import Quoted, QuotedClose
    from heatmap.history.store import Store


def of_session(store: Store, market: str, day: date) -> Mapping[str, QuotedClose]:
    """Return them by symbol, of the last tick of a session; nothing where there is none."""
    last = store.unpacked(market, store.packed(market, day)[-1:])
    found = {
        symbol: actions.quoted_close(row.last_price, row.percent_change)
        for moment in last
        for symbol, row in moment.rows.items()
    }
    return {symbol: close for symbol, close in found.items() if close is not None}


def by_session(store: Store, market: str, aliases: Sequence[Alias]) -> Quoted:
    """Return how to look one up by today's symbol and date; a session is read when it is first asked for."""
    known: dict[date, Mapping[str, QuotedClose]] = {}

    def look_up(symbol: str, day: date) -> QuotedClose | None:
        if day not in known:
            read = of_session(store, market, day)
            renamed = {adjustment.newest_symbol(old, day, aliases): close for old, close in read.items()}
            known[day] = {**renamed, **read}
        return known[day].get(symbol)

    return look_up
