"""Finds the events of an alert in a market's quotes: each value beyond its threshold is one event. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from heatmap.analysis import history_measures, measures
from heatmap.market import periods
from heatmap.pictures import wording

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from heatmap.market.quotes import Quote, Snapshot
    from heatmap.notify.alerts.options import AlertOptions
    from heatmap.pictures.market_map.past import HistoryView

CHANGE, BREADTH, YEAR_HIGH, YEAR_LOW = "change", "breadth", "year-high", "year-low"
UP, DOWN = "up", "down"


class Event(NamedTuple):
    """One value beyond its threshold. Events with the same `key` are sent once in a session."""

    rule: str
    side: str  # UP or DOWN
    symbol: str | None  # None for the market as a whole
    name: str | None
    period: str
    value: float  # percent; for a high or low, the price
    threshold: float | None  # percent; for a high or low, the high or low that the price reached
    text: str  # the event as a sentence for people

    @property
    def key(self) -> str:
        """The identity of the event. It does not include the value, which changes with each run."""
        return " ".join((self.rule, self.period, self.side, self.symbol or ""))


def find_events(options: AlertOptions, snapshot: Snapshot) -> list[Event]:
    """Return all events of this snapshot: the market's breadth, moves by their size, then extremes."""
    quotes = [quote for quote in snapshot.quotes if not options.symbols or quote.symbol in options.symbols]
    changes = measures.percent_changes(quotes, options.period)
    events = [*_find_breadth(options, changes)]
    events += sorted(_find_moves(options, quotes, changes), key=lambda event: -abs(event.value))
    for quote in quotes:
        events += _find_extremes(options, quote, snapshot.currency)
    return events


def add_history_changes(snapshot: Snapshot, past: HistoryView, names: Collection[str]) -> Snapshot:
    """Return the snapshot with the history's changes over these periods. It keeps changes from the source."""
    from dataclasses import replace

    from heatmap.market.quotes import Change

    quotes = snapshot.quotes
    source_periods = {name for quote in quotes for name in quote.changes}
    starts = {
        name: start
        for name, start in past.earlier_sessions.starts.items()
        if name in names and name not in source_periods
    }
    if not starts:
        return snapshot
    prices = [quote.last_price for quote in quotes]
    changes = {
        name: measures.rounded(
            history_measures.period_changes(prices, [start.closes.get(quote.symbol) for quote in quotes])
        )
        for name, start in starts.items()
    }
    return replace(
        snapshot,
        quotes=tuple(
            replace(
                quote,
                changes={
                    **quote.changes,
                    **{name: Change(changes[name][index], start.date) for name, start in starts.items()},
                },
            )
            for index, quote in enumerate(quotes)
        ),
    )


def _find_breadth(options: AlertOptions, changes: Sequence[float | None]) -> Iterator[Event]:
    """Yield an event if the breadth is beyond the threshold. Stocks without a known change do not count."""
    breadth = measures.breadth(changes)
    total = sum(breadth)
    threshold = options.breadth_percent
    if threshold is None or total < measures.FEWEST:
        return
    for side, count in ((UP, breadth.advances), (DOWN, breadth.declines)):
        share = count / total * 100
        if share >= threshold:
            over = "" if options.period == periods.DAY else f" over {_period_label(options.period)}"
            text = f"{count} of {total} stocks {side}{over} ({share:.0f} %)"
            yield Event(BREADTH, side, None, None, options.period, round(share, 2), threshold, text)


def _find_moves(
    options: AlertOptions, quotes: Sequence[Quote], changes: Sequence[float | None]
) -> Iterator[Event]:
    threshold = options.change_percent
    if threshold is None:
        return
    for quote, change in zip(quotes, changes, strict=True):
        if change is not None and abs(change) >= threshold:
            side = UP if change > 0 else DOWN
            text = f"{quote.symbol} {wording.format_signed(change)} % over {_period_label(options.period)}"
            yield Event(CHANGE, side, quote.symbol, quote.name, options.period, change, threshold, text)


def _find_extremes(options: AlertOptions, quote: Quote, currency: str | None) -> Iterator[Event]:
    """Yield an event if a price reaches the high or low of 52 weeks, which may or may not include today."""
    sides = (
        (options.year_high, YEAR_HIGH, UP, quote.high, quote.year_high, "high"),
        (options.year_low, YEAR_LOW, DOWN, quote.low, quote.year_low, "low"),
    )
    for is_on, rule, side, extreme, limit, word in sides:
        price = quote.last_price if extreme is None else extreme
        if not is_on or price is None or limit is None:
            continue
        if price >= limit if side == UP else price <= limit:
            text = f"{quote.symbol} at a {word} of 52 weeks: {wording.format_price(price, currency)}"
            yield Event(rule, side, quote.symbol, quote.name, periods.YEAR, price, limit, text)


def _period_label(name: str) -> str:
    period = periods.parse_period(name)
    return period.label if period else name
