"""Corporate actions that wait for the user's word: those that nothing explains, and those only probable."""

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

SESSIONS = 260  # that are looked through: as far back as the longest period reaches
DECLARED_BEFORE = timedelta(days=7)  # an [[action]] dated to a day without a session counts from the next on


def select(found: Iterable[CorporateAction]) -> tuple[PendingAction, ...]:
    """Return those of some actions that wait, by symbol and date; of too many the newest."""
    from heatmap.history.corporate_actions import describe

    waiting = [action for action in found if action.is_likely or action.factor is None]
    waiting.sort(key=lambda action: action.date)
    return tuple(
        PendingAction(
            action.symbol,
            action.date,
            None if action.factor is None else str(action.factor),
            describe(action),
        )
        for action in sorted(
            waiting[-limits.PENDING_ACTIONS :], key=lambda action: (action.symbol, action.date)
        )
    )


def read_store(store: Store, market: str, calendar: Calendar) -> tuple[PendingAction, ...]:
    """Return those among the last SESSIONS sessions of the instruments that the newest tick has.

    Without a tick, of all instruments. Raises HistoryError.
    """
    from heatmap.history import backfill

    days = store.sessions(market)[-SESSIONS:]
    if not days:
        return ()
    symbols = store.newest_symbols(market)
    asked = sorted({*symbols, *(alias.old for alias in calendar.symbol_changes)}) if symbols else None
    found = select(backfill.verify(store, market, calendar, days[0], days[-1], asked).actions)
    return tuple(each for each in found if not symbols or each.symbol in symbols)


def read_summary(path: Path, calendar: Calendar) -> tuple[PendingAction, ...]:
    """Return what the last run kept in the file at `path`, without what the user has declared since."""
    from heatmap.history.corporate_actions import find_declared_splits

    kept = cache.read_any(path)
    known = find_declared_splits(calendar)
    return tuple(
        each
        for each in (decode(kept.get("pending", ())) if kept else ())
        if not any(timedelta(0) <= each.date - day <= DECLARED_BEFORE for day in known.get(each.symbol, {}))
    )


def encode(found: Iterable[PendingAction]) -> list[Sequence[object]]:
    """Return them as JSON has them."""
    return [[each.symbol, each.date.isoformat(), each.factor, each.sentence] for each in found]


def decode(kept: Sequence[Sequence[Any]]) -> tuple[PendingAction, ...]:
    """Return what was encoded."""
    return tuple(PendingAction(symbol, date.fromisoformat(day), *rest) for symbol, day, *rest in kept)


def format_entry(each: PendingAction) -> Sequence[str]:
    """Return the lines of an overrides file that would settle it."""
    if each.factor is None:
        factor = 'factor = "?"    # what earlier prices count, such as "3/8"; "1" if they are comparable'
    else:
        factor = f'factor = "{each.factor}"  # or "1" if there was none'
    return ("[[action]]", f'symbol = "{each.symbol}"', f"date = {each.date}", factor)


def make_document(each: PendingAction) -> Mapping[str, object]:
    """Return it as a JSON object."""
    return {
        "symbol": each.symbol,
        "date": each.date.isoformat(),
        "factor": each.factor,
        "sentence": each.sentence,
    }
