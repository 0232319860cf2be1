"""Trading calendars: packaged, from hours of one's own, and with a user's overrides merged over them.

An overrides file is TOML:

    coverage_to = 2027-12-31          # a further year: its closures must then stand here too
    [[closed]]
    date = 2026-12-01
    name = "Election"
    [[session]]                       # adds one, replaces the regular one, or gives a listed one its hours
    date = 2026-11-08
    name = "Diwali Muhurat session"
    windows = [["18:00", "19:00"]]
    auction = [["19:00", "19:10"]]    # if there is one
    settles = "19:25"                 # 15 minutes after the last window where it is not given
    [[alias]]                         # a share that is traded under another symbol now
    old = "OLDNAME"
    new = "NEWNAME"
    from = 2027-04-01                 # needed only where the old one later meant another share
    [[action]]                        # a split, bonus or demerger that the figures alone do not tell
    symbol = "NAME"
    date = 2027-07-30                 # the first session on the new terms
    factor = "1/2"                    # what earlier prices count from then on; 1: there was no action
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from heatmap.errors import ConfigError
from heatmap.guard import Alias, Calendar, Hours, Terms, session_on
from heatmap.session import Phase

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

FOLDER = Path(__file__).parent / "data" / "calendars"
ALWAYS = "always"
WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
SETTLE_MINUTES = 15
LONGEST_SETTLE_MINUTES = 240
SYMBOL = re.compile(r"\S{1,32}")
FACTOR = re.compile(r"(\d{1,9})/(\d{1,9})|(\d{1,6})(?:\.(\d{1,9}))?", re.ASCII)
CLOCK = re.compile(r"(\d{1,2}):(\d{2})(?::(\d{2}))?", re.ASCII)


@dataclass(frozen=True, slots=True)
class SessionOptions:
    """The `[market.session]` table: a packaged calendar, or hours of one's own where `open` is given."""

    calendar: str = "nse-equity-fno"
    overrides: Path | None = None
    open: str | None = None
    close: str | None = None
    time_zone: str = "UTC"
    weekdays: tuple[str, ...] = WEEKDAYS[:5]
    holidays: tuple[str, ...] = ()
    settle_minutes: int = SETTLE_MINUTES


DEFAULTS = SessionOptions()
OWN_HOURS_ONLY = ("time_zone", "weekdays", "holidays", "settle_minutes")


def load(options: SessionOptions, base: Path) -> Calendar:
    """Return the calendar these options speak of; relative paths start at `base`. Raises ConfigError."""
    problems: list[str] = []
    if options.open is not None or options.close is not None:
        calendar = _own(options, problems)
    elif stray := [name for name in OWN_HOURS_ONLY if getattr(options, name) != getattr(DEFAULTS, name)]:
        problems.append(
            f"{', '.join(stray)}: only for hours of your own; give open and close too, or leave it out"
        )
        calendar = Calendar(options.calendar, "UTC")
    elif options.calendar == ALWAYS:
        calendar = Calendar(ALWAYS, "UTC", always=True)
    else:
        calendar = _packaged(options.calendar, problems)
    if options.overrides is not None and calendar.always:
        problems.append("overrides change nothing in a market that never closes: leave them out")
    elif options.overrides is not None and not problems:
        calendar = _overridden(calendar, base / options.overrides, problems)
    if problems:
        raise ConfigError(problems)
    return calendar


def files(options: SessionOptions, base: Path) -> list[Path]:
    """Return the files that `load` reads for these options."""
    packaged = [FOLDER / f"{options.calendar}.json"] if options.open is None else []
    return packaged + ([base / options.overrides] if options.overrides else [])


def _packaged(name: str, problems: list[str]) -> Calendar:
    import json

    path = FOLDER / f"{name}.json"
    known = {file.stem for file in FOLDER.glob("*.json")} | {ALWAYS}
    if name not in known:
        from difflib import get_close_matches

        near = get_close_matches(name, sorted(known), n=1, cutoff=0.4)
        hint = f": did you mean {near[0]!r}?" if near else f" (known: {', '.join(sorted(known))})"
        problems.append(f"calendar {name!r} is not known{hint}")
        return Calendar(name, "UTC")
    document = json.loads(path.read_text("utf-8"))
    eras = [(date.fromisoformat(era["from"]), _hours(era)) for era in document["eras"]]
    return Calendar(
        name=document["name"],
        time_zone=document["time_zone"],
        first=date.fromisoformat(document["first"]),
        last=date.fromisoformat(document["last"]),
        weekdays=frozenset(map(WEEKDAYS.index, document["weekdays"])),
        eras=tuple(sorted(eras, key=lambda era: era[0], reverse=True)),
        closed={date.fromisoformat(entry["date"]): entry["name"] for entry in document["closed"]},
        special={date.fromisoformat(entry["date"]): _hours(entry) for entry in document["special"]},
        aliases=tuple(
            Alias(entry["old"], entry["new"], date.fromisoformat(entry["from"]) if "from" in entry else None)
            for entry in document["aliases"]
        ),
    )


