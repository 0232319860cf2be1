"""The feed of a market in one run: the final maps of its sessions, and its alerts."""

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
    """A feed. If it `is_new` all targets get it, else only those that do not have it."""

    page: WebFile
    is_new: bool


def draw(
    archive: MarketArchive,
    alerts: Sequence[FeedEntry],
    session: Session | None,
    url: str,
    cache: Path,
    *,
    announces_final: bool,
    is_missing: bool,
) -> Feed | None:
    """Return the feed; None if no target needs it.

    `alerts` are the entries about alerts, `session` is the run's, `url` is the public address of all
    markets, and `cache` is the state directory. The feed is new if it announces a final (`announces_final`)
    or alerts of the session. Else only a target without the feed (`is_missing`) needs it.
    """
    from heatmap.pages import feed

    market = archive.market
    today = session.date.isoformat() if session else None
    is_new = announces_final or any(alert.session == today or not today for alert in alerts)
    if not is_new and not is_missing:
        return None
    entries = [
        *filter(None, (feed.day_entry(day, market.name, market.title, url) for day in archive.sessions)),
        *(
            feed.alert_entry(
                market.name,
                url,
                name=alert.alert,
                session=alert.session,
                as_of=alert.as_of,
                title=alert.title,
                lines=alert.lines,
            )
            for alert in alerts
        ),
    ]
    content = feed.render(entries, market.name, market.title, url, cache)
    needs = parts.ARCHIVE if archive.publishes_today else ""
    if not content:
        return None
    return Feed(WebFile(f"{market.name}/{FEED_NAME}", content, parts.FEED, needs), is_new)
