"""The periods a percent change may cover: how they are called, ordered and scaled."""

from __future__ import annotations

import re
from math import sqrt
from typing import NamedTuple

BAND_SESSIONS = 20  # of the Bollinger bands
BAND_DEVIATIONS = 2  # from their middle to either of the two
DAY, YEAR = "1d", "1y"
SESSIONS = {DAY: 1, "1mo": 21, "ytd": 125, YEAR: 250}  # how many sessions a named period has, about
MAX_DAY_FACTOR = 40 / 3  # ±3 % for a day is ±40 % at most, whatever the period
_DAYS = re.compile(r"([1-9]\d{0,3})d", re.ASCII)


class Period(NamedTuple):
    """A period by its name ("1mo"), in words, and with its length in sessions."""

    name: str
    label: str
    sessions: int

    def clamp(self, day_percent: float) -> float:
        """Return the percent change of the strongest shades, if it is `day_percent` for a day.

        It grows with the square root of the sessions, as the spread of a random walk does, up to
        MOST_TIMES_A_DAY: ±3 % for a day is ±14 % for a month and ±40 % for a year. Whole percents from
        5 on.
        """
        clamp = day_percent * min(sqrt(self.sessions), MAX_DAY_FACTOR)
        return float(round(clamp)) if clamp >= 5 else clamp


def parse_period(name: str) -> Period | None:
    """Return the period called "1d", "1mo", "1y", "ytd" or "20d" (sessions); None for any other name."""
    days = _DAYS.fullmatch(name)
    sessions = SESSIONS.get(name) or (int(days[1]) if days else None)
    if sessions is None:
        return None
    labels = {DAY: "1 day", "1mo": "1 month", YEAR: "1 year", "ytd": "Year to date"}
    return Period(name, labels.get(name, f"{sessions} days"), sessions)
