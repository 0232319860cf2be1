"""The published figures: snapshot.json, written and read back, and snapshot.csv."""

from __future__ import annotations

import csv
import io
import json
import re
from math import isinf
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

from heatmap import limits, values
from heatmap.errors import SourceReshaped
from heatmap.model import Change, Quote, Snapshot
from heatmap.session import Phase

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from heatmap.model import Cell, Occasion, Table

SCHEMA = "market-heatmap/1"
LONGEST_DOUBT = 300  # characters
MOST_DOUBTS = 20  # of one quote
VALUE_SIGNS = (b",", b"[", b"{")  # at least one of them for each value

_T = TypeVar("_T")
_SYMBOL = re.compile(r"(?!.*\.\.)[\w^=$][\w&.\-/^=+:$!*]{0,31}")
_PERIOD = re.compile(r"[A-Za-z0-9_-]{1,16}")
_PERCENT = "percent_change"
_FIGURES: dict[str, Callable[[object], float | None]] = {
    "last_price": values.positive,
    "previous_close": values.positive,
    _PERCENT: values.percent,
    "open": values.positive,
    "high": values.positive,
    "low": values.positive,
    "volume": values.count,
    "turnover": values.count,
    "free_float_market_cap": values.positive,
    "year_high": values.positive,
    "year_low": values.positive,
}
_COLUMNS = ("symbol", "name", "sector", *_FIGURES)


def to_json(snapshot: Snapshot, table: Table, occasion: Occasion) -> bytes:
    """Return snapshot.json: the table's cells in drawing order, a quote a line; what is unknown is null.

    Quotes whose percent change is unknown stand by themselves, under "unknown": the versions before 0.3
    refuse a quote without one, and ignore keys that they do not know.
    """
    verdict = occasion.verdict
    head: dict[str, Any] = {
        "schema": SCHEMA,
        "market": occasion.market,
        "title": occasion.title,
        "source": snapshot.source,
        "currency": snapshot.currency,
        "time_zone": occasion.time_zone,
        "as_of": snapshot.as_of.isoformat(),
        "generated_at": occasion.generated_at.isoformat(),
        "session": {
            "date": verdict.session.date.isoformat() if verdict.session else None,
            "phase": str(verdict.phase),
            "next_open": verdict.next_open.isoformat() if verdict.next_open else None,
        },
        "breadth": {
            "advances": table.breadth.advances,
            "declines": table.breadth.declines,
            "unchanged": table.breadth.unchanged,
        },
    }
    if snapshot.is_open is not (verdict.phase is Phase.OPEN):  # else the phase says it
        head["is_open"] = snapshot.is_open
    if snapshot.recording:
        head["recording"] = True
    if snapshot.dropped:
        head["dropped"] = snapshot.dropped
    known = [cell for cell in table.cells if cell.quote.percent_change is not None]
    unknown = [cell for cell in table.cells if cell.quote.percent_change is None]
    parts = [_listed("quotes", known), *([_listed("unknown", unknown)] if unknown else [])]
    return ",\n ".join([_dumped(head)[:-1], *parts]).encode() + b"}\n"


def from_json(document: object) -> Snapshot:
    """Return the snapshot that a decoded snapshot.json holds. Raises SourceReshaped."""
    if not isinstance(document, dict) or document.get("schema") != SCHEMA:
        raise _nonsense(f"it is not of the schema {SCHEMA}")
    as_of = values.moment(document.get("as_of"))
    source = values.words(document.get("source"))
    rows = document.get("quotes")
    session = document.get("session")
    if as_of is None:
        raise _nonsense("its as_of is no time with an offset")
    if source is None:
        raise _nonsense("it does not name its source")
    if not isinstance(rows, list) or not rows:
        raise _nonsense("it has no quotes")
    phase = session.get("phase") if isinstance(session, dict) else None
    if phase not in list(Phase):
        raise _nonsense("its session has no phase that is known")
    is_open = document.get("is_open", phase == Phase.OPEN)
    dropped = document.get("dropped", 0)
    recording = document.get("recording", False)
    if not (is_open is None or isinstance(is_open, bool)) or not isinstance(recording, bool):
        raise _nonsense("its is_open or recording is not true or false")
    if isinstance(dropped, bool) or not isinstance(dropped, int) or dropped < 0:
        raise _nonsense("its dropped is not a count")
    unknown = document.get("unknown", [])
    if not isinstance(unknown, list):
        raise _nonsense("its unknown is no list of quotes")
    quotes = _quotes(rows, unknown)
    currency = values.currency_code(document.get("currency"))  # without one the figures are good, too
    return Snapshot(source, as_of, quotes, currency, is_open, dropped, recording)


