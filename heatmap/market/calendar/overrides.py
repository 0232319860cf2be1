"""Reads the overrides file and merges it over a calendar: closures, sessions, further years, symbols.

It is TOML:

    coverage_to = 2027-12-31          # a further year: list its closures here, too
    [[closed]]
    date = 2026-12-01
    name = "Election"
    [[session]]                       # a further session, or other hours of a listed one
    date = 2026-11-08
    name = "Diwali Muhurat session"
    windows = [["18:00", "19:00"]]    # [] while the hours are not known
    auction = [["19:00", "19:10"]]    # if there is one
    settles = "19:25"                 # default: 15 minutes after the last window
    [[regular]]                       # an ordinary day, although the calendar has it as a special one
    date = 2026-06-26
    [[alias]]                         # a share that has a new symbol now
    old = "OLDNAME"
    new = "NEWNAME"
    from = 2027-04-01                 # needed only if another share took the old symbol later
    [[action]]                        # a split, bonus or demerger that the figures do not show
    symbol = "NAME"
    date = 2027-07-30                 # the first session on the new terms
    factor = "1/2"                    # earlier prices are multiplied by it; 1: there was no action
"""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import date, datetime, time, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from heatmap.errors import ConfigError
from heatmap.market.calendar.phases import (
    LONGEST_SETTLE_MINUTES,
    SETTLE_MINUTES,
    DeclaredSplit,
    SessionHours,
    SymbolChange,
    session_on,
)
from heatmap.market.calendar.session import Phase
from heatmap.system import files, limits, parsing, resource_errors

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from heatmap.market.calendar.phases import Calendar

TABLES = ("closed", "session", "regular")  # the tables with a date
SYMBOL = re.compile(r"\S{1,32}")
FACTOR = re.compile(r"(\d{1,9})/(\d{1,9})|(\d{1,6})(?:\.(\d{1,9}))?", re.ASCII)
CLOCK = re.compile(r"(\d{1,2}):(\d{2})(?::(\d{2}))?", re.ASCII)


def read(path: Path) -> str:
    """Return the text of an overrides file. Raises ConfigError."""
    try:
        return files.read(path, limits.OVERRIDES_BYTES).decode("utf-8")  # line ends stay
    except (OSError, UnicodeDecodeError) as error:
        if isinstance(error, OSError):
            resource_errors.refuse(error)
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        problem = (
            f"overrides {path} cannot be read ({reason}): correct the path or create it; it may be empty"
        )
        raise ConfigError([problem]) from error


def merge(calendar: Calendar, text: str, name: str, problems: list[str]) -> Calendar:
    """Return the calendar with the overrides in `text`. `name` is the file's name, for `problems`."""
    where = f"overrides {name}:"
    document = _document(text, where, problems)
    _refuse_unknown(document, ("coverage_to", *TABLES, "alias", "action"), where, problems)
    closed, special = dict(calendar.closed), dict(calendar.special)
    for entry in _entries(document, "regular", ("date", "name"), where, problems):
        regular = parse_day(entry.get("date"), f"{where} [[regular]] date", problems)
        if regular:
            closed.pop(regular, None)
            special.pop(regular, None)
    for entry in _entries(document, "closed", ("date", "name"), where, problems):
        closing = parse_day(entry.get("date"), f"{where} [[closed]] date", problems)
        if closing:
            closed[closing] = parsing.clean_text(entry.get("name")) or "your own closure"
            special.pop(closing, None)
    keys = ("date", "name", "windows", "auction", "settles")
    for entry in _entries(document, "session", keys, where, problems):
        session_day = parse_day(entry.get("date"), f"{where} [[session]] date", problems)
        hours = _special(entry, f"{where} [[session]] {session_day}", problems)
        if session_day and hours:
            listed = special.get(session_day)
            # A date may have two entries. The one with hours counts.
            special[session_day] = listed if listed and listed.windows and not hours.windows else hours
            closed.pop(session_day, None)
    last = calendar.last
    if "coverage_to" in document:
        covered = parse_day(document["coverage_to"], f"{where} coverage_to", problems)
        # A newer version of this program may cover more than the file, which was written for an older one.
        last = max(covered, last) if covered and last else covered
    changes = (*_symbol_changes(document, where, problems), *calendar.symbol_changes)
    merged = replace(calendar, closed=closed, special=special, last=last, symbol_changes=changes)
    return replace(merged, declared_splits=tuple(_declared_splits(document, merged, where, problems)))


def read_dates(text: str) -> set[date]:
    """Return the dates in an overrides file. Its mistakes are ignored."""
    ignored: list[str] = []
    document = _document(text, "", ignored)
    entries = (entry for table in TABLES for entry in _entries(document, table, (), "", ignored))
    return {date_ for entry in entries if (date_ := parse_day(entry.get("date"), "", ignored))}


def _document(text: str, where: str, problems: list[str]) -> dict[str, Any]:
    import tomllib

    try:
        return tomllib.loads(text)
    except (
        ValueError,
        RecursionError,
    ) as error:  # also numbers of thousands of digits, and lists that are too deep
        from heatmap.system.toml_errors import explain

        problems.append(f"{where} not valid TOML: {explain(error, text)}")
        return {}


def _symbol_changes(document: Mapping[str, Any], where: str, problems: list[str]) -> Iterator[SymbolChange]:
    for entry in _entries(document, "alias", ("old", "new", "from"), where, problems):
        old, new = entry.get("old"), entry.get("new")
        is_valid = all(isinstance(symbol, str) and SYMBOL.fullmatch(symbol) for symbol in (old, new))
        if not is_valid or old == new:
            problems.append(
                f'{where} [[alias]] needs two symbols, such as old = "TATAMOTORS" and new = "TMPV"'
            )
            continue
        since = parse_day(entry["from"], f"{where} [[alias]] from", problems) if "from" in entry else None
        yield SymbolChange(str(old), str(new), since)


