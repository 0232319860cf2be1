"""The keys above all tables of a configuration, and the keys of a `[[market]]` table."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from heatmap.errors import ConfigError
from heatmap.state import idle
from heatmap.system.web_address import is_web_address

DEADLINE_SECONDS = 90.0
DEFAULT_TITLE = "NSE F&O heatmap"
LONGEST_TITLE = 200  # characters
MARKET_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")  # the name of a folder and a part of URLs


@dataclass(frozen=True, slots=True)
class TopLevel:
    """The keys above the first table."""

    title: str = DEFAULT_TITLE
    state_directory: Path = Path(idle.STATE_DIRECTORY)
    interval_minutes: int = 5
    deadline_seconds: float | None = None  # None: DEADLINE_SECONDS, at most 3/4 of the interval
    public_url: str | None = None

    def __post_init__(self) -> None:
        problems = []
        if not 1 <= self.interval_minutes <= 24 * 60:
            problems.append("interval_minutes must be 1 to 1440")
        elif self.deadline_seconds and not 5 <= self.deadline_seconds < self.interval_minutes * 60:
            problems.append("deadline_seconds must be 5 or more, and less than the interval")
        problems += _title_problems(self.title)
        if self.public_url is not None and not is_web_address(self.public_url, may_query=False):
            problems.append(
                'public_url must begin with https:// or http:// and a host, as "https://www.example.org/", '
                "without user, ? and #"
            )
        if problems:
            raise ConfigError(problems)


@dataclass(frozen=True, slots=True)
class MarketTable:
    """The keys of `[[market]]` whose values are not tables."""

    name: str
    title: str | None = None

    def __post_init__(self) -> None:
        problems = [] if self.title is None else _title_problems(self.title)
        if not MARKET_NAME.fullmatch(self.name):
            problems.append(f"name must be lower-case letters, digits and hyphens, not {self.name!r}")
        if problems:
            raise ConfigError(problems)


def _title_problems(title: str) -> list[str]:
    fits = 1 <= len(title) <= LONGEST_TITLE and title.isprintable()
    return [] if fits else [f"title must be 1 to {LONGEST_TITLE} characters on one line"]
