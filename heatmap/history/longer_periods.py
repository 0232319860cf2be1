"""The source's changes over longer periods, held against the history's own closes. Pure."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import replace
from datetime import date, timedelta
from typing import TYPE_CHECKING

from heatmap.market.plausibility import BAND
from heatmap.market.quotes import Change

if TYPE_CHECKING:
    from heatmap.history.model import EarlierSessions
    from heatmap.market.quotes import Quote, Snapshot

# By how much two closes of one day may differ: a last price is not the official close. No split or bonus is
# smaller than 1:10, which is 9 %.
SAME_SHARE = 0.03
MOST_REFUTED = 0.25  # of the instruments: in a year, fewer than one in ten have a split or a bonus
NEAREST_CLOSE = timedelta(
    days=10
)  # how far a close may be from the day that a change counts from, to tell anything


def remove_refuted_changes(snapshot: Snapshot, digest: EarlierSessions) -> Snapshot:
    """Return the snapshot without changes that the history refutes: they become unknown, with the reason.

    The exchange does not adjust them for splits, bonuses and demergers, and the history's closes are on the
    terms of today. So a change is refuted where it counts from another price than the close of that day, by
    more than SAME_SHARE, or than a close of a few days before, by more than a price moves in a session; and
    where it reaches across a break that nothing explains. Where that would be so of too many instruments,
    the history is of another market, and refutes nothing.
    """
    if not any(change.since for quote in snapshot.quotes for change in quote.changes.values()):
        return snapshot
    quotes = tuple(_check_quote(quote, digest) for quote in snapshot.quotes)
    count = sum(new is not old for new, old in zip(quotes, snapshot.quotes, strict=True))
    is_believed = 0 < count <= max(1, MOST_REFUTED * len(quotes))
    return replace(snapshot, quotes=quotes) if is_believed else snapshot


def _check_quote(quote: Quote, digest: EarlierSessions) -> Quote:
    doubts = {
        name: doubt for name, change in quote.changes.items() if (doubt := _find_doubt(quote, change, digest))
    }
    if not doubts:
        return quote
    unknown = {name: Change(None, quote.changes[name].since) for name in doubts}
    return replace(quote, changes={**quote.changes, **unknown}, doubts={**quote.doubts, **doubts})


def _find_doubt(quote: Quote, change: Change, digest: EarlierSessions) -> str | None:
    """Return why a change cannot be; None where the history does not refute it."""
    since, price = change.since, quote.last_price
    if since is None or price is None or change.percent is None or change.percent <= -100:
        return None
    broken = digest.breaks.get(quote.symbol)
    if broken and not broken.is_gap and since < broken.date:
        return (
            f"Prices before {_format_day(broken.date)} are on other terms, which the source's change ignores."
        )
    day, close = _find_close(quote.symbol, since, digest)
    if day is None or close is None:
        return None
    base = price / (1 + change.percent / 100)
    if abs(base / close - 1) <= (SAME_SHARE if day == since else BAND):
        return None
    return (
        f"The source's change counts from a price of {base:,.2f}, and the close of {_format_day(day)} was "
        f"{close:,.2f} on today's terms: a split or bonus is not counted."
    )


def _find_close(symbol: str, since: date, digest: EarlierSessions) -> tuple[date | None, float | None]:
    """Return the last close by a day, on the terms of today, and its date; None where it is not near."""
    place = bisect_right(digest.dates, since)
    if place:
        closes = digest.closes.get(symbol, ())
        found = digest.dates[place - 1], closes[place - 1] if closes else None
    else:  # longer ago than the digest's last sessions: only the days that its periods start from are known
        starts = [(base.date, base.closes.get(symbol)) for base in digest.starts.values() if base.date]
        found = max(
            (start for start in starts if start[0] <= since),
            key=lambda start: start[0],
            default=(date.min, None),
        )
    return found if since - found[0] <= NEAREST_CLOSE else (None, None)


def _format_day(day: date) -> str:
    return f"{day.day} {day:%b %Y}"