def _hours(entry: Mapping[str, Any]) -> Hours:
    return Hours(
        tuple(
            (
                time.fromisoformat(window["opens"]),
                time.fromisoformat(window["closes"]),
                Phase(window["phase"]),
            )
            for window in entry["windows"]
        ),
        time.fromisoformat(entry["settles"]) if entry["settles"] else None,
        entry.get("name"),
    )


def _own(options: SessionOptions, problems: list[str]) -> Calendar:
    if options.calendar != DEFAULTS.calendar:
        problems.append(
            f"calendar {options.calendar!r} and open, close are both given: leave one of them out"
        )
    opens = _clock(options.open, "open", problems)
    closes = _clock(options.close, "close", problems)
    if not _is_zone(options.time_zone):
        problems.append(f"time_zone {options.time_zone!r} is no IANA name, such as Asia/Kolkata")
    unknown = [day for day in options.weekdays if day not in WEEKDAYS]
    if unknown or not options.weekdays:
        problems.append(f"weekdays must be some of {', '.join(WEEKDAYS)}, not {', '.join(unknown) or 'none'}")
    if not 0 <= options.settle_minutes <= LONGEST_SETTLE_MINUTES:
        problems.append(f"settle_minutes must be 0 to {LONGEST_SETTLE_MINUTES}")
    holidays = [_day(text, "holidays", problems) for text in options.holidays]
    if opens == closes and opens is not None:
        problems.append('open and close are the same: a market that never closes is calendar = "always"')
    if problems or opens is None or closes is None:
        return Calendar("own hours", "UTC")
    settles = (datetime.combine(date.min, closes) + timedelta(minutes=options.settle_minutes)).time()
    return Calendar(
        name="own hours",
        time_zone=options.time_zone,
        weekdays=frozenset(WEEKDAYS.index(day) for day in options.weekdays),
        eras=((date.min, Hours(((opens, closes, Phase.OPEN),), settles)),),
        closed={day: "a holiday" for day in holidays if day},
    )


