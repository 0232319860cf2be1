"""The Atom feed of a market (RFC 4287): an entry for each day's final map and for each alert."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import quote, urlsplit

from heatmap.pictures import wording
from heatmap.pictures.templates import render_template
from heatmap.system import parsing

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from heatmap.pictures.context import ArchivedDay

TEMPLATE = "feed.xml.j2"
MOST_ENTRIES = 60
SINCE = 2026  # the year in the ids of the feeds; it never changes
_NOT_XML = re.compile(r"[^\t\n\r -\uD7FF\uE000-\uFFFD\U00010000-\U0010FFFF]")  # XML 1.0, section 2.2


class Entry(NamedTuple):
    """One entry: an id that never changes, the time of its content (RFC 3339), and a link to the page."""

    id: str
    title: str
    updated: str
    link: str
    lines: tuple[str, ...]


def day_entry(day: ArchivedDay, market: str, title: str, public_url: str) -> Entry | None:
    """Return the entry of a day's final map; None if the day has none."""
    if day.page is None:
        return None
    breadth = day.breadth
    ends = [
        f"{name} {symbol} {wording.format_signed(percent)} %"
        for name, end in (("strongest", day.strongest), ("weakest", day.weakest))
        if end
        for symbol, percent in [end]
    ]
    counts = wording.format_breadth(breadth)
    link = f"{public_url}{market}/{wording.day_folder(day.date)}"
    head = f"{title}, {wording.format_day(day.date)}: {'; '.join([counts, *ends])}"
    return Entry(
        _tag(public_url, day.date.isoformat(), f"{market}/final"), head, day.page, link, (counts, *ends)
    )


def alert_entry(
    market: str, public_url: str, *, name: str, session: str, as_of: str, title: str, lines: Sequence[str]
) -> Entry:
    """Return the entry of an alert's events at one moment; `session` is a date as ISO text."""
    moment = re.sub(r"[^0-9T]", "", as_of[:19])
    path = f"{market}/alert/{name}/{moment}"
    return Entry(_tag(public_url, session, path), title, as_of, f"{public_url}{market}/", tuple(lines))


def render(
    entries: Iterable[Entry], market: str, title: str, public_url: str, cache: Path | None = None
) -> bytes | None:
    """Return the feed, newest entries first; None if it has no entries.

    An entry whose time has no offset is left out: its place among the others is unknown.
    """
    dated = [
        (moment, entry) for entry in entries for moment in [parsing.aware_datetime(entry.updated)] if moment
    ]
    newest = [entry for _, entry in sorted(dated, key=lambda pair: pair[0], reverse=True)]
    if not newest:
        return None
    text = render_template(
        TEMPLATE,
        cache,
        id=_tag(public_url, str(SINCE), market),
        title=title,
        updated=newest[0].updated,
        link=f"{public_url}{market}/",
        entries=newest[:MOST_ENTRIES],
    )
    return _NOT_XML.sub("", text).encode()


def _tag(public_url: str, day: str, path: str) -> str:
    """Return a tag: URI (RFC 4151). It stays the same as long as the pages' address."""
    parts = urlsplit(public_url)
    return f"tag:{(parts.hostname or '').lower()},{day}:{quote(parts.path.lstrip('/') + path, safe='/-._~')}"
