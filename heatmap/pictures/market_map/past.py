"""What one tick asks of the history: the digest of earlier sessions, and this session so far."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple
from zlib import crc32
from zoneinfo import ZoneInfo

from heatmap.analysis.measures import median
from heatmap.history import pending_actions, tick_codec
from heatmap.history.model import (
    EarlierSessions,
    EncodedTick,
    OpeningRange,
    PeriodStart,
    TermsBreak,
    Tick,
    UsualVolumes,
)
from heatmap.market.calendar import phases
from heatmap.market.periods import BAND_SESSIONS
from heatmap.market.plausibility import BAND
from heatmap.pictures.market_map import sparklines
from heatmap.pictures.market_map.replay_track import ReplayTrack
from heatmap.pictures.market_map.sparklines import Sparkline
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

# Of a tape, beyond which every second moment is left out, or two of three, …: 285 moments of 210 stocks, 30
# of 2,000.
MOST_FIGURES = 60_000
PORTION = 100  # symbols that bars are asked of at once
USUAL_SESSIONS = 20  # whose ticks tell the usual volume by a time of day
ENOUGH_SESSIONS = 5  # of them, below which a share of the day's volume is taken instead
OPENING = timedelta(minutes=15)
OPENING_TOLERANCE = timedelta(minutes=1)  # a tick of 09:30:02 still tells the range up to 09:30
NEAREST = timedelta(minutes=5)  # how far an earlier session's tick may be from this time of day


class HistoryView(NamedTuple):
    """What the history knows at one tick."""

    session: date  # that the tick is of
    digest: EarlierSessions
    lines: Mapping[str, Sparkline]  # by symbol: of the digest's closes, up to the place of this session
    tape: ReplayTrack  # of this session's moments, the tick's own among them
    usual: UsualVolumes
    opening: OpeningRange


class PastReader(NamedTuple):
    """One market's part of a history, as a tick asks for it. Raises HistoryError."""

    store: Store
    market: str  # its name in the store
    calendar: Calendar
    names: tuple[str, ...]  # of the periods
    folder: Path  # where the digest is kept between ticks

    def past(self, snapshot: Snapshot, session: date, phase: Phase) -> HistoryView:
        """Return what there is to tell beside a snapshot of `session`."""
        quotes = snapshot.quotes
        now = Tick(snapshot.as_of, phase, tick_codec.make_rows(quotes))
        earlier = [tick for tick in self.store.encoded_ticks(self.market, session) if tick.as_of != now.as_of]
        digest, lines = self._earlier_sessions(quotes, session)
        hours = phases.session_on(self.calendar, session)
        by_opening = self.store.decode(self.market, _by_opening(earlier, hours))
        return HistoryView(
            session=session,
            digest=digest,
            lines=lines,
            tape=self._tape(quotes, earlier, now),
            usual=self._usual(digest, quotes, snapshot.as_of, session, hours),
            opening=find_opening_range(
                sorted([*by_opening, now], key=lambda found: found.as_of), hours, now.as_of
            ),
        )

    def digest(self, quotes: Sequence[Quote], session: date) -> EarlierSessions:
        """Return the digest of the sessions before `session`, made anew where what is behind it changed."""
        return self._earlier_sessions(quotes, session)[0]

    def _earlier_sessions(
        self, quotes: Sequence[Quote], session: date
    ) -> tuple[EarlierSessions, Mapping[str, Sparkline]]:
        """Return the digest of the sessions before `session`, and the lines of its closes by symbol."""
        names = tuple(dict.fromkeys((*self.names, f"{BAND_SESSIONS}d")))
        dates = [day for day in self.store.sessions(self.market) if day < session]
        archived = len(self.store.archived_sessions(self.market))
        symbols = sorted(quote.symbol for quote in quotes)
        aliases = [
            list(map(str, known)) for known in (*self.calendar.symbol_changes, *self.calendar.declared_splits)
        ]
        known = (len(dates), str(dates[-1:]), archived)
        doubted = sorted(quote.symbol for quote in quotes if quote.percent_change is None)
        # Whether a whole session is beyond the band can change as long as it runs.
        far = sorted(quote.symbol for quote in quotes if _is_far(quote))
        key = (str(session), names, known, symbols, aliases, doubted, far)
        path = self.folder / cache.summary_name(self.market)
        kept = cache.read(path, key)
        if kept is not None:
            return _decoded(kept)
        from heatmap.history import period_starts, quoted_closes, summary

        asked = {*symbols, *(alias.old for alias in self.calendar.symbol_changes)}
        count = period_starts.count_sessions_needed(names) + 1
        bars = self._bars(sorted(asked), session, count) if dates else []
        closes = quoted_closes.make_lookup(self.store, self.market, self.calendar.symbol_changes)
        digest = summary.make(bars, self.calendar, quotes, session, names, closes)
        encoded = _encoded(digest) | {"lines": sparklines.draw_closes(digest.closes)}
        cache.write(path, key, encoded)
        return _decoded(cache.as_read(encoded))  # the same, to the last type, as the next tick reads

    def _bars(self, symbols: Sequence[str], session: date, count: int) -> list[Bar]:
        """Return the bars of some symbols over `count` sessions before `session`.

        They are asked for in portions: rows as the database gives them take as much memory as the bars.
        """
        found: list[Bar] = []
        for first in range(0, len(symbols), PORTION):
            portion = symbols[first : first + PORTION]
            found += self.store.bars(self.market, session - phases.ONE_DAY, count, portion)
        return found

    def _tape(self, quotes: Sequence[Quote], earlier: Sequence[EncodedTick], now: Tick) -> ReplayTrack:
        """Return the session's tape, of which what is earlier than `now` is kept for the next tick.

        Of the ticks of one minute it has the last.
        """
        zone = ZoneInfo(self.calendar.time_zone)
        every: list[EncodedTick | Tick] = [*earlier, now]
        every.sort(key=lambda tick: tick.as_of)
        ticks = {f"{tick.as_of.astimezone(zone):%Y-%m-%dT%H:%M}": tick for tick in every}
        minutes = _thinned(list(ticks), len(quotes))

        def extended(tape: ReplayTrack, wanted: Sequence[str]) -> ReplayTrack:
            for minute in wanted[len(tape.seen) :]:
                tick = ticks[minute]
                found = self.store.decode(self.market, [tick]) if isinstance(tick, EncodedTick) else [tick]
                for moment in found:  # none, where it is damaged
                    tape.add(minute, moment.rows)
                tape.seen.append(_mark(tick))
            if tape.decimals != varint.price_decimals(tape.lowest or 1.0):
                return extended(ReplayTrack(quotes, varint.SMALL_PRICE_DECIMALS), wanted)
            tape.settle()
            return tape

        before = [minute for minute in minutes if ticks[minute].as_of < now.as_of]
        marks = [_mark(ticks[minute]) for minute in before]
        path, new = self.folder / cache.replay_track_name(self.market), ReplayTrack(quotes)
        key = (str(zone), new.symbols, new.sectors, new.members)
        kept = cache.read(path, key)
        begun = ReplayTrack.revived(kept) if kept and kept["seen"] == marks[: len(kept["seen"])] else new
        is_known = begun.seen == marks
        tape = extended(begun, before)
        if not is_known:
            cache.write(path, key, vars(tape))
        return extended(tape, minutes)

    def _usual(
        self,
        digest: EarlierSessions,
        quotes: Sequence[Quote],
        as_of: datetime,
        session: date,
        hours: Session | None,
    ) -> UsualVolumes:
        """Return the usual volumes by the time of day of `as_of`."""
        sessions = [day for day in self.store.tick_sessions(self.market) if day < session][-USUAL_SESSIONS:]
        zone = ZoneInfo(self.calendar.time_zone)
        wall = as_of.astimezone(zone).replace(tzinfo=None)
        # The same time of day by that day's clock.
        moments = {day: (wall + (day - session)).replace(tzinfo=zone) for day in sessions}
        after = self.store.volumes_at(self.market, {day: at + NEAREST / 2 for day, at in moments.items()})
        near = [(day, volumes) for day, at, volumes in after if moments[day] - at <= NEAREST]
        found: dict[str, list[float]] = {quote.symbol: [] for quote in quotes}
        for day, volumes in near:
            renamed = {alias.new: alias.old for alias in self.calendar.symbol_changes if alias.old in volumes}
            factors = _factors(digest, day)
            for symbol, own in found.items():
                volume = volumes.get(symbol)
                if volume is None and symbol in renamed:
                    volume = volumes[renamed[symbol]]
                factor = factors.get(symbol, 1.0)
                if volume is not None and factor is not None:
                    own.append(volume / factor)
        by_time = {
            symbol: usual
            for symbol, volumes in found.items()
            if len(volumes) >= ENOUGH_SESSIONS and (usual := median(volumes))
        }
        share = elapsed_share(hours, as_of)
        by_day = {symbol: volume * share for symbol, volume in digest.volumes.items()} if share else {}
        return UsualVolumes(by_day | by_time, len(by_time), len(near))


