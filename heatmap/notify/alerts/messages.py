"""What a web hook is sent: one message a run and alert, in the words and the escapes of each kind."""

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
MOST_LINES = 20  # of a message for people: the day on which everything falls is one message, too
MOST_EVENTS = 500  # of a message for machines
LONGEST_LINE = 160  # characters: with all lines, less than the 4,096 that Telegram takes


class Occurrence(NamedTuple):
    """Where and when some events were found."""

    market: str
    title: str
    as_of: datetime  # in the market's zone
    session: str  # its date, as ISO text
    link: str | None  # the market's page


def summary(found: Sequence[Event], where: Occurrence) -> str:
    """Return one line for all: a headline."""
    first = parsing.clean_text(found[0].text, LONGEST_LINE) or ""
    more = f", and {len(found) - 1} more" if len(found) > 1 else ""
    return f"{where.title}: {first}{more}"


def lines(found: Sequence[Event]) -> list[str]:
    """Return a line an event, at most MOST_LINES and one that counts the rest."""
    shown = [parsing.clean_text(event.text, LONGEST_LINE) or "" for event in found[:MOST_LINES]]
    rest = len(found) - MOST_LINES
    return [*shown, f"and {rest} more"] if rest > 0 else shown


def body(options: AlertOptions, found: Sequence[Event], where: Occurrence) -> bytes:
    """Return the message as the web hook's kind wants it: JSON, whichever it is."""
    return json.dumps(_document(options, found, where), ensure_ascii=False).encode("utf-8", "replace")


def _document(options: AlertOptions, found: Sequence[Event], where: Occurrence) -> dict[str, Any]:
    if options.kind == "slack":
        # Slack's own three escapes; without mrkdwn no star or underscore in a name means anything.
        text = _text(found, where).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
        return {"text": text, "mrkdwn": False, "unfurl_links": False}
    if options.kind == "telegram":
        # Without parse_mode a text is plain: nothing in it needs an escape.
        preview = {"is_disabled": True}
        return {"chat_id": options.chat_id, "text": _text(found, where), "link_preview_options": preview}
    return {
        "schema": SCHEMA,
        "alert": options.name,
        "market": where.market,
        "title": where.title,
        "session": where.session,
        "as_of": where.as_of.isoformat(),
        "link": where.link,
        "text": _text(found, where),
        "count": len(found),
        "events": [event._asdict() for event in found[:MOST_EVENTS]],
    }


def _text(found: Sequence[Event], where: Occurrence) -> str:
    """Return a message for people: what, when, an event a line, where to look."""
    head = f"{where.title}, {wording.format_day(where.as_of)}, {where.as_of:%H:%M %Z}"
    return "\n".join([head, *lines(found), *([where.link] if where.link else [])])
