"""What an alert finds in a market's figures: a value beyond its threshold, each as one event. Pure."""

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
    """One thing found. What is the same in `key` is told once a session."""

    rule: str
    side: str  # UP or DOWN
    symbol: str | None  # None: the market as a whole
    name: str | None
    period: str
    value: float  # percent; of a high or low, the price
    threshold: float | None  # percent; of a high or low, the price that was reached, if known
    text: str  # all of it in words

    @property
    def key(self) -> str:
        """What makes it the same event again: not its value, which moves on."""
        return " ".join((self.rule, self.period, self.side, self.symbol or ""))


def events(options: AlertOptions, snapshot: Snapshot) -> list[Event]:
    """Return all that holds at this moment, the market as a whole first, then the farthest stocks."""
    quotes = [quote for quote in snapshot.quotes if not options.symbols or quote.symbol in options.symbols]
    changes = measures.percent_changes(quotes, options.period)
    found = [*_one_sided(options, changes)]
    found += sorted(_moved(options, quotes, changes), key=lambda event: -abs(event.value))
    for quote in quotes:
        found += _extremes(options, quote, snapshot.currency)
    return found


def with_history(snapshot: Snapshot, past: HistoryView, names: Collection[str]) -> Snapshot:
    """Return the snapshot with the history's changes over these periods; the source's own stay."""
    from dataclasses import replace

    from heatmap.market.quotes import Change

    quotes = snapshot.quotes
    told = {name for quote in quotes for name in quote.changes}
    bases = {
        name: base
        for name, base in past.earlier_sessions.starts.items()
        if name in names and name not in told
    }
    if not bases:
        return snapshot
    prices = [quote.last_price for quote in quotes]
    found = {
        name: measures.rounded(
            history_measures.period_changes(prices, [base.closes.get(quote.symbol) for quote in quotes])
        )
        for name, base in bases.items()
    }
    return replace(
        snapshot,
        quotes=tuple(
            replace(
                quote,
                changes={
                    **quote.changes,
                    **{name: Change(found[name][place], base.date) for name, base in bases.items()},
                },
            )
            for place, quote in enumerate(quotes)
        ),
    )


def _one_sided(options: AlertOptions, changes: Sequence[float | None]) -> Iterator[Event]:
    """Yield the market's breadth where it is beyond the threshold: of the stocks whose change is known."""
    breadth = measures.breadth(changes)
    total = sum(breadth)
    threshold = options.breadth_percent
    if threshold is None or total < measures.FEWEST:
        return
    for side, count in ((UP, breadth.advances), (DOWN, breadth.declines)):
        share = count / total * 100
        if share >= threshold:
            over = "" if options.period == periods.DAY else f" over {_label(options.period)}"
            text = f"{count} of {total} stocks {side}{over} ({share:.0f} %)"
            yield Event(BREADTH, side, None, None, options.period, round(share, 2), threshold, text)


def _moved(
    options: AlertOptions, quotes: Sequence[Quote], changes: Sequence[float | None]
) -> Iterator[Event]:
    threshold = options.change_percent
    if threshold is None:
        return
    for quote, change in zip(quotes, changes, strict=True):
        if change is not None and abs(change) >= threshold:
            side = UP if change > 0 else DOWN
            text = f"{quote.symbol} {wording.format_signed(change)} % over {_label(options.period)}"
            yield Event(CHANGE, side, quote.symbol, quote.name, options.period, change, threshold, text)


def _extremes(options: AlertOptions, quote: Quote, currency: str | None) -> Iterator[Event]:
    """Yield a price as high or low as any of 52 weeks, whether or not the source counts today among them."""
    sides = (
        (options.year_high, YEAR_HIGH, UP, quote.high, quote.year_high, "high"),
        (options.year_low, YEAR_LOW, DOWN, quote.low, quote.year_low, "low"),
    )
    for wanted, rule, side, reached, limit, word in sides:
        price = quote.last_price if reached is None else reached
        if not wanted or price is None or limit is None:
            continue
        if price >= limit if side == UP else price <= limit:
            text = f"{quote.symbol} at a {word} of 52 weeks: {wording.format_price(price, currency)}"
            yield Event(rule, side, quote.symbol, quote.name, periods.YEAR, price, limit, text)


def _label(name: str) -> str:
    found = periods.parse_period(name)
    return found.label if found else name
