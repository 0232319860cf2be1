"""What a run, its markets and its targets are in numbers: the samples that textfile.py writes down."""

from __future__ import annotations

from typing import TYPE_CHECKING

from heatmap.market.calendar.session import Phase
from heatmap.notify.monitoring.textfile import Series

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    from heatmap.market.calendar.session import MarketStatus
    from heatmap.publishers.interface import Publisher

Labels = tuple[tuple[str, str], ...]
Samples = dict[Series, float]


def run_samples(began: float, exit_code: int, seconds: float) -> Samples:
    """Return when the run began (seconds since 1970), how it ended, and how long it took."""
    return {
        Series("heatmap_last_run_timestamp_seconds"): began,
        Series("heatmap_last_run_exit_code"): exit_code,
        Series("heatmap_last_run_duration_seconds"): seconds,
    }


def market_samples(
    verdicts: Iterable[tuple[str, MarketStatus]], figures: Mapping[str, tuple[int, datetime]]
) -> Samples:
    """Return what the calendar says of each market, and how many quotes, as of when, were fetched of it.

    Both are by the market's name.
    """
    samples: Samples = {}
    for name, verdict in verdicts:
        own = _market_labels(name)
        for phase in Phase:
            samples[Series("heatmap_phase", _phase_labels(own, phase))] = phase is verdict.phase
        if verdict.next_open:
            samples[Series("heatmap_next_open_timestamp_seconds", own)] = verdict.next_open.timestamp()
        if name in figures:
            quotes, as_of = figures[name]
            samples[Series("heatmap_quotes", own)] = quotes
            samples[Series("heatmap_data_timestamp_seconds", own)] = as_of.timestamp()
    return samples


def target_samples(targets: Sequence[Publisher], reached: Mapping[int, bool]) -> Samples:
    """Return for each target tried, by its place from 0, whether it took all pages."""
    return {
        Series("heatmap_publish_success", _target_labels(number, targets[number])): success
        for number, success in reached.items()
    }


def success_samples(markets: Iterable[str], began: float) -> Samples:
    """Return that these markets succeeded in a run that began then (seconds since 1970)."""
    return {Series("heatmap_last_success_timestamp_seconds", _market_labels(name)): began for name in markets}


def list_labels(names: Iterable[str], targets: Sequence[Publisher]) -> set[Labels]:
    """Return every set of labels that a sample can bear where these are all markets, by name, and targets."""
    markets = [_market_labels(name) for name in names]
    phases = [_phase_labels(own, phase) for own in markets for phase in Phase]
    return {*markets, *phases, *(_target_labels(number, each) for number, each in enumerate(targets))}


def _market_labels(name: str) -> Labels:
    return (("market", name),)


def _phase_labels(market: Labels, phase: Phase) -> Labels:
    return (*market, ("phase", str(phase)))


def _target_labels(number: int, target: Publisher) -> Labels:
    """Name a target by its place, counted from 1 as people do, and its scheme: no host, user or path."""
    return (("target", str(number + 1)), ("scheme", target.name.partition(":")[0]))
