"""What visitors see: a page and a snapshot.json, read without any of the program's own code."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from tests.promises.year.market import Price

CELL = re.compile(r'<td[^>]*? data-symbol="([^"]*)" data-percent-change="([^"]*)"')
TIME = re.compile(r'<time datetime="([^"]*)"')
END = "</html>"


class Seen(NamedTuple):
    """As of when it is, and what it shows of each symbol; a page shows the percent change alone."""

    as_of: datetime
    percents: Mapping[str, float]
    prices: Mapping[str, Price]


def read(path: Path) -> Seen:
    """Read either. Raises ValueError, KeyError or TypeError for one that is not whole, OSError for none."""
    text = path.read_text("utf-8")
    return _snapshot(text) if path.suffix == ".json" else _page(text)


def _page(text: str) -> Seen:
    if not text.rstrip().endswith(END):
        raise ValueError("it ends early")
    found = TIME.search(text)
    cells = [(html.unescape(symbol), float(percent)) for symbol, percent in CELL.findall(text)]
    if found is None or not cells or len(dict(cells)) < len(cells):
        raise ValueError("it has no time, no cells, or two of one symbol")
    return Seen(_moment(found[1]), dict(cells), {})


def _snapshot(text: str) -> Seen:
    document = json.loads(text)
    prices = {
        quote["symbol"]: Price(quote["last_price"], quote["previous_close"], quote["percent_change"])
        for quote in document["quotes"]
    }
    if not prices or len(prices) < len(document["quotes"]):
        raise ValueError("it has no quotes, or two of one symbol")
    percents = {symbol: price.percent for symbol, price in prices.items()}
    return Seen(_moment(document["as_of"]), percents, prices)


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.utcoffset() is None:
        raise ValueError(f"{text} has no offset")
    return moment


def differences(seen: Seen, true: Mapping[str, Price]) -> list[str]:
    """Return what is shown and was not true, in words."""
    found = []
    for symbol, percent in seen.percents.items():
        price = true.get(symbol)
        if price is None:
            found.append(f"{symbol} was not traded")
        elif percent != price.percent or seen.prices.get(symbol, price) != price:
            found.append(f"{symbol} {seen.prices.get(symbol, percent)} in place of {price}")
    return found
