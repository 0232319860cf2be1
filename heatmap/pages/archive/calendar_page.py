"""The list of all days: a calendar by month, each day in the colour of its breadth."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, NamedTuple

from heatmap.analysis import colours
from heatmap.pictures import wording
from heatmap.pictures.templates import archive_script, archive_style, render_template, script_hash

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import date
    from pathlib import Path

    from heatmap.market.quotes import Breadth
    from heatmap.pictures.context import ArchivedDay
    from heatmap.pictures.options import PageOptions

PAGE = "archive.html.j2"
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
CLAMP_PERCENT = 80  # breadth from which a day has the strongest shade: three in four rose or fell, and more
STEPS = 8  # shades of each side: enough for the eye, and a class each for the page


class Shade(NamedTuple):
    """A fill and an ink readable on it."""

    fill: str
    ink: str


class Cell(NamedTuple):
    """A day of the calendar; without a session, its number alone."""

    number: int
    shade: int | None = None  # its place among the shades
    breadth: str = ""
    told: str = ""
    link: str = ""


class Month(NamedTuple):
    """A month's name, and its weeks from Monday on; None is a day of another month."""

    name: str
    weeks: list[list[Cell | None]]


class Year(NamedTuple):
    """A year's name and its months, the newest first."""

    name: str
    months: list[Month]


def render(
    days: Iterable[ArchivedDay], title: str, options: PageOptions, *, feed: bool, cache: Path | None = None
) -> bytes:
    """Return the page of these days as UTF-8. `feed` is whether there is one to lead to."""
    script = archive_script()
    by_date = {day.date: day for day in days}
    return render_template(
        PAGE,
        cache,
        title=title,
        feed=feed,
        clamp=CLAMP_PERCENT,
        shades=_shades(options),
        weekdays=WEEKDAYS,
        years=[
            Year(str(year), [_month(year, month, by_date) for _, month in months])
            for year, months in groupby(_months(by_date), key=lambda found: found[0])
        ],
        script=script,
        script_hash=script_hash(script),
        style=archive_style(),
    ).encode()


def breadth_percent(breadth: Breadth) -> float | None:
    """Return (advances - declines) / all x 100; None of nothing."""
    total = sum(breadth)
    return (breadth.advances - breadth.declines) / total * 100 if total else None


def _shades(options: PageOptions) -> list[Shade]:
    """Return the shades from the strongest gain to the strongest loss, STEPS a side and the neutral one."""
    gradient = colours.GRADIENTS[options.gradient][options.up]
    ramp, inks = colours.palette(gradient), colours.palette_inks(gradient)
    gains = [CLAMP_PERCENT * (STEPS - 0.5 - step) / (STEPS - 0.5) for step in range(STEPS)]
    offsets = [*gains, 0.0, *(-gain for gain in reversed(gains))]
    places = [colours.value_shade(offset, CLAMP_PERCENT) for offset in offsets]
    return [Shade(ramp[place], inks[place]) for place in places]


def _shade(percent: float) -> int:
    if round(percent) == 0:  # as it is written: neither rise nor fall
        return STEPS
    strength = min(int(abs(percent) / CLAMP_PERCENT * STEPS), STEPS - 1)
    return STEPS - 1 - strength if percent > 0 else STEPS + 1 + strength


def _months(dates: Iterable[date]) -> list[tuple[int, int]]:
    """Return year and month of all months from the first date to the last, the newest first."""
    found = sorted(dates)
    if not found:
        return []
    first, last = (day.year * 12 + day.month - 1 for day in (found[0], found[-1]))
    return [(number // 12, number % 12 + 1) for number in range(last, first - 1, -1)]


def _month(year: int, month: int, by_date: dict[date, ArchivedDay]) -> Month:
    import calendar

    weeks = calendar.Calendar().monthdatescalendar(year, month)
    name = f"{weeks[1][0]:%B}"
    return Month(
        name, [[_cell(day, by_date) if day.month == month else None for day in week] for week in weeks]
    )


def _cell(day: date, by_date: dict[date, ArchivedDay]) -> Cell:
    found = by_date.get(day)
    percent = breadth_percent(found.breadth) if found else None
    if found is None or percent is None:
        return Cell(day.day)
    return Cell(
        day.day,
        _shade(percent),
        _whole(percent),
        wording.format_breadth(found.breadth),
        wording.day_folder(day) if found.page else "",
    )


def _whole(percent: float) -> str:
    number = round(percent)
    return f"{abs(number)}" if number == 0 else f"{'+' if number > 0 else wording.MINUS}{abs(number)}"
