"""Parses the quotes of the National Stock Exchange, in all forms of its answers since 2019."""

from __future__ import annotations

import json
import re
from datetime import date, datetime
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from heatmap.errors import SourceBlocked, SourceEmpty, SourceReshaped
from heatmap.market.quotes import Change, Quote, Snapshot
from heatmap.system import limits, package_files, parsing, strict_json

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

ZONE = ZoneInfo("Asia/Kolkata")
CURRENCY = "INR"
LAKH = 1e5
CRORE = 1e7
MOST_UNUSABLE = 0.5  # of the rows: if more are unusable, the form of the answer has changed
SEGMENTS = ("capital market", "cm")  # names of the equity segment in the different forms

# A lenient parser would read "10" as a date, and 2 March as 3 February.
TIME_FORMATS = (
    "%d-%b-%Y %H:%M:%S",
    "%d-%b-%Y %H:%M",
    "%Y-%m-%d %H:%M:%S",
    "%b %d, %Y %H:%M:%S",  # legacy
    "%d-%b-%Y",
)
PERIODS = {  # keys of the percent, of its starting day, and of the legacy form's percent without a day
    "1mo": ("perChange30d", "date30dAgo", "mPC"),
    "1y": ("perChange365d", "date365dAgo", "yPC"),
}

_SYMBOL = re.compile(r"[A-Z0-9][A-Z0-9&._-]{0,31}", re.ASCII | re.IGNORECASE)


def parse(body: object, *, index: str | None = None, industries: Mapping[str, str] | None = None) -> Snapshot:
    """Return the quotes in a body, given as bytes or decoded.

    `index` is the name of the requested index, whose own row is left out. `industries` is by symbol; None:
    the packaged table. Raises SourceBlocked for a web page, SourceEmpty, SourceReshaped. Their messages have
    no subject: the caller adds the address.
    """
    if isinstance(body, bytes):
        if is_web_page(body):
            message = "holds a web page where figures were due: the exchange may not let this address in"
            raise SourceBlocked(message)
        body = strict_json.decode(body)
    outer = body if isinstance(body, dict) else {}
    inner = outer.get("data")
    content = inner if isinstance(inner, dict) else outer  # the present form has an envelope
    if isinstance(inner, dict) and not inner:
        raise SourceEmpty("holds no figures at all: the exchange may not know this index, or has none yet")
    rows = content.get("data")
    if not isinstance(rows, list):
        raise SourceReshaped("holds no list of stocks: the form of the answer is not known")
    if len(rows) > limits.QUOTES:
        raise SourceReshaped(
            f"holds {len(rows):,} rows, and {limits.QUOTES:,} are the most: no index has so many stocks"
        )
    as_of = _find_as_of(content)
    table = load_industries() if industries is None else industries
    names = {name for name in (index, content.get("name")) if isinstance(name, str)}
    stocks = [row for row in rows if not _is_index(row, names)]
    quotes = _make_quotes(stocks, table)
    dropped = len(stocks) - len(quotes)
    if not stocks:
        raise SourceEmpty("holds a list without a single stock: the exchange may not know this index")
    if dropped > MOST_UNUSABLE * len(stocks) or not quotes:
        message = (
            f"holds {dropped:,} unusable rows of {len(stocks):,}: symbols or percent changes are "
            "missing, or stand there twice"
        )
        raise SourceReshaped(message)
    return Snapshot("nse", as_of, tuple(quotes.values()), CURRENCY, _is_open(content), dropped)


def is_web_page(body: bytes) -> bool:
    """Whether a body is HTML, the answer to a blocked client, even with status 200."""
    return body[:1000].lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<")


@cache
def load_industries() -> Mapping[str, str]:
    """Return the exchange's industry of each stock, by symbol."""
    path = package_files.DATA / "nse_industries.json"
    table = json.loads(path.read_text("utf-8"))["symbols"]
    return {symbol: industry for industry, symbols in table.items() for symbol in symbols.split()}


def _find_as_of(content: Mapping[str, Any]) -> datetime:
    metadata = content.get("metadata")
    candidates = [content.get("timestamp"), content.get("time")]
    if isinstance(metadata, dict):
        candidates.append(metadata.get("timeVal"))
    for text in candidates:
        time = _parse_time(text)
        if time is not None:
            return time
    raise SourceReshaped("holds no readable time: the age of its figures is unknown")


def _parse_time(text: object) -> datetime | None:
    return _parse_time_text(text) if isinstance(text, str) and text.isascii() and len(text) <= 30 else None


@lru_cache(maxsize=64)  # the rows of a body repeat a few days hundreds of times
def _parse_time_text(text: str) -> datetime | None:
    for time_format in TIME_FORMATS:
        try:
            time = datetime.strptime(text, time_format).replace(tzinfo=ZONE)
        except ValueError:
            continue
        return time if 1990 < time.year < 9000 else None
    return None


