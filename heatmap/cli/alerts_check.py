"""The reasons why alerts and feeds of a configuration reach nobody, for `heatmap check`."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from heatmap.config.loader import Config


def find_feed_problem(config: Config) -> str | None:
    """Return why there is no feed; None if there is one."""
    if config.archive and not config.archive.feed:
        return "[archive] has feed = false"
    return None if config.public_url else "its links need public_url"


def find_problems(config: Config) -> list[str]:
    """Return what prevents alerts from being sent. It uses no network."""
    if not config.alerts:
        return []
    from heatmap.notify.alerts import delivery

    problem = find_feed_problem(config)
    unsent = [alert.name for alert in config.alerts if problem and not alert.posts]
    return [
        *(f"{name}: is sent to nobody, because there is no feed: {problem}" for name in unsent),
        *_unknown_periods(config),
        *delivery.find_problems(config.alerts),
    ]


def _unknown_periods(config: Config) -> Iterator[str]:
    """Yield a sentence for each alert over a period that neither the history nor a known source has."""
    from heatmap.market.periods import BAND_SESSIONS, DAY, YEAR

    history = config.history
    known_periods = {DAY, "1mo", YEAR, *((*history.periods, f"{BAND_SESSIONS}d") if history.enabled else ())}
    for alert in config.alerts:
        if alert.period not in known_periods:
            advice = f"add {alert.period!r} to its periods" if history.enabled else "set its enabled = true"
            yield (
                f"{alert.name}: finds nothing over {alert.period}, unless the source gives it: "
                f"under [history] {advice}"
            )
