"""history.json: the data that the page's script loads when a reader chooses a part of the history. Pure."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from heatmap.analysis import history_measures, measures, modes, rankings
from heatmap.market import periods
from heatmap.pictures import wording
from heatmap.pictures.market_map import data, sparklines
from heatmap.pictures.market_map.sectors import SectorsView
from heatmap.system import varint

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from heatmap.analysis.rankings import Ranking
    from heatmap.history.model import EarlierSessions, PeriodStart
    from heatmap.market.periods import Period
    from heatmap.market.quotes import Quote, Snapshot
    from heatmap.pictures.market_map.past import HistoryView
    from heatmap.pictures.market_map.replay_track import ReplayTrack
    from heatmap.pictures.market_map.sparklines import Sparkline
    from heatmap.pictures.options import PageOptions

SHORTEST_MOMENTUM = 5  # sessions: over fewer, the spread of daily changes means nothing


def history_json(document: Mapping[str, Any]) -> bytes:
    """Return history.json."""
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode()


def history_data(
    past: HistoryView, snapshot: Snapshot, page_order: Sequence[int], options: PageOptions
) -> dict[str, Any]:
    """Return the document of history.json, with the same encodings as the page's data.

    `page_order` has the indexes of the quotes in the order of the page's cells. Periods and modes without
    any value are left out. The opening range stays: in every session its values come after some minutes.
    """
    page_index = {index: position for position, index in enumerate(page_order)}
    sectors = sorted({quote.sector for quote in snapshot.quotes if quote.sector})
    sector_index = {sector: index for index, sector in enumerate(sectors)}
    spans = periods_of(past)
    changes = _period_changes(past, snapshot.quotes)
    by_name, missing = rank_all(past, snapshot, spans, changes, options)
    with_values = {name for name, ranking in by_name.items() if ranking.values}
    spans = {name: period for name, period in spans.items() if f"change {name}" in with_values}
    own_modes = {name.split()[0] for name in with_values} | {"opening-range"}
    by_name = {
        name: ranking
        for name, ranking in by_name.items()
        if ranking.mode in own_modes
        and (ranking.period in spans or ranking.period == periods.DAY or ranking.mode == "bands")
    }
    quotes = [snapshot.quotes[index] for index in page_order]
    symbols = [quote.symbol for quote in quotes]
    momentum_periods = [name for name in spans if f"momentum {name}" in by_name]
    groups = {
        name: SectorsView().draw(snapshot, ranking, changes.get(_breadth_period(ranking)))
        for name, ranking in by_name.items()
    }
    own = {"momentum": sorted(momentum_periods, key=lambda name: name != f"{periods.BAND_SESSIONS}d")}
    return {
        "as_of": snapshot.as_of.isoformat(),
        "periods": {
            name: {
                "since": wording.format_day(past.earlier_sessions.starts[name].date),
                "label": period.label,
                "adjusted": len(past.earlier_sessions.starts[name].adjusted_symbols),
            }
            for name, period in spans.items()
        },
        "modes": {
            mode.name: data.mode_data(mode)
            | {"label": mode.label, "formula": mode.formula, "caveat": mode.caveat}
            | ({"periods": own[mode.name]} if mode.name in own else {})
            for mode in modes.HISTORY_MODES.values()
            if mode.name in own_modes
        },
        "unavailable": {name: reason for name, reason in missing.items() if name in by_name},
        "readings": {
            name: data.encode_ranking(ranking, groups[name], page_index, sector_index, snapshot.currency)
            for name, ranking in by_name.items()
        },
        "adjusted": {
            name: varint.encode(
                index for index, symbol in enumerate(symbols) if symbol in base.adjusted_symbols
            )
            for name, base in past.earlier_sessions.starts.items()
            if base.adjusted_symbols
        },
        "guesses": _describe_stocks(past, symbols, _describe_guess),
        "doubts": _describe_stocks(past, symbols, _describe_doubt),
        "sparks": {
            "height": sparklines.HEIGHT,
            "day": _day_lines(past.replay_track, symbols),
            "sixty": _encode_lines(
                sparklines.add_last_prices(past.sparklines, past.earlier_sessions.closes, quotes)
            )
            | {
                "dates": [
                    wording.format_day(day)
                    for day in (*past.earlier_sessions.dates[1 - sparklines.SESSIONS :], past.session)
                ]
            },
        },
    }


def _describe_stocks(
    past: HistoryView, symbols: Sequence[str], describe: Callable[[EarlierSessions, PeriodStart, str], str]
) -> dict[str, dict[str, str]]:
    """Return the sentences that `describe` gives, by period and symbol, without empty ones."""
    sentences = {
        name: {symbol: text for symbol in symbols if (text := describe(past.earlier_sessions, base, symbol))}
        for name, base in past.earlier_sessions.starts.items()
    }
    return {name: texts for name, texts in sentences.items() if texts}


def _describe_guess(earlier: EarlierSessions, base: PeriodStart, symbol: str) -> str:
    """Return a sentence if a stock's period is adjusted for a merely probable split or bonus; else ""."""
    day = earlier.guesses.get(symbol)
    if day is None or base.date is None or base.date >= day or symbol not in base.adjusted_symbols:
        return ""
    return f"This period is adjusted for what was probably a split or bonus on {wording.format_day(day)}."


