"""What one tick asks of the history: the digest of earlier sessions, and this session so far."""

from __future__ import annotations

import json
from contextlib import suppress
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple
from zoneinfo import ZoneInfo

from heatmap import __version__, guard
from heatmap.history import packing
from heatmap.history.model import Base, Digest, Moment, Opening, Past, Usual
from heatmap.measures import median
from heatmap.periods import BAND_SESSIONS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from heatmap.guard import Calendar
    from heatmap.history.store import Store
    from heatmap.model import Quote, Snapshot
    from heatmap.session import Phase, Session

VERSION = 1  # of the digest's file
USUAL_SESSIONS = 20  # whose ticks tell the usual volume by a time of day
ENOUGH_SESSIONS = 5  # of them, below which a share of the day's volume is taken instead
OPENING = timedelta(minutes=15)
OPENING_TOLERANCE = timedelta(minutes=1)  # a tick of 09:30:02 still tells the range up to 09:30
NEAREST = timedelta(minutes=5)  # how far an earlier session's tick may be from this time of day


class Figures(NamedTuple):
    """One market's part of a history, as a tick asks for it. Raises HistoryError."""

    store: Store
    market: str  # its name in the store
    calendar: Calendar
    names: tuple[str, ...]  # of the periods
    folder: Path  # where the digest is kept between ticks

    def past(self, snapshot: Snapshot, session: date, phase: Phase) -> Past:
        """Return what there is to tell beside a snapshot of `session`."""
        quotes = snapshot.quotes
        now = Moment(snapshot.as_of, phase, packing.rows(quotes))
        earlier = [found for found in self.store.ticks(self.market, session) if found.as_of != now.as_of]
        moments = tuple(sorted((*earlier, now), key=lambda found: found.as_of))
        digest = self.digest(quotes, session)
        hours = guard.session_on(self.calendar, session)
        return Past(
            session=session,
            digest=digest,
            moments=moments,
            usual=self._usual(digest, quotes, snapshot.as_of, session, hours),
            opening=opening(moments, hours, now.as_of),
        )

    def digest(self, quotes: Sequence[Quote], session: date) -> Digest:
        """Return the digest of the sessions before `session`, made anew where what is behind it changed."""
        names = tuple(dict.fromkeys((*self.names, f"{BAND_SESSIONS}d")))
        dates = [day for day in self.store.sessions(self.market) if day < session]
        archived = len(self.store.archived_sessions(self.market))
        symbols = sorted(quote.symbol for quote in quotes)
        aliases = [list(map(str, known)) for known in (*self.calendar.aliases, *self.calendar.terms)]
        known = (len(dates), str(dates[-1:]), archived)
        head = (VERSION, __version__, str(session), names, known, symbols, aliases)
        key = json.loads(json.dumps(head))
        path = self.folder / digest_name(self.market)
        with suppress(OSError, ValueError, TypeError, KeyError, AttributeError):
            document = json.loads(path.read_bytes())
            if document["key"] == key:
                return _decoded(document)
        from heatmap.history import digests, periods

        asked = {*symbols, *(alias.old for alias in self.calendar.aliases)}
        count = periods.sessions_needed(names) + 1
        bars = self.store.bars(self.market, session - guard.ONE_DAY, count, sorted(asked)) if dates else []
        digest = digests.make(bars, self.calendar, quotes, session, names)
        written = json.dumps({"key": key, **_encoded(digest)}, separators=(",", ":"))
        _write(path, written)
        return _decoded(json.loads(written))  # the same, to the last type, as the next tick reads

    def _usual(
        self,
        digest: Digest,
        quotes: Sequence[Quote],
        as_of: datetime,
        session: date,
        hours: Session | None,
    ) -> Usual:
        """Return the usual volumes by the time of day of `as_of`."""
        sessions = [day for day in self.store.tick_sessions(self.market) if day < session][-USUAL_SESSIONS:]
        found: dict[str, list[float]] = {}
        count = 0
        since_midnight = as_of.astimezone(ZoneInfo(self.calendar.time_zone)).replace(tzinfo=None)
        for day in sessions:
            wall = since_midnight + (day - session)
            moment = wall.replace(tzinfo=ZoneInfo(self.calendar.time_zone))
            tick = self.store.tick_at(self.market, day, moment + NEAREST / 2)
            if tick is None or moment - tick.as_of > NEAREST:
                continue
            count += 1
            renamed = {alias.new: alias.old for alias in self.calendar.aliases if alias.old in tick.rows}
            for quote in quotes:
                row = tick.rows.get(quote.symbol) or tick.rows.get(renamed.get(quote.symbol, ""))
                if row and row.volume is not None:
                    volume = row.volume / _factor(digest, quote.symbol, day)
                    found.setdefault(quote.symbol, []).append(volume)
        by_time = {
            symbol: usual
            for symbol, volumes in found.items()
            if len(volumes) >= ENOUGH_SESSIONS and (usual := median(volumes))
        }
        share = elapsed_share(hours, as_of)
        by_day = {symbol: volume * share for symbol, volume in digest.volumes.items()} if share else {}
        return Usual(by_day | by_time, len(by_time), count)


