"""Reads the history for one drawing: the summary of earlier sessions, and the session so far."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple
from zlib import crc32
from zoneinfo import ZoneInfo

from heatmap.analysis.measures import median
from heatmap.history import tick_codec
from heatmap.history.model import EarlierSessions, EncodedTick, OpeningRange, Tick, UsualVolumes
from heatmap.market.calendar import phases
from heatmap.market.periods import BAND_SESSIONS
from heatmap.market.plausibility import BAND
from heatmap.pictures.market_map import sparklines, summary_codec
from heatmap.pictures.market_map.replay_track import ReplayTrack
from heatmap.state import cache
from heatmap.system import varint

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from heatmap.history.store import Store
    from heatmap.market.bars import Bar
    from heatmap.market.calendar.phases import Calendar
    from heatmap.market.calendar.session import Phase, Session
    from heatmap.market.quotes import Quote, Snapshot
    from heatmap.pictures.market_map.sparklines import Sparkline

# A replay track with more figures than this leaves out every second moment, or two of three, and so on:
# 285 moments of 210 stocks fit, or 30 moments of 2,000.
MOST_FIGURES = 60_000
PORTION = 100  # the number of symbols in one query for bars
USUAL_SESSIONS = 20  # the number of sessions whose ticks give the usual volume at a time of day
ENOUGH_SESSIONS = 5  # with fewer of these sessions, a share of the day's volume is taken instead
OPENING = timedelta(minutes=15)
OPENING_TOLERANCE = timedelta(minutes=1)  # a tick of 09:30:02 still gives the range up to 09:30
NEAREST = timedelta(minutes=5)  # how far an earlier session's tick may be from this time of day


class HistoryView(NamedTuple):
    """Everything that a drawing takes from the history."""

    session: date  # the session of the snapshot
    earlier_sessions: EarlierSessions
    sparklines: Mapping[str, Sparkline]  # by symbol: the earlier sessions' closes, without this session's
    replay_track: ReplayTrack  # this session's moments, with the snapshot's own
    usual_volumes: UsualVolumes
    opening_range: OpeningRange


class PastReader(NamedTuple):
    """Reads one market's part of a history. Its methods raise HistoryError."""

    store: Store
    market: str  # its name in the store
    calendar: Calendar
    names: tuple[str, ...]  # the names of the periods
    folder: Path  # the state directory, which has the caches

    def read(self, snapshot: Snapshot, session: date, phase: Phase) -> HistoryView:
        """Return everything that the drawing of a snapshot of `session` takes from the history."""
        quotes = snapshot.quotes
        now = Tick(snapshot.as_of, phase, tick_codec.make_rows(quotes))
        ticks = [tick for tick in self.store.encoded_ticks(self.market, session) if tick.as_of != now.as_of]
        earlier, lines = self.summarize(quotes, session)
        hours = phases.session_on(self.calendar, session)
        opening_ticks = self.store.decode(self.market, _last_opening_tick(ticks, hours))
        return HistoryView(
            session=session,
            earlier_sessions=earlier,
            sparklines=lines,
            replay_track=self._make_track(quotes, ticks, now),
            usual_volumes=self._find_usual_volumes(earlier, quotes, snapshot.as_of, session, hours),
            opening_range=find_opening_range(
                sorted([*opening_ticks, now], key=lambda tick: tick.as_of), hours, now.as_of
            ),
        )

    def summarize(
        self, quotes: Sequence[Quote], session: date
    ) -> tuple[EarlierSessions, Mapping[str, Sparkline]]:
        """Return the summary of the sessions before `session`, and the sparklines of its closes by symbol.

        Both are from the cache if the data behind them are the same.
        """
        names = tuple(dict.fromkeys((*self.names, f"{BAND_SESSIONS}d")))
        dates = [day for day in self.store.sessions(self.market) if day < session]
        archive_count = len(self.store.archived_sessions(self.market))
        symbols = sorted(quote.symbol for quote in quotes)
        calendar_entries = [
            list(map(str, entry)) for entry in (*self.calendar.symbol_changes, *self.calendar.declared_splits)
        ]
        contents = (len(dates), str(dates[-1:]), archive_count)
        doubtful = sorted(quote.symbol for quote in quotes if quote.percent_change is None)
        # A running session can still move beyond the band, or back.
        far = sorted(quote.symbol for quote in quotes if _is_far(quote))
        key = (str(session), names, contents, symbols, calendar_entries, doubtful, far)
        path = self.folder / cache.summary_name(self.market)
        cached = cache.read(path, key)
        if cached is not None:
            return summary_codec.decode(cached)
        from heatmap.history import period_starts, quoted_closes, summary

        every_symbol = {*symbols, *(alias.old for alias in self.calendar.symbol_changes)}
        count = period_starts.count_sessions_needed(names) + 1
        bars = self._read_bars(sorted(every_symbol), session, count) if dates else []
        closes = quoted_closes.make_lookup(self.store, self.market, self.calendar.symbol_changes)
        earlier = summary.make(bars, self.calendar, quotes, session, names, closes)
        encoded = summary_codec.encode(earlier, sparklines.draw_closes(earlier.closes))
        cache.write(path, key, encoded)
        # The result has the same types as one from the cache.
        return summary_codec.decode(cache.as_read(encoded))

    def _read_bars(self, symbols: Sequence[str], session: date, count: int) -> list[Bar]:
        """Return the bars of some symbols over `count` sessions before `session`.

        They are read in portions: the database's rows take as much memory as the bars.
        """
        bars: list[Bar] = []
        for first in range(0, len(symbols), PORTION):
            portion = symbols[first : first + PORTION]
            bars += self.store.bars(self.market, session - phases.ONE_DAY, count, portion)
        return bars

    def _make_track(self, quotes: Sequence[Quote], earlier: Sequence[EncodedTick], now: Tick) -> ReplayTrack:
        """Return the session's replay track. The part before `now` is cached for the next run.

        Of several ticks in one minute, the track has the last.
        """
        zone = ZoneInfo(self.calendar.time_zone)
        every: list[EncodedTick | Tick] = [*earlier, now]
        every.sort(key=lambda tick: tick.as_of)
        ticks = {f"{tick.as_of.astimezone(zone):%Y-%m-%dT%H:%M}": tick for tick in every}
        minutes = _thin_out(list(ticks), len(quotes))

        def extend(track: ReplayTrack, up_to: Sequence[str]) -> ReplayTrack:
            for minute in up_to[len(track.tick_marks) :]:
                tick = ticks[minute]
                moments = self.store.decode(self.market, [tick]) if isinstance(tick, EncodedTick) else [tick]
                for moment in moments:  # a damaged tick gives none
                    track.add(minute, moment.rows)
                track.tick_marks.append(_mark(tick))
            if track.decimals != varint.price_decimals(track.lowest or 1.0):
                return extend(ReplayTrack(quotes, varint.SMALL_PRICE_DECIMALS), up_to)
            track.redraw_lines()
            return track

        before = [minute for minute in minutes if ticks[minute].as_of < now.as_of]
        marks = [_mark(ticks[minute]) for minute in before]
        path, track = self.folder / cache.replay_track_name(self.market), ReplayTrack(quotes)
        key = (str(zone), track.symbols, track.sectors, track.members)
        cached = cache.read(path, key)
        if cached and cached["tick_marks"] == marks[: len(cached["tick_marks"])]:
            track = ReplayTrack.from_cache(cached)
        is_cached = track.tick_marks == marks
        track = extend(track, before)
        if not is_cached:
            cache.write(path, key, vars(track))
        return extend(track, minutes)

    def _find_usual_volumes(
        self,
        earlier: EarlierSessions,
        quotes: Sequence[Quote],
        as_of: datetime,
        session: date,
        hours: Session | None,
    ) -> UsualVolumes:
        """Return the usual volumes at the time of day of `as_of`."""
        sessions = [day for day in self.store.tick_sessions(self.market) if day < session][-USUAL_SESSIONS:]
        zone = ZoneInfo(self.calendar.time_zone)
        wall = as_of.astimezone(zone).replace(tzinfo=None)
        # The same time of day by that day's clock.
        moments = {day: (wall + (day - session)).replace(tzinfo=zone) for day in sessions}
        ticks = self.store.volumes_at(self.market, {day: at + NEAREST / 2 for day, at in moments.items()})
        near = [(day, volumes) for day, at, volumes in ticks if moments[day] - at <= NEAREST]
        volumes_of: dict[str, list[float]] = {quote.symbol: [] for quote in quotes}
        for day, volumes in near:
            old_names = {
                alias.new: alias.old for alias in self.calendar.symbol_changes if alias.old in volumes
            }
            factors = _price_factors(earlier, day)
            for symbol, own in volumes_of.items():
                volume = volumes.get(symbol)
                if volume is None and symbol in old_names:
                    volume = volumes[old_names[symbol]]
                factor = factors.get(symbol, 1.0)
                if volume is not None and factor is not None:
                    own.append(volume / factor)
        by_time = {
            symbol: usual
            for symbol, volumes in volumes_of.items()
            if len(volumes) >= ENOUGH_SESSIONS and (usual := median(volumes))
        }
        share = elapsed_share(hours, as_of)
        by_day = {symbol: volume * share for symbol, volume in earlier.volumes.items()} if share else {}
        return UsualVolumes(by_day | by_time, len(by_time), len(near))