def _is_far(quote: Quote) -> bool:
    """Whether a price is as far from the previous close as no price band lets it be."""
    price, close = quote.last_price, quote.previous_close
    return bool(price and close and abs(price / close - 1) > BAND)


def forget_summaries(folder: Path) -> None:
    """Have every digest made anew: what they were made of has changed."""
    for path in folder.glob(cache.summary_name("*")):
        path.unlink(missing_ok=True)


def find_opening_range(moments: Sequence[Tick], hours: Session | None, now: datetime) -> OpeningRange:
    """Return the range of a session's first OPENING from the ticks by then.

    A tick carries the session's high and low so far, so the last one by the end of the opening has it all,
    but for what came after that tick: it must be no older than NEAREST.
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


def _by_opening(ticks: Sequence[EncodedTick], hours: Session | None) -> Sequence[EncodedTick]:
    """Return the last tick that can tell the opening range, alone, so that no other need be unpacked."""
    if hours is None or not hours.windows:
        return ()
    ends = hours.windows[0].opens + OPENING + OPENING_TOLERANCE
    return [tick for tick in ticks if tick.as_of <= ends][-1:]


def elapsed_share(hours: Session | None, now: datetime) -> float:
    """Return how much of a session's trading time is over, 0 to 1; 0 where its hours are not known."""
    if hours is None or not hours.windows:
        return 0.0
    whole = sum((window.closes - window.opens).total_seconds() for window in hours.windows)
    over = sum(
        (min(now, window.closes) - window.opens).total_seconds()
        for window in hours.windows
        if now > window.opens
    )
    return over / whole


