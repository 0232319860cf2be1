"""Saves which pages a run has published, and which parts of a final are done."""

from __future__ import annotations

from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from heatmap.market.calendar.session import Phase
from heatmap.run import due, final_figures, final_parts
from heatmap.state.memory import mark_name, merge_faults
from heatmap.system import parts

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from heatmap.config.loader import Config, Market
    from heatmap.market.calendar.session import MarketStatus
    from heatmap.state.memory import State
    from heatmap.state.report import Report
    from heatmap.system.web_file import WebFile


def remember_published(
    config: Config,
    state: State,
    drawn: Sequence[tuple[Market, MarketStatus]],
    pages: Sequence[WebFile],
    now: datetime,
    report: Report,
) -> None:
    """Save which pages are published, and which parts of a final are done; alerts are not sent yet.

    Raises ConfigError if the state cannot be written.
    """
    for market, status in drawn:
        faults = dict(report.parts.of_market(market.name))
        changes: dict[str, object] = {
            "published_at": now.astimezone(ZoneInfo(market.calendar.time_zone)).isoformat(),
            "faults": merge_faults(state[market.name], faults),
        }
        if status.phase is Phase.FINAL and status.session:
            done = final_parts.find_done(config, faults) - ({parts.ALERTS} if config.alerts else set())
            if report.failed_targets:
                done &= {parts.BARS}  # the other parts are missing at the targets that failed
            if final_parts.find_configured(config) <= done or _save_figures(config, market, pages):
                day = status.session.date.isoformat()
                if (
                    state[market.name].closed_date == day
                ):  # drawn again: parts that failed now have older figures
                    missing = final_parts.find_configured(config) - done - {parts.ALERTS}
                    changes |= {mark_name(part): None for part in missing}
                changes |= {"closed_date": day, **{mark_name(part): day for part in done}}
                # A final counts only when every target has it: until then the next runs publish it again.
                if not report.failed_targets:
                    changes["final_date"] = day
                    changes["early_final"] = due.find_early_final(status, report.figures[market.name][1])
        state.remember(market.name, **changes)


def forget_figures(config: Config, state: State, drawn: Sequence[tuple[Market, MarketStatus]]) -> None:
    """Remove the saved figures of finals that have all their parts, and those of finals before them."""
    for market, status in drawn:
        if status.phase is Phase.FINAL and not final_parts.find_missing(config, state[market.name]):
            final_figures.remove(config.state_directory, market.name)


def _save_figures(config: Config, market: Market, pages: Sequence[WebFile]) -> bool:
    """Save the figures for the missing parts; False if that fails, and then the final is drawn again."""
    try:
        final_figures.save(config.state_directory, market.name, pages)
    except OSError:
        return False
    return True
