"""Loads trading calendars: packaged ones or the user's own hours, each with the user's overrides."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from heatmap.errors import ConfigError
from heatmap.market.calendar.phases import (
    LONGEST_SETTLE_MINUTES,
    SETTLE_MINUTES,
    Calendar,
    SessionHours,
    SymbolChange,
)
from heatmap.market.calendar.session import Phase
from heatmap.system import package_files
from heatmap.system.suggestions import suggestion

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

FOLDER = package_files.DATA / "calendars"
ALWAYS = "always"
LISTED = ("nse-equity-fno",)  # calendars for which the exchange publishes a holiday list
WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


@dataclass(frozen=True, slots=True)
class SessionOptions:
    """The `[market.session]` table: a packaged calendar, or the user's own hours if `open` is given."""

    calendar: str = "nse-equity-fno"
    overrides: Path | None = None
    open: str | None = None
    close: str | None = None
    time_zone: str | None = None  # an IANA name; own hours need it
    weekdays: tuple[str, ...] = WEEKDAYS[:5]
    holidays: tuple[str, ...] = ()
    settle_minutes: int = SETTLE_MINUTES


DEFAULTS = SessionOptions()
NO_ZONES = ("Factory", "localtime", "posixrules")  # files beside those of the time zones
OWN_HOURS_ONLY = ("time_zone", "weekdays", "holidays", "settle_minutes")


def load(options: SessionOptions, base: Path, holiday_file: Path | None = None) -> Calendar:
    """Return the calendar of these options; relative paths start at `base`. Raises ConfigError.

    `holiday_file` is the program's copy of the exchange's holiday list: see `find_holiday_file`. It may be
    missing. A damaged one is ignored, because the list can be fetched again.
    """
    problems: list[str] = []
    if options.open is not None or options.close is not None:
        calendar = _make_own(options, problems)
    elif unused := [name for name in OWN_HOURS_ONLY if getattr(options, name) != getattr(DEFAULTS, name)]:
        problems.append(
            f"{', '.join(unused)}: only for your own hours; give open and close, too, or remove it"
        )
        calendar = Calendar(options.calendar, "UTC")
    elif options.calendar == ALWAYS:
        calendar = Calendar(ALWAYS, "UTC", always=True)
    else:
        calendar = _read_packaged(options.calendar, problems)
    if not problems and not _is_zone(calendar.time_zone):
        problems.append(
            f"this machine knows no time zone {calendar.time_zone}: install the system's package tzdata, or "
            "the Python package: `pip install tzdata`"
        )
    if holiday_file is not None and not problems:
        calendar = _merge_holidays(calendar, holiday_file)
    if options.overrides is not None and calendar.always:
        problems.append("overrides change nothing in a market that never closes: remove them")
    elif options.overrides is not None and not problems:
        from heatmap.market.calendar import overrides

        path = base / options.overrides
        calendar = overrides.merge(calendar, overrides.read(path), path.name, problems)
    if problems:
        raise ConfigError(problems)
    return calendar


def load_packaged(options: SessionOptions) -> Calendar:
    """Return the calendar of these options, without overrides. Raises ConfigError."""
    return load(replace(options, overrides=None), FOLDER)


def is_listed(options: SessionOptions) -> bool:
    """Whether the exchange publishes a holiday list for the calendar of these options."""
    return options.open is None and options.calendar in LISTED


def find_holiday_file(options: SessionOptions, state_directory: Path) -> Path | None:
    """Return the file of the exchange's list if no overrides file has it; None if there is no list."""
    return state_directory / f"holidays-{options.calendar}.toml" if is_listed(options) else None


def list_files(options: SessionOptions, base: Path, holiday_file: Path | None = None) -> list[Path]:
    """Return the files that `load` reads for these options. Some of them may be missing."""
    calendar_files = [FOLDER / f"{options.calendar}.json"] if options.open is None else []
    holiday_files = [holiday_file] if holiday_file else []
    return calendar_files + holiday_files + ([base / options.overrides] if options.overrides else [])


