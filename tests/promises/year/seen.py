"""What visitors see: pages and the files beside them, read without any of the program's own code."""

from __future__ import annotations

import csv
import html
import io
import json
import re
from collections.abc import Callable, Mapping
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple
from xml.etree import ElementTree as ET

from tests.promises.year.market import Price

CELL = re.compile(r'<td[^>]*? data-symbol="([^"]*)" data-percent-change="([^"]*)"')
TIME = re.compile(r'<time datetime="([^"]*)"')
LINK = re.compile(r'<(?:a|link)\b[^>]*? href="([^"]*)"')
NEXT = re.compile(r'<a rel="next" href="([^"]*)"[^>]*>.*?</a>', re.DOTALL)
PREVIOUS = re.compile(r'<a rel="prev" href="([^"]*)"')
LISTED = re.compile(r'<a href="(\d{4})/(\d\d)/(\d\d)/"')
AS_OF = re.compile(r"as of (\d{1,2} \w{3} \d{4}, \d\d:\d\d:\d\d)")
END = "</html>"
ATOM = "{http://www.w3.org/2005/Atom}"
DAMAGED = (ValueError, KeyError, TypeError, AttributeError, LookupError, ET.ParseError)


class Seen(NamedTuple):
    """One file: as of when it is, and what it shows of each symbol; a page shows the percent change alone.

    `as_of` is None of a file that does not tell a time. `links` are relative ones. `body` is what must stay as
    it is: of a page all but its link to the next day.
    """

    as_of: datetime | None
    percents: Mapping[str, float]
    prices: Mapping[str, Price]
    links: tuple[str, ...] = ()
    body: str = ""
    previous: str | None = None
    next: str | None = None
    entries: tuple[Entry, ...] = ()


class Entry(NamedTuple):
    """One entry of the feed."""

    id: str
    link: str
    lines: tuple[str, ...]


def read(path: Path) -> Seen:
    """Read a file that is published. Raises one of DAMAGED for one that is not whole, OSError for none."""
    content = path.read_bytes()
    return READERS.get(path.name, READERS.get(path.suffix, _script))(content.decode("utf-8"))


def _page(text: str) -> Seen:
    found = TIME.search(text)
    cells = [(html.unescape(symbol), float(percent)) for symbol, percent in CELL.findall(text)]
    if found is None or not cells or len(dict(cells)) < len(cells):
        raise ValueError("it has no time, no cells, or two of one symbol")
    to_next, to_previous = NEXT.search(text), PREVIOUS.search(text)
    return _document(text)._replace(
        as_of=_moment(found[1]),
        percents=dict(cells),
        body=NEXT.sub("", text),
        previous=to_previous and to_previous[1],
        next=to_next and to_next[1],
    )


def _document(text: str) -> Seen:
    """Read any page of HTML."""
    if not text.rstrip().endswith(END):
        raise ValueError("it ends early")
    links = (html.unescape(link).partition("#")[0].partition("?")[0] for link in LINK.findall(text))
    return Seen(None, {}, {}, tuple(link for link in links if link and ":" not in link.partition("/")[0]))


def _snapshot(text: str) -> Seen:
    document = json.loads(text)
    prices = {
        quote["symbol"]: Price(quote["last_price"], quote["previous_close"], quote["percent_change"])
        for quote in document["quotes"]
    }
    if not prices or len(prices) < len(document["quotes"]):
        raise ValueError("it has no quotes, or two of one symbol")
    return Seen(
        _moment(document["as_of"]), {symbol: price.percent for symbol, price in prices.items()}, prices
    )


def _json(text: str) -> Seen:
    return Seen(_moment(json.loads(text)["as_of"]), {}, {}, body=text)


def _csv(text: str) -> Seen:
    rows = list(csv.DictReader(io.StringIO(text)))
    prices = {
        row["symbol"]: Price(
            float(row["last_price"]), float(row["previous_close"]), float(row["percent_change"])
        )
        for row in rows
    }
    if not prices or len(prices) < len(rows) or not text.endswith("\n"):
        raise ValueError("it has no rows, two of one symbol, or ends early")
    return Seen(None, {symbol: price.percent for symbol, price in prices.items()}, prices)


def _picture(text: str) -> Seen:
    ET.fromstring(text)
    found = AS_OF.search(text)
    if found is None:
        raise ValueError("it tells no time")
    # In the market's own zone, which the other files name.
    naive = datetime.strptime(f"{found[1]} +0530", "%d %b %Y, %H:%M:%S %z")
    return Seen(naive, {}, {}, body=text)


def _feed(text: str) -> Seen:
    feed = ET.fromstring(text)
    entries = tuple(
        Entry(
            _text(entry, "id"),
            next(link.attrib["href"] for link in entry.iter(f"{ATOM}link")),
            tuple(_text(entry, "content").splitlines()),
        )
        for entry in feed.iter(f"{ATOM}entry")
    )
    if not entries or len({entry.id for entry in entries}) < len(entries):
        raise ValueError("it has no entries, or two of one id")
    for element in feed.iter(f"{ATOM}updated"):
        _moment(element.text or "")
    return Seen(None, {}, {}, entries=entries)


def _text(entry: ET.Element, name: str) -> str:
    found = entry.findtext(f"{ATOM}{name}")
    if not found:
        raise ValueError(f"an entry has no {name}")
    return found


def _script(text: str) -> Seen:
    if not text.strip():
        raise ValueError("it is empty")
    return Seen(None, {}, {}, body=text)


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.utcoffset() is None:
        raise ValueError(f"{text} has no offset")
    return moment


READERS: Mapping[str, Callable[[str], Seen]] = {
    "snapshot.json": _snapshot,
    "archive.html": _document,
    "feed.xml": _feed,
    ".html": _page,
    ".json": _json,
    ".csv": _csv,
    ".svg": _picture,
}


def listed(links: tuple[str, ...]) -> tuple[date, ...]:
    """Return the days that the archive's list links to."""
    found = (re.fullmatch(r"(\d{4})/(\d\d)/(\d\d)/", link) for link in links)
    return tuple(date(*map(int, day.groups())) for day in found if day)


def is_same_time(one: datetime, other: datetime) -> bool:
    """Whether two files are as of the same second."""
    return abs(one - other) < timedelta(seconds=1)


def differences(seen: Any, true: Mapping[str, Price]) -> list[str]:
    """Return what is shown and was not true, in words."""
    found = []
    for symbol, percent in seen.percents.items():
        price = true.get(symbol)
        if price is None:
            found.append(f"{symbol} was not traded")
        elif percent != price.percent or seen.prices.get(symbol, price) != price:
            found.append(f"{symbol} {seen.prices.get(symbol, percent)} in place of {price}")
    return found