def to_csv(table: Table) -> bytes:
    """Return snapshot.csv: RFC 4180 in UTF-8, a header row, cells in drawing order, empty where unknown."""
    periods = sorted({period for cell in table.cells for period in cell.quote.changes})
    file = io.StringIO(newline="")
    writer = csv.writer(file)
    extra = [heading for period in periods for heading in (f"change_{period}", f"change_{period}_since")]
    writer.writerow([*_COLUMNS, *extra])
    for cell in table.cells:
        quote = cell.quote
        row = _written(quote)
        for period in periods:
            change = quote.changes.get(period)
            row += [change.percent, change.since] if change else [None, None]
        writer.writerow([values.spreadsheet_cell(value) for value in row])
    return file.getvalue().encode()


def decode(body: bytes) -> object:
    """Return what a JSON text holds, read strictly: UTF-8, finite numbers, each key once, no more than fits.

    Raises SourceReshaped.
    """
    if sum(map(body.count, VALUE_SIGNS)) > limits.JSON_VALUES:
        raise SourceReshaped(f"holds more than {limits.JSON_VALUES:,} values: that is no list of quotes")
    try:
        document = json.loads(
            body.decode("utf-8-sig"), parse_constant=_not_json, parse_float=_finite, object_pairs_hook=_object
        )
        if b"\\ud" in body.lower():  # an escape that may be half a character, which nothing can write
            for piece in json.JSONEncoder(ensure_ascii=False).iterencode(document):
                piece.encode()
    except RecursionError:
        raise SourceReshaped("holds JSON nested too deeply: that is no list of quotes") from None
    except json.JSONDecodeError as error:
        message = (
            f"holds no whole JSON (it stops making sense at character {error.pos:,} of {len(error.doc):,})"
        )
        raise SourceReshaped(message) from None
    except UnicodeError:
        raise SourceReshaped("holds something else than text in UTF-8") from None
    except ValueError as error:
        why = str(error) if isinstance(error, _NotStrictError) else "a number of thousands of digits"
        raise SourceReshaped(f"holds what is no figure ({why})") from None
    return document


class _NotStrictError(ValueError):
    """A number that JSON does not have, or that is none; two values of one name."""


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise _NotStrictError("two values under one name")
    return found


def _not_json(constant: str) -> NoReturn:
    raise _NotStrictError(constant)


def _finite(text: str) -> float:
    result = float(text)
    if isinf(result):
        raise _NotStrictError(text[:20])
    return result


def _listed(name: str, cells: Sequence[Cell]) -> str:
    lines = ",\n  ".join(_dumped(_row(cell)) for cell in cells)
    return f'"{name}": [\n  {lines}\n]'


def _row(cell: Cell) -> dict[str, Any]:
    quote = cell.quote
    row: dict[str, Any] = dict(zip(_COLUMNS, _written(quote), strict=True))
    row["changes"] = {
        period: {"percent": change.percent, "since": change.since.isoformat() if change.since else None}
        for period, change in quote.changes.items()
    }
    if quote.doubts:
        row["doubts"] = dict(quote.doubts)
    return {**row, "fill": cell.fill, "ink": cell.ink}