def _declared_splits(
    document: Mapping[str, Any], calendar: Calendar, where: str, problems: list[str]
) -> Iterator[DeclaredSplit]:
    for entry in _entries(document, "action", ("symbol", "date", "factor"), where, problems):
        symbol, factor = entry.get("symbol"), _factor(entry.get("factor"))
        first = parse_day(entry.get("date"), f"{where} [[action]] date", problems)
        if not isinstance(symbol, str) or not SYMBOL.fullmatch(symbol):
            problems.append(f'{where} [[action]] needs a symbol, such as "TCS", not {symbol!r}')
        elif factor is None:
            problems.append(
                f'{where} [[action]] of {symbol}: factor must be the factor of earlier prices, such as "1/5" '
                f"where one share became five, not {entry.get('factor')!r}"
            )
        elif first and session_on(calendar, first) is None:
            problems.append(
                f"{where} [[action]] of {symbol}: the calendar has no session on {first}: give the first "
                "session on the new terms"
            )
        elif first:
            yield DeclaredSplit(symbol, first, *factor)


def _factor(value: object) -> tuple[int, int] | None:
    """Return a factor, written as "1/5", "0.2" or 0.2, as two whole numbers; None unless it is above 0."""
    match = FACTOR.fullmatch(str(value)) if isinstance(value, str | int | float) else None
    if not match:
        return None
    over, under, integer, decimals = match.groups()
    if over:
        old, new = int(over), int(under)
    else:
        old, new = int(integer + (decimals or "")), 10 ** len(decimals or "")
    return (old, new) if old and new else None


def _special(entry: Mapping[str, Any], where: str, problems: list[str]) -> SessionHours | None:  # noqa: C901 -- one check a line
    name = parsing.clean_text(entry.get("name")) or "Special session"
    if entry.get("windows") == [] and not {"auction", "settles"} & entry.keys():
        return SessionHours((), None, name)
    before = len(problems)
    windows: list[tuple[time, time, Phase]] = []
    for key, phase in (("windows", Phase.OPEN), ("auction", Phase.AUCTION)):
        pairs = entry.get(key, [])
        if not isinstance(pairs, list) or not all(
            isinstance(pair, list) and len(pair) == 2 for pair in pairs
        ):
            problems.append(f'{where}: {key} must be pairs of times, such as [["18:00", "19:00"]]')
            continue
        for pair in pairs:
            opens, closes = (parse_clock(text, f"{where}: {key}", problems) for text in pair)
            if opens and closes:
                windows.append((opens, closes, phase))
    if len(problems) > before:
        return None
    windows.sort(key=lambda window: window[0])
    if not windows:
        problems.append(
            f"{where}: windows are missing; a day without a session is [[closed]], "
            "and a session with unknown hours has windows = []"
        )
        return None
    backwards = any(a[0] >= a[1] or a[1] > b[0] for a, b in pairwise(windows))
    if backwards or windows[-1][0] == windows[-1][1]:  # only the last window may run over midnight
        problems.append(f"{where}: windows overlap or run backwards")
        return None
    settles = (datetime.combine(date.min, windows[-1][1]) + timedelta(minutes=SETTLE_MINUTES)).time()
    if "settles" in entry:
        settle_time = parse_clock(entry["settles"], f"{where}: settles", problems)
        if settle_time is None:
            return None
        settles = settle_time
    until_settled = datetime.combine(date.min, settles) - datetime.combine(date.min, windows[-1][1])
    if until_settled % timedelta(days=1) > timedelta(minutes=LONGEST_SETTLE_MINUTES):
        problems.append(
            f"{where}: settles must lie 0 to {LONGEST_SETTLE_MINUTES} minutes after the last window"
        )
        return None
    return SessionHours(tuple(windows), settles, name)


def _entries(
    document: Mapping[str, Any], key: str, keys: Iterable[str], where: str, problems: list[str]
) -> list[dict[str, Any]]:
    entries = document.get(key, [])
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        problems.append(f"{where} {key} must be written as [[{key}]]")
        return []
    for entry in entries:
        _refuse_unknown(entry, keys, f"{where} [[{key}]]", problems)
    return entries


def _refuse_unknown(table: Mapping[str, Any], keys: Iterable[str], where: str, problems: list[str]) -> None:
    problems += [
        f"{where} key {key!r} is not known (known: {', '.join(keys)})" for key in table if key not in keys
    ]


def parse_clock(text: object, name: str, problems: list[str]) -> time | None:
    """Return a wall time, written as 9:15, 09:15 or 09:15:30; None for others, which adds to `problems`."""
    match = CLOCK.fullmatch(text) if isinstance(text, str) else None
    try:
        if match:
            hour, minute, second = (int(part) for part in match.groups(default="0"))
            return time(hour, minute, second)
    except ValueError:
        pass  # such as 25:00
    problems.append(f'{name} must be a time such as "09:15", not {text!r}')
    return None


def parse_day(value: object, name: str, problems: list[str]) -> date | None:
    """Return a date, written as a TOML date or as text; None for others, which adds to `problems`."""
    if isinstance(value, date) and not isinstance(value, datetime):
        return value
    try:
        return date.fromisoformat(str(value))
    except ValueError:
        problems.append(f"{name} must be a date such as 2026-12-25, not {value!r}")
        return None
