"""The `[page]` table of the configuration."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from heatmap.analysis.colours import GRADIENTS, UPS
from heatmap.errors import ConfigError
from heatmap.market.periods import DAY, parse_period
from heatmap.pictures import wording
from heatmap.system.web_address import is_web_address

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

SCALES = ("rank", "value")
LAYOUTS = ("table", "sectors", "treemap", "bars")
THEMES = ("light", "dark")
CHART_FORMS = tuple(f"{{{form}}}" for form in wording.CHART_SYMBOLS)


class Fragment(NamedTuple):
    """A mode over a day, in a layout and a theme. Its name is such as "rs-sectors" or "rs-sectors-dark"."""

    mode: str
    layout: str
    theme: str | None  # None: the background of the page around it

    @property
    def name(self) -> str:
        """The name in the configuration; it is published as fragment-<name>.html."""
        return "-".join(filter(None, self))


def parse_fragment(name: str) -> Fragment | None:
    """Return the fragment of that name; None if the name is invalid."""
    from heatmap.analysis.modes import MODES  # a run that finds nothing due does not need it

    mode, _, look = name.partition("-")
    layout, _, theme = look.partition("-")
    is_valid = mode in MODES and layout in LAYOUTS and theme in {"", *THEMES}
    return Fragment(mode, layout, theme or None) if is_valid else None


@dataclass(frozen=True, slots=True)
class PageOptions:
    """The `[page]` table. An open page asks for a newer one every `refresh_seconds`."""

    columns: int = 13
    gradient: str = "contrast"
    up: str = "green"
    scale: str = "rank"
    clamp_percent: float = 3.0  # the change over a day at which the value scale's strongest shades begin
    period_clamps: Mapping[str, float] = field(default_factory=dict)  # the same for other periods
    refresh_seconds: int = 300
    png: bool = True  # also draw the picture as PNG, if Pillow is installed
    fragments: tuple[str, ...] = ()  # pieces for other pages: "rs-sectors", "change-table-dark"
    chart_url: str = "https://www.tradingview.com/chart/?symbol=NSE:{symbol:tradingview}"

    def __post_init__(self) -> None:
        """Raise ConfigError for invalid values."""
        checks = [
            (1 <= self.columns <= 60, "columns must be 1 to 60"),
            (self.gradient in GRADIENTS, _one_of("gradient", GRADIENTS, self.gradient)),
            (self.up in UPS, _one_of("up", UPS, self.up)),
            (self.scale in SCALES, _one_of("scale", SCALES, self.scale)),
            (0 < self.clamp_percent <= 1000, "clamp_percent must be more than 0 and at most 1000"),
            *(
                check
                for name, clamp in self.period_clamps.items()
                for check in (
                    (
                        name != DAY and parse_period(name) is not None,
                        f"period_clamps: {name!r} is no period: write 1mo, 1y or 20d (sessions)",
                    ),
                    (0 < clamp <= 1000, "period_clamps must be more than 0 and at most 1000"),
                )
            ),
            *(
                (
                    parse_fragment(name) is not None,
                    f"fragments: {name!r} is no mode, layout and perhaps theme, such as rs-sectors-dark",
                )
                for name in self.fragments
            ),
            (1 <= self.refresh_seconds <= 86400, "refresh_seconds must be 1 to 86400"),
            (
                is_web_address(re.sub(r"\{[^{}]*\}", "X", self.chart_url)),
                "chart_url must begin with https:// or http:// and a host, without user and password",
            ),
            *(
                (False, f"chart_url: {{{form}}} is unknown: write {' or '.join(CHART_FORMS)}")
                for form in wording.unknown_chart_forms(self.chart_url)
            ),
        ]
        problems = [problem for is_valid, problem in checks if not is_valid]
        if problems:
            raise ConfigError(problems)

    @property
    def heat(self) -> str:
        """The name of the scale that a page shows first: "rank", or "1" for values at the usual clamp."""
        return "1" if self.scale == "value" else self.scale


def _one_of(key: str, choices: Iterable[str], value: str) -> str:
    return f"{key} must be one of {', '.join(choices)}, not {value!r}"
