"""history.json: what the page's script adds to the page's data once a reader asks for the past. Pure."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from heatmap.analysis import history_measures, measures, modes, rankings
from heatmap.market import periods
from heatmap.pictures import wording
from heatmap.pictures.market_map import data, sparklines
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

SHORTEST_MOMENTUM = 5  # sessions, below which the spread of daily changes says nothing


def history_json(document: Mapping[str, Any]) -> bytes:
    """Return history.json."""
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode()


def history_data(
    past: HistoryView, snapshot: Snapshot, shown: Sequence[int], options: PageOptions
) -> dict[str, Any]:
    """Return the document of history.json, in the page data's own terms.

    The page's cells stand in the order `shown`. Periods and modes without any value are left out, but for
    the opening range, which every session has only after its first minutes.
    """
    place_of = {index: place for place, index in enumerate(shown)}
    sectors = sorted({quote.sector for quote in snapshot.quotes if quote.sector})
    sector_places = {sector: place for place, sector in enumerate(sectors)}
    over = periods_of(past)
    changes = _changes(past, snapshot.quotes)
    found, lacks = _read_all(past, snapshot, over, changes, options)
    with_values = {name for name, reading in found.items() if reading.values}
    over = {name: period for name, period in over.items() if f"change {name}" in with_values}
    own_modes = {name.split()[0] for name in with_values} | {"opening-range"}
    found = {
        name: reading
        for name, reading in found.items()
        if reading.mode in own_modes
        and (reading.period in over or reading.period == periods.DAY or reading.mode == "bands")
    }
    in_place = [snapshot.quotes[index] for index in shown]
    symbols = [quote.symbol for quote in in_place]
    momentum_periods = [name for name in over if f"momentum {name}" in found]
    own = {"momentum": sorted(momentum_periods, key=lambda name: name != f"{periods.BAND_SESSIONS}d")}
    return {
        "as_of": snapshot.as_of.isoformat(),
        "periods": {
            name: {
                "since": wording.format_day(past.digest.starts[name].date),
                "label": period.label,
                "adjusted": len(past.digest.starts[name].adjusted_symbols),
            }
            for name, period in over.items()
        },
        "modes": {
            mode.name: data.mode_data(mode)
            | {"label": mode.label, "formula": mode.formula, "caveat": mode.caveat}
            | ({"periods": own[mode.name]} if mode.name in own else {})
            for mode in modes.HISTORY_MODES.values()
            if mode.name in own_modes
        },
        "unavailable": {name: lack for name, lack in lacks.items() if name in found},
        "readings": {
            name: data.encode_ranking(
                snapshot, reading, place_of, sector_places, changes.get(_changes_of(reading))
            )
            for name, reading in found.items()
        },
        "adjusted": {
            name: varint.encode(
                place for place, symbol in enumerate(symbols) if symbol in base.adjusted_symbols
            )
            for name, base in past.digest.starts.items()
            if base.adjusted_symbols
        },
        "guesses": _by_period(past, symbols, _guess),
        "doubts": _by_period(past, symbols, _doubt),
        "sparks": {
            "height": sparklines.HEIGHT,
            "day": _day_lines(past.tape, symbols),
            "sixty": _lines(sparklines.add_last_prices(past.lines, past.digest.closes, in_place))
            | {
                "dates": [
                    wording.format_day(day)
                    for day in (*past.digest.dates[1 - sparklines.SESSIONS :], past.session)
                ]
            },
        },
    }


def _by_period(
    past: HistoryView, symbols: Sequence[str], tell: Callable[[EarlierSessions, PeriodStart, str], str]
) -> dict[str, dict[str, str]]:
    """Return what there is to tell of stocks over each period, without those of which there is nothing."""
    found = {
        name: {symbol: text for symbol in symbols if (text := tell(past.digest, base, symbol))}
        for name, base in past.digest.starts.items()
    }
    return {name: texts for name, texts in found.items() if texts}


def _guess(digest: EarlierSessions, base: PeriodStart, symbol: str) -> str:
    """Return that a stock's period rests on a split or bonus that is only probable; "" where it does not."""
    day = digest.guesses.get(symbol)
    if day is None or base.date is None or base.date >= day or symbol not in base.adjusted_symbols:
        return ""
    return f"This period is adjusted for what was probably a split or bonus on {wording.format_day(day)}."


def _doubt(digest: EarlierSessions, base: PeriodStart, symbol: str) -> str:
    """Return why a stock's prices are not comparable over a period; "" where they are."""
    found = digest.breaks.get(symbol)
    if found is None or base.date is None or base.date >= found.date:
        return ""
    day = wording.format_day(found.date)
    if found.is_gap:
        return f"Sessions before {day} are missing, and its price changed much meanwhile: perhaps by a split."
    return f"On {day} the terms of its price changed, and no split or bonus explains it."


def periods_of(past: HistoryView) -> dict[str, Period]:
    """Return the history's periods, the shortest first; the year's is as long as the year has been."""
    found = []
    for name, base in past.digest.starts.items():
        known = periods.parse_period(name)
        if known:
            found.append(known._replace(sessions=base.sessions))
    return {period.name: period for period in sorted(found, key=lambda period: period.sessions)}


