"""The list of days as one target gets it: it leads only to days that are there."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping
    from datetime import date

    from heatmap.config import Config, Market
    from heatmap.model import Day

NAME = "archive.html"


def link_only(linked: Collection[date], days: Mapping[date, Day]) -> list[Day]:
    """Return the days, without their pages where they are not among the `linked` ones."""
    return [
        day if day.date in linked else day._replace(page=None, strongest=None, weakest=None)
        for day in days.values()
    ]


def render(days: Iterable[Day], config: Config, market: Market, *, has_feed: bool) -> bytes:
    """Return the list of a market's days as a page."""
    from heatmap.render import archive

    return archive.render(days, market.title, config.page, feed=has_feed, cache=config.state_directory)
