"""The Atom feed: well formed, valid by RFC 4287, for any names of a market and its stocks."""

from __future__ import annotations

import re
from datetime import date, datetime
from urllib.parse import urlsplit
from xml.etree import ElementTree as ET

from heatmap.market.quotes import Breadth
from heatmap.pages import feed
from heatmap.pictures.context import ArchivedDay

ATOM = "{http://www.w3.org/2005/Atom}"
URL = "https://www.example.org/heatmap/"
# RFC 3339 with the capital letters that RFC 4287, section 3.3, asks for.
DATE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")
# RFC 4151: authority, date, and what is specific, of the characters that may stand in a URI.
TAG = re.compile(r"tag:[a-z0-9.-]+,\d{4}(-\d\d(-\d\d)?)?:([A-Za-z0-9._~!$&'()*+,;=:@/?-]|%[0-9A-F]{2})*")
ONCE = ("id", "title", "updated")


def faults(content: bytes) -> list[str]:
    """The faults of a feed by the rules of RFC 4287 that concern ours."""
    root = ET.fromstring(content)
    entries = root.findall(f"{ATOM}entry")
    problems = [] if root.tag == f"{ATOM}feed" else ["no feed"]
    for part in (root, *entries):
        for name in ONCE:
            if len(part.findall(ATOM + name)) != 1 or not (part.findtext(ATOM + name) or "").strip():
                problems.append(f"not one {name}")
        if not DATE.fullmatch(part.findtext(f"{ATOM}updated") or ""):
            problems.append("updated is no RFC 3339 time")
        if not TAG.fullmatch(part.findtext(f"{ATOM}id") or ""):
            problems.append("id is no tag: URI")
        links = part.findall(f"{ATOM}link")
        kinds = [(link.get("rel"), link.get("type"), link.get("hreflang")) for link in links]
        if len(kinds) != len(set(kinds)):
            problems.append("two links of one kind")
        if any(urlsplit(link.get("href", "")).scheme not in ("http", "https") for link in links):
            problems.append("a link is not absolute")
        if part is not root and "alternate" not in [kind[0] for kind in kinds]:
            problems.append("an entry without content of its own needs a link")
    if "self" not in [link.get("rel") for link in root.findall(f"{ATOM}link")]:
        problems.append("no link to itself")
    if not root.findtext(f"{ATOM}author/{ATOM}name") and any(
        entry.find(f"{ATOM}author") is None for entry in entries
    ):
        problems.append("no author")
    ids = [part.findtext(f"{ATOM}id") for part in (root, *entries)]
    if len(ids) != len(set(ids)):
        problems.append("an id twice")
    valid_tags = {ATOM + name for name in ("id", "title", "updated", "author", "link", "generator", "entry")}
    problems += [f"{child.tag} is unknown" for child in root if child.tag not in valid_tags]
    moments = [datetime.fromisoformat(entry.findtext(f"{ATOM}updated") or "") for entry in entries]
    return problems if moments == sorted(moments, reverse=True) else [*problems, "not the newest first"]


def day(number: int, **more: object) -> ArchivedDay:
    figures: dict[str, object] = {
        "page": f"2026-09-{number}T15:45:00+05:30",
        "strongest": ("M&M", 5.25),
        "weakest": ("<TCS>", -4.0),
    }
    return ArchivedDay(date(2026, 9, number), Breadth(150, 58, 2), **(figures | more))  # type: ignore[arg-type]


def alert(
    as_of: str = "2026-09-18T11:00:02+05:30", title: str = "TCS +5.20 %", name: str = "movers"
) -> feed.Entry:
    return feed.alert_entry(
        "nse-fno",
        URL,
        name=name,
        session="2026-09-18",
        as_of=as_of,
        title=title,
        lines=["one & two", "three"],
    )


def written(*entries: feed.Entry | None, title: str = "NSE F&O heatmap") -> bytes:
    content = feed.render(filter(None, entries), "nse-fno", title, URL)
    assert content is not None
    return content


def final(each: ArchivedDay) -> feed.Entry | None:
    return feed.day_entry(each, "nse-fno", "NSE F&O heatmap", URL)