def _overridden(calendar: Calendar, path: Path, problems: list[str]) -> Calendar:
    """Merge a user's file over a calendar."""
    import tomllib

    where = f"overrides {path.name}:"
    try:
        document = tomllib.loads(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        problems.append(f"overrides {path} cannot be read ({why})")
        return calendar
    except tomllib.TOMLDecodeError as error:
        problems.append(f"{where} not valid TOML: {error}")
        return calendar
    _refuse_unknown(document, ("coverage_to", "closed", "session", "alias", "action"), where, problems)
    closed, special = dict(calendar.closed), dict(calendar.special)
    for entry in _entries(document, "closed", ("date", "name"), where, problems):
        day = _day(entry.get("date"), f"{where} [[closed]] date", problems)
        if day:
            closed[day] = str(entry.get("name", "a closure of your own"))
            special.pop(day, None)
    keys = ("date", "name", "windows", "auction", "settles")
    for entry in _entries(document, "session", keys, where, problems):
        day = _day(entry.get("date"), f"{where} [[session]] date", problems)
        hours = _special(entry, f"{where} [[session]] {day}", problems)
        if day and hours:
            special[day] = hours
            closed.pop(day, None)
    last = calendar.last
    if "coverage_to" in document:
        last = _day(document["coverage_to"], f"{where} coverage_to", problems)
        if last and calendar.last and last < calendar.last:
            problems.append(f"{where} coverage_to {last} lies before the calendar's own end, {calendar.last}")
    aliases = (*_aliases(document, where, problems), *calendar.aliases)
    merged = replace(calendar, closed=closed, special=special, last=last, aliases=aliases)
    return replace(merged, terms=tuple(_terms(document, merged, where, problems)))


def _aliases(document: Mapping[str, Any], where: str, problems: list[str]) -> Iterator[Alias]:
    for entry in _entries(document, "alias", ("old", "new", "from"), where, problems):
        old, new = entry.get("old"), entry.get("new")
        fits = all(isinstance(symbol, str) and SYMBOL.fullmatch(symbol) for symbol in (old, new))
        if not fits or old == new:
            problems.append(
                f'{where} [[alias]] needs two symbols, such as old = "TATAMOTORS" and new = "TMPV"'
            )
            continue
        since = _day(entry["from"], f"{where} [[alias]] from", problems) if "from" in entry else None
        yield Alias(str(old), str(new), since)


def _terms(
    document: Mapping[str, Any], calendar: Calendar, where: str, problems: list[str]
) -> Iterator[Terms]:
    for entry in _entries(document, "action", ("symbol", "date", "factor"), where, problems):
        symbol, factor = entry.get("symbol"), _factor(entry.get("factor"))
        day = _day(entry.get("date"), f"{where} [[action]] date", problems)
        if not isinstance(symbol, str) or not SYMBOL.fullmatch(symbol):
            problems.append(f'{where} [[action]] needs a symbol, such as "TCS", not {symbol!r}')
        elif factor is None:
            problems.append(
                f'{where} [[action]] of {symbol}: factor must be what earlier prices count, such as "1/5" '
                f"where one share became five, not {entry.get('factor')!r}"
            )
        elif day and session_on(calendar, day) is None:
            problems.append(
                f"{where} [[action]] of {symbol}: the calendar knows no session on {day}: give the first one "
                "on the new terms"
            )
        elif day:
            yield Terms(symbol, day, *factor)


def _factor(value: object) -> tuple[int, int] | None:
    """Return a factor above 0, written as "1/5", "0.2" or 0.2, as two whole numbers."""
    found = FACTOR.fullmatch(str(value)) if isinstance(value, str | int | float) else None
    if not found:
        return None
    over, under, whole, part = found.groups()
    old, new = (int(over), int(under)) if over else (int(whole + (part or "")), 10 ** len(part or ""))
    return (old, new) if old and new else None


def _special(entry: Mapping[str, Any], where: str, problems: list[str]) -> Hours | None:  # noqa: C901 -- one check a line
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
            opens, closes = (_clock(text, f"{where}: {key}", problems) for text in pair)
            if opens and closes:
                windows.append((opens, closes, phase))
    if len(problems) > before:
        return None
    windows.sort(key=lambda window: window[0])
    if not windows:
        problems.append(f"{where}: windows are missing; a day without a session is [[closed]]")
        return None
    backwards = any(a[0] >= a[1] or a[1] > b[0] for a, b in pairwise(windows))
    if backwards or windows[-1][0] == windows[-1][1]:  # only the last may run over midnight
        problems.append(f"{where}: windows overlap or run backwards")
        return None
    settles = (datetime.combine(date.min, windows[-1][1]) + timedelta(minutes=SETTLE_MINUTES)).time()
    if "settles" in entry:
        given = _clock(entry["settles"], f"{where}: settles", problems)
        if given is None:
            return None
        settles = given
    until_settled = datetime.combine(date.min, settles) - datetime.combine(date.min, windows[-1][1])
    if until_settled % timedelta(days=1) > timedelta(minutes=LONGEST_SETTLE_MINUTES):
        problems.append(
            f"{where}: settles must lie 0 to {LONGEST_SETTLE_MINUTES} minutes after the last window"
        )
        return None
    return Hours(tuple(windows), settles, str(entry.get("name", "Special session")))


def _entries(
    document: Mapping[str, Any], key: str, known: Iterable[str], where: str, problems: list[str]
) -> list[dict[str, Any]]:
    entries = document.get(key, [])
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        problems.append(f"{where} {key} must be written as [[{key}]]")
        return []
    for entry in entries:
        _refuse_unknown(entry, known, f"{where} [[{key}]]", problems)
    return entries


def _refuse_unknown(table: Mapping[str, Any], known: Iterable[str], where: str, problems: list[str]) -> None:
    problems += [
        f"{where} key {key!r} is not known (known: {', '.join(known)})" for key in table if key not in known
    ]


def _clock(text: object, what: str, problems: list[str]) -> time | None:
    """Return a wall time written as 9:15, 09:15 or 09:15:30."""
    found = CLOCK.fullmatch(text) if isinstance(text, str) else None
    try:
        if found:
            hour, minute, second = (int(part) for part in found.groups(default="0"))
            return time(hour, minute, second)
    except ValueError:
        found = None
    problems.append(f'{what} must be a time such as "09:15", not {text!r}')
    return None


def _day(value: object, what: str, problems: list[str]) -> date | None:
    """Return a date, written as TOML's own or as text."""
    if isinstance(value, date) and not isinstance(value, datetime):
        return value
    try:
        return date.fromisoformat(str(value))
    except ValueError:
        problems.append(f"{what} must be a date such as 2026-12-25, not {value!r}")
        return None


def _is_zone(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return False
    return True