def _merge_holidays(calendar: Calendar, path: Path) -> Calendar:
    """Return the calendar with the program's holiday file merged over it, if that file is usable."""
    if not path.exists():
        return calendar
    from heatmap.market.calendar import overrides

    problems: list[str] = []
    try:
        merged = overrides.merge(calendar, overrides.read(path), path.name, problems)
    except ConfigError:
        return calendar
    return calendar if problems else merged


def _read_packaged(name: str, problems: list[str]) -> Calendar:
    import json

    path = FOLDER / f"{name}.json"
    names = {file.stem for file in FOLDER.glob("*.json")} | {ALWAYS}
    if name not in names:
        problems.append(f"calendar {name!r} is not known{suggestion(name, sorted(names), cutoff=0.4)}")
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
        symbol_changes=tuple(
            SymbolChange(
                entry["old"], entry["new"], date.fromisoformat(entry["from"]) if "from" in entry else None
            )
            for entry in document["aliases"]
        ),
    )


def _hours(entry: Mapping[str, Any]) -> SessionHours:
    return SessionHours(
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


def _make_own(options: SessionOptions, problems: list[str]) -> Calendar:
    from heatmap.market.calendar.overrides import parse_clock, parse_day

    if options.calendar != DEFAULTS.calendar:
        problems.append(f"calendar {options.calendar!r} and open, close are both given: remove one of them")
    opens = parse_clock(options.open, "open", problems)
    closes = parse_clock(options.close, "close", problems)
    if options.time_zone is None:
        problems.append('time_zone is missing: your own hours need it, such as time_zone = "Asia/Kolkata"')
    elif not _is_zone(options.time_zone):
        problems.append(f"time_zone {options.time_zone!r} is no IANA name{_similar_zone(options.time_zone)}")
    unknown = [name for name in options.weekdays if name not in WEEKDAYS]
    if unknown or not options.weekdays:
        problems.append(f"weekdays must be some of {', '.join(WEEKDAYS)}, not {', '.join(unknown) or 'none'}")
    if not 0 <= options.settle_minutes <= LONGEST_SETTLE_MINUTES:
        problems.append(f"settle_minutes must be 0 to {LONGEST_SETTLE_MINUTES}")
    holidays = [parse_day(text, "holidays", problems) for text in options.holidays]
    if opens == closes and opens is not None:
        problems.append(
            'open and close are the same: for a market that never closes, write calendar = "always"'
        )
    if problems or opens is None or closes is None or options.time_zone is None:
        return Calendar("own hours", "UTC")
    settles = (datetime.combine(date.min, closes) + timedelta(minutes=options.settle_minutes)).time()
    return Calendar(
        name="own hours",
        time_zone=options.time_zone,
        weekdays=frozenset(map(WEEKDAYS.index, options.weekdays)),
        eras=((date.min, SessionHours(((opens, closes, Phase.OPEN),), settles)),),
        closed={holiday: "a holiday" for holiday in holidays if holiday},
    )


def _similar_zone(name: str) -> str:
    """Return the time zone that the user probably meant, as the end of a sentence."""
    from difflib import get_close_matches
    from zoneinfo import available_timezones

    zones = sorted(available_timezones())
    cities = {zone.rpartition("/")[2].lower(): zone for zone in reversed(zones)}
    matches = get_close_matches(
        name.rpartition("/")[2].lower().replace(" ", "_"), list(cities), n=1, cutoff=0.7
    )
    return (
        f": did you mean {cities[matches[0]]!r}?"
        if matches
        else ", such as Asia/Kolkata, or tzdata is missing"
    )


def _is_zone(name: str) -> bool:
    """Whether this machine and browsers know a time zone of this name.

    `zoneinfo` reads any file in the folder of time zones. Browsers accept IANA names only.
    """
    if name in NO_ZONES or name.startswith(("posix/", "right/")):
        return False
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return False
    return True