def _changes(past: HistoryView, quotes: Sequence[Quote]) -> dict[str, measures.Values]:
    """Return the exact percent changes over each of the digest's periods, quote by quote."""
    prices = [quote.last_price for quote in quotes]
    return {
        name: history_measures.period_changes(prices, [base.closes.get(quote.symbol) for quote in quotes])
        for name, base in past.digest.starts.items()
    }


def _changes_of(reading: Ranking) -> str:
    """Return over which period a reading's sectors rose or fell."""
    return reading.period if modes.ALL_MODES[reading.mode].periods is None else periods.DAY


def _read_all(
    past: HistoryView,
    snapshot: Snapshot,
    over: Mapping[str, Period],
    changes: Mapping[str, measures.Values],
    options: PageOptions,
) -> tuple[dict[str, Ranking], dict[str, str]]:
    """Return the readings, and of those without values, why."""
    quotes, digest = snapshot.quotes, past.digest
    found: dict[str, Ranking] = {}
    lacks: dict[str, str] = {}
    prices = [quote.last_price for quote in quotes]
    sectors = [quote.sector for quote in quotes]
    yesterday = _last_closes(past, quotes)
    last_changes = [  # to the last digit: a spread is made of them
        (price / close - 1) * 100 if price and close else None
        for price, close in zip(prices, yesterday, strict=True)
    ]

    def add(mode: str, period: Period, values: measures.Values, lack: str = "") -> None:
        chosen = modes.ALL_MODES[mode]
        clamp = chosen.clamp or options.period_clamps.get(period.name) or period.clamp(options.clamp_percent)
        name = f"{mode} {period.name}"
        found[name] = rankings.rank_values(
            snapshot, chosen, period, values, clamp, with_scores=mode != "sector", is_exact=mode == "change"
        )
        if not found[name].values:
            lacks[name] = lack or f"it takes {chosen.required_data}"

    for name, period in over.items():
        base = digest.starts[name]
        add("change", period, changes[name])
        if found[f"change {name}"].scores:
            found[f"rs {name}"] = rankings.rank_relative_strength(found[f"change {name}"])
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
    bands = over[f"{periods.BAND_SESSIONS}d"]
    closes = [digest.closes.get(quote.symbol, ()) for quote in quotes]
    add("bands", bands, history_measures.band_positions(prices, closes))
    day = periods.Period(periods.DAY, "1 day", 1)
    usual = [past.usual.volumes.get(quote.symbol) for quote in quotes]
    add("volume", day, history_measures.volume_ratios(quotes, usual))
    ranges = [past.opening.ranges.get(quote.symbol) for quote in quotes]
    add("opening-range", day, history_measures.breakouts(prices, ranges), past.opening.reason_missing)
    before = [
        None if close is None else digest.streaks.get(quote.symbol)
        for quote, close in zip(quotes, yesterday, strict=True)
    ]
    add(
        "streak",
        day,
        history_measures.streaks([quote.percent_change for quote in quotes], before),
    )
    return found, lacks


def _last_closes(past: HistoryView, quotes: Sequence[Quote]) -> measures.Values:
    """Return each quote's close of the session before, on the terms of this one."""
    found = (past.digest.closes.get(quote.symbol) for quote in quotes)
    return [closes[-1] if closes else None for closes in found]


def _day_lines(tape: ReplayTrack, symbols: Sequence[str]) -> dict[str, Any]:
    """Return the lines of the session so far, as `_lines` does; one without points has no prices."""
    place_of = {symbol: place for place, symbol in enumerate(tape.symbols)}
    places = [place_of[symbol] for symbol in symbols]
    rounded = [
        (tape.firsts[place], tape.lows[place], tape.highs[place], tape.last_prices[place])
        if tape.points[place]
        else (0, 0, 0, 0)
        for place in places
    ]
    return {
        "decimals": tape.decimals,
        "points": [tape.points[place] for place in places],
        **_ends(rounded),
        "times": [minute[-5:] for minute in tape.minutes],
    }


def _lines(lines: Sequence[Sparkline | None]) -> dict[str, Any]:
    """Return lines, packed: each stock's points, 0 for what is not known, and its prices in the last decimal.

    `first` is 0 where there is no line; the low and the high are how far they are from it, the last price
    by how much it differs, 0 and more before less.
    """
    known = [line for line in lines if line]
    lowest = min((line.low for line in known), default=1.0)
    decimals = varint.price_decimals(lowest)
    unit = 10**decimals
    rounded = [
        [round(price * unit) for price in (line.first, line.low, line.high, line.last)] if line else [0] * 4
        for line in lines
    ]
    return {
        "decimals": decimals,
        "points": [line.heights if line else "" for line in lines],
        **_ends(rounded),
    }


def _ends(rounded: Sequence[Sequence[int]]) -> dict[str, str]:
    """Return first, low, high and last of each line, packed."""
    return {
        "first": varint.encode(first for first, *_ in rounded),
        "low": varint.encode(first - low for first, low, *_ in rounded),
        "high": varint.encode(high - first for first, _, high, _ in rounded),
        "last": varint.encode(varint.zigzag(last - first) for first, *_, last in rounded),
    }
