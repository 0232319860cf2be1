"""Reads a snapshot.json that another run published."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, TypeVar

from heatmap.errors import SourceReshaped
from heatmap.market.calendar.session import Phase
from heatmap.market.quotes import Change, Quote, Snapshot
from heatmap.system import limits, parsing

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

SCHEMA = "market-heatmap/1"
LONGEST_DOUBT = 300  # characters
MOST_DOUBTS = 20  # of one quote

_T = TypeVar("_T")
_SYMBOL = re.compile(r"(?!.*\.\.)[\w^=$][\w&.\-/^=+:$!*]{0,31}")
_PERIOD = re.compile(r"[A-Za-z0-9_-]{1,16}")
_PERCENT = "percent_change"
FIGURES: dict[str, Callable[[object], float | None]] = {
    "last_price": parsing.positive,
    "previous_close": parsing.positive,
    _PERCENT: parsing.percent,
    "open": parsing.positive,
    "high": parsing.positive,
    "low": parsing.positive,
    "volume": parsing.count,
    "turnover": parsing.count,
    "free_float_market_cap": parsing.positive,
    "year_high": parsing.positive,
    "year_low": parsing.positive,
}


def from_json(document: object) -> Snapshot:
    """Return the snapshot that a decoded snapshot.json holds. Raises SourceReshaped."""
    if not isinstance(document, dict) or document.get("schema") != SCHEMA:
        raise _unusable(f"its schema is not {SCHEMA}")
    as_of = parsing.aware_datetime(document.get("as_of"))
    source = parsing.clean_text(document.get("source"))
    rows = document.get("quotes")
    session = document.get("session")
    if as_of is None:
        raise _unusable("its as_of is no time with an offset")
    if source is None:
        raise _unusable("it does not name its source")
    if not isinstance(rows, list) or not rows:
        raise _unusable("it has no quotes")
    phase = session.get("phase") if isinstance(session, dict) else None
    if phase not in list(Phase):
        raise _unusable("its session has no known phase")
    is_open = document.get("is_open", phase == Phase.OPEN)
    dropped = document.get("dropped", 0)
    recording = document.get("recording", False)
    if not (is_open is None or isinstance(is_open, bool)) or not isinstance(recording, bool):
        raise _unusable("its is_open or recording is not true or false")
    if isinstance(dropped, bool) or not isinstance(dropped, int) or dropped < 0:
        raise _unusable("its dropped is not a count")
    unknown = document.get("unknown", [])
    if not isinstance(unknown, list):
        raise _unusable("its unknown is no list of quotes")
    quotes = _quotes(rows, unknown)
    currency = parsing.currency_code(document.get("currency"))  # the figures are usable without one, too
    return Snapshot(source, as_of, quotes, currency, is_open, dropped, recording)


def _known_quote(row: object) -> Quote:
    """Return a quote that has its percent change. Raises SourceReshaped."""
    quote = _quote(row)
    if quote.percent_change is None:
        raise _unusable(f"{quote.symbol} has no percent_change")
    return quote


def _quote(row: object) -> Quote:
    if not isinstance(row, dict):
        raise _unusable("a quote in it is no object")
    symbol = row.get("symbol")
    if not isinstance(symbol, str) or not _SYMBOL.fullmatch(symbol):
        raise _unusable("a quote in it has no usable symbol")
    figures = {name: _figure(row, name, check) for name, check in FIGURES.items()}
    percent_change = figures.pop(_PERCENT)
    name = _optional(row, "name", parsing.clean_text)
    sector = _optional(row, "sector", parsing.clean_text)
    changes, doubts = _changes(row, symbol), _doubts(row, symbol)
    return Quote(symbol, percent_change, name, sector, **figures, changes=changes, doubts=doubts)


def _quotes(known: Sequence[object], unknown: Sequence[object]) -> tuple[Quote, ...]:
    """Return all quotes: those with a percent change, then those without. Raises SourceReshaped."""
    if len(known) + len(unknown) > limits.QUOTES:
        raise _unusable(limits.TOO_MANY_QUOTES.format(count=len(known) + len(unknown)))
    quotes = (*map(_known_quote, known), *map(_quote, unknown))
    if len({quote.symbol for quote in quotes}) < len(quotes):
        raise _unusable("it has a symbol twice")
    periods = {period for quote in quotes for period in (*quote.changes, *quote.doubts)}
    if len(periods) > limits.PERIODS:
        raise _unusable(f"it has {len(periods):,} periods, more than {limits.PERIODS}")
    sectors = {quote.sector for quote in quotes}
    if len(sectors) > limits.SECTORS:
        raise _unusable(f"it has {len(sectors):,} sectors, more than {limits.SECTORS}")
    return quotes


def _changes(row: Mapping[str, object], symbol: str) -> dict[str, Change]:
    changes = row.get("changes")
    if changes is None:
        return {}
    if not isinstance(changes, dict):
        raise _unusable(f"the changes of {symbol} are no object")
    result = {}
    for period, change in changes.items():
        if not isinstance(change, dict) or not _PERIOD.fullmatch(period):
            raise _unusable(f"a change of {symbol} is no object, or has no valid period")
        result[period] = Change(
            _figure(change, "percent", parsing.percent), _optional(change, "since", parsing.day)
        )
    return result


def _doubts(row: Mapping[str, object], symbol: str) -> dict[str, str]:
    doubts = row.get("doubts", {})
    if not isinstance(doubts, dict) or len(doubts) > MOST_DOUBTS:
        raise _unusable(f"the doubts of {symbol} are no object")
    result = {}
    for period, reason in doubts.items():
        text = parsing.clean_text(reason, LONGEST_DOUBT)
        if text is None or not _PERIOD.fullmatch(period):
            raise _unusable(f"a doubt of {symbol} is no text, or has no valid period")
        result[period] = text
    return result


def _optional(row: Mapping[str, object], name: str, check: Callable[[object], _T | None]) -> _T | None:
    """Return the checked value of a key; None for null. Raises SourceReshaped if `check` returns None."""
    value = row.get(name)
    result = None if value is None else check(value)
    if result is None and value is not None:
        raise _unusable(f"its {name} has an impossible value")
    return result


def _figure(row: Mapping[str, object], name: str, check: Callable[[object], float | None]) -> float | None:
    """Return a number; a number written as text is refused. Raises SourceReshaped."""
    return _optional(row, name, lambda value: None if isinstance(value, str) else check(value))


def _unusable(reason: str) -> SourceReshaped:
    return SourceReshaped(f"holds a snapshot.json that cannot be used: {reason}")
