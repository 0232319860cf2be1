"""A snapshot read in every mode over every period: order, values, statistics and shades. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from heatmap.analysis import colours, measures
from heatmap.analysis.modes import MODES
from heatmap.market.periods import DAY, YEAR, Period, parse_period

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from heatmap.analysis.modes import Mode
    from heatmap.market.quotes import Snapshot

RANK, PERCENTILE = "rank", "percentile"
CLAMP_FACTORS = (0.5, 1.0, 2.0)  # how many times the usual clamp a reader may choose
MOST_PERIODS = 12  # of a source; what is beyond them is not drawn


class Scale(NamedTuple):
    """One way to shade a reading. Shades are places in a ramp of `colours`, in the reading's order."""

    name: str  # "rank", "percentile", or how many times the usual clamp: "0.5", "1", "2"
    shades: tuple[int, ...]  # of the known values only
    clamp: float | None = None  # how far from the centre the strongest shades begin; None: never clipped
    beyond_clamp: tuple[int, int] = (0, 0)  # how many values lie beyond the clamp, above and below


class Ranking(NamedTuple):
    """A market read in one mode over one period, in that reading's own order.

    `order` are positions in the snapshot's quotes: value descending, ties by symbol, unknown last.
    `values`, `percentiles` (0 to 100), `scores` (σ) and the scales' shades follow it, of the known
    values only; where fewer than three are known, there are no percentiles and scores.
    """

    mode: str
    period: str
    order: tuple[int, ...]
    values: tuple[float, ...]
    percentiles: tuple[float, ...]
    scores: tuple[float, ...]
    scales: tuple[Scale, ...]


def periods(snapshot: Snapshot) -> list[Period]:
    """Return the periods that the snapshot's quotes have a percent change for, shortest first."""
    names = {name for quote in snapshot.quotes for name in quote.changes} - {DAY}
    known = sorted(filter(None, map(parse_period, names)), key=lambda found: (found.sessions, found.name))
    day = parse_period(DAY)
    return ([day] if day else []) + known[: MOST_PERIODS - 1]


def rank(
    snapshot: Snapshot, mode: Mode, over: Period, day_clamp: float, clamps: Mapping[str, float]
) -> Ranking:
    """Return one reading. `day_clamp` is the day's clamp in percent, `clamps` those of other periods."""
    if mode.measure is None:
        message = f"the mode {mode.name} takes the history"
        raise ValueError(message)
    values = mode.measure(snapshot.quotes, over.name)
    return rank_values(
        snapshot, mode, over, values, mode.clamp or clamps.get(over.name) or over.clamp(day_clamp)
    )


def rank_values(
    snapshot: Snapshot,
    mode: Mode,
    over: Period,
    values: measures.Values,
    usual: float,
    *,
    scored: bool = True,
    exact: bool = False,
) -> Ranking:
    """Return the reading of a value a quote. Its strongest shades begin `usual` from the centre.

    Shades are those of the values as they are shown, so that all tiles with the same number look the same.
    Without `scored` it has no scores. `exact` values are percent changes to the last digit: order,
    percentiles and scores are made of them, the reading's values and shades of what is shown.
    """
    order = measures.rank(snapshot.quotes, values)
    known = [value for index in order if (value := values[index]) is not None]
    percentiles = [value for value in measures.percentiles(known) if value is not None]
    scores = [value for value in measures.standard_scores(known) if value is not None] if scored else []
    if exact:
        known = [value for value in measures.rounded(known) if value is not None]
    if mode.two_sided:
        shown = mode.rounded(known)
        offsets = [value - mode.centre for value in shown]
        scales = [
            _scale_by_value(offsets, usual * heat, heat)
            for heat in (CLAMP_FACTORS if mode.clamp is None else [1.0])
        ]
        if mode.clamp is None:
            scales.insert(0, Scale(RANK, tuple(colours.rank_shades(shown))))
    else:
        scales = [Scale(PERCENTILE, tuple(map(colours.share_shade, percentiles)))]
    return Ranking(
        mode.name, over.name, tuple(order), tuple(known), tuple(percentiles), tuple(scores), tuple(scales)
    )


def rank_relative_strength(change: Ranking) -> Ranking:
    """Return the reading of relative strength over the period of a reading of the percent change.

    Its values are that one's scores, so all but the shades is there already. Without scores of its own.
    """
    mode = MODES["rs"]
    if mode.clamp is None or not change.scores:
        message = "it takes a clamp and scores"
        raise ValueError(message)
    scale = _scale_by_value(mode.rounded(change.scores), mode.clamp, 1.0)
    return change._replace(mode=mode.name, values=change.scores, scores=(), scales=(scale,))


def rank_all(
    snapshot: Snapshot, day_clamp: float, clamps: Mapping[str, float]
) -> dict[tuple[str, str], Ranking]:
    """Return the readings by mode and period, of every period that a mode can be read over."""
    found = periods(snapshot)
    year = parse_period(YEAR)
    everywhere = [*found, *([year] if year and year not in found else [])]
    return {
        (mode.name, over.name): rank(snapshot, mode, over, day_clamp, clamps)
        for mode in MODES.values()
        for over in (found if mode.periods is None else everywhere)
        if mode.periods is None or over.name in mode.periods
    }


def _scale_by_value(offsets: Sequence[float], clamp: float, heat: float) -> Scale:
    """Shade by size: the neutral shade at the centre, the strongest at ±`clamp` and beyond."""
    shades, above, below = colours.value_shades(offsets, clamp)
    return Scale(f"{heat:g}", tuple(shades), clamp, (above, below))
