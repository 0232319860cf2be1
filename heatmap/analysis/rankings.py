"""Ranks a snapshot in every mode over every period: order, values, statistics and shades. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from heatmap.analysis import colours, measures
from heatmap.analysis.modes import MODES
from heatmap.market.periods import DAY, YEAR, Period, parse_period

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from heatmap.analysis.modes import Mode
    from heatmap.market.quotes import Quote, Snapshot

RANK, PERCENTILE = "rank", "percentile"
CLAMP_FACTORS = (0.5, 1.0, 2.0)  # a reader may choose these multiples of the usual clamp
MOST_PERIODS = 12  # of a source; further periods are not drawn


class Scale(NamedTuple):
    """One way to shade a ranking. Shades are indexes in a palette of `colours`, in the ranking's order."""

    name: str  # "rank", "percentile", or the multiple of the usual clamp: "0.5", "1", "2"
    shades: tuple[int, ...]  # of the known values only
    clamp: float | None = (
        None  # the distance from the centre at which the strongest shades begin; None: no clamp
    )
    beyond_clamp: tuple[int, int] = (0, 0)  # the numbers of values above and below the clamp


class Ranking(NamedTuple):
    """The values of a market in one mode over one period, in descending order.

    `order` are indexes in the snapshot's quotes: value descending, ties by symbol, unknown last. `values`,
    `percentiles` (0 to 100), `scores` (σ) and the scales' shades are in this order, for known values only.
    With fewer than three known values there are no percentiles and no scores.
    """

    mode: str
    period: str
    order: tuple[int, ...]
    values: tuple[float, ...]
    percentiles: tuple[float, ...]
    scores: tuple[float, ...]
    scales: tuple[Scale, ...]


def periods(snapshot: Snapshot) -> list[Period]:
    """Return the periods of the percent changes in the snapshot's quotes, shortest first."""
    names = {name for quote in snapshot.quotes for name in quote.changes} - {DAY}
    known = sorted(filter(None, map(parse_period, names)), key=lambda period: (period.sessions, period.name))
    day = parse_period(DAY)
    return ([day] if day else []) + known[: MOST_PERIODS - 1]


def rank(
    snapshot: Snapshot, mode: Mode, period: Period, day_clamp: float, clamps: Mapping[str, float]
) -> Ranking:
    """Return the ranking of a mode over a period.

    `day_clamp` is the day's clamp in percent, `clamps` are those of other periods. Raises ValueError for a
    mode that needs the history.
    """
    if mode.measure is None:
        message = f"the mode {mode.name} needs the history"
        raise ValueError(message)
    values = mode.measure(snapshot.quotes, period.name)
    return rank_values(
        snapshot.quotes,
        mode,
        period,
        values,
        mode.clamp or clamps.get(period.name) or period.clamp(day_clamp),
    )


def rank_values(
    quotes: Sequence[Quote],
    mode: Mode,
    period: Period,
    values: measures.Values,
    clamp: float,
    *,
    with_scores: bool = True,
    is_exact: bool = False,
) -> Ranking:
    """Return the ranking of `values`, one for each quote. The strongest shades begin `clamp` from the centre.

    Shades are computed from values as pages show them, so all tiles with the same number look the same.
    Without `with_scores` the ranking has no scores. `is_exact`: the values are percent changes that are not
    rounded; they give order, percentiles and scores, and the rounded ones give values and shades.
    """
    order = measures.rank(quotes, values)
    known = [value for index in order if (value := values[index]) is not None]
    percentiles = [value for value in measures.percentiles(known) if value is not None]
    scores = [value for value in measures.standard_scores(known) if value is not None] if with_scores else []
    if is_exact:
        known = [value for value in measures.rounded(known) if value is not None]
    if mode.two_sided:
        shown = mode.rounded(known)
        offsets = [value - mode.centre for value in shown]
        factors = CLAMP_FACTORS if mode.clamp is None else (1.0,)
        scales = [_scale_by_value(offsets, clamp * factor, factor) for factor in factors]
        if mode.clamp is None:
            scales.insert(0, Scale(RANK, tuple(colours.rank_shades(shown))))
    else:
        scales = [Scale(PERCENTILE, tuple(map(colours.share_shade, percentiles)))]
    return Ranking(
        mode.name, period.name, tuple(order), tuple(known), tuple(percentiles), tuple(scores), tuple(scales)
    )


def rank_relative_strength(change: Ranking) -> Ranking:
    """Return the ranking of relative strength over the period of a ranking of the percent change.

    Its values are the scores of that ranking, so only the shades are computed. The result has no scores.
    Raises ValueError if `change` has none.
    """
    mode = MODES["rs"]
    if mode.clamp is None or not change.scores:
        message = "a ranking with scores is needed"
        raise ValueError(message)
    scale = _scale_by_value(mode.rounded(change.scores), mode.clamp, 1.0)
    return change._replace(mode=mode.name, values=change.scores, scores=(), scales=(scale,))


def rank_all(
    snapshot: Snapshot, day_clamp: float, clamps: Mapping[str, float]
) -> dict[tuple[str, str], Ranking]:
    """Return the rankings by mode and period: all modes without history, each over all its periods."""
    snapshot_periods = periods(snapshot)
    year = parse_period(YEAR)
    all_periods = [*snapshot_periods, *([year] if year and year not in snapshot_periods else [])]
    return {
        (mode.name, period.name): rank(snapshot, mode, period, day_clamp, clamps)
        for mode in MODES.values()
        for period in (snapshot_periods if mode.periods is None else all_periods)
        if mode.periods is None or period.name in mode.periods
    }


def _scale_by_value(offsets: Sequence[float], clamp: float, factor: float) -> Scale:
    """Return a scale by value: the neutral shade at the centre, the strongest from ±`clamp` on."""
    shades, above, below = colours.value_shades(offsets, clamp)
    return Scale(f"{factor:g}", tuple(shades), clamp, (above, below))