def _describe_doubt(earlier: EarlierSessions, base: PeriodStart, symbol: str) -> str:
    """Return why a stock's prices are not comparable over a period; "" if they are."""
    terms_break = earlier.breaks.get(symbol)
    if terms_break is None or base.date is None or base.date >= terms_break.date:
        return ""
    day = wording.format_day(terms_break.date)
    if terms_break.is_gap:
        return f"Sessions before {day} are missing, and its price changed much meanwhile: perhaps by a split."
    return f"On {day} the terms of its price changed, and no split or bonus explains it."


def periods_of(past: HistoryView) -> dict[str, Period]:
    """Return the history's periods, the shortest first. "ytd" has the sessions since the year began."""
    spans = []
    for name, base in past.earlier_sessions.starts.items():
        period = periods.parse_period(name)
        if period:
            spans.append(period._replace(sessions=base.sessions))
    return {period.name: period for period in sorted(spans, key=lambda period: period.sessions)}


def _period_changes(past: HistoryView, quotes: Sequence[Quote]) -> dict[str, measures.Values]:
    """Return the exact percent changes over each period of the history, quote by quote."""
    prices = [quote.last_price for quote in quotes]
    return {
        name: history_measures.period_changes(prices, [base.closes.get(quote.symbol) for quote in quotes])
        for name, base in past.earlier_sessions.starts.items()
    }


def _breadth_period(ranking: Ranking) -> str:
    """Return the period of the changes that give a ranking's breadth by sector."""
    return ranking.period if modes.ALL_MODES[ranking.mode].periods is None else periods.DAY


