"""The modes of a page. Each has its measure, its colours, and its formula for the reader."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

from heatmap.analysis import measures
from heatmap.market.periods import BAND_DEVIATIONS, BAND_SESSIONS, DAY, YEAR

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from heatmap.market.quotes import Quote


class Mode(NamedTuple):
    """One measure of a market, and how pages show it.

    `formula`, `caveat` and `required_data` are texts for the reader.
    """

    name: str
    label: str
    unit: str  # "currency" is the market's own
    palette_kind: Literal["two-sided", "orange", "blue"]
    measure: Callable[[Sequence[Quote], str], measures.Values] | None  # None: it needs the history
    formula: str
    caveat: str
    required_data: str  # the data that the mode needs
    centre: float = 0.0  # of a two-sided mode: the value between gains and losses
    clamp: float | None = (
        None  # the distance from the centre at which the strongest shades begin; None: by period
    )
    decimals: int = 2  # of its values on the page, except amounts of money
    periods: tuple[str, ...] | None = None  # the only periods of the mode; None: any

    @property
    def signed(self) -> bool:
        """Whether pages show its values with their sign."""
        return self.two_sided and not self.centre

    def rounded(self, values: Sequence[float]) -> list[float]:
        """Return values rounded as pages show them; never -0.0. Not for amounts of money."""
        return [round(value, self.decimals) + 0.0 for value in values]

    @property
    def two_sided(self) -> bool:
        """Whether its values have two sides: above and below the centre."""
        return self.palette_kind == "two-sided"


MODES = {
    mode.name: mode
    for mode in (
        Mode(
            name="change",
            label="Percent change",
            unit="%",
            palette_kind="two-sided",
            measure=measures.percent_changes,
            formula="(last price / the close before the period − 1) × 100, as the source gives it.",
            caveat="Longer periods are not adjusted for splits and bonuses.",
            required_data="a percent change over this period",
        ),
        Mode(
            name="rs",
            label="Relative strength",
            unit="σ",
            palette_kind="two-sided",
            measure=measures.relative_strengths,
            formula="(percent change − mean of the market) / standard deviation of the market (population).",
            caveat="It is relative: on a day of −5 % a stock at −2 % is strong and still losing. "
            "Trust it beyond ±1.5 σ only.",
            required_data="a percent change over this period, of three stocks or more",
            clamp=2.0,
        ),
        Mode(
            name="sector",
            label="Against its sector",
            unit="σ",
            palette_kind="two-sided",
            measure=measures.sector_scores,
            formula="(percent change − median of the sector) / "
            "(median absolute deviation of the sector × 1.4826).",
            caveat="Sectors of fewer than four stocks are measured against the whole market. "
            "Near 0 in a sector that moved is a stock that moved with it; far from 0, one that did not.",
            required_data="a percent change over this period, of three stocks or more",
            clamp=2.0,
        ),
        Mode(
            name="liquidity",
            label="Liquidity",
            unit="%",
            palette_kind="orange",
            measure=measures.turnover_rates,
            formula="Volume of the day / free-float shares × 100. Shaded by percentile.",
            caveat="Always today's, never cumulative. Depths do not compare across markets.",
            required_data="volume, last price and free-float market capitalisation",
            periods=(DAY,),
        ),
        Mode(
            name="amount",
            label="Traded amount",
            unit="currency",
            palette_kind="blue",
            measure=measures.traded_amounts,
            formula="Money traded during the day. Shaded by percentile.",
            caveat="Always today's, never cumulative. Depths do not compare across markets.",
            required_data="the money traded",
            periods=(DAY,),
        ),
        Mode(
            name="range",
            label="Place in range",
            unit="%",
            palette_kind="two-sided",
            measure=measures.range_positions,
            formula="(last price − low) / (high − low) × 100, of the day or of the last 52 weeks.",
            caveat="0 is the low, 100 the high. Without a range there is no place in it.",
            required_data="last price, high and low",
            centre=50.0,
            decimals=0,
            clamp=50.0,
            periods=(DAY, YEAR),
        ),
    )
}

# Modes that a page can show if the history has enough sessions.
HISTORY_MODES = {
    mode.name: mode
    for mode in (
        Mode(
            name="bands",
            label="Place in bands",
            unit="%",
            palette_kind="two-sided",
            measure=None,
            formula="Bollinger's %B × 100: (last price − lower band) / (upper band − lower band) × 100. "
            f"The bands lie {BAND_DEVIATIONS} standard deviations (population) either side of the "
            f"mean of the last {BAND_SESSIONS} closes, the last price among them.",
            caveat="0 is the lower band, 100 the upper; beyond them a price is unusually low or high, "
            "which is no signal by itself: it may walk along a band.",
            required_data=f"the closes of {BAND_SESSIONS - 1} sessions before this one",
            centre=50.0,
            clamp=50.0,
            decimals=0,
            periods=(f"{BAND_SESSIONS}d",),
        ),
        Mode(
            name="momentum",
            label="Momentum",
            unit="σ",
            palette_kind="two-sided",
            measure=None,
            formula="Change over the period / (standard deviation of its daily changes × √ its sessions).",
            caveat="It compares a stock with its own restlessness: beyond ±2 σ the move is larger than "
            "chance makes once in twenty times. Short periods know that restlessness poorly.",
            required_data="the closes of every session of the period",
            clamp=2.0,
        ),
        Mode(
            name="volume",
            label="Unusual volume",
            unit="×",
            palette_kind="orange",
            measure=None,
            formula="Volume so far / the median volume by this time of day in the last 20 sessions. "
            "Shaded by percentile.",
            caveat="Until five sessions' ticks by this time are kept, it is against the mean volume of the "
            "last 20 whole sessions times the share of trading time that is over, which makes the first "
            "and the last hour look busier than they are.",
            required_data="volume, and ticks or daily bars of earlier sessions",
            periods=(DAY,),
        ),
        Mode(
            name="opening-range",
            label="Opening range",
            unit="%",
            palette_kind="two-sided",
            measure=None,
            formula="How far the last price is above the high, or below the low, of the first 15 minutes, "
            "in % of that range.",
            caveat="0 is inside the range. A range is known once the 15 minutes are over.",
            required_data="high and low of the session's first 15 minutes",
            clamp=100.0,
            decimals=0,
            periods=(DAY,),
        ),
        Mode(
            name="streak",
            label="Streak",
            unit="sessions",
            palette_kind="two-sided",
            measure=None,
            formula="Sessions in a row, this one included, with a change of the same sign.",
            caveat="It counts days, not their size. A day without change ends it.",
            required_data="the closes of earlier sessions",
            clamp=5.0,
            decimals=0,
            periods=(DAY,),
        ),
    )
}
ALL_MODES = MODES | HISTORY_MODES
