"""Whether figures may take the place of a market's last good page. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, time, timedelta
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from heatmap.errors import ConfigError, SourceGated
from heatmap.market import market_figures, plausibility
from heatmap.market.calendar.session import Phase
from heatmap.market.market_figures import LEAST_INSTRUMENTS, MOST_CONTRADICTING, name_some
from heatmap.system.clocks import FUTURE_TOLERANCE

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence
    from zoneinfo import ZoneInfo

    from heatmap.market.calendar.session import MarketStatus
    from heatmap.market.quotes import Quote, Snapshot

CLOSE_TOLERANCE = timedelta(minutes=5)  # by which a last trade may come before the close
ONE_DAY = timedelta(days=1)
OPENING = timedelta(minutes=20)  # for which it may be true that not one instrument has moved

STALE_MINUTES = 20
STALE_INTERVALS = 3  # if that is longer: one tick that brings nothing new says little


@dataclass(frozen=True, slots=True)
class GateOptions:
    """The `[gates]` table: what figures must be like to replace a market's page."""

    least_share: float = 0.7  # of the last page's instruments; 0: any
    # For how long all figures may stand still while the market is open; 0: for ever.
    stale_minutes: int | None = None  # None: STALE_MINUTES, or STALE_INTERVALS intervals if that is more

    def __post_init__(self) -> None:
        """Raise ConfigError for values that cannot be."""
        problems = []
        if not 0 <= self.least_share <= 1:
            problems.append("least_share must be 0 to 1, such as 0.7")
        if self.stale_minutes is not None and not 0 <= self.stale_minutes <= 24 * 60:
            problems.append("stale_minutes must be 0 (never) to 1440")
        if problems:
            raise ConfigError(problems)

    def stale_after(self, interval_minutes: int) -> timedelta | None:
        """Return for how long figures may stand still, asked this often; None: for ever."""
        minutes = self.stale_minutes
        if minutes is None:
            minutes = max(STALE_MINUTES, STALE_INTERVALS * interval_minutes)
        return timedelta(minutes=minutes) if minutes else None


class ShrunkMarket(NamedTuple):
    """A smaller market that was not believed. `since` is when it first came; no good one came after it."""

    since: datetime
    symbols: frozenset[str]


class LastPage(NamedTuple):
    """What the last good tick of a market was: what its page shows."""

    as_of: datetime
    symbols: frozenset[str]
    figures: str  # a digest of all prices, percent changes and volumes
    unchanged_since: datetime  # by our clock
    shrunk_market: ShrunkMarket | None = None
    closes: Mapping[str, float] = MappingProxyType({})  # the previous closes that live figures had, by symbol
    attempted_as_of: datetime | None = (
        None  # of newer figures whose run was killed while it published: they may be out
    )
    prices: Mapping[str, float] = MappingProxyType({})  # the newest known last price, by symbol
    price_source: str | None = None  # the source that gave prices last; None: none did, or it is not known


def refuse_future(snapshot: Snapshot, now: datetime, zone: ZoneInfo) -> None:
    """Raise SourceGated for figures of a time that is still to come."""
    if snapshot.as_of > now + FUTURE_TOLERANCE:
        when = f"{snapshot.as_of.astimezone(zone):%d %b %Y %H:%M %Z}"
        raise SourceGated(f"its figures are dated {when}, which is still to come: check this machine's clock")


