"""The exchange's holiday list beside a calendar: what differs, what cannot be, and what mends it.

What mends it is a block of the overrides file. A date of which the user's own entries speak is left out of
it: they hold, whatever the list says.
"""

from __future__ import annotations

import json
from datetime import date, timedelta
from typing import TYPE_CHECKING, NamedTuple

from heatmap.errors import ConfigError, SourceNonsense
from heatmap.market.calendar import overrides, overrides_file

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from heatmap.market.calendar.phases import Calendar
    from heatmap.sources.nse.holidays import Holidays

LONGEST_MOVE = timedelta(days=3)  # by which a feast that goes by the moon may be moved


class CalendarChange(NamedTuple):
    """A date on which a calendar and the list differ, and the table that makes the calendar agree.

    `name` is what the list calls the day; in "regular", what the calendar called it.
    """

    day: date
    table: str  # one of overrides.TABLES
    name: str

    def __str__(self) -> str:
        what = {
            "closed": f"closed, {self.name}",
            "session": f"a Muhurat session, {self.name}; its hours are not known yet",
            "regular": f"a day like any other, no longer {self.name}",
        }
        return f"{self.day} {self.day:%a}  {what[self.table]}"

    @property
    def lines(self) -> list[str]:
        """The entry of an overrides file that says so."""
        is_session = self.table == "session"
        name = json.dumps("Muhurat session" if is_session else self.name, ensure_ascii=False)
        entry = [f"[[{self.table}]]", f"date = {self.day}", f"name = {name}"]
        return [*entry, "windows = []"] if is_session else entry


def compare(listed: Holidays, calendar: Calendar) -> tuple[CalendarChange, ...]:
    """Return where the calendar says something else than the list, in order of dates."""
    changes = []
    for day, name in listed.closed.items():
        hours = calendar.special.get(day)
        is_open = day.weekday() in calendar.weekdays and day not in calendar.closed
        # A session whose hours were announced was announced apart from the list, which never has one.
        if (is_open and hours is None) or (hours and not hours.windows):
            changes.append(CalendarChange(day, "closed", name))
    changes += [
        CalendarChange(day, "session", name)
        for day, name in listed.muhurat.items()
        if day not in calendar.special
    ]
    told = {day: name for day, name in calendar.closed.items() if day.weekday() in calendar.weekdays}
    told |= {day: hours.name or "a session" for day, hours in calendar.special.items() if not hours.windows}
    changes += [
        CalendarChange(day, "regular", name)
        for day, name in told.items()
        if day.year == listed.year and day not in listed.closed and day not in listed.muhurat
    ]
    return tuple(sorted(changes))


def refuse(listed: Holidays, calendar: Calendar, own: Collection[date], today: date) -> None:
    """Raise SourceNonsense for a list that cannot be right: it shrinks, or contradicts what has been.

    `own` are the dates of which the user's entries speak, which hold whatever the list says.
    """
    refuse_year(listed, calendar)
    first, last = calendar.first or date.min, calendar.last or date.max
    changes = [change for change in compare(listed, calendar) if change.day not in own]
    for day, table, name in changes:
        was_session = day.weekday() in calendar.weekdays and day not in calendar.closed
        if first <= day < today and table != "regular" and was_session and day <= last:
            raise SourceNonsense(
                f"calls {day} a holiday ({name}), on which there was a session: if there was none, add "
                f"[[closed]] with date = {day} to the overrides file"
            )
    # Where a feast may have been moved to: what is new, or told by the user, or no trading day anyway.
    gained = {change.day for change in changes if change.table != "regular"} | {*own}
    gained |= {day for day in listed.closed if day.weekday() not in calendar.weekdays}
    for day, table, name in changes:
        if table == "regular" and (day < today or not _has_near(day, gained)):
            raise SourceNonsense(
                f"no longer has {day} ({name}): it may not be whole; if there is a session that day, add "
                f"[[regular]] with date = {day} to the overrides file"
            )


def refuse_year(listed: Holidays, calendar: Calendar) -> None:
    """Raise SourceNonsense for a list of a year that neither lies in the calendar nor follows it."""
    first, last = calendar.first or date.min, calendar.last or date.max
    if listed.year < first.year:
        raise SourceNonsense(
            f"is of {listed.year}, while the calendar begins on {first}: ask for a later one"
        )
    if date(listed.year, 1, 1) > last and listed.year != (last + timedelta(days=1)).year:
        raise SourceNonsense(
            f"is of {listed.year}, while the calendar ends on {last}: the days between are not known, "
            "so install a newer version of this program, or add them to the overrides file"
        )


def _has_near(day: date, others: Iterable[date]) -> bool:
    return any(abs(day - other) <= LONGEST_MOVE for other in others)


class Update(NamedTuple):
    """What a list does to an overrides file: its new text, and the calendar with the old and the new one.

    `new` is what the calendar did not know; `own` is where the user's entries say something else.
    """

    text: str
    before: Calendar
    after: Calendar
    new: tuple[CalendarChange, ...]
    user_differences: tuple[CalendarChange, ...]


def update(beneath: Calendar, text: str, name: str, listed: Holidays, today: date, above: str = "") -> Update:
    """Return what the list does to the file called `name`, whose text is `text`.

    `beneath` is the calendar without that file; `above` is the text of an overrides file that is merged over
    it. The file's block holds what `beneath` lacks, and `coverage_to` moves to the year's end once the list
    is whole. Raises SourceNonsense where the list cannot be right, ConfigError where the file cannot be used.
    """
    own = overrides.read_dates(overrides_file.remove_block(text)) | overrides.read_dates(
        overrides_file.remove_block(above)
    )

    def merged(changed: str) -> Calendar:
        calendar = _merge(beneath, changed, name)
        return _merge(calendar, above, "overrides") if above else calendar

    before, base = merged(text), merged(overrides_file.remove_block(text, listed.year))
    refuse(listed, before, own, today)
    lines = [line for change in compare(listed, base) if change.day not in own for line in change.lines]
    end = date(listed.year, 12, 31)
    is_further = base.last is not None and base.last < end and not listed.missing
    updated = overrides_file.replace_block(text, listed.year, lines, end if is_further else None)
    try:
        after = merged(updated)
    except ConfigError as error:  # closures written in one line, say, which no block can follow
        problem = (
            f"{name} cannot be added to: write its entries as [[closed]] and [[session]], one key a line"
        )
        raise ConfigError([problem, *error.problems]) from error
    new = tuple(change for change in compare(listed, before) if change.day not in own)
    return Update(updated, before, after, new, compare(listed, after))


def _merge(packaged: Calendar, text: str, name: str) -> Calendar:
    """Return the calendar with overrides over it. Raises ConfigError."""
    problems: list[str] = []
    calendar = overrides.merge(packaged, text, name, problems)
    if problems:
        raise ConfigError(problems)
    return calendar
