"""Corporate actions that the user should confirm: unexplained and probable ones."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from heatmap.history.model import PendingAction
from heatmap.state import cache
from heatmap.system import limits

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from heatmap.history.corporate_actions import CorporateAction
    from heatmap.history.store import Store
    from heatmap.market.calendar.phases import Calendar

SESSIONS = 260  # that are examined: as many as the longest period has
DECLARED_BEFORE = timedelta(days=7)  # an [[action]] on a day without a session counts from the next session


def select(actions: Iterable[CorporateAction]) -> tuple[PendingAction, ...]:
    """Return the actions to confirm, by symbol and date; at most limits.PENDING_ACTIONS, the newest ones."""
    from heatmap.history.corporate_actions import describe

    unconfirmed = [action for action in actions if action.is_likely or action.factor is None]
    unconfirmed.sort(key=lambda action: action.date)
    return tuple(
        PendingAction(
            action.symbol,
            action.date,
            None if action.factor is None else str(action.factor),
            describe(action),
        )
        for action in sorted(
            unconfirmed[-limits.PENDING_ACTIONS :], key=lambda action: (action.symbol, action.date)
        )
    )


def read_store(store: Store, market: str, calendar: Calendar) -> tuple[PendingAction, ...]:
    """Return the actions to confirm in the last SESSIONS sessions, of the instruments in the newest tick.

    Without a tick: of all instruments. Raises HistoryError.
    """
    from heatmap.history import backfill

    days = store.sessions(market)[-SESSIONS:]
    if not days:
        return ()
    symbols = store.newest_symbols(market)
    symbols_then = sorted({*symbols, *(alias.old for alias in calendar.symbol_changes)}) if symbols else None
    actions = select(backfill.verify(store, market, calendar, days[0], days[-1], symbols_then).actions)
    return tuple(action for action in actions if not symbols or action.symbol in symbols)


def read_summary(path: Path, calendar: Calendar) -> tuple[PendingAction, ...]:
    """Return the actions that the last run saved at `path`, without those declared by the user since."""
    from heatmap.history.corporate_actions import find_declared_splits

    document = cache.read_any(path)
    declared = find_declared_splits(calendar)
    return tuple(
        action
        for action in (decode(document.get("pending", ())) if document else ())
        if not any(
            timedelta(0) <= action.date - day <= DECLARED_BEFORE for day in declared.get(action.symbol, {})
        )
    )


def encode(actions: Iterable[PendingAction]) -> list[Sequence[object]]:
    """Return the actions as lists for JSON."""
    return [[action.symbol, action.date.isoformat(), action.factor, action.sentence] for action in actions]


def decode(rows: Sequence[Sequence[Any]]) -> tuple[PendingAction, ...]:
    """Return the actions of `encode`'s lists."""
    return tuple(PendingAction(symbol, date.fromisoformat(day), *others) for symbol, day, *others in rows)


def format_entry(action: PendingAction) -> Sequence[str]:
    """Return the lines of an overrides file that declare the action."""
    if action.factor is None:
        factor = 'factor = "?"    # what earlier prices count, such as "3/8"; "1" if they are comparable'
    else:
        factor = f'factor = "{action.factor}"  # or "1" if there was none'
    return ("[[action]]", f'symbol = "{action.symbol}"', f"date = {action.date}", factor)


def make_document(action: PendingAction) -> Mapping[str, object]:
    """Return the action as a JSON object."""
    return {
        "symbol": action.symbol,
        "date": action.date.isoformat(),
        "factor": action.factor,
        "sentence": action.sentence,
    }
