"""The periods of a percent change: their names, their order and their scale."""

from __future__ import annotations

import re
from math import sqrt
from typing import NamedTuple

BAND_SESSIONS = 20  # of the Bollinger bands
BAND_DEVIATIONS = 2  # standard deviations from their middle to each band
DAY, YEAR = "1d", "1y"
SESSIONS = {DAY: 1, "1mo": 21, "ytd": 125, YEAR: 250}  # the approximate number of sessions of a named period
MAX_DAY_FACTOR = 40 / 3  # so ±3 % for a day is at most ±40 % for any period
_DAYS = re.compile(r"([1-9]\d{0,3})d", re.ASCII)


class Period(NamedTuple):
    """A period: its name ("1mo"), its label for readers, and its length in sessions."""

    name: str
    label: str
    sessions: int

    def clamp(self, day_percent: float) -> float:
        """Return the percent change at which the strongest shades begin; `day_percent` is that of a day.

        It grows with the square root of the sessions, as the spread of a random walk does, but at most by
        MAX_DAY_FACTOR: ±3 % for a day is ±14 % for a month and ±40 % for a year. Clamps of 5 %
        and more are rounded to whole percents.
        """
        clamp = day_percent * min(sqrt(self.sessions), MAX_DAY_FACTOR)
        return float(round(clamp)) if clamp >= 5 else clamp


def parse_period(name: str) -> Period | None:
    """Return the period of a name: "1d", "1mo", "1y", "ytd" or "20d" (sessions); None for other names."""
    days = _DAYS.fullmatch(name)
    sessions = SESSIONS.get(name) or (int(days[1]) if days else None)
    if sessions is None:
        return None
    labels = {DAY: "1 day", "1mo": "1 month", YEAR: "1 year", "ytd": "Year to date"}
    return Period(name, labels.get(name, f"{sessions} days"), sessions)
