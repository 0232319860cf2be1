"""The previous closes of a day's ticks, which the exchange itself has adjusted for splits and bonuses."""

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
    """Return the previous closes of a session's live ticks, by symbol; empty without live ticks.

    A final tick is ignored: it may come from an archive, which does not adjust. Raises HistoryError.
    """
    live = [tick for tick in store.encoded_ticks(market, day) if tick.phase is not Phase.FINAL]
    return combine_closes(store.decode(market, live))


def combine_closes(ticks: Iterable[Tick]) -> dict[str, QuotedClose]:
    """Return the previous closes from which a session's ticks count their percent changes, by symbol.

    Each tick gives a close to the rounding of its figures; several ticks give it more exactly. If two ticks
    contradict each other, the later one counts.
    """
    closes: dict[str, QuotedClose] = {}
    for tick in sorted(ticks, key=lambda tick: tick.as_of):
        for symbol, row in tick.rows.items():
            close = corporate_actions.derive_quoted_close(row.last_price, row.percent_change)
            if close is not None:
                closes[symbol] = _intersect(closes[symbol], close) if symbol in closes else close
    return closes


def _intersect(one: QuotedClose, other: QuotedClose) -> QuotedClose:
    """Return the range that both allow; `other` if there is no such range."""
    low = max(one.price - one.tolerance, other.price - other.tolerance)
    high = min(one.price + one.tolerance, other.price + other.tolerance)
    return other if low > high else other._replace(price=(low + high) / 2, tolerance=(high - low) / 2)


def make_lookup(store: Store, market: str, aliases: Sequence[SymbolChange]) -> CloseLookup:
    """Return a function that looks up a close by new symbol and date. It reads each session once."""
    closes_by_day: dict[date, Mapping[str, QuotedClose]] = {}

    def look_up(symbol: str, day: date) -> QuotedClose | None:
        if day not in closes_by_day:
            closes = read_session(store, market, day)
            renamed = {
                symbol_changes.newest_symbol(old, day, aliases): close for old, close in closes.items()
            }
            closes_by_day[day] = {**renamed, **closes}
        return closes_by_day[day].get(symbol)

    return look_up


def replace_closes(
    bars: Sequence[Bar], quoted: Mapping[str, QuotedClose], stored: Mapping[str, Bar]
) -> list[Bar]:
    """Return an archive's bars with the previous closes of the day's ticks, if those differ.

    An archive keeps the old terms on the first day of a split or bonus. `stored` are the day's stored bars:
    their previous closes are exact, while `quoted` closes are computed from rounded figures.
    """
    return [_replace_close(bar, quoted.get(bar.symbol), stored.get(bar.symbol)) for bar in bars]


def _replace_close(bar: Bar, quoted: QuotedClose | None, stored: Bar | None) -> Bar:
    archived, exact = bar.previous_close, stored.previous_close if stored else None
    if archived is None or (
        quoted is not None and abs(quoted.price / archived - 1) <= corporate_actions.SAME_SHARE
    ):
        return bar
    if exact is not None and (
        quoted is None or abs(quoted.price / exact - 1) <= corporate_actions.SAME_SHARE
    ):
        return (
            bar
            if abs(exact / archived - 1) <= corporate_actions.SAME_SHARE
            else bar._replace(previous_close=exact)
        )
    if quoted is None:
        return bar
    factor = ratios.find_exact(archived, quoted.price, quoted.tolerance)
    return bar._replace(previous_close=round(archived * float(factor) if factor else quoted.price, 2))
