"""The metrics of a run, its markets and its targets: the samples that textfile.py writes."""

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


def run_samples(started_at: float, exit_code: int, seconds: float) -> Samples:
    """Return the run's start (in seconds since 1970), exit code and duration."""
    return {
        Series("heatmap_last_run_timestamp_seconds"): started_at,
        Series("heatmap_last_run_exit_code"): exit_code,
        Series("heatmap_last_run_duration_seconds"): seconds,
    }


def market_samples(
    statuses: Iterable[tuple[str, MarketStatus]], figures: Mapping[str, tuple[int, datetime]]
) -> Samples:
    """Return each market's phase, its next opening, and the number and time of its quotes.

    `statuses` are by the market's name. `figures` has, by name, the number of fetched quotes and their time.
    """
    samples: Samples = {}
    for name, status in statuses:
        labels = _market_labels(name)
        for phase in Phase:
            samples[Series("heatmap_phase", _phase_labels(labels, phase))] = phase is status.phase
        if status.next_open:
            samples[Series("heatmap_next_open_timestamp_seconds", labels)] = status.next_open.timestamp()
        if name in figures:
            quotes, as_of = figures[name]
            samples[Series("heatmap_quotes", labels)] = quotes
            samples[Series("heatmap_data_timestamp_seconds", labels)] = as_of.timestamp()
    return samples


def target_samples(targets: Sequence[Publisher], successes: Mapping[int, bool]) -> Samples:
    """Return for each tried target whether it got all pages. `successes` is by the target's index."""
    return {
        Series("heatmap_publish_success", _target_labels(index, targets[index])): success
        for index, success in successes.items()
    }


def success_samples(markets: Iterable[str], started_at: float) -> Samples:
    """Return the last success of these markets: the run's start, in seconds since 1970."""
    return {
        Series("heatmap_last_success_timestamp_seconds", _market_labels(name)): started_at for name in markets
    }


def list_labels(names: Iterable[str], targets: Sequence[Publisher]) -> set[Labels]:
    """Return all sets of labels that a sample can have with these names of markets and these targets."""
    markets = [_market_labels(name) for name in names]
    phases = [_phase_labels(labels, phase) for labels in markets for phase in Phase]
    return {*markets, *phases, *(_target_labels(index, target) for index, target in enumerate(targets))}


def _market_labels(name: str) -> Labels:
    return (("market", name),)


def _phase_labels(market: Labels, phase: Phase) -> Labels:
    return (*market, ("phase", str(phase)))


def _target_labels(index: int, target: Publisher) -> Labels:
    """Return a target's number, counted from 1, and its scheme: no host, user or path."""
    return (("target", str(index + 1)), ("scheme", target.name.partition(":")[0]))
