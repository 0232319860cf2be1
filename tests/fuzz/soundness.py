"""The rules that every parsed value must meet, whatever the input was."""

from __future__ import annotations

import json
import math
import tempfile
import unicodedata
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime
from functools import cache
from pathlib import Path

from heatmap.errors import EXIT_BUG, HeatmapError
from heatmap.market import snapshot_json
from heatmap.market.calendar import packaged, phases
from heatmap.market.calendar.packaged import SessionOptions
from heatmap.market.calendar.session import MarketStatus, Phase
from heatmap.market.quotes import Breadth, Snapshot
from heatmap.pages import snapshot_files
from heatmap.pictures.context import PageContext
from heatmap.pictures.shapes import Cell, Table
from heatmap.system import parsing, strict_json

TODAY = date(2026, 9, 17)
NOW = datetime(2026, 9, 17, 6, 0, tzinfo=UTC)
LONGEST_SENTENCE = 20_000  # characters of a refusal with many problems: bounded, whatever was refused


@cache
def folder() -> Path:
    """A folder of this process alone, for parsers that read files."""
    holder = tempfile.TemporaryDirectory(prefix="heatmap-fuzz-")
    folder.holder = holder  # type: ignore[attr-defined]  # removed with the process
    return Path(holder.name)


def refusing(parse: Callable[[], object]) -> object:
    """Return what `parse` does, or the sentence of its refusal. Whatever else it raises is a fault."""
    try:
        return parse()
    except HeatmapError as error:
        assert error.exit_code != EXIT_BUG, repr(error)
        for line in str(error).splitlines() or [""]:
            assert line.strip(), f"no sentence: {error!r}"
            assert line.isprintable(), f"control characters in a sentence: {error!r}"
        assert len(str(error)) < LONGEST_SENTENCE, len(str(error))
        str(error).encode()
        return str(error)


def is_figure(value: object, lowest: float = -parsing.LARGEST) -> bool:
    """Whether a figure is finite and bounded."""
    return value is None or (
        isinstance(value, float) and math.isfinite(value) and lowest <= value < parsing.LARGEST
    )


def is_text(value: object, longest: int = parsing.LONGEST_NAME) -> bool:
    """Whether text can stand on a page: one line of characters that show, in UTF-8."""
    if not isinstance(value, str):
        return value is None
    value.encode()
    shows = not any(unicodedata.category(letter) in {"Cc", "Cf", "Cs", "Zl", "Zp"} for letter in value)
    return shows and 0 < len(value) <= longest and value == value.strip()


def sound(snapshot: Snapshot) -> Snapshot:
    """Assert all that must hold of quotes that were accepted."""
    symbols = [quote.symbol for quote in snapshot.quotes]
    assert symbols
    assert len(set(symbols)) == len(symbols), "a symbol stands there twice"
    assert snapshot.as_of.utcoffset() is not None
    assert is_text(snapshot.source)
    assert is_text(snapshot.currency)
    assert snapshot.is_open in (None, True, False)
    assert snapshot.dropped >= 0
    for quote in snapshot.quotes:
        assert is_text(quote.symbol)
        assert len(quote.symbol) <= 32
        assert not set(quote.symbol) & set(" <>\"'`\\")
        assert is_text(quote.name), repr(quote.name)
        assert is_text(quote.sector), repr(quote.sector)
        percent = quote.percent_change
        if percent is not None:
            assert -100 <= percent <= 100_000
            assert math.copysign(1, percent) > 0 or percent < 0, "a minus before 0"
        for reason in quote.doubts.values():
            assert is_text(reason, snapshot_json.LONGEST_DOUBT), repr(reason)
        prices = (
            quote.last_price,
            quote.previous_close,
            quote.open,
            quote.high,
            quote.low,
            quote.volume,
            quote.turnover,
            quote.free_float_market_cap,
            quote.year_high,
            quote.year_low,
        )
        assert all(is_figure(price, 0) for price in prices), prices
        for period, change in quote.changes.items():
            assert period.isascii()
            assert period.isprintable()
            assert len(period) <= 16
            assert is_figure(change.percent, -100)
            assert change.since is None or type(change.since) is date
    # What is unknown comes back last, and a market of nothing else is not published.
    if any(quote.percent_change is not None for quote in snapshot.quotes):
        in_order = sorted(snapshot.quotes, key=lambda quote: quote.percent_change is None)
        assert round_trip(snapshot) == replace(snapshot, quotes=tuple(in_order))
    return snapshot


def round_trip(snapshot: Snapshot) -> Snapshot:
    """Return the snapshot as it comes back from its own snapshot.json."""
    cells = tuple(Cell(quote, quote.percent_change, "#000000", "#ffffff") for quote in snapshot.quotes)
    table = Table((cells,), 1, Breadth(0, 0, 0), ())
    page_context = PageContext("m", "t", "UTC", NOW, MarketStatus(Phase.OPEN, None, None, "it is open"), 5)
    back = snapshot_json.from_json(strict_json.decode(snapshot_files.to_json(snapshot, table, page_context)))
    return Snapshot(
        back.source,
        back.as_of,
        back.quotes,
        back.currency,
        back.is_open,
        back.dropped,
        back.recording,
        snapshot.relayed_phase,
    )


def text_of(body: bytes) -> str:
    """Return bytes as a program gets them that were read as text: half characters stay."""
    return body.decode("utf-8", "surrogateescape")


def decoded(body: bytes) -> object:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def raised(error: BaseException) -> None:
    raise error


@cache
def calendar() -> phases.Calendar:
    """The packaged calendar."""
    return packaged.load(SessionOptions(), Path())
