"""The previous closes that a day's ticks had: what the exchange itself made of a split or a bonus."""

from __future__ import annotations

from typing import TYPE_CHECKING

from heatmap.history import corporate_actions, symbol_changes
from heatmap.market import ratios
from heatmap.market.calendar.session import Phase

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import date

    from heatmap.history.corporate_actions import CloseLookup, QuotedClose
    from heatmap.history.model import Tick
    from heatmap.history.store import Store
    from heatmap.market.bars import Bar
    from heatmap.market.calendar.phases import SymbolChange


def read_session(store: Store, market: str, day: date) -> Mapping[str, QuotedClose]:
    """Return the previous closes of a session's live ticks, by symbol; empty where there are no such ticks.

    A final tick may come from an archive, whose previous closes are no evidence. Raises HistoryError.
    """
    live = [tick for tick in store.encoded_ticks(market, day) if tick.phase is not Phase.FINAL]
    return combine_closes(store.decode(market, live))


def combine_closes(moments: Iterable[Tick]) -> dict[str, QuotedClose]:
    """Return the previous closes that a session's moments count their percent changes from, by symbol.

    Each moment gives a close to the rounding of its figures; several moments give it more exactly. Where two
    contradict each other, the later one counts.
    """
    found: dict[str, QuotedClose] = {}
    for moment in sorted(moments, key=lambda moment: moment.as_of):
        for symbol, row in moment.rows.items():
            close = corporate_actions.derive_quoted_close(row.last_price, row.percent_change)
            if close is not None:
                found[symbol] = _intersect(found[symbol], close) if symbol in found else close
    return found


def _intersect(one: QuotedClose, other: QuotedClose) -> QuotedClose:
    """Return the range that both allow; `other` where there is no such range."""
    low = max(one.price - one.tolerance, other.price - other.tolerance)
    high = min(one.price + one.tolerance, other.price + other.tolerance)
    return other if low > high else other._replace(price=(low + high) / 2, tolerance=(high - low) / 2)


def make_lookup(store: Store, market: str, aliases: Sequence[SymbolChange]) -> CloseLookup:
    """Return how to look one up by today's symbol and date; a session is read when it is first asked for."""
    known: dict[date, Mapping[str, QuotedClose]] = {}

    def look_up(symbol: str, day: date) -> QuotedClose | None:
        if day not in known:
            read = read_session(store, market, day)
            renamed = {symbol_changes.newest_symbol(old, day, aliases): close for old, close in read.items()}
            known[day] = {**renamed, **read}
        return known[day].get(symbol)

    return look_up


def replace_closes(
    bars: Sequence[Bar], quoted: Mapping[str, QuotedClose], known: Mapping[str, Bar]
) -> list[Bar]:
    """Return an archive's bars with the previous closes that the day's ticks had, where those differ.

    An archive keeps the old terms on the very day of a split or bonus. `known` are the day's bars so far:
    what a final tick gave is exact, what `quoted` gives is computed from rounded figures.
    """
    return [_replace_close(bar, quoted.get(bar.symbol), known.get(bar.symbol)) for bar in bars]


def _replace_close(bar: Bar, quoted: QuotedClose | None, known: Bar | None) -> Bar:
    given, own = bar.previous_close, known.previous_close if known else None
    if given is None or (
        quoted is not None and abs(quoted.price / given - 1) <= corporate_actions.SAME_SHARE
    ):
        return bar
    if own is not None and (quoted is None or abs(quoted.price / own - 1) <= corporate_actions.SAME_SHARE):
        return (
            bar if abs(own / given - 1) <= corporate_actions.SAME_SHARE else bar._replace(previous_close=own)
        )
    if quoted is None:
        return bar
    factor = ratios.find_exact(given, quoted.price, quoted.tolerance)
    return bar._replace(previous_close=round(given * float(factor) if factor else quoted.price, 2))