def remove_contradictions(
    snapshot: Snapshot, zone: ZoneInfo, closes: Callable[[Collection[str]], Mapping[str, float]] | None = None
) -> tuple[Snapshot, tuple[str, ...]]:
    """Return the snapshot without what contradicts itself, and the symbols of the rows that are left out.

    A row whose percent change is not that from previous close to last price is left out, unless that counts
    from an adjusted close or from our own: `closes` returns those of the session before, where they are
    known, by symbol. A change over a longer period that the range of 52 weeks refutes becomes unknown.
    Raises SourceGated where too many rows contradict themselves, whatever the reason.
    """
    odd = {quote.symbol: quote for quote in snapshot.quotes if plausibility.contradicts_itself(quote)}
    if len(odd) > max(1, MOST_CONTRADICTING * len(snapshot.quotes)) or len(odd) == len(snapshot.quotes):
        raise SourceGated(
            f"the percent changes of {len(odd):,} of {len(snapshot.quotes):,} instruments contradict their "
            f"last price and previous close ({name_some(odd)}): the page stays as "
            "it is; if that goes on, the answer's form has changed: a newer version may know it"
        )
    believed = {symbol: plausibility.with_adjusted_close(quote) for symbol, quote in odd.items()}
    doubtful = [symbol for symbol, quote in believed.items() if quote is None]
    for symbol, close in (closes(doubtful) if closes and doubtful else {}).items():
        believed[symbol] = plausibility.with_own_close(odd[symbol], close)
    today = snapshot.as_of.astimezone(zone).date()
    quotes = tuple(
        plausibility.remove_refuted_changes(quote, today)
        for given in snapshot.quotes
        if (quote := believed.get(given.symbol, given)) is not None
    )
    bad = tuple(sorted(symbol for symbol, quote in believed.items() if quote is None))
    if quotes == snapshot.quotes:
        return snapshot, ()
    return replace(snapshot, quotes=quotes, dropped=snapshot.dropped + len(bad)), bad


def refuse_unfinished(snapshot: Snapshot, verdict: MarketStatus, zone: ZoneInfo) -> None:
    """Raise SourceGated for a final of figures from before the close: our clock is ahead, or the source late.

    Once published they would stay for good. A time without hours, which some forms have, says nothing; a
    source that calls the market open has no closing prices, however near the close is.
    """
    session = verdict.session
    if verdict.phase is not Phase.FINAL or session is None or not session.windows:
        return
    as_of, closes = snapshot.as_of.astimezone(zone), session.windows[-1].closes
    tolerance = timedelta(0) if snapshot.is_open else CLOSE_TOLERANCE
    if as_of < closes - tolerance and as_of.time() != time(0):
        raise SourceGated(
            f"its figures are of {_format_time(as_of, zone)}, when trading had not ended "
            f"({closes.astimezone(zone):%H:%M}): the closing page waits for later ones; "
            "if they don't come, check this machine's clock"
        )


def refuse_older(last: LastPage, snapshot: Snapshot, now: datetime, zone: ZoneInfo) -> None:
    """Raise SourceGated for figures of a time before the page's.

    Those of the page's own time are not worse: so finals are made, and targets that failed get their page.
    A recording's time is that of our own clock, and says nothing of a source. A page of a time that is still
    to come was drawn by clocks that ran ahead: measured by it, none could follow until then.
    """
    if snapshot.recording:
        return
    pages = [
        at for at in (last.as_of, last.attempted_as_of) if at is not None and at <= now + FUTURE_TOLERANCE
    ]
    if not pages:
        return
    # As exactly as the source gives its own time: some endpoints leave the seconds out.
    to_the_minute = not (snapshot.as_of.second or snapshot.as_of.microsecond)
    newest = max(pages)
    if snapshot.as_of < (newest.replace(second=0, microsecond=0) if to_the_minute else newest):
        raise SourceGated(
            f"its figures are of {_format_time(snapshot.as_of, zone)}, older than the page's of "
            f"{_format_time(newest, zone)}: the page stays as it is; if that goes on, the source's clock or "
            "cache is wrong; --force takes them all the same"
        )


def refuse_stale(
    last: LastPage,
    snapshot: Snapshot,
    verdict: MarketStatus,
    now: datetime,
    longest: timedelta | None,
    zone: ZoneInfo,
) -> None:
    """Raise SourceGated where trading is continuous and nothing has moved for as long as `longest`."""
    if verdict.phase is not Phase.OPEN or longest is None or len(snapshot.quotes) < LEAST_INSTRUMENTS:
        return
    # What stood still before trading began, or over a break, says nothing.
    windows = verdict.session.windows if verdict.session else ()
    opened = max((window.opens for window in windows if window.opens <= now), default=last.unchanged_since)
    since = max(last.unchanged_since, opened)
    if now - since >= longest and _digest(snapshot.quotes) == last.figures:
        raise SourceGated(
            f"not one of its {len(snapshot.quotes):,} instruments has moved since "
            f"{_format_time(since, zone)}, while the market is open: "
            "the page stays as it is; the source is stuck, or trading is halted"
        )


