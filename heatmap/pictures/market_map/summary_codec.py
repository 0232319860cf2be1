"""The cached form of the summary of earlier sessions: JSON without its own types. Pure."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

from heatmap.history import pending_actions
from heatmap.history.model import EarlierSessions, PeriodStart, TermsBreak
from heatmap.pictures.market_map.sparklines import Sparkline

if TYPE_CHECKING:
    from collections.abc import Mapping


def encode(earlier: EarlierSessions, lines: Mapping[str, Sparkline]) -> dict[str, Any]:
    """Return a summary and the sparklines of its closes, by symbol, as values that JSON can hold."""
    starts = {
        name: start._asdict()
        | {
            "date": start.date and start.date.isoformat(),
            "adjusted_symbols": sorted(start.adjusted_symbols),
        }
        for name, start in earlier.starts.items()
    }
    return earlier._asdict() | {
        "dates": [day.isoformat() for day in earlier.dates],
        "gap": earlier.gap and earlier.gap.isoformat(),
        "starts": starts,
        "breaks": {symbol: [each.date.isoformat(), each.is_gap] for symbol, each in earlier.breaks.items()},
        "guesses": {symbol: day.isoformat() for symbol, day in earlier.guesses.items()},
        "pending": pending_actions.encode(earlier.pending),
        "lines": lines,
    }


def decode(document: Mapping[str, Any]) -> tuple[EarlierSessions, Mapping[str, Sparkline]]:
    """Return the summary and the sparklines that `encode` wrote, after JSON."""
    starts = {}
    for name, start in document["starts"].items():
        fields = {field: start[field] for field in PeriodStart._fields}
        day = fields["date"] and date.fromisoformat(fields["date"])
        symbols = frozenset(fields["adjusted_symbols"])
        starts[name] = PeriodStart(**fields | {"date": day, "adjusted_symbols": symbols})
    fields = {field: document[field] for field in EarlierSessions._fields}
    decoded_fields = {
        "dates": tuple(map(date.fromisoformat, fields["dates"])),
        "gap": fields["gap"] and date.fromisoformat(fields["gap"]),
        "starts": starts,
        "breaks": {
            symbol: TermsBreak(date.fromisoformat(day), is_gap)
            for symbol, (day, is_gap) in fields["breaks"].items()
        },
        "guesses": {symbol: date.fromisoformat(day) for symbol, day in fields["guesses"].items()},
        "pending": pending_actions.decode(fields["pending"]),
    }
    lines = {symbol: Sparkline(*line) for symbol, line in document["lines"].items()}
    return EarlierSessions(**fields | decoded_fields), lines
