"""The messages to web hooks, in the format of each kind: one message for each run and alert."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

from heatmap.pictures import wording
from heatmap.system import parsing

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from heatmap.notify.alerts.options import AlertOptions
    from heatmap.notify.alerts.rules import Event

SCHEMA = "market-heatmap-alert/1"
MAX_LINES = 20  # of a message for people, also on a day when every stock moves
MAX_EVENTS = 500  # of a JSON message
MAX_LINE_LENGTH = 160  # characters: all lines together stay below Telegram's limit of 4,096


class Occurrence(NamedTuple):
    """The market and the time of some events."""

    market: str
    title: str
    as_of: datetime  # in the market's time zone
    session: str  # its date, as ISO text
    link: str | None  # the URL of the market's page; None if it is not known


def make_headline(events: Sequence[Event], occurrence: Occurrence) -> str:
    """Return one line: the first event, and the number of the others."""
    first = parsing.clean_text(events[0].text, MAX_LINE_LENGTH) or ""
    more = f", and {len(events) - 1} more" if len(events) > 1 else ""
    return f"{occurrence.title}: {first}{more}"


def make_lines(events: Sequence[Event]) -> list[str]:
    """Return one line for each event: at most MAX_LINES, then a line with the number of the others."""
    lines = [parsing.clean_text(event.text, MAX_LINE_LENGTH) or "" for event in events[:MAX_LINES]]
    more = len(events) - MAX_LINES
    return [*lines, f"and {more} more"] if more > 0 else lines


def make_body(options: AlertOptions, events: Sequence[Event], occurrence: Occurrence) -> bytes:
    """Return the message in the format of the web hook's kind. Each format is JSON."""
    return json.dumps(_make_document(options, events, occurrence), ensure_ascii=False).encode(
        "utf-8", "replace"
    )


def _make_document(options: AlertOptions, events: Sequence[Event], occurrence: Occurrence) -> dict[str, Any]:
    if options.kind == "slack":
        # Slack has three escapes. Without mrkdwn a star or an underscore in a name has no meaning.
        text = _make_text(events, occurrence).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
        return {"text": text, "mrkdwn": False, "unfurl_links": False}
    if options.kind == "telegram":
        # Without parse_mode the text is plain: nothing in it needs an escape.
        preview = {"is_disabled": True}
        return {
            "chat_id": options.chat_id,
            "text": _make_text(events, occurrence),
            "link_preview_options": preview,
        }
    return {
        "schema": SCHEMA,
        "alert": options.name,
        "market": occurrence.market,
        "title": occurrence.title,
        "session": occurrence.session,
        "as_of": occurrence.as_of.isoformat(),
        "link": occurrence.link,
        "text": _make_text(events, occurrence),
        "count": len(events),
        "events": [event._asdict() for event in events[:MAX_EVENTS]],
    }


def _make_text(events: Sequence[Event], occurrence: Occurrence) -> str:
    """Return a message for people: the market and the time, one line for each event, and the link."""
    head = f"{occurrence.title}, {wording.format_day(occurrence.as_of)}, {occurrence.as_of:%H:%M %Z}"
    return "\n".join([head, *make_lines(events), *([occurrence.link] if occurrence.link else [])])
