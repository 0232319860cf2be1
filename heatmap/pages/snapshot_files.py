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


def to_json(snapshot: Snapshot, table: Table, occasion: PageContext) -> bytes:
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
        writer.writerow([parsing.spreadsheet_cell(value) for value in row])
    return file.getvalue().encode()


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


def _dumped(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False)
