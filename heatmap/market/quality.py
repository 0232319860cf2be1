"""Decides whether new figures may replace a market's last good page. Pure."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, time, timedelta
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from heatmap.errors import SourceGated, SourceReshaped
from heatmap.market import market_figures, plausibility
from heatmap.market.calendar.session import Phase
from heatmap.market.market_figures import LEAST_INSTRUMENTS, MOST_CONTRADICTING, name_some
from heatmap.system import limits
from heatmap.system.clocks import FUTURE_TOLERANCE

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence
    from zoneinfo import ZoneInfo

    from heatmap.market.calendar.session import MarketStatus
    from heatmap.market.quotes import Quote, Snapshot

CLOSE_TOLERANCE = timedelta(minutes=5)  # the last trade may come this long before the close
ONE_DAY = timedelta(days=1)
OPENING = timedelta(minutes=20)  # so long after the open it is possible that no instrument has moved


class ShrunkMarket(NamedTuple):
    """A refused market with too few instruments. `since` is when it first came; no good one came after it."""

    since: datetime
    symbols: frozenset[str]


class LastPage(NamedTuple):
    """The figures of the last good page of a market."""

    as_of: datetime
    symbols: frozenset[str]
    figures: str  # a digest of all prices, percent changes and volumes
    unchanged_since: datetime  # by our clock
    shrunk_market: ShrunkMarket | None = None
    closes: Mapping[str, float] = MappingProxyType({})  # the previous closes of live figures, by symbol
    # The time of newer figures whose run was killed while it published: a target may have them.
    attempted_as_of: datetime | None = None
    prices: Mapping[str, float] = MappingProxyType({})  # the newest known last price, by symbol
    price_source: str | None = None  # the source that gave prices last; None: no source did, or not known


def refuse_too_many(count: int) -> None:
    """Raise SourceReshaped if there are more quotes than a page can have."""
    if count > limits.QUOTES:
        why = limits.TOO_MANY_QUOTES.format(count=count)
        raise SourceReshaped(f"the snapshot cannot be used: {why}")


def refuse_future(as_of: datetime, now: datetime, zone: ZoneInfo) -> None:
    """Raise SourceGated for figures of a future time."""
    if as_of > now + FUTURE_TOLERANCE:
        when = f"{as_of.astimezone(zone):%d %b %Y %H:%M %Z}"
        raise SourceGated(f"its figures are dated {when}, which is in the future: check this machine's clock")


def remove_contradictions(
    snapshot: Snapshot, zone: ZoneInfo, closes: Callable[[Collection[str]], Mapping[str, float]] | None = None
) -> tuple[Snapshot, tuple[str, ...]]:
    """Return the snapshot without contradictions, and the symbols of the rows that were removed.

    A row is removed if its percent change differs from the change between previous close and last price,
    unless it counts from an adjusted close or from the history's close. `closes` returns the history's known
    closes of the session before, by symbol. A change over a longer period that the range of 52 weeks refutes
    becomes unknown. Raises SourceGated if too many rows contradict themselves, for any reason.
    """
    odd = {quote.symbol: quote for quote in snapshot.quotes if plausibility.contradicts_itself(quote)}
    if len(odd) > max(1, MOST_CONTRADICTING * len(snapshot.quotes)) or len(odd) == len(snapshot.quotes):
        raise SourceGated(
            f"the percent changes of {len(odd):,} of {len(snapshot.quotes):,} instruments contradict their "
            f"last price and previous close ({name_some(odd)}): the page stays as "
            "it is; if this continues, the response has a new form: a newer version may read it"
        )
    corrections = {symbol: plausibility.with_adjusted_close(quote) for symbol, quote in odd.items()}
    unexplained = [symbol for symbol, quote in corrections.items() if quote is None]
    for symbol, close in (closes(unexplained) if closes and unexplained else {}).items():
        corrections[symbol] = plausibility.with_own_close(odd[symbol], close)
    today = snapshot.as_of.astimezone(zone).date()
    quotes = tuple(
        plausibility.remove_refuted_changes(quote, today)
        for original in snapshot.quotes
        if (quote := corrections.get(original.symbol, original)) is not None
    )
    removed = tuple(sorted(symbol for symbol, quote in corrections.items() if quote is None))
    if quotes == snapshot.quotes:
        return snapshot, ()
    return replace(snapshot, quotes=quotes, dropped=snapshot.dropped + len(removed)), removed


def refuse_unfinished(
    as_of: datetime, status: MarketStatus, zone: ZoneInfo, *, is_open: bool | None = None
) -> None:
    """Raise SourceGated if a closing page would show figures from before the close.

    Then this machine's clock is ahead, or the source is late. A published closing page is never replaced.
    A time of midnight is no proof: some responses have a date only. A source that says the market is open
    has no closing prices, even shortly before the close. `is_open` None: the source does not say.
    """
    session = status.session
    if status.phase is not Phase.FINAL or session is None or not session.windows:
        return
    as_of, closes = as_of.astimezone(zone), session.windows[-1].closes
    tolerance = timedelta(0) if is_open else CLOSE_TOLERANCE
    if as_of < closes - tolerance and as_of.time() != time(0):
        raise SourceGated(
            f"its figures are of {_format_time(as_of, zone)}, when trading had not ended "
            f"({closes.astimezone(zone):%H:%M}): the closing page waits for later figures; "
            "if they don't come, check this machine's clock"
        )


def refuse_older(last: LastPage, snapshot: Snapshot, now: datetime, zone: ZoneInfo) -> None:
    """Raise SourceGated for figures that are older than the page's.

    Figures of the page's own time pass: closing pages are drawn from them, and failed targets get the page.
    A recording has the time of this machine's clock, so it is not compared. A page of a future time was drawn
    while a clock ran ahead: it is not compared either, or it would block all pages until then.
    """
    if snapshot.recording:
        return
    pages = [
        at for at in (last.as_of, last.attempted_as_of) if at is not None and at <= now + FUTURE_TOLERANCE
    ]
    if not pages:
        return
    # Compare as exactly as the source gives its time: some endpoints leave the seconds out.
    to_the_minute = not (snapshot.as_of.second or snapshot.as_of.microsecond)
    newest = max(pages)
    if snapshot.as_of < (newest.replace(second=0, microsecond=0) if to_the_minute else newest):
        raise SourceGated(
            f"its figures are of {_format_time(snapshot.as_of, zone)}, older than the page's of "
            f"{_format_time(newest, zone)}: the page stays as it is; if this continues, the source's clock "
            "or cache is wrong; --force publishes them anyway"
        )


def refuse_stale(
    last: LastPage,
    snapshot: Snapshot,
    status: MarketStatus,
    now: datetime,
    longest: timedelta | None,
    zone: ZoneInfo,
) -> None:
    """Raise SourceGated if the market is open and no figure has changed for `longest`; None: no limit."""
    if status.phase is not Phase.OPEN or longest is None or len(snapshot.quotes) < LEAST_INSTRUMENTS:
        return
    # Figures that did not change before the open, or during a break, prove nothing.
    windows = status.session.windows if status.session else ()
    opened = max((window.opens for window in windows if window.opens <= now), default=last.unchanged_since)
    since = max(last.unchanged_since, opened)
    if now - since >= longest and _digest(snapshot.quotes) == last.figures:
        raise SourceGated(
            f"not one of its {len(snapshot.quotes):,} instruments has moved since "
            f"{_format_time(since, zone)}, while the market is open: "
            "the page stays as it is; the source is stuck, or trading is halted"
        )


def refuse_impossible(last: LastPage | None, snapshot: Snapshot, status: MarketStatus, now: datetime) -> None:
    """Raise SourceGated for a market whose figures are all the same, or whose prices have another unit.

    `last` is None for a market's first page. Soon after the open it is possible that nothing has moved.
    """
    prices = last.prices if last else {}
    windows = status.session.windows if status.session else ()
    in_session = status.phase in (Phase.OPEN, Phase.AUCTION, Phase.FINAL, Phase.UNKNOWN)
    has_traded = in_session and any(now >= window.opens + OPENING for window in windows[:1])
    market_figures.refuse_identical_figures(snapshot.quotes, prices, has_traded=has_traded)
    market_figures.refuse_other_unit(snapshot.quotes, prices or (last.closes if last else {}))


def refuse_lost_prices(last: LastPage, snapshot: Snapshot, least_share: float) -> None:
    """Raise SourceGated if prices of the page are missing now. Another source may never give prices."""
    if last.price_source in (None, snapshot.source):
        market_figures.refuse_lost_prices(snapshot.quotes, last.prices or last.closes, least_share)


def shrinkage(last: LastPage, snapshot: Snapshot, now: datetime, least_share: float) -> ShrunkMarket | None:
    """Return the record of a market that has shrunk too much; None if it has not."""
    symbols = _symbols(snapshot)
    if _is_enough(symbols, last.symbols, least_share):
        return None
    is_past = last.shrunk_market is not None and last.shrunk_market.since <= now  # else a clock ran ahead
    if last.shrunk_market and is_past and _is_enough(symbols, last.shrunk_market.symbols, least_share):
        return last.shrunk_market
    return ShrunkMarket(now, symbols)


def refuse_shrunk(
    last: LastPage, shrunk: ShrunkMarket, snapshot: Snapshot, status: MarketStatus, now: datetime
) -> None:
    """Raise SourceGated for a shrunk market, until it has been like this for a whole session.

    That is from before a session to its end, or one day in a market without sessions.
    """
    windows = status.session.windows if status.session else ()
    if status.session is None:
        is_confirmed = now - shrunk.since >= ONE_DAY
    else:
        is_confirmed = status.phase is Phase.FINAL and bool(windows) and shrunk.since < windows[0].opens
    if not is_confirmed:
        missing = last.symbols - _symbols(snapshot)
        raise SourceGated(
            f"{len(missing):,} of the page's {len(last.symbols):,} instruments are missing "
            f"({name_some(missing)}): the page stays as it is; if the market has really shrunk, "
            "it is accepted after a whole session, or at once with --force"
        )


def make_last_page(last: LastPage | None, snapshot: Snapshot, now: datetime) -> LastPage:
    """Return the record of a page of these figures, for the time after a target has it."""
    figures = _digest(snapshot.quotes)
    since = last.unchanged_since if last and last.figures == figures else now
    closes = {quote.symbol: quote.previous_close for quote in snapshot.quotes if quote.previous_close}
    if snapshot.unadjusted:  # then the session's last live figures have the better ones
        closes = dict(last.closes) if last and last.as_of.date() == snapshot.as_of.date() else {}
    symbols = _symbols(snapshot)
    prices = {symbol: price for symbol, price in last.prices.items() if symbol in symbols} if last else {}
    new_prices = {quote.symbol: quote.last_price for quote in snapshot.quotes if quote.last_price}
    price_source = snapshot.source if new_prices else last.price_source if last else None
    return LastPage(
        snapshot.as_of,
        symbols,
        figures,
        since,
        closes=closes,
        prices=prices | new_prices,
        price_source=price_source,
    )


def describe_membership_change(last: LastPage, snapshot: Snapshot) -> str | None:
    """Return a sentence on the instruments that joined or left since the last page; None if none did."""
    symbols = _symbols(snapshot)
    changes = (("joined", symbols - last.symbols), ("left", last.symbols - symbols))
    parts = [f"{len(names):,} {verb} ({name_some(names)})" for verb, names in changes if names]
    return f"the instruments have changed: {', '.join(parts)}" if parts else None


def _is_enough(symbols: Collection[str], expected: Collection[str], least_share: float) -> bool:
    return len(frozenset(symbols).intersection(expected)) >= least_share * len(expected)


def _symbols(snapshot: Snapshot) -> frozenset[str]:
    return frozenset(quote.symbol for quote in snapshot.quotes)


def _digest(quotes: Sequence[Quote]) -> str:
    from hashlib import blake2b

    figures = sorted(
        (
            quote.symbol,
            *(quote.percent_change, quote.last_price, quote.open, quote.high, quote.low),
            *(quote.volume, quote.turnover),
        )
        for quote in quotes
    )
    return blake2b(repr(figures).encode("utf-8", "replace"), digest_size=16).hexdigest()


def _format_time(moment: datetime, zone: ZoneInfo) -> str:
    return f"{moment.astimezone(zone):%d %b %H:%M:%S}"
