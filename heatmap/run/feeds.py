"""The feed of a market at one tick: its sessions' final maps, and what alerts found."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from heatmap.system import parts
from heatmap.system.web_file import WebFile

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from heatmap.market.calendar.session import Session
    from heatmap.notify.alerts.memory import FeedEntry
    from heatmap.pages.archive.day_pages import MarketArchive

FEED_NAME = "feed.xml"


class Feed(NamedTuple):
    """A feed, and whether it is new: for all targets. Else those get it that do not have it."""

    page: WebFile
    is_new: bool


def draw(
    shelf: MarketArchive,
    notices: Sequence[FeedEntry],
    session: Session | None,
    url: str,
    cache: Path,
    *,
    announces_final: bool,
    is_lacking: bool,
) -> Feed | None:
    """Return the feed; None where nobody needs it.

    `notices` are what alerts found, `session` is that of the tick, `url` is the public address of all
    markets, and `cache` is the state directory. The feed has something new if it announces a final
    (`announces_final`) or alerts of the session. Else a target needs it that does not have it (`is_lacking`).
    """
    from heatmap.pages import feed

    market = shelf.market
    today = session.date.isoformat() if session else None
    is_new = announces_final or any(notice.session == today or not today for notice in notices)
    if not is_new and not is_lacking:
        return None
    entries = [
        *filter(None, (feed.day_entry(day, market.name, market.title, url) for day in shelf.sessions)),
        *(
            feed.alert_entry(
                market.name,
                url,
                name=notice.alert,
                session=notice.session,
                as_of=notice.as_of,
                title=notice.title,
                lines=notice.lines,
            )
            for notice in notices
        ),
    ]
    content = feed.render(entries, market.name, market.title, url, cache)
    needs = parts.ARCHIVE if shelf.publishes_today else ""
    return (
        Feed(WebFile(f"{market.name}/{FEED_NAME}", content, parts.FEED, needs), is_new) if content else None
    )
