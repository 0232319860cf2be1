"""The feed of a market at one tick: its sessions' final maps, and what alerts found."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from heatmap import parts
from heatmap.model import Page

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from heatmap.alerts.memory import Notice
    from heatmap.archive.shelf import Shelf
    from heatmap.config import Config, Market
    from heatmap.model import Snapshot
    from heatmap.session import Verdict

FEED_NAME = "feed.xml"


class Feed(NamedTuple):
    """A feed, and whether it is new: for all targets. Else those get it that do not have it."""

    page: Page
    is_new: bool


def draw(
    config: Config,
    market: Market,
    snapshot: Snapshot,
    verdict: Verdict,
    shelf: Shelf,
    warn: Callable[[str], None],
    *,
    announces_final: bool,
    is_lacking: bool,
) -> Feed | None:
    """Return the feed; None where nobody needs it.

    It has something new if it announces a final (`announces_final`) or alerts of the session. Else a target
    needs it that does not have it (`is_lacking`). `warn` is called with a sentence where the memory of alerts
    cannot be used.
    """
    from heatmap.render import feed

    url = config.public_url
    if url is None or not shelf.has_feed:
        return None
    told: Iterable[Notice] = ()
    if config.alerts:
        from heatmap.alerts import desk

        told = desk.notices(config, market, snapshot, verdict, warn)
    session = verdict.session
    today = session.date.isoformat() if session else None
    is_new = announces_final or any(notice.session == today or not today for notice in told)
    if not is_new and not is_lacking:
        return None
    entries = [
        *filter(None, (feed.of_day(day, market.name, market.title, url) for day in shelf.known)),
        *(
            feed.of_alert(
                market.name,
                url,
                name=notice.alert,
                session=notice.session,
                as_of=notice.as_of,
                title=notice.title,
                lines=notice.lines,
            )
            for notice in told
        ),
    ]
    content = feed.render(entries, market.name, market.title, url, config.state_directory)
    needs = parts.ARCHIVE if shelf.is_due else ""
    return Feed(Page(f"{market.name}/{FEED_NAME}", content, parts.FEED, needs), is_new) if content else None
