"""Changes of symbols of the National Stock Exchange: the packaged table, and the exchange's own list."""

from __future__ import annotations

import json
import re
from datetime import date, datetime
from functools import cache
from typing import TYPE_CHECKING, Any

from heatmap.errors import SourceReshaped
from heatmap.market.calendar.phases import SymbolChange
from heatmap.state import json_files
from heatmap.system import limits, package_files

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence
    from pathlib import Path

    from heatmap.market.calendar.phases import Calendar

PATH = "/content/equities/symbolchange.csv"  # on the archives' server
CALENDAR = "nse-equity-fno"  # the packaged calendar with the table
FILE_NAME = "nse-symbols.json"  # the saved list, in the sources' folder
VERSION = 1
FIRST_DAY = date(2023, 1, 1)  # the packaged calendar's first day: there are no earlier sessions
FEWEST_COLUMNS = 4
FEWEST_CHANGES = 50  # the list of 2026 has about 1,500, from 1999 on

_SYMBOL = re.compile(r"[A-Z0-9][A-Z0-9&.\-]{0,29}", re.ASCII)


def parse(body: bytes) -> tuple[SymbolChange, ...]:
    """Return the changes in the exchange's list, the oldest first. Raises SourceReshaped.

    A row is the company's name, the old symbol, the new one and the new one's first day, such as
    09-APR-2025. There may be a heading, and a name may contain commas without quotes. Other rows are
    left out.
    """
    if len(body) > limits.SYMBOL_CHANGES_BYTES:
        raise SourceReshaped(
            f"the exchange's list of symbols has more than {limits.SYMBOL_CHANGES_BYTES:,} bytes"
        )
    changes: set[SymbolChange] = set()
    for line in body.decode("utf-8-sig", errors="replace").splitlines():
        cells = [cell.strip(' "') for cell in line.split(",")]
        if len(cells) < FEWEST_COLUMNS:
            continue
        old, new, since = cells[-3:]
        day = _parse_day(since)
        if day and old != new and _SYMBOL.fullmatch(old) and _SYMBOL.fullmatch(new):
            changes.add(SymbolChange(old, new, day))
    if not FEWEST_CHANGES <= len(changes) <= limits.SYMBOL_CHANGES:
        raise SourceReshaped(f"the exchange's list of symbols has {len(changes):,} changes, not about 1,500")
    return tuple(sorted(changes, key=_sort_key))


@cache
def load_packaged() -> tuple[SymbolChange, ...]:
    """Return the packaged changes."""
    path = package_files.DATA / "calendars" / f"{CALENDAR}.json"
    return tuple(map(_parse_packaged, json.loads(path.read_text("utf-8"))["aliases"]))


def load(folder: Path) -> tuple[SymbolChange, ...]:
    """Return the list that is saved in the sources' folder; empty if it is missing or damaged."""
    try:
        return json_files.load(folder / FILE_NAME, VERSION, _parse_saved, lambda _: None) or ()
    except OSError:
        return ()


def save(folder: Path, changes: Iterable[SymbolChange]) -> None:
    """Save the exchange's list in the sources' folder, from FIRST_DAY on. Raises OSError."""
    plain = [[old, new, since.isoformat()] for old, new, since in select_recent(changes) if since]
    json_files.save(folder / FILE_NAME, VERSION, {"changes": plain})


def select_recent(changes: Iterable[SymbolChange]) -> tuple[SymbolChange, ...]:
    """Return the changes from FIRST_DAY on. An earlier symbol may belong to another company now."""
    return tuple(change for change in changes if change.since and change.since >= FIRST_DAY)


def select_leading_to(changes: Sequence[SymbolChange], symbols: Collection[str]) -> tuple[SymbolChange, ...]:
    """Return the changes that lead to one of these symbols, directly or by other changes."""
    targets = set(symbols)
    while olds := {change.old for change in changes if change.new in targets} - targets:
        targets |= olds
    return tuple(change for change in changes if change.new in targets)


def with_saved_changes(
    calendar: Calendar, state_directory: Path, symbols: Collection[str] | None = None
) -> Calendar:
    """Return the exchange's calendar with the saved changes added; another calendar unchanged.

    `symbols` limits the changes to those that lead to them; None: all. The calendar's own changes come first.
    """
    if calendar.name != CALENDAR:
        return calendar
    from dataclasses import replace

    from heatmap.sources.options import FOLDER

    saved = load(state_directory / FOLDER)
    changes = saved if symbols is None else select_leading_to(saved, symbols)
    new = [change for change in changes if change not in calendar.symbol_changes]
    return replace(calendar, symbol_changes=(*calendar.symbol_changes, *new)) if new else calendar


def find_symbol_on(symbol: str, day: date, changes: Sequence[SymbolChange]) -> str:
    """Return an earlier symbol's name on a day: after all changes until then, in order."""
    for change in sorted(changes, key=_sort_key):
        if change.old == symbol and (change.since is None or change.since <= day):
            symbol = change.new
    return symbol


def _sort_key(change: SymbolChange) -> tuple[date, str, str]:
    return change.since or date.min, change.old, change.new


def _parse_packaged(entry: dict[str, str]) -> SymbolChange:
    return SymbolChange(entry["old"], entry["new"], date.fromisoformat(entry["from"]))


def _parse_saved(document: Any) -> tuple[SymbolChange, ...]:  # noqa: ANN401 -- any JSON of a file
    """Return the changes of a document. Raises ValueError, KeyError, TypeError or AttributeError."""
    changes = tuple(
        SymbolChange(old, new, date.fromisoformat(since)) for old, new, since in document["changes"]
    )
    if not all(_SYMBOL.fullmatch(symbol) for change in changes for symbol in change[:2]):
        raise ValueError(changes)
    return changes


def _parse_day(text: str) -> date | None:
    try:
        return datetime.strptime(text, "%d-%b-%Y").date()  # noqa: DTZ007 -- a date
    except ValueError:
        return None