def refuse_impossible(
    last: LastPage | None, snapshot: Snapshot, verdict: MarketStatus, now: datetime
) -> None:
    """Raise SourceGated for a market whose figures are all alike, or by their prices in another unit.

    `last` is None for a market's first page. Soon after the open it may be true that nothing has moved.
    """
    prices = last.prices if last else {}
    windows = verdict.session.windows if verdict.session else ()
    in_session = verdict.phase in (Phase.OPEN, Phase.AUCTION, Phase.FINAL, Phase.UNKNOWN)
    has_traded = in_session and any(now >= each.opens + OPENING for each in windows[:1])
    market_figures.refuse_identical_figures(snapshot.quotes, prices, has_traded=has_traded)
    market_figures.refuse_other_unit(snapshot.quotes, prices or (last.closes if last else {}))


def refuse_lost_prices(last: LastPage, snapshot: Snapshot, least_share: float) -> None:
    """Raise SourceGated where prices are gone that the page has; another source may never have any."""
    if last.price_source in (None, snapshot.source):
        market_figures.refuse_lost_prices(snapshot.quotes, last.prices or last.closes, least_share)


def shrinkage(last: LastPage, snapshot: Snapshot, now: datetime, least_share: float) -> ShrunkMarket | None:
    """Return what is to be remembered of a market that has shrunk too much; None where it has not."""
    symbols = _symbols(snapshot)
    if _is_enough(symbols, last.symbols, least_share):
        return None
    is_past = (
        last.shrunk_market is not None and last.shrunk_market.since <= now
    )  # not by a clock that ran ahead
    if last.shrunk_market and is_past and _is_enough(symbols, last.shrunk_market.symbols, least_share):
        return last.shrunk_market
    return ShrunkMarket(now, symbols)


def refuse_shrunk(
    last: LastPage, refused: ShrunkMarket, snapshot: Snapshot, verdict: MarketStatus, now: datetime
) -> None:
    """Raise SourceGated for a market that has shrunk, unless it came like this for a whole session.

    That is from before a session to its final, or for a day where there are no sessions.
    """
    windows = verdict.session.windows if verdict.session else ()
    if verdict.session is None:
        is_believed = now - refused.since >= ONE_DAY
    else:
        is_believed = verdict.phase is Phase.FINAL and bool(windows) and refused.since < windows[0].opens
    if not is_believed:
        missing = last.symbols - _symbols(snapshot)
        raise SourceGated(
            f"{len(missing):,} of the page's {len(last.symbols):,} instruments are missing "
            f"({name_some(missing)}): the page stays as it is; if the market has really shrunk, "
            "that is believed after a whole session, or at once with --force"
        )


def make_last_page(last: LastPage | None, snapshot: Snapshot, now: datetime) -> LastPage:
    """Return what is to be remembered once a target has the page of these figures."""
    figures = _digest(snapshot.quotes)
    since = last.unchanged_since if last and last.figures == figures else now
    closes = {quote.symbol: quote.previous_close for quote in snapshot.quotes if quote.previous_close}
    if snapshot.unadjusted:  # then those of the session's last live figures are the better ones
        closes = dict(last.closes) if last and last.as_of.date() == snapshot.as_of.date() else {}
    symbols = _symbols(snapshot)
    prices = {symbol: price for symbol, price in last.prices.items() if symbol in symbols} if last else {}
    priced = {quote.symbol: quote.last_price for quote in snapshot.quotes if quote.last_price}
    price_source = snapshot.source if priced else last.price_source if last else None
    return LastPage(
        snapshot.as_of,
        symbols,
        figures,
        since,
        closes=closes,
        prices=prices | priced,
        price_source=price_source,
    )


def describe_membership_change(last: LastPage, snapshot: Snapshot) -> str | None:
    """Say which instruments joined and left since the last page; None where none did."""
    symbols = _symbols(snapshot)
    moves = (("joined", symbols - last.symbols), ("left", last.symbols - symbols))
    parts = [f"{len(moved):,} {verb} ({name_some(moved)})" for verb, moved in moves if moved]
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