def _written(quote: Quote) -> list[Any]:
    """Return a quote's values in the order of the columns; shares are counted: 9374431, not 9374431.0."""
    volume = int(quote.volume) if quote.volume is not None and quote.volume.is_integer() else quote.volume
    return [volume if name == "volume" else getattr(quote, name) for name in _COLUMNS]


def _known_quote(row: object) -> Quote:
    """Return a quote that has its percent change. Raises SourceReshaped."""
    quote = _quote(row)
    if quote.percent_change is None:
        raise _nonsense(f"{quote.symbol} has no percent_change")
    return quote


def _quote(row: object) -> Quote:
    if not isinstance(row, dict):
        raise _nonsense("a quote in it is no object")
    symbol = row.get("symbol")
    if not isinstance(symbol, str) or not _SYMBOL.fullmatch(symbol):
        raise _nonsense("a quote in it has no usable symbol")
    figures = {name: _figure(row, name, check) for name, check in _FIGURES.items()}
    percent_change = figures.pop(_PERCENT)
    name = _optional(row, "name", values.words)
    sector = _optional(row, "sector", values.words)
    changes, doubts = _changes(row, symbol), _doubts(row, symbol)
    return Quote(symbol, percent_change, name, sector, **figures, changes=changes, doubts=doubts)


def _quotes(known: Sequence[object], unknown: Sequence[object]) -> tuple[Quote, ...]:
    """Return all quotes: those with a percent change, then those without. Raises SourceReshaped."""
    if len(known) + len(unknown) > limits.QUOTES:
        raise _nonsense(limits.TOO_MANY_QUOTES.format(count=len(known) + len(unknown)))
    quotes = (*map(_known_quote, known), *map(_quote, unknown))
    if len({quote.symbol for quote in quotes}) < len(quotes):
        raise _nonsense("a symbol stands in it twice")
    periods = {period for quote in quotes for period in (*quote.changes, *quote.doubts)}
    if len(periods) > limits.PERIODS:
        raise _nonsense(f"it has {len(periods):,} periods, and {limits.PERIODS} are the most")
    sectors = {quote.sector for quote in quotes}
    if len(sectors) > limits.SECTORS:
        raise _nonsense(f"it has {len(sectors):,} sectors, and {limits.SECTORS} are the most")
    return quotes


def _changes(row: Mapping[str, object], symbol: str) -> dict[str, Change]:
    found = row.get("changes")
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise _nonsense(f"the changes of {symbol} are no object")
    result = {}
    for period, change in found.items():
        if not isinstance(change, dict) or not _PERIOD.fullmatch(period):
            raise _nonsense(f"a change of {symbol} is no object, or of no period")
        result[period] = Change(
            _figure(change, "percent", values.percent), _optional(change, "since", values.day)
        )
    return result


def _doubts(row: Mapping[str, object], symbol: str) -> dict[str, str]:
    found = row.get("doubts", {})
    if not isinstance(found, dict) or len(found) > MOST_DOUBTS:
        raise _nonsense(f"the doubts of {symbol} are no object")
    result = {}
    for period, reason in found.items():
        words = values.words(reason, LONGEST_DOUBT)
        if words is None or not _PERIOD.fullmatch(period):
            raise _nonsense(f"a doubt of {symbol} is no text, or of no period")
        result[period] = words
    return result


def _optional(row: Mapping[str, object], name: str, check: Callable[[object], _T | None]) -> _T | None:
    """Return what stands under `name`, None where null does. Raises SourceReshaped if `check` refuses it."""
    value = row.get(name)
    result = None if value is None else check(value)
    if result is None and value is not None:
        raise _nonsense(f"its {name} cannot be what it says")
    return result


def _figure(row: Mapping[str, object], name: str, check: Callable[[object], float | None]) -> float | None:
    """Return a number, which here is never written as text. Raises SourceReshaped."""
    return _optional(row, name, lambda value: None if isinstance(value, str) else check(value))


def _nonsense(why: str) -> SourceReshaped:
    return SourceReshaped(f"holds a snapshot.json that cannot be used: {why}")


def _dumped(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False)
