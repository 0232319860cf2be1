"""Passes a run to its monitoring, which takes no whole configuration."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from heatmap.config.loader import Config, Market
    from heatmap.market.calendar.session import MarketIdentity, MarketStatus
    from heatmap.notify.monitoring.options import MonitorSettings


def settings(config: Config) -> MonitorSettings:
    """Return the part of a configuration that the monitoring needs."""
    from heatmap.notify.monitoring.options import MonitorOptions, MonitorSettings

    names = [market.name for market in config.markets]
    options = config.monitor or MonitorOptions()
    return MonitorSettings(options, config.state_directory, names, config.publishers)


def by_identity(
    statuses: Sequence[tuple[Market, MarketStatus]],
) -> list[tuple[MarketIdentity, MarketStatus]]:
    """Return the same statuses, each with only the identity of its market."""
    return [(market.identity, status) for market, status in statuses]
