"""Compares the source's changes over longer periods with the history's own closes. Pure."""

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

# Two closes of one day may differ so much, because a last price is not the official close. The smallest split
# or bonus is 1:10, which is 9 %.
SAME_SHARE = 0.03
MOST_REFUTED = 0.25  # of the instruments: in a year, fewer than one in ten have a split or a bonus
NEAREST_CLOSE = timedelta(days=10)  # the longest time between a close and the day from which a change counts


def remove_refuted_changes(snapshot: Snapshot, earlier_sessions: EarlierSessions) -> Snapshot:
    """Return the snapshot with changes that the history refutes as unknown, with the reason.

    The exchange does not adjust the changes for splits, bonuses and demergers; the history's closes are on
    the terms of today. A change is refuted in these cases: its starting price differs from the close of that
    day by more than SAME_SHARE; it differs from a close of a few days before by more than a price moves in a
    session; the change starts before an unexplained break. If too many instruments were refuted, the history
    is of another market and refutes nothing.
    """
    if not any(change.since for quote in snapshot.quotes for change in quote.changes.values()):
        return snapshot
    quotes = tuple(_check_quote(quote, earlier_sessions) for quote in snapshot.quotes)
    count = sum(new is not old for new, old in zip(quotes, snapshot.quotes, strict=True))
    is_believed = 0 < count <= max(1, MOST_REFUTED * len(quotes))
    return replace(snapshot, quotes=quotes) if is_believed else snapshot


def _check_quote(quote: Quote, earlier_sessions: EarlierSessions) -> Quote:
    doubts = {
        name: doubt
        for name, change in quote.changes.items()
        if (doubt := _find_doubt(quote, change, earlier_sessions))
    }
    if not doubts:
        return quote
    unknown = {name: Change(None, quote.changes[name].since) for name in doubts}
    return replace(quote, changes={**quote.changes, **unknown}, doubts={**quote.doubts, **doubts})


def _find_doubt(quote: Quote, change: Change, earlier_sessions: EarlierSessions) -> str | None:
    """Return why a change is wrong; None if the history does not refute it."""
    since, price = change.since, quote.last_price
    if since is None or price is None or change.percent is None or change.percent <= -100:
        return None
    terms_break = earlier_sessions.breaks.get(quote.symbol)
    if terms_break and not terms_break.is_gap and since < terms_break.date:
        day_text = _format_day(terms_break.date)
        return f"Prices before {day_text} are on other terms, which the source's change ignores."
    day, close = _find_close(quote.symbol, since, earlier_sessions)
    if day is None or close is None:
        return None
    starting_price = price / (1 + change.percent / 100)
    if abs(starting_price / close - 1) <= (SAME_SHARE if day == since else BAND):
        return None
    return (
        f"The source's change counts from a price of {starting_price:,.2f}, and the close of "
        f"{_format_day(day)} was {close:,.2f} on today's terms: a split or bonus is not counted."
    )


def _find_close(
    symbol: str, since: date, earlier_sessions: EarlierSessions
) -> tuple[date | None, float | None]:
    """Return date and close of the last session up to a day, on today's terms; None if it is not near."""
    place = bisect_right(earlier_sessions.dates, since)
    if place:
        closes = earlier_sessions.closes.get(symbol, ())
        last_close = earlier_sessions.dates[place - 1], closes[place - 1] if closes else None
    else:  # before the oldest session of the summary: only the starts of periods are known
        starts = [
            (base.date, base.closes.get(symbol)) for base in earlier_sessions.starts.values() if base.date
        ]
        last_close = max(
            (start for start in starts if start[0] <= since),
            key=lambda start: start[0],
            default=(date.min, None),
        )
    return last_close if since - last_close[0] <= NEAREST_CLOSE else (None, None)


def _format_day(day: date) -> str:
    return f"{day.day} {day:%b %Y}"