def _is_open(content: Mapping[str, Any]) -> bool | None:
    """Whether the equity segment is open; None if the body does not have its status."""
    segments = content.get("marketStatus")
    for segment in segments if isinstance(segments, list) else [segments]:
        if not isinstance(segment, dict):
            continue
        name, status = segment.get("market"), segment.get("marketStatus")
        if isinstance(name, str) and isinstance(status, str) and name.strip().casefold() in SEGMENTS:
            return status.strip().casefold() == "open"  # "Pre-Open" is not
    return None


def _is_index(row: object, names: set[str]) -> bool:
    """Whether a row is the index itself. The index forms have it as the first row, the F&O forms do not."""
    if not isinstance(row, dict):
        return False
    symbol = row.get("symbol")
    priority = parsing.number(row.get("priority"))
    return priority == 1 or (isinstance(symbol, str) and (symbol in names or symbol == row.get("identifier")))


def _make_quotes(rows: Sequence[object], industries: Mapping[str, str]) -> dict[str, Quote]:
    """Return the quotes of usable rows, by symbol.

    Stocks with two rows of different figures are left out, because either may be wrong.
    """
    quotes: dict[str, Quote] = {}
    contradicted: set[str] = set()
    for row in rows:
        quote = _make_quote(row, industries)
        if quote is not None and quotes.setdefault(quote.symbol, quote) != quote:
            contradicted.add(quote.symbol)
    return {symbol: quote for symbol, quote in quotes.items() if symbol not in contradicted}


def _make_quote(row: object, industries: Mapping[str, str]) -> Quote | None:
    """Return a row's quote; None without a usable symbol or percent change."""
    if not isinstance(row, dict):
        return None
    symbol = row.get("symbol")
    symbol = symbol.strip() if isinstance(symbol, str) else ""
    last = _find_first(row, ("lastPrice", "ltP"), parsing.positive)
    previous = _find_first(row, ("previousClose", "prevClose"), parsing.positive)
    percent = _find_first(row, ("pChange", "per"), parsing.number)
    if percent is None and last is not None and previous is not None:
        percent = round((last / previous - 1) * 100, 2)
    percent = parsing.percent(percent)
    if not _SYMBOL.fullmatch(symbol) or ".." in symbol or percent is None:
        return None
    metadata = row.get("meta")
    metadata = metadata if isinstance(metadata, dict) else {}
    return Quote(
        symbol=symbol,
        percent_change=percent,
        name=parsing.clean_text(row.get("companyName")) or parsing.clean_text(metadata.get("companyName")),
        sector=industries.get(symbol) or parsing.clean_text(metadata.get("industry")),
        last_price=last,
        previous_close=previous,
        open=parsing.positive(row.get("open")),
        high=_find_first(row, ("dayHigh", "high"), parsing.positive),
        low=_find_first(row, ("dayLow", "low"), parsing.positive),
        volume=_find_amount(row, "totalTradedVolume", "trdVol", LAKH),
        turnover=_find_amount(row, "totalTradedValue", "ntP", CRORE),
        free_float_market_cap=parsing.positive(row.get("ffmc")),
        year_high=_find_first(row, ("yearHigh", "wkhi"), parsing.positive),
        year_low=_find_first(row, ("yearLow", "wklo"), parsing.positive),
        changes=_find_changes(row),
    )


def _find_first(
    row: Mapping[str, Any], names: Sequence[str], check: Callable[[object], float | None]
) -> float | None:
    return next((value for name in names if (value := check(row.get(name))) is not None), None)


def _find_amount(row: Mapping[str, Any], name: str, legacy_name: str, legacy_unit: float) -> float | None:
    """Return shares or rupees; the legacy form gives them in lakhs or crores with two decimals."""
    value = parsing.count(row.get(name))
    if value is None:
        value = parsing.count(row.get(legacy_name))
        return None if value is None else parsing.count(round(value * legacy_unit))
    return value


def _find_changes(row: Mapping[str, Any]) -> dict[str, Change]:
    """Return a row's changes over longer periods, which are not adjusted for splits."""
    result = {}
    for period, (name, since_name, legacy_name) in PERIODS.items():
        if name in row:
            since = _parse_day(row.get(since_name))
            # A percent change of 0 without a day is unknown, not 0.
            result[period] = Change(parsing.percent(row[name]) if since else None, since)
        elif legacy_name in row:
            result[period] = Change(parsing.percent(row[legacy_name]), None)
    return result


def _parse_day(text: object) -> date | None:
    time = _parse_time(text)
    return time.date() if time else None
