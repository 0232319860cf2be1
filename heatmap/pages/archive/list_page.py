"""The list of days for one target: it links only to days that the target has."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping
    from datetime import date

    from heatmap.pages.archive.options import ArchiveSettings
    from heatmap.pictures.context import ArchivedDay

NAME = "archive.html"


def link_only(linked_days: Collection[date], days: Mapping[date, ArchivedDay]) -> list[ArchivedDay]:
    """Return the days. Days that are not in `linked_days` lose their page."""
    return [
        day if day.date in linked_days else day._replace(page=None, strongest=None, weakest=None)
        for day in days.values()
    ]


def render(days: Iterable[ArchivedDay], title: str, settings: ArchiveSettings) -> bytes:
    """Return the list of a market's days as a page; `title` is the market's."""
    from heatmap.pages.archive import calendar_page

    return calendar_page.render(
        days, title, settings.page, feed=settings.has_feed, cache=settings.state_directory
    )
