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
CLAMP_PERCENT = 80  # the breadth from which a day has the strongest shade: nine in ten rose or fell
STEPS = 8  # the number of shades on each side: enough for the eye; each has a class in the page


class Shade(NamedTuple):
    """A fill and a readable ink."""

    fill: str
    ink: str


class Cell(NamedTuple):
    """A day of the calendar; a day without a session has its number alone."""

    number: int
    shade: int | None = None  # the index of its shade
    breadth: str = ""
    counts: str = ""  # how many stocks rose, fell and did neither
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
    """Return the page of these days as UTF-8. `feed`: whether the page links to a feed."""
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
            for year, months in groupby(_months(by_date), key=lambda month: month[0])
        ],
        script=script,
        script_hash=script_hash(script),
        style=archive_style(),
    ).encode()


def breadth_percent(breadth: Breadth) -> float | None:
    """Return (advances - declines) / all x 100; None without stocks."""
    total = sum(breadth)
    return (breadth.advances - breadth.declines) / total * 100 if total else None


def _shades(options: PageOptions) -> list[Shade]:
    """Return the shades from the strongest gain to the strongest loss: STEPS on each side, one neutral."""
    gradient = colours.GRADIENTS[options.gradient][options.up]
    fills, inks = colours.palette(gradient), colours.palette_inks(gradient)
    gains = [CLAMP_PERCENT * (STEPS - 0.5 - step) / (STEPS - 0.5) for step in range(STEPS)]
    offsets = [*gains, 0.0, *(-gain for gain in reversed(gains))]
    steps = [colours.value_shade(offset, CLAMP_PERCENT) for offset in offsets]
    return [Shade(fills[step], inks[step]) for step in steps]


def _shade(percent: float) -> int:
    if round(percent) == 0:  # the page shows 0: it is neutral
        return STEPS
    strength = min(int(abs(percent) / CLAMP_PERCENT * STEPS), STEPS - 1)
    return STEPS - 1 - strength if percent > 0 else STEPS + 1 + strength


def _months(dates: Iterable[date]) -> list[tuple[int, int]]:
    """Return (year, month) of all months from the first date to the last, the newest first."""
    ordered = sorted(dates)
    if not ordered:
        return []
    first, last = (day.year * 12 + day.month - 1 for day in (ordered[0], ordered[-1]))
    return [(number // 12, number % 12 + 1) for number in range(last, first - 1, -1)]


def _month(year: int, month: int, by_date: dict[date, ArchivedDay]) -> Month:
    import calendar

    weeks = calendar.Calendar().monthdatescalendar(year, month)
    name = f"{weeks[1][0]:%B}"
    return Month(
        name, [[_cell(day, by_date) if day.month == month else None for day in week] for week in weeks]
    )


def _cell(day: date, by_date: dict[date, ArchivedDay]) -> Cell:
    session = by_date.get(day)
    percent = breadth_percent(session.breadth) if session else None
    if session is None or percent is None:
        return Cell(day.day)
    return Cell(
        day.day,
        _shade(percent),
        _format_percent(percent),
        wording.format_breadth(session.breadth),
        wording.day_folder(day) if session.page else "",
    )


def _format_percent(percent: float) -> str:
    number = round(percent)
    return f"{abs(number)}" if number == 0 else f"{'+' if number > 0 else wording.MINUS}{abs(number)}"
