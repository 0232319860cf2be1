"""The `[gates]` table: the conditions under which new figures replace a market's last good page."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from heatmap.errors import ConfigError

STALE_MINUTES = 20
STALE_INTERVALS = 3  # if that is longer: one run without new figures proves little


@dataclass(frozen=True, slots=True)
class GateOptions:
    """The `[gates]` table: the conditions under which figures replace a market's page."""

    least_share: float = 0.7  # of the last page's instruments; 0: no limit
    # The longest time without any change of figures while the market is open; 0: no limit.
    stale_minutes: int | None = None  # None: STALE_MINUTES, or STALE_INTERVALS intervals if that is more

    def __post_init__(self) -> None:
        """Raise ConfigError for impossible values."""
        problems = []
        if not 0 <= self.least_share <= 1:
            problems.append("least_share must be 0 to 1, such as 0.7")
        if self.stale_minutes is not None and not 0 <= self.stale_minutes <= 24 * 60:
            problems.append("stale_minutes must be 0 (never) to 1440")
        if problems:
            raise ConfigError(problems)

    def stale_after(self, interval_minutes: int) -> timedelta | None:
        """Return the longest time without a change of figures, at this interval; None: no limit."""
        minutes = self.stale_minutes
        if minutes is None:
            minutes = max(STALE_MINUTES, STALE_INTERVALS * interval_minutes)
        return timedelta(minutes=minutes) if minutes else None