def _is_far(quote: Quote) -> bool:
    """Whether a price is farther from the previous close than any price band allows."""
    price, close = quote.last_price, quote.previous_close
    return bool(price and close and abs(price / close - 1) > BAND)


def forget_summaries(folder: Path) -> None:
    """Delete the cached summaries of earlier sessions: their data have changed."""
    for path in folder.glob(cache.summary_name("*")):
        path.unlink(missing_ok=True)


def find_opening_range(moments: Sequence[Tick], hours: Session | None, now: datetime) -> OpeningRange:
    """Return the range of a session's first OPENING from the ticks by then.

    A tick has the session's high and low so far. So the last tick by the end of the opening has the whole
    range, except for prices after that tick. It must be no older than NEAREST.
    """
    if hours is None or not hours.windows:
        return OpeningRange({}, "it takes a session whose opening is known")
    ends = hours.windows[0].opens + OPENING
    if now < ends:
        return OpeningRange(
            {}, f"it takes the first {OPENING.seconds // 60} minutes, which end at {ends:%H:%M}"
        )
    by_then = [moment for moment in moments if moment.as_of <= ends + OPENING_TOLERANCE]
    if not by_then or by_then[-1].as_of < ends - NEAREST - OPENING_TOLERANCE:
        return OpeningRange({}, f"the first {OPENING.seconds // 60} minutes of this session are not known")
    return OpeningRange(
        {
            symbol: (row.low, row.high)
            for symbol, row in by_then[-1].rows.items()
            if row.low is not None and row.high is not None and row.low < row.high
        }
    )


