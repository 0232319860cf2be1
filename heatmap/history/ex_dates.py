"""Corrects an archive's closing figures on the first day of a split, bonus or demerger. Pure.

An archive keeps the previous close on the terms of the session before. So the percent change of that day
shows a loss that did not happen.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from heatmap.analysis import measures
from heatmap.history import corporate_actions
from heatmap.market import ratios
from heatmap.market.bars import Bar
from heatmap.market.periods import DAY

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence
    from datetime import date
    from fractions import Fraction

    from heatmap.history.corporate_actions import QuotedClose
    from heatmap.market.quotes import Quote, Snapshot


class Evidence(NamedTuple):
    """Figures of a session from other places than its archive, by symbol."""

    session: date
    closes: Mapping[str, float]  # the previous closes of the session's last live page
    quoted: Mapping[str, QuotedClose]  # previous closes from which the session's ticks count
    declared: Mapping[str, Fraction]  # the factors that the user declared for the session
    # Returns bars of earlier sessions, oldest first, and whether the last is of the session just before.
    bars: Callable[[Collection[str]], Mapping[str, tuple[Sequence[Bar], bool]]]


def correct_previous_closes(snapshot: Snapshot, evidence: Evidence) -> Snapshot:
    """Return an archive's figures with each previous close on the session's own terms.

    The first evidence in this order counts: the factor that the user declared; the exchange's own previous
    close, of the last live page or of the session's ticks; the bars, if the whole session lies beyond any
    price band. A guess is marked in `doubts`. Without any evidence the percent change is unknown.
    """
    bars = {quote.symbol: bar for quote in snapshot.quotes if (bar := _make_bar(quote, evidence.session))}
    symbols_beyond_band = (
        {
            symbol
            for symbol, bar in bars.items()
            if bar.previous_close and corporate_actions.is_beyond_band(bar, bar.previous_close)
        }
        - evidence.closes.keys()
        - evidence.quoted.keys()
    )
    symbols = symbols_beyond_band | (evidence.declared.keys() & bars.keys())
    earlier_bars = evidence.bars(sorted(symbols)) if symbols else {}
    return replace(
        snapshot,
        quotes=tuple(
            _correct_quote(quote, bar, evidence, *earlier_bars.get(quote.symbol, ((), True)))
            if (bar := bars.get(quote.symbol))
            else quote
            for quote in snapshot.quotes
        ),
    )


def _correct_quote(quote: Quote, bar: Bar, evidence: Evidence, before: Sequence[Bar], is_next: bool) -> Quote:
    """Return the quote, corrected by the first evidence. `before` are its bars of earlier sessions."""
    previous = quote.previous_close or 0.0
    declared, live = evidence.declared.get(quote.symbol), evidence.closes.get(quote.symbol)
    if declared is not None:
        old = before[-1].close if before and is_next else previous
        new = old * float(declared)
        is_adjusted = abs(previous - new) < abs(previous - old)
        return quote if is_adjusted else _with_previous_close(quote, round(new, 2))
    if live is not None:
        is_same = abs(live / previous - 1) <= corporate_actions.SAME_SHARE
        return quote if is_same else _with_previous_close(quote, live)
    quoted = evidence.quoted.get(quote.symbol)
    change = corporate_actions.judge_terms(bar, before, quoted, is_next=is_next)
    close = change.previous_close
    if change.certainty is corporate_actions.Certainty.NONE or (quoted is not None and close is None):
        return quote  # the exchange itself counted from this close
    if close is None:
        return _without_change(quote)
    if change.certainty is corporate_actions.Certainty.PROBABLE and change.factor:
        doubt = (
            f"Probably {ratios.describe(change.factor)} took effect: the session opened at "
            f"{bar.open or bar.close:,.2f}, after a close of {previous:,.2f}."
        )
        return replace(_with_previous_close(quote, close), doubts={**quote.doubts, DAY: doubt})
    return _with_previous_close(quote, round(close, 2))


def _with_previous_close(quote: Quote, close: float) -> Quote:
    """Return the quote with another previous close, and the percent change from it."""
    if close <= 0 or quote.previous_close == close:
        return quote
    change = measures.percent_change(quote.last_price, close)
    return replace(quote, previous_close=close, percent_change=change)


def _without_change(quote: Quote) -> Quote:
    doubt = (
        f"All of the session was traded far from the previous close of {quote.previous_close:,.2f}: a split, "
        "a bonus or a demerger may have taken effect."
    )
    return replace(quote, percent_change=None, doubts={**quote.doubts, DAY: doubt})


def _make_bar(quote: Quote, session: date) -> Bar | None:
    if quote.last_price is None or quote.previous_close is None:
        return None
    return Bar(
        quote.symbol, session, quote.open, quote.high, quote.low, quote.last_price,
        quote.previous_close, quote.volume, quote.turnover,
    )  # fmt: skip