def rank_all(
    past: HistoryView,
    snapshot: Snapshot,
    spans: Mapping[str, Period],
    changes: Mapping[str, measures.Values],
    options: PageOptions,
) -> tuple[dict[str, Ranking], dict[str, str]]:
    """Return the rankings by "<mode> <period>", and why rankings without values have none.

    `spans` has the history's periods by name, `changes` their exact percent changes, quote by quote.
    """
    quotes, earlier = snapshot.quotes, past.earlier_sessions
    by_name: dict[str, Ranking] = {}
    missing: dict[str, str] = {}
    prices = [quote.last_price for quote in quotes]
    sectors = [quote.sector for quote in quotes]
    previous_closes = _previous_closes(past, quotes)
    last_changes = [  # not rounded: the spread of changes is made of them
        (price / close - 1) * 100 if price and close else None
        for price, close in zip(prices, previous_closes, strict=True)
    ]

    def add(name: str, period: Period, values: measures.Values, reason: str = "") -> None:
        mode = modes.ALL_MODES[name]
        clamp = mode.clamp or options.period_clamps.get(period.name) or period.clamp(options.clamp_percent)
        key = f"{name} {period.name}"
        by_name[key] = rankings.rank_values(
            quotes, mode, period, values, clamp, with_scores=name != "sector", is_exact=name == "change"
        )
        if not by_name[key].values:
            missing[key] = reason or f"it takes {mode.required_data}"

    for name, period in spans.items():
        base = earlier.starts[name]
        add("change", period, changes[name])
        if by_name[f"change {name}"].scores:
            by_name[f"rs {name}"] = rankings.rank_relative_strength(by_name[f"change {name}"])
        else:
            add("rs", period, measures.standard_scores(changes[name]))
        add("sector", period, measures.scores_in_sectors(changes[name], sectors))
        if period.sessions >= SHORTEST_MOMENTUM:
            spreads = [base.spreads.get(quote.symbol) for quote in quotes]
            add(
                "momentum",
                period,
                history_measures.momenta(changes[name], last_changes, spreads, period.sessions),
            )
    bands = spans[f"{periods.BAND_SESSIONS}d"]
    closes = [earlier.closes.get(quote.symbol, ()) for quote in quotes]
    add("bands", bands, history_measures.band_positions(prices, closes))
    day = periods.Period(periods.DAY, "1 day", 1)
    usual = [past.usual_volumes.volumes.get(quote.symbol) for quote in quotes]
    add("volume", day, history_measures.volume_ratios(quotes, usual))
    ranges = [past.opening_range.ranges.get(quote.symbol) for quote in quotes]
    add("opening-range", day, history_measures.breakouts(prices, ranges), past.opening_range.reason_missing)
    streaks = [
        None if close is None else earlier.streaks.get(quote.symbol)
        for quote, close in zip(quotes, previous_closes, strict=True)
    ]
    add(
        "streak",
        day,
        history_measures.streaks([quote.percent_change for quote in quotes], streaks),
    )
    return by_name, missing


def _previous_closes(past: HistoryView, quotes: Sequence[Quote]) -> measures.Values:
    """Return each quote's close of the session before, on the terms of this session."""
    series = (past.earlier_sessions.closes.get(quote.symbol) for quote in quotes)
    return [closes[-1] if closes else None for closes in series]


def _day_lines(track: ReplayTrack, symbols: Sequence[str]) -> dict[str, Any]:
    """Return the encoded sparklines of the session so far; a line without points has no prices."""
    track_index = {symbol: index for index, symbol in enumerate(track.symbols)}
    indexes = [track_index[symbol] for symbol in symbols]
    rounded = [
        (track.firsts[index], track.lows[index], track.highs[index], track.last_prices[index])
        if track.points[index]
        else (0, 0, 0, 0)
        for index in indexes
    ]
    return {
        "decimals": track.decimals,
        "points": [track.points[index] for index in indexes],
        **_encode_ends(rounded),
        "times": [minute[-5:] for minute in track.minutes],
    }


def _encode_lines(lines: Sequence[Sparkline | None]) -> dict[str, Any]:
    """Return encoded sparklines: each stock's points, and its prices in units of the last decimal.

    `first` is 0 if there is no line. `low` and `high` are the distances from it, `last` is the zigzag of the
    difference.
    """
    known_lines = [line for line in lines if line]
    lowest = min((line.low for line in known_lines), default=1.0)
    decimals = varint.price_decimals(lowest)
    unit = 10**decimals
    rounded = [
        [round(price * unit) for price in (line.first, line.low, line.high, line.last)] if line else [0] * 4
        for line in lines
    ]
    return {
        "decimals": decimals,
        "points": [line.points if line else "" for line in lines],
        **_encode_ends(rounded),
    }


def _encode_ends(rounded: Sequence[Sequence[int]]) -> dict[str, str]:
    """Return first, low, high and last of each line, encoded."""
    return {
        "first": varint.encode(first for first, *_ in rounded),
        "low": varint.encode(first - low for first, low, *_ in rounded),
        "high": varint.encode(high - first for first, _, high, _ in rounded),
        "last": varint.encode(varint.zigzag(last - first) for first, *_, last in rounded),
    }