def _last_opening_tick(ticks: Sequence[EncodedTick], hours: Session | None) -> Sequence[EncodedTick]:
    """Return the last tick that can have the opening range, in a list of one: only this one is decoded."""
    if hours is None or not hours.windows:
        return ()
    ends = hours.windows[0].opens + OPENING + OPENING_TOLERANCE
    return [tick for tick in ticks if tick.as_of <= ends][-1:]


def elapsed_share(hours: Session | None, now: datetime) -> float:
    """Return how much of a session's trading time is over, 0 to 1; 0 if its hours are unknown."""
    if hours is None or not hours.windows:
        return 0.0
    whole = sum((window.closes - window.opens).total_seconds() for window in hours.windows)
    over = sum(
        (min(now, window.closes) - window.opens).total_seconds()
        for window in hours.windows
        if now > window.opens
    )
    return over / whole


def _price_factors(earlier: EarlierSessions, day: date) -> dict[str, float | None]:
    """Return the factors of that day's prices that are not 1, by symbol; a volume is divided by its factor.

    None: the factor is unknown.
    """
    if day not in earlier.dates:
        return {}
    index = earlier.dates.index(day)
    return {symbol: factors[index] for symbol, factors in earlier.factors.items()}


def _mark(tick: EncodedTick | Tick) -> list[str | int]:
    """Return the time of a tick and a checksum of its figures: they identify it."""
    return [str(tick.as_of), crc32(tick.figures) if isinstance(tick, EncodedTick) else 0]


def _thin_out(minutes: Sequence[str], stocks: int) -> list[str]:
    """Return as many of the moments as MOST_FIGURES allows, evenly spread, with the last one."""
    step = -(-len(minutes) * max(stocks, 1) // MOST_FIGURES)
    return list(minutes[::-1][:: max(step, 1)][::-1])
