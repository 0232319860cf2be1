"""The `[history]` table of the configuration."""

from __future__ import annotations

import re
from dataclasses import dataclass

from heatmap.errors import ConfigError
from heatmap.system.secrets import VARIABLE
from heatmap.system.web_address import is_place

# No password: that is named by password_env. An empty host is libpq's own, or a socket's folder in ?host=.
_URL = re.compile(
    r"postgres(?:ql)?://(?:[^\s:@/?#]+@)?(?P<hosts>[^\s@/?#]*)/[^\s@/?#]+(?:\?(?!.*password=)[^\s#]*)?"
)

_PERIOD = re.compile(r"(?!1d)[1-9]\d{0,2}d", re.ASCII)
MOST_PERIODS = 10  # each adds a few readings to every tick


@dataclass(frozen=True, slots=True)
class HistoryOptions:
    """The `[history]` table. How long things are kept is counted in sessions that there are figures of.

    Not in days: a clock that jumps ahead by a year would have everything forgotten.
    """

    enabled: bool = True
    tick_sessions: int = 250  # whose ticks are kept; of older ones the daily bars stay
    bar_sessions: int | None = None  # whose daily bars are kept; None: all
    # The periods that pages offer, besides the day.
    periods: tuple[str, ...] = ("5d", "20d", "60d", "120d", "250d", "ytd")
    url: str | None = None  # postgresql://user@host/database; None: a file in the state directory
    password_env: str | None = None

    def __post_init__(self) -> None:
        """Raise ConfigError for values that cannot be."""
        problems = []
        if self.tick_sessions < 1:
            problems.append("tick_sessions must be 1 or more")
        if self.bar_sessions is not None and self.bar_sessions < self.tick_sessions:
            problems.append("bar_sessions must not be less than tick_sessions")
        wrong = [name for name in self.periods if name != "ytd" and not _PERIOD.fullmatch(name)]
        if wrong:
            problems.append(
                f'periods must be sessions, such as "20d" (2d to 999d), or "ytd", not {wrong[0]!r}'
            )
        if len(self.periods) > MOST_PERIODS or len(set(self.periods)) < len(self.periods):
            problems.append(f"periods must be {MOST_PERIODS} at most, each once")
        if self.url is not None and not _is_database(self.url):  # it may hold a password: not repeated
            problems.append(
                "url must look like postgresql://user@host/database, and hold no password: "
                "name the password's environment variable in password_env"
            )
        if self.password_env is not None and not VARIABLE.fullmatch(self.password_env):
            problems.append(
                "password_env must be the NAME of an environment variable, never the password itself"
            )
        if self.password_env is not None and self.url is None:
            problems.append("password_env needs a url: the file in the state directory has no password")
        if problems:
            raise ConfigError(problems)


def _is_database(url: str) -> bool:
    """Whether an address has the form of libpq's, which may name several hosts, or the folder of a socket."""
    from urllib.parse import unquote  # only an address needs it

    found = _URL.fullmatch(url)
    places = (unquote(place) for place in found["hosts"].split(",")) if found else ()
    return found is not None and all(
        not place
        or place.startswith("/")
        or is_place(f"localhost{place}" if place.startswith(":") else place)
        for place in places
    )
