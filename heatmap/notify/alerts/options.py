"""An `[[alert]]` table of the configuration."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from heatmap.errors import ConfigError
from heatmap.market.periods import DAY, parse_period
from heatmap.system.secrets import VARIABLE

if TYPE_CHECKING:
    from pathlib import Path

KINDS = ("json", "slack", "telegram")
NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")  # part of an entry's id in the feed
_CHAT = re.compile(r"-?[0-9]{1,20}|@[A-Za-z0-9_]{1,64}")


@dataclass(frozen=True, slots=True)
class AlertOptions:
    """An `[[alert]]` table: the rules, the stocks they apply to, and the receivers.

    The address of a web hook is a secret, so the table has only the name of its variable or file.
    """

    name: str
    markets: tuple[str, ...] = ()  # names; empty for all markets
    symbols: tuple[str, ...] = ()  # a watchlist; empty for all stocks
    change_percent: float | None = None  # an event for a stock that moved by this much or more, up or down
    period: str = DAY  # the period of change_percent and breadth_percent
    breadth_percent: float | None = None  # an event if this share of the stocks or more rose, or fell
    year_high: bool = False  # an event for a stock at its highest price of 52 weeks
    year_low: bool = False
    feed: bool = True  # whether the events go into the feed
    url_env: str | None = None
    url_file: Path | None = None
    kind: str = "json"  # the message format of the web hook
    chat_id: str | None = None  # the chat of a Telegram web hook

    def __post_init__(self) -> None:
        """Raise ConfigError for wrong values."""
        telegram = self.kind == "telegram"
        rules = (self.change_percent, self.breadth_percent, self.year_high or None, self.year_low or None)
        checks = [
            (NAME.fullmatch(self.name), "name must be lower-case letters, digits and hyphens"),
            (
                any(rule is not None for rule in rules),
                "has no rule: give change_percent, breadth_percent, year_high or year_low",
            ),
            (
                self.change_percent is None or 0 < self.change_percent <= 1000,
                "change_percent must be more than 0 and at most 1000",
            ),
            (
                self.breadth_percent is None or 50 < self.breadth_percent <= 100,
                "breadth_percent must be more than 50 and at most 100",
            ),
            (
                parse_period(self.period) is not None,
                f"{self.period!r} is not a period: write 1d, 20d, ytd, 1mo or 1y",
            ),
            (self.kind in KINDS, f"kind must be one of {', '.join(KINDS)}, not {self.kind!r}"),
            (
                self.url_env is None or self.url_file is None,
                "url_env and url_file are both given: keep one of them",
            ),
            (
                # The value may be the address itself, so the message does not repeat it.
                self.url_env is None or VARIABLE.fullmatch(self.url_env),
                "url_env must be the NAME of an environment variable, never the address itself",
            ),
            (
                not telegram or (self.chat_id and _CHAT.fullmatch(self.chat_id)),
                "telegram needs a chat_id: a number in quotes, or the @name of a channel",
            ),
            (telegram or self.chat_id is None, 'chat_id is for kind = "telegram" alone'),
            (
                self.posts or self.kind == "json",
                f"kind {self.kind!r} needs an address: name it in url_env or url_file",
            ),
            (
                self.posts or self.feed,
                "has no receiver: name an address in url_env or url_file, or leave feed on",
            ),
        ]
        problems = [problem for is_valid, problem in checks if not is_valid]
        if problems:
            raise ConfigError(problems)

    @property
    def posts(self) -> bool:
        """Whether the alert has a web hook."""
        return self.url_env is not None or self.url_file is not None

    def covers(self, market: str) -> bool:
        """Return whether the alert applies to this market."""
        return not self.markets or market in self.markets
