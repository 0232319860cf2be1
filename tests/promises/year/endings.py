"""How a run may end, by what goes wrong at its tick."""

from __future__ import annotations

from tests.promises.year.mishaps import DATA, MISHAPS, OK, TEMPORARY
from tests.promises.year.plan import HARMLESS, OLD, PASSING, STUCK, VETO, Tick
from tests.promises.year.rests import Rests


def possible_codes(tick: Tick, rests: Rests, *, is_trading: bool) -> set[int]:
    """Return how a run may end. A source that fails is asked while the market trades, unless it rests."""
    of_archive = {TEMPORARY, DATA} if tick.archive_fault else set()
    if tick.mishap:
        sure = MISHAPS[tick.mishap].sure_code
        is_sure = is_trading and not rests.may_rest("exchange", tick.at)
        if sure is not None and is_sure:
            return {sure}
        return {*MISHAPS[tick.mishap].codes} | of_archive
    if tick.fault is None or tick.fault in HARMLESS or tick.fault == VETO:
        return {OK} | of_archive
    failed = TEMPORARY if tick.fault in PASSING else DATA
    is_sure = is_trading and tick.fault not in (STUCK, OLD) and not rests.may_rest("exchange", tick.at)
    return {failed} if is_sure else {OK, failed} | of_archive


def may_lack_line(tick: Tick) -> bool:
    """Whether a run may be unable to say when it was, or to write it down."""
    return (tick.mishap or "").startswith(("clock", "full disk", "killed", "terminated"))