def _factors(digest: EarlierSessions, day: date) -> dict[str, float | None]:
    """Return what prices of that day are multiplied by, where that is not 1; a volume is divided by it.

    None: not known.
    """
    if day not in digest.dates:
        return {}
    place = digest.dates.index(day)
    return {symbol: factors[place] for symbol, factors in digest.factors.items()}


def _encoded(digest: EarlierSessions) -> dict[str, Any]:
    starts = {
        name: start._asdict()
        | {
            "date": start.date and start.date.isoformat(),
            "adjusted_symbols": sorted(start.adjusted_symbols),
        }
        for name, start in digest.starts.items()
    }
    return digest._asdict() | {
        "dates": [day.isoformat() for day in digest.dates],
        "gap": digest.gap and digest.gap.isoformat(),
        "starts": starts,
        "breaks": {symbol: [found.date.isoformat(), found.is_gap] for symbol, found in digest.breaks.items()},
        "guesses": {symbol: day.isoformat() for symbol, day in digest.guesses.items()},
        "pending": pending_actions.encode(digest.pending),
    }


def _decoded(document: Mapping[str, Any]) -> tuple[EarlierSessions, Mapping[str, Sparkline]]:
    """Return the digest and the lines of what was kept."""
    starts = {}
    for name, start in document["starts"].items():
        fields = {field: start[field] for field in PeriodStart._fields}
        day = fields["date"] and date.fromisoformat(fields["date"])
        symbols = frozenset(fields["adjusted_symbols"])
        starts[name] = PeriodStart(**fields | {"date": day, "adjusted_symbols": symbols})
    fields = {field: document[field] for field in EarlierSessions._fields}
    gap = fields["gap"] and date.fromisoformat(fields["gap"])
    dates = tuple(map(date.fromisoformat, fields["dates"]))
    lines = {symbol: Sparkline(*line) for symbol, line in document["lines"].items()}
    parts = {
        "breaks": {
            symbol: TermsBreak(date.fromisoformat(day), is_gap)
            for symbol, (day, is_gap) in fields["breaks"].items()
        },
        "guesses": {symbol: date.fromisoformat(day) for symbol, day in fields["guesses"].items()},
        "pending": pending_actions.decode(fields["pending"]),
    }
    return EarlierSessions(**fields | parts | {"dates": dates, "gap": gap, "starts": starts}), lines


def _mark(tick: EncodedTick | Tick) -> list[str | int]:
    """Return what tells one tick's figures from any other's."""
    return [str(tick.as_of), crc32(tick.figures) if isinstance(tick, EncodedTick) else 0]


def _thinned(minutes: Sequence[str], stocks: int) -> list[str]:
    """Return so many of the moments as may be, evenly, the last among them."""
    step = -(-len(minutes) * max(stocks, 1) // MOST_FIGURES)
    return list(minutes[::-1][:: max(step, 1)][::-1])
