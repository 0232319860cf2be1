"""Messages in the format of each kind of web hook, whatever the name of a stock."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

import pytest

from heatmap.notify.alerts import messages
from heatmap.notify.alerts.messages import Occurrence
from heatmap.notify.alerts.options import AlertOptions
from heatmap.notify.alerts.rules import Event

AS_OF = datetime.fromisoformat("2026-09-17T11:00:00+05:30")
WHERE = Occurrence(
    "nse-fno", "A <b>market</b> & more", AS_OF, "2026-09-17", "https://www.example.org/nse-fno/"
)
HOSTILE = "<!channel> *bold* _x_ `code` &amp; \u202e\x07</b>\n\n/ban @all http://evil.example\ud800"
KINDS: dict[str, dict[str, Any]] = {
    "json": {},
    "slack": {"url_env": "A"},
    "telegram": {"url_env": "A", "chat_id": "-100123"},
}


def event(text: str = "TCS +5.20 % over 1 day", symbol: str = "TCS") -> Event:
    return Event("change", "up", symbol, "Tata", "1d", 5.2, 5.0, text)


def sent(kind: str, *events: Event) -> dict[str, Any]:
    """The message, parsed as its receiver does."""
    options = AlertOptions("movers", change_percent=5.0, kind=kind, **KINDS[kind])
    document: dict[str, Any] = json.loads(messages.make_body(options, events, WHERE))
    return document


def test_json() -> None:
    """Every value has a key, so that a program does not need to parse a sentence."""
    document = sent("json", event())

    assert "market-heatmap-alert/1" == document.pop("schema")
    assert {
        "rule": "change", "side": "up", "symbol": "TCS", "name": "Tata", "period": "1d", "value": 5.2, "threshold": 5.0,
        "text": "TCS +5.20 % over 1 day",
    } == document.pop("events")[0]  # fmt: skip
    assert document.pop("text").startswith("A <b>market</b> & more, 17 Sep 2026, 11:00")
    assert {
        "alert": "movers", "market": "nse-fno", "title": "A <b>market</b> & more", "session": "2026-09-17",
        "as_of": "2026-09-17T11:00:00+05:30", "link": "https://www.example.org/nse-fno/", "count": 1,
    } == document  # fmt: skip


def test_slack() -> None:
    """Slack's three special characters are escaped, so nobody is mentioned. Formatting is off."""
    document = sent("slack", event(HOSTILE))

    assert {"text", "mrkdwn", "unfurl_links"} == set(document)
    assert document["mrkdwn"] is False
    assert "<" not in document["text"]
    assert ">" not in document["text"]
    assert "&lt;!channel&gt; *bold*" in document["text"]
    assert "&amp;amp;" in document["text"]
    assert "A &lt;b&gt;market&lt;/b&gt; &amp; more, 17 Sep 2026, 11:00" in document["text"]


def test_telegram() -> None:
    """The text is plain: without parse_mode there is no markup, so nothing is escaped."""
    document = sent("telegram", event(HOSTILE))

    assert "-100123" == document["chat_id"]
    assert "parse_mode" not in document
    assert "<!channel> *bold*" in document["text"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_name_stays_on_its_line(kind: str) -> None:
    """Line breaks, control and formatting characters of a name are removed; a message has only its own lines."""
    lines = sent(kind, event(HOSTILE))["text"].split("\n")

    assert 3 == len(lines)
    assert all(line.isprintable() for line in lines)


@pytest.mark.parametrize("kind", KINDS)
def test_a_crash_is_one_message(kind: str) -> None:
    """Of 210 events, 20 are listed and the others counted. The length is within every service's limit."""
    events = [event(f"{'&' * 190}{number:03} long words", f"S{number}") for number in range(210)]
    document = sent(kind, *events)
    lines = document["text"].split("\n")

    assert "and 190 more" == lines[-2]
    assert 1 + 20 + 1 + 1 == len(lines)
    plain = document["text"].replace("&amp;", "&")
    assert len(plain) <= 4096
    if kind == "json":
        assert (210, 210) == (document["count"], len(document["events"]))


def test_the_headline() -> None:
    """The first event, and how many more."""
    assert "A <b>market</b> & more: one" == messages.make_headline([event("one")], WHERE)
    assert "A <b>market</b> & more: one, and 2 more" == messages.make_headline([event("one")] * 3, WHERE)