def test_a_final() -> None:
    """Its entry has breadth, the strongest and the weakest, and links to the day's own page."""
    content = written(final(day(17)), final(day(18)))
    entry = ET.fromstring(content).findall(f"{ATOM}entry")[1]

    assert [] == faults(content)
    summary = "150 up, 58 down, 2 flat; strongest M&M +5.25 %; weakest <TCS> \N{MINUS SIGN}4.00 %"
    assert f"NSE F&O heatmap, 17 Sep 2026: {summary}" == entry.findtext(f"{ATOM}title")
    assert "tag:www.example.org,2026-09-17:heatmap/nse-fno/final" == entry.findtext(f"{ATOM}id")
    link = entry.find(f"{ATOM}link")
    assert link is not None
    assert f"{URL}nse-fno/2026/09/17/" == link.get("href")
    assert "text" == entry.find(f"{ATOM}content").get("type")  # type: ignore[union-attr]


def test_a_day_without_a_page_has_no_entry() -> None:
    """Without any entry there is no feed."""
    assert final(day(17, page=None)) is None
    assert feed.render([], "nse-fno", "A market", URL) is None


def test_alerts_among_finals() -> None:
    """They are ordered by time, the newest first, each with an id of its own."""
    later = alert("2026-09-18T11:05:02+05:30")
    content = written(final(day(17)), alert(), final(day(18)), later, alert(name="side"))

    assert [] == faults(content)
    titles = [entry.findtext(f"{ATOM}title") for entry in ET.fromstring(content).findall(f"{ATOM}entry")]
    assert titles[0].startswith("NSE F&O heatmap, 18 Sep")  # type: ignore[union-attr]
    assert 3 == titles.count("TCS +5.20 %")
    assert alert() == alert(title="TCS +5.20 %")
    assert "tag:www.example.org,2026-09-18:heatmap/nse-fno/alert/movers/20260918T110002" == alert().id


def test_it_is_bounded() -> None:
    """It has the newest sixty entries; a year of finals would be too large to fetch every hour."""
    entries = [
        alert(f"2026-09-18T11:{minute:02}:{second:02}+05:30") for minute in range(2) for second in range(60)
    ]
    content = written(*entries)

    feed_entries = ET.fromstring(content).findall(f"{ATOM}entry")
    assert 60 == len(feed_entries)
    assert {"2026-09-18T11:01"} == {(entry.findtext(f"{ATOM}updated") or "")[:16] for entry in feed_entries}


def test_hostile_names() -> None:
    """Markup stays text, and characters that XML forbids are removed."""
    hostile = 'A</title><script>alert("1")</script>]]>&nbsp;\x00\x08\x0b\x1f\ufffe\ud800 & co'
    content = written(alert(title=hostile), final(day(17, strongest=(hostile, 1.0))), title=hostile)

    assert [] == faults(content)
    assert b"<script" not in content
    root = ET.fromstring(content)
    assert 'A</title><script>alert("1")</script>]]>&nbsp; & co' == root.findtext(f"{ATOM}title")


def test_the_checker_detects_faults() -> None:
    """The checker of these tests finds each fault."""
    good = written(final(day(17)), final(day(18))).decode()

    for broken, fault in (
        (good.replace("2026-09-18:", "2026-09-17:"), "an id twice"),
        (good.replace("T15:45:00+05:30", " 15:45"), "updated is no RFC 3339 time"),
        (good.replace("https://www.example.org", ""), "a link is not absolute"),
        (good.replace('rel="self"', 'rel="other"'), "no link to itself"),
        (re.sub("<author>.*</author>", "", good), "no author"),
    ):
        assert fault in faults(broken.encode())


def test_an_entry_without_an_offset_is_left_out() -> None:
    """Its time is unknown; the other entries stay, in order."""
    alert = {"name": "movers", "session": "2026-09-17", "title": "A market: UP", "lines": ["UP"]}
    times = ["2026-09-17T11:00:00+05:30", "2026-09-17T12:00:00", "soon", "2026-09-17T05:31:00+00:00"]
    entries = [feed.alert_entry("nse-fno", URL, as_of=time, **alert) for time in times]  # type: ignore[arg-type]
    content = feed.render(entries, "nse-fno", "A market", URL) or b""

    assert [] == faults(content)
    assert [times[3], times[0]] == [
        entry.findtext(f"{ATOM}updated") for entry in ET.fromstring(content).findall(f"{ATOM}entry")
    ]
    assert None is feed.render(entries[1:3], "nse-fno", "A market", URL)
