"""Fetches and parses the holiday list of the National Stock Exchange.

It lists one calendar year, or two, by segment, with weekend days. A row means that there is no regular
session that day. A row with a `*` means that there is a Muhurat session instead, of unknown hours. The list
does not have sessions on weekends, such as drills.
"""

from __future__ import annotations

import re
from datetime import date, datetime
from typing import TYPE_CHECKING, NamedTuple

from heatmap.errors import SourceBlocked, SourceEmpty, SourceError, SourceNonsense, SourceReshaped
from heatmap.system import limits, parsing, strict_json

if TYPE_CHECKING:
    from collections.abc import Mapping

    from heatmap.sources.nse.live import Nse

ENDPOINT = "/api/holiday-master?type=trading"
EQUITIES, DERIVATIVES = "CM", "FO"
MUHURAT = "*"
DATE = re.compile(r"\d{1,2}-[A-Z][a-z]{2}-\d{4}", re.ASCII)
DATE_FORMAT = "%d-%b-%Y"
MOST_YEARS = 2  # this year and the next, late in December
# Each year's list names these, on whatever weekday they fall.
FIXED = {
    (1, 26): "Republic Day",
    (8, 15): "Independence Day",
    (10, 2): "Gandhi Jayanti",
    (12, 25): "Christmas",
}


class Holidays(NamedTuple):
    """One year of the equity segment: names by date. The last field has a sentence for each difference."""

    year: int
    closed: Mapping[date, str]  # no regular session, weekends among them
    muhurat: Mapping[date, str]  # a session of unknown hours in its place
    derivatives_differences: tuple[str, ...] = ()

    @property
    def missing(self) -> tuple[str, ...]:
        """The fixed holidays that are not listed. With any, the list is incomplete."""
        listed = {(day.month, day.day) for day in (*self.closed, *self.muhurat)}
        return tuple(name for day, name in FIXED.items() if day not in listed)


def parse(body: bytes) -> tuple[Holidays, ...]:
    """Return the lists in a body, one for each year. No row is skipped, because it could be a closure.

    Raises SourceBlocked for a web page, SourceNonsense. Their messages have no subject: the caller adds it.
    """
    from heatmap.sources.nse.body import is_web_page

    if is_web_page(body):
        message = "holds a web page where holidays were due: the exchange may not let this address in"
        raise SourceBlocked(message)
    document = strict_json.decode(body)
    if not isinstance(document, dict):
        raise SourceReshaped("holds no holidays by segment: the form of the answer is not known")
    if EQUITIES not in document:
        raise SourceReshaped(f"holds no segment {EQUITIES}, which is that of equities")
    closed, muhurat = _parse_segment(document[EQUITIES], EQUITIES)
    if not closed and not muhurat:
        raise SourceEmpty("holds not one holiday: the exchange may have none to tell yet")
    years = sorted({day.year for day in (*closed, *muhurat)})
    if years[-1] - years[0] > MOST_YEARS - 1:
        raise SourceReshaped(f"holds holidays from {years[0]} to {years[-1]}, where one year was due, or two")
    differences = _describe_differences({*closed, *muhurat}, document.get(DERIVATIVES))
    return tuple(
        Holidays(
            year,
            _select_year(closed, year),
            _select_year(muhurat, year),
            tuple(sentence for day, sentence in differences if day.year == year or day.year not in years),
        )
        for year in years
    )


def fetch(source: Nse) -> tuple[Holidays, ...]:
    """Fetch the lists from the exchange's server of `source`. Raises SourceError."""
    from heatmap.sources.nse.site import Site

    address = make_address(source)

    def read(body: bytes) -> tuple[Holidays, ...]:
        try:
            return parse(body)
        except SourceError as error:
            raise error.with_sentence(f"{address} {error}") from error

    try:
        with Site(source, source.base_url) as site:
            return site.get(ENDPOINT, read)
    except SourceNonsense as error:
        advice = "look for a newer version of this program, or write the closures into the overrides file"
        raise error.with_sentence(f"{error}; {advice}") from error
    except SourceError as error:
        advice = f"open {address} in a browser, save what it shows, and give that with --from"
        raise error.with_sentence(f"{error}; {advice}") from error


def make_address(source: Nse) -> str:
    """Return the list's URL."""
    return source.base_url.rstrip("/") + ENDPOINT


def _select_year(days: Mapping[date, str], year: int) -> dict[date, str]:
    return {day: name for day, name in days.items() if day.year == year}


def _parse_segment(rows: object, name: str) -> tuple[dict[date, str], dict[date, str]]:
    """Return a segment's closures and Muhurat days. Raises SourceReshaped for a row that cannot be read."""
    if not isinstance(rows, list) or len(rows) > limits.HOLIDAYS:
        raise SourceReshaped(f"holds no list of holidays in its segment {name}")
    closed: dict[date, str] = {}
    muhurat: dict[date, str] = {}
    for row in rows:
        fields = row if isinstance(row, dict) else {}
        day, description = (
            _parse_day(fields.get("tradingDate")),
            parsing.clean_text(fields.get("description")),
        )
        if day is None or description is None:
            raise SourceReshaped(f"holds a holiday without date or description in its segment {name}")
        if fields.get("weekDay", f"{day:%A}") != f"{day:%A}":
            raise SourceReshaped(f"calls {day} a {parsing.clean_text(fields['weekDay'])}, which it is not")
        names_by_day = muhurat if MUHURAT in description else closed
        name_of_day = " ".join(description.replace(MUHURAT, " ").split()) or "Holiday"
        names_by_day[day] = f"{names_by_day[day]}/{name_of_day}" if day in names_by_day else name_of_day
    for day in muhurat:
        closed.pop(day, None)
    return closed, muhurat


def _parse_day(text: object) -> date | None:
    """Return a date written like 08-Nov-2026; None for anything else."""
    if not isinstance(text, str) or not DATE.fullmatch(text):
        return None
    try:
        return datetime.strptime(text, DATE_FORMAT).date()  # noqa: DTZ007 -- a date has no zone
    except ValueError:
        return None


def _describe_differences(equities: set[date], rows: object) -> list[tuple[date, str]]:
    """Return days that are holidays for derivatives or equities only, each with a sentence."""
    if rows is None:
        return []
    closed, muhurat = _parse_segment(rows, DERIVATIVES)
    derivatives = {*closed, *muhurat}
    return [
        *(
            (day, f"{day} is a holiday for derivatives, not for equities")
            for day in sorted(derivatives - equities)
        ),
        *(
            (day, f"{day} is a holiday for equities, not for derivatives")
            for day in sorted(equities - derivatives)
        ),
    ]
