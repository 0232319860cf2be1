"""The `[page]` table of the configuration."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from heatmap.colours import GRADIENTS, UPS
from heatmap.errors import ConfigError
from heatmap.periods import DAY, period

if TYPE_CHECKING:
    from collections.abc import Mapping

SCALES = ("rank", "value")


@dataclass(frozen=True, slots=True)
class PageOptions:
    """The `[page]` table. `refresh_seconds` is how often an open page asks for a newer one."""

    columns: int = 13
    gradient: str = "contrast"
    up: str = "green"
    scale: str = "rank"
    clamp_percent: float = 3.0  # of a day: where the strongest shades of the value scale begin
    period_clamps: Mapping[str, float] = field(default_factory=dict)  # of other periods, in percent
    refresh_seconds: int = 300
    chart_url: str = "https://www.tradingview.com/chart/?symbol=NSE:{symbol}"

    def __post_init__(self) -> None:
        """Raise ConfigError for values that cannot be."""
        problems = []
        if not 1 <= self.columns <= 60:
            problems.append("columns must be 1 to 60")
        if self.gradient not in GRADIENTS:
            problems.append(f"gradient must be one of {', '.join(GRADIENTS)}, not {self.gradient!r}")
        if self.up not in UPS:
            problems.append(f"up must be one of {', '.join(UPS)}, not {self.up!r}")
        if self.scale not in SCALES:
            problems.append(f"scale must be one of {', '.join(SCALES)}, not {self.scale!r}")
        if not 0 < self.clamp_percent <= 1000:
            problems.append("clamp_percent must be more than 0 and at most 1000")
        for name, clamp in self.period_clamps.items():
            if period(name) is None or name == DAY:
                problems.append(f"period_clamps: {name!r} is no period: write 1mo, 1y or 20d (sessions)")
            if not 0 < clamp <= 1000:
                problems.append("period_clamps must be more than 0 and at most 1000")
        if not 1 <= self.refresh_seconds <= 86400:
            problems.append("refresh_seconds must be 1 to 86400")
        if not re.match(r"https?://[^/\s]", self.chart_url):
            problems.append("chart_url must begin with https:// or http:// and a host")
        if problems:
            raise ConfigError(problems)

    @property
    def heat(self) -> str:
        """The name of the scale that a page shows first: by rank, or by value at its usual clamp."""
        return "1" if self.scale == "value" else self.scale
