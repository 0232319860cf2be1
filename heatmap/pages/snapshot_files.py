"""The published figures: snapshot.json and snapshot.csv."""

from __future__ import annotations

import csv
import io
import json
from typing import TYPE_CHECKING, Any

from heatmap.market.calendar.session import Phase
from heatmap.market.snapshot_json import FIGURES, SCHEMA
from heatmap.system import parsing

if TYPE_CHECKING:
    from collections.abc import Sequence

    from heatmap.market.quotes import Quote, Snapshot
    from heatmap.pictures.context import PageContext
    from heatmap.pictures.shapes import Cell, Table

_COLUMNS = ("symbol", "name", "sector", *FIGURES)


def to_json(snapshot: Snapshot, table: Table, context: PageContext) -> bytes:
    """Return snapshot.json: the table's cells in drawing order, one quote on each line; unknown is null.

    Quotes without a percent change are in a list of their own, "unknown": versions before 0.3 refuse a quote
    without a percent change, and ignore unknown keys.
    """
    status = context.status
    head: dict[str, Any] = {
        "schema": SCHEMA,
        "market": context.market,
        "title": context.title,
        "source": snapshot.source,
        "currency": snapshot.currency,
        "time_zone": context.time_zone,
        "as_of": snapshot.as_of.isoformat(),
        "generated_at": context.generated_at.isoformat(),
        "session": {
            "date": status.session.date.isoformat() if status.session else None,
            "phase": str(status.phase),
            "next_open": status.next_open.isoformat() if status.next_open else None,
        },
        "breadth": {
            "advances": table.breadth.advances,
            "declines": table.breadth.declines,
            "unchanged": table.breadth.unchanged,
        },
    }
    if snapshot.is_open is not (status.phase is Phase.OPEN):  # else the phase implies it
        head["is_open"] = snapshot.is_open
    if snapshot.recording:
        head["recording"] = True
    if snapshot.dropped:
        head["dropped"] = snapshot.dropped
    known_cells = [cell for cell in table.cells if cell.quote.percent_change is not None]
    unknown_cells = [cell for cell in table.cells if cell.quote.percent_change is None]
    parts = [
        _encode_list("quotes", known_cells),
        *([_encode_list("unknown", unknown_cells)] if unknown_cells else []),
    ]
    return ",\n ".join([_encode(head)[:-1], *parts]).encode() + b"}\n"


def to_csv(table: Table) -> bytes:
    """Return snapshot.csv: RFC 4180 in UTF-8, a header row, cells in drawing order; unknown is empty."""
    periods = sorted({period for cell in table.cells for period in cell.quote.changes})
    file = io.StringIO(newline="")
    writer = csv.writer(file)
    extra = [heading for period in periods for heading in (f"change_{period}", f"change_{period}_since")]
    writer.writerow([*_COLUMNS, *extra])
    for cell in table.cells:
        quote = cell.quote
        row = _values(quote)
        for period in periods:
            change = quote.changes.get(period)
            row += [change.percent, change.since] if change else [None, None]
        writer.writerow([parsing.spreadsheet_cell(value) for value in row])
    return file.getvalue().encode()


def _encode_list(name: str, cells: Sequence[Cell]) -> str:
    lines = ",\n  ".join(_encode(_row(cell)) for cell in cells)
    return f'"{name}": [\n  {lines}\n]'


def _row(cell: Cell) -> dict[str, Any]:
    quote = cell.quote
    row: dict[str, Any] = dict(zip(_COLUMNS, _values(quote), strict=True))
    row["changes"] = {
        period: {"percent": change.percent, "since": change.since.isoformat() if change.since else None}
        for period, change in quote.changes.items()
    }
    if quote.doubts:
        row["doubts"] = dict(quote.doubts)
    return {**row, "fill": cell.fill, "ink": cell.ink}


def _values(quote: Quote) -> list[Any]:
    """Return a quote's values in the order of the columns; a volume is an integer: 9374431, not 9374431.0."""
    volume = int(quote.volume) if quote.volume is not None and quote.volume.is_integer() else quote.volume
    return [volume if name == "volume" else getattr(quote, name) for name in _COLUMNS]


def _encode(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False)