def digest_name(market: str) -> str:
    """Return the file name of a market's digest."""
    return f"digest-{market.replace(':', '-')}.json"


def forget_digests(folder: Path) -> None:
    """Have every digest made anew: what they were made of has changed."""
    for path in folder.glob(digest_name("*")):
        path.unlink(missing_ok=True)


def opening(moments: Sequence[Moment], hours: Session | None, now: datetime) -> Opening:
    """Return the range of a session's first OPENING from the ticks by then.

    A tick carries the session's high and low so far, so the last one by the end of the opening has it all,
    but for what came after that tick: it must be no older than NEAREST.
    """
    if hours is None or not hours.windows:
        return Opening({}, "it takes a session whose opening is known")
    ends = hours.windows[0].opens + OPENING
    if now < ends:
        return Opening({}, f"it takes the first {OPENING.seconds // 60} minutes, which end at {ends:%H:%M}")
    by_then = [moment for moment in moments if moment.as_of <= ends + OPENING_TOLERANCE]
    if not by_then or by_then[-1].as_of < ends - NEAREST - OPENING_TOLERANCE:
        from_time = ends - NEAREST
        return Opening({}, f"it takes a tick between {from_time:%H:%M} and {ends:%H:%M}, and there was none")
    return Opening(
        {
            symbol: (row.low, row.high)
            for symbol, row in by_then[-1].rows.items()
            if row.low is not None and row.high is not None and row.low < row.high
        }
    )


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


def _factor(digest: Digest, symbol: str, day: date) -> float:
    """Return what a price of that day is multiplied by; a volume is divided by it."""
    factors = digest.factors.get(symbol)
    if not factors or day not in digest.dates:
        return 1.0
    return factors[digest.dates.index(day)]


def _encoded(digest: Digest) -> dict[str, Any]:
    bases = {
        name: base._asdict()
        | {"since": base.since and base.since.isoformat(), "adjusted": sorted(base.adjusted)}
        for name, base in digest.bases.items()
    }
    return digest._asdict() | {
        "dates": [day.isoformat() for day in digest.dates],
        "gap": digest.gap and digest.gap.isoformat(),
        "bases": bases,
    }


def _decoded(document: Mapping[str, Any]) -> Digest:
    """Return the digest of a file. Raises what a damaged one leads to."""
    bases = {}
    for name, kept in document["bases"].items():
        fields = {field: kept[field] for field in Base._fields}
        since = fields["since"] and date.fromisoformat(fields["since"])
        bases[name] = Base(**fields | {"since": since, "adjusted": frozenset(fields["adjusted"])})
    fields = {field: document[field] for field in Digest._fields}
    gap = fields["gap"] and date.fromisoformat(fields["gap"])
    dates = tuple(map(date.fromisoformat, fields["dates"]))
    return Digest(**fields | {"dates": dates, "gap": gap, "bases": bases})


def _write(path: Path, document: str) -> None:
    """Keep a digest for the session's other ticks; where that cannot be, each makes its own."""
    temporary = path.with_suffix(
        ".tmp"
    )  # one name: a run holds the lock, and a killed one leaves no more than one
    try:
        temporary.write_text(document, "utf-8")
        temporary.replace(path)
    except OSError:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
