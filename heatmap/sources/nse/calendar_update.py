"""Compares the exchange's holiday list with a calendar, and updates the calendar by an overrides file.

The update is a block of the overrides file. It leaves out each date for which the user has an entry: the
user's entries are stronger than the list.
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

LONGEST_MOVE = timedelta(days=3)  # by which a feast of the lunar calendar may be moved


class CalendarChange(NamedTuple):
    """A date on which a calendar and the list differ, and the table that corrects the calendar.

    `name` is the day's name in the list; in "regular", its name in the calendar.
    """

    day: date
    table: str  # one of overrides.TABLES
    name: str

    def __str__(self) -> str:
        descriptions = {
            "closed": f"closed, {self.name}",
            "session": f"a Muhurat session, {self.name}; its hours are not known yet",
            "regular": f"a day like any other, no longer {self.name}",
        }
        return f"{self.day} {self.day:%a}  {descriptions[self.table]}"

    @property
    def lines(self) -> list[str]:
        """The entry of an overrides file for this change."""
        is_session = self.table == "session"
        name = json.dumps("Muhurat session" if is_session else self.name, ensure_ascii=False)
        entry = [f"[[{self.table}]]", f"date = {self.day}", f"name = {name}"]
        return [*entry, "windows = []"] if is_session else entry


def compare(listed: Holidays, calendar: Calendar) -> tuple[CalendarChange, ...]:
    """Return the differences between the calendar and the list, by date."""
    changes = []
    for day, name in listed.closed.items():
        hours = calendar.special.get(day)
        is_open = day.weekday() in calendar.weekdays and day not in calendar.closed
        # A session with known hours was announced separately: the list never has such a session.
        if (is_open and hours is None) or (hours and not hours.windows):
            changes.append(CalendarChange(day, "closed", name))
    changes += [
        CalendarChange(day, "session", name)
        for day, name in listed.muhurat.items()
        if day not in calendar.special
    ]
    unlisted_candidates = {
        day: name for day, name in calendar.closed.items() if day.weekday() in calendar.weekdays
    }
    unlisted_candidates |= {
        day: hours.name or "a session" for day, hours in calendar.special.items() if not hours.windows
    }
    changes += [
        CalendarChange(day, "regular", name)
        for day, name in unlisted_candidates.items()
        if day.year == listed.year and day not in listed.closed and day not in listed.muhurat
    ]
    return tuple(sorted(changes))


def refuse(listed: Holidays, calendar: Calendar, own: Collection[date], today: date) -> None:
    """Raise SourceNonsense for a wrong list: one that lacks known holidays, or contradicts past sessions.

    `own` are the dates with entries of the user, which are stronger than the list.
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
    # A feast may have been moved to these days: new closures, the user's dates, and other closed days.
    possible_days = {change.day for change in changes if change.table != "regular"} | {*own}
    possible_days |= {day for day in listed.closed if day.weekday() not in calendar.weekdays}
    for day, table, name in changes:
        if table == "regular" and (day < today or not _has_near(day, possible_days)):
            raise SourceNonsense(
                f"no longer has {day} ({name}): it may not be whole; if there is a session that day, add "
                f"[[regular]] with date = {day} to the overrides file"
            )


def refuse_year(listed: Holidays, calendar: Calendar) -> None:
    """Raise SourceNonsense for a list of a year that is neither in the calendar nor the next one."""
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
    """The update of an overrides file by a list: the new text, and the calendar before and after.

    `new` are the dates that the calendar did not have; on `user_differences` the user's entries differ from
    the list.
    """

    text: str
    before: Calendar
    after: Calendar
    new: tuple[CalendarChange, ...]
    user_differences: tuple[CalendarChange, ...]


def update(beneath: Calendar, text: str, name: str, listed: Holidays, today: date, above: str = "") -> Update:
    """Return the update of the file `name`, whose text is `text`, by the list.

    `beneath` is the calendar without that file. `above` is the text of an overrides file that is merged over
    the file. The file's block has the changes that `beneath` lacks. Once the list is
    complete, `coverage_to` moves to the year's end. Raises SourceNonsense for a wrong list, ConfigError for a
    file that cannot be used.
    """
    own = overrides.read_dates(overrides_file.remove_block(text)) | overrides.read_dates(
        overrides_file.remove_block(above)
    )

    def merge_all(changed: str) -> Calendar:
        calendar = _merge(beneath, changed, name)
        return _merge(calendar, above, "overrides") if above else calendar

    before, base = merge_all(text), merge_all(overrides_file.remove_block(text, listed.year))
    refuse(listed, before, own, today)
    lines = [line for change in compare(listed, base) if change.day not in own for line in change.lines]
    end = date(listed.year, 12, 31)
    is_further = base.last is not None and base.last < end and not listed.missing
    updated = overrides_file.replace_block(text, listed.year, lines, end if is_further else None)
    try:
        after = merge_all(updated)
    except ConfigError as error:  # such as closures in one line: a block cannot follow them
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
