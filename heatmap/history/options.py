"""The `[history]` table of the configuration."""

from __future__ import annotations

import re
from dataclasses import dataclass

from heatmap.errors import ConfigError
from heatmap.system.secrets import VARIABLE
from heatmap.system.web_address import is_netloc

# Without a password: password_env names its variable. An empty host is libpq's default, or ?host= has it.
_URL = re.compile(
    r"postgres(?:ql)?://(?:[^\s:@/?#]+@)?(?P<hosts>[^\s@/?#]*)/[^\s@/?#]+(?:\?(?!.*password=)[^\s#]*)?"
)

_PERIOD = re.compile(r"(?!1d)[1-9]\d{0,2}d", re.ASCII)
MOST_PERIODS = 10  # each adds a few rankings to every tick


@dataclass(frozen=True, slots=True)
class HistoryOptions:
    """The `[history]` table. Limits of age are counted in sessions with figures.

    A limit in days would delete everything after the clock jumped ahead by a year.
    """

    enabled: bool = True
    tick_sessions: int = 250  # sessions whose ticks are stored; older ones have daily bars only
    bar_sessions: int | None = None  # sessions whose daily bars are stored; None: all
    # The periods of pages, besides the day.
    periods: tuple[str, ...] = ("5d", "20d", "60d", "120d", "250d", "ytd")
    url: str | None = None  # postgresql://user@host/database; None: a file in the state directory
    password_env: str | None = None

    def __post_init__(self) -> None:
        """Raise ConfigError for impossible values."""
        problems = []
        if self.tick_sessions < 1:
            problems.append("tick_sessions must be 1 or more")
        if self.bar_sessions is not None and self.bar_sessions < self.tick_sessions:
            problems.append("bar_sessions must not be less than tick_sessions")
        unknown = [name for name in self.periods if name != "ytd" and not _PERIOD.fullmatch(name)]
        if unknown:
            problems.append(
                f'periods must be sessions, such as "20d" (2d to 999d), or "ytd", not {unknown[0]!r}'
            )
        if len(self.periods) > MOST_PERIODS or len(set(self.periods)) < len(self.periods):
            problems.append(f"periods must be {MOST_PERIODS} at most, each once")
        if self.url is not None and not _is_database(self.url):  # not repeated: it may contain a password
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
    """Whether an address is one of libpq: with one or more hosts, or with the folder of a socket."""
    from urllib.parse import unquote  # imported late: most configurations have no address

    match = _URL.fullmatch(url)
    hosts = (unquote(host) for host in match["hosts"].split(",")) if match else ()
    return match is not None and all(
        not host or host.startswith("/") or is_netloc(f"localhost{host}" if host.startswith(":") else host)
        for host in hosts
    )
