"""Gathers the evidence of the history on the terms of a session's previous closes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from heatmap.market.calendar import phases
from heatmap.run import attribution

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from datetime import date

    from heatmap.config.loader import Market
    from heatmap.history.corporate_actions import QuotedClose
    from heatmap.history.ex_dates import Evidence
    from heatmap.history.store import Store
    from heatmap.market.bars import Bar
    from heatmap.market.calendar.session import MarketStatus
    from heatmap.market.quotes import Snapshot
    from heatmap.run.history_session import HistorySession


def gather(
    history: HistorySession,
    market: Market,
    snapshot: Snapshot,
    status: MarketStatus,
    closes: Mapping[str, float],
) -> Evidence:
    """Return the evidence whether a session's previous closes are on the terms of its prices.

    `closes` are the previous closes of the session's last live page, by symbol.
    """
    from heatmap.history import corporate_actions, ex_dates, quoted_closes

    session = attribution.find_session(market.calendar, snapshot.as_of, status)
    name = attribution.name_in_history(market.name, is_recording=snapshot.recording)
    before = attribution.find_session_before(market.calendar, session)

    def read_quoted_closes(store: Store) -> Mapping[str, QuotedClose]:
        return quoted_closes.read_session(store, name, session)

    def read_bars(symbols: Collection[str]) -> Mapping[str, tuple[Sequence[Bar], bool]]:
        by_symbol: dict[str, list[Bar]] = {}
        for bar in history.attempt(market, lambda store: _read_bars(store, name, session, symbols)) or []:
            by_symbol.setdefault(bar.symbol, []).append(bar)
        return {symbol: (own, own[-1].date == before) for symbol, own in by_symbol.items()}

    declared = corporate_actions.find_declared_splits(market.calendar)
    return ex_dates.Evidence(
        session=session,
        closes=closes,
        quoted=history.attempt(market, read_quoted_closes) or {},
        declared={symbol: days[session] for symbol, days in declared.items() if session in days},
        bars=read_bars,
    )


def _read_bars(store: Store, name: str, session: date, symbols: Collection[str]) -> list[Bar]:
    """Return the bars of the sessions before `session`. Raises HistoryError."""
    from heatmap.history.corporate_actions import TURNOVER_SESSIONS

    return store.bars(name, session - phases.ONE_DAY, TURNOVER_SESSIONS, sorted(symbols))
