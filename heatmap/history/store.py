"""The history of every market: what goes in, what comes out, and the SQL of it, whatever database is behind.

One row a tick, its figures packed into one value: a tick is written whole and read whole, so that a row for
each quote would cost many times the space and time and answer no question more. Daily bars are asked for by
instrument and over hundreds of sessions, so they are rows. Times are kept as text in UTC, dates as ISO text.
"""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, date, datetime
from functools import lru_cache
from sys import intern
from typing import TYPE_CHECKING, TypeVar

from heatmap.history import final_bars, incoming, retention, sql, tick_codec
from heatmap.history.model import AddResult, EncodedTick, Series, Tick
from heatmap.market.bars import Bar
from heatmap.market.calendar.session import Phase

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path
    from typing import Any, Self

    from heatmap.history.database import Cursor, Database, TickClaim
    from heatmap.history.model import MarketStats, PruneResult
    from heatmap.history.options import HistoryOptions
    from heatmap.market.quotes import Snapshot
    from heatmap.system.deadline import Deadline

_T = TypeVar("_T")
_parse_day = lru_cache(maxsize=4096)(date.fromisoformat)  # fifty thousand bars have 250 dates
FILE_NAME = "history.sqlite"


class Store:
    """The history of all markets in one database. Every method raises HistoryError.

    `warn` is called with a sentence for whatever was found damaged and left out.
    """

    def __init__(self, database: Database, warn: Callable[[str], None]) -> None:
        self._database = database
        self._warn = warn

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the database. What was added is on the disk by then."""
        self._database.close()

    def add_tick(self, market: str, snapshot: Snapshot, session_date: date, phase: Phase) -> AddResult:
        """Keep a snapshot as a moment of a session, unless one of its `as_of` is there; all of it or nothing.

        In the phase FINAL its quotes become the session's daily bars, too, where no newer final was there.
        What an archive says of an instrument stays, but for the previous close. Raises HistoryNonsense where
        the snapshot cannot be of that session.
        """
        incoming.refuse_other_session(market, snapshot.as_of, session_date)
        as_of, session = _format_time(snapshot.as_of), session_date.isoformat()
        figures = tick_codec.encode(snapshot.quotes)
        final = phase is Phase.FINAL
        bars = incoming.make_bar_rows(market, session, snapshot.quotes) if final else []

        def work(cursor: Cursor) -> AddResult:
            known = _fetch_value(cursor, sql.PHASE, market, as_of)
            newest = _fetch_value(cursor, sql.NEWEST_TICK, market, session)
            later = datetime.fromisoformat(newest) if newest and newest > as_of else None
            if known is None or (final and known != phase):  # after the close as_of may stand still
                cursor.execute(sql.ADD_TICK, (market, as_of, session, str(phase), figures))
            made = bars and final_bars.replace(cursor, market, session, as_of, bars)
            return AddResult(known is None, len(bars) if made else 0, later)

        return self._database.write(work)

    def add_bars(self, market: str, bars: Sequence[Bar]) -> int:
        """Keep an archive's daily bars, all or none; they replace what was known. Return how many.

        Raises HistoryNonsense where one of them cannot be.
        """
        for bar in bars:
            incoming.refuse_impossible(market, bar)
        rows = [(market, bar.symbol, bar.date.isoformat(), *bar[2:]) for bar in bars]
        sessions = sorted({row[2] for row in rows})

        def work(cursor: Cursor) -> int:
            cursor.executemany(sql.ADD_ARCHIVED_SESSION, [(market, session) for session in sessions])
            cursor.executemany(sql.REPLACE_BAR, rows)
            return len(rows)

        return self._database.write(work) if rows else 0

    def ticks(self, market: str, session_date: date) -> list[Tick]:
        """Return a session's moments, the oldest first."""
        return self.decode(market, self.encoded_ticks(market, session_date))

    def encoded_ticks(self, market: str, session_date: date) -> list[EncodedTick]:
        """Return a session's moments as they are kept, the oldest first."""
        rows = self._selected(sql.TICKS, (market, session_date.isoformat()))
        return self._parsed(market, rows, tick_codec.make_encoded_tick)

    def decode(self, market: str, ticks: Sequence[EncodedTick]) -> list[Tick]:
        """Return the moments themselves, without those that are damaged."""
        return self._parsed(market, ticks, tick_codec.make_tick)

    def volumes_at(
        self, market: str, moments: Mapping[date, datetime]
    ) -> list[tuple[date, datetime, Mapping[str, float | None]]]:
        """Return of each session the last moment that is not later than the one given, and its volumes.

        Sessions without such a moment are left out.
        """

        def work(cursor: Cursor) -> list[Any]:
            found = []
            for day, moment in moments.items():
                cursor.execute(sql.TICK_AT, (market, day.isoformat(), _format_time(moment)))
                found += [(day, as_of, figures) for as_of, _, figures in cursor.fetchall()]
            return found

        return self._parsed(market, self._database.read(work), _parse_volumes)

    def tick_sessions(self, market: str) -> tuple[date, ...]:
        """Return the sessions that have ticks, the oldest first."""
        return self._dates(sql.TICK_SESSIONS, market)

    def newest_symbols(self, market: str) -> frozenset[str]:
        """Return the symbols that the newest tick has; none where there is no tick."""
        newest = [
            tick for day in self.tick_sessions(market)[-1:] for tick in self.encoded_ticks(market, day)[-1:]
        ]
        return frozenset(symbol for moment in self.decode(market, newest) for symbol in moment.rows)

    def sessions(self, market: str) -> tuple[date, ...]:
        """Return the sessions that have daily bars, the oldest first."""
        return self._dates(sql.SESSIONS, market)

    def archived_sessions(self, market: str) -> tuple[date, ...]:
        """Return those of them whose bars are an archive's, the oldest first."""
        return self._dates(sql.ARCHIVED_SESSIONS, market)

    def latest_final(self, market: str) -> date | None:
        """Return the newest session of which a final tick was kept; None where there is none."""
        found = self._dates(sql.LATEST_FINAL, market)
        return found[0] if found else None

    def bars(
        self, market: str, until: date, sessions: int, symbols: Sequence[str] | None = None
    ) -> list[Bar]:
        """Return the daily bars of the last `sessions` sessions up to `until`, by date, then symbol.

        Of these symbols only; None: of all.
        """
        rows = self._bar_rows(sql.BAR_COLUMNS, market, until, sessions, symbols)
        return self._parsed(
            market, rows, lambda symbol, day, *rest: Bar(intern(symbol), _parse_day(day), *rest)
        )

    def series(
        self, market: str, figure: str, until: date, sessions: int, symbols: Sequence[str] | None = None
    ) -> Series:
        """Return one figure of a Bar ("close") over the last `sessions` sessions up to `until`.

        A third of the work of `bars`. Raises ValueError for a figure that a Bar does not have.
        """
        if figure not in sql.BAR_FIGURES:
            raise ValueError(figure)
        rows = self._bar_rows(f"symbol, date, {figure}", market, until, sessions, symbols)
        days = sorted({row[1] for row in rows})
        places = {day: place for place, day in enumerate(days)}
        found: dict[str, list[float | None]] = {}
        for symbol, day, value in rows:
            if symbol not in found:
                found[symbol] = [None] * len(days)
            found[symbol][places[day]] = value
        dates = self._parsed(market, [(day,) for day in days], _parse_day)
        return Series(tuple(dates), {symbol: tuple(values) for symbol, values in found.items()})

    def prune(self, options: HistoryOptions) -> PruneResult:
        """Forget what is older than the options say, counted in sessions that there are figures of.

        Of a session without daily bars the last tick stays as long as bars would: nothing else knows it.
        """
        pruned = self._database.write(lambda cursor: retention.prune(cursor, options))
        self._database.compact()
        return pruned

    def status(self) -> tuple[MarketStats, ...]:
        """Return what is kept of each market, by name."""
        return tuple(
            self._parsed("history", self._database.read(retention.read_status), retention.parse_stats)
        )

    def shared_value(self, market: str, name: str) -> bytes | None:
        """Return what was last noted under a name; None where nothing was."""
        found = self._selected(sql.SHARED_VALUE, (market, name))
        return bytes(found[0][0]) if found else None

    def share_values(self, market: str, notes: Mapping[str, bytes]) -> None:
        """Note these for machines that share this history, all or none."""
        rows = [(market, name, content) for name, content in notes.items()]
        self._database.write(lambda cursor: cursor.executemany(sql.SET_SHARED_VALUE, rows))

    def size_bytes(self) -> int:
        """Return how much room the whole history takes."""
        return self._database.size_bytes()

    def claim_tick(self, market: str, slot: datetime) -> TickClaim:
        """Return a claim to draw a market's tick that was due at `slot`; enter it with `with`.

        The block gets True where this machine has the claim: until the block ends, and at most until soon
        after the run's deadline. A block that ends without an exception makes the tick done. False: another
        machine has the claim, or has done the tick (`is_done`). `last_done_slot` is the slot of the last tick
        that was done, None where none was. A file belongs to one machine, so the block always gets True: the
        lock of the state directory keeps two runs apart.
        """
        return self._database.claim_tick(market, slot)

    def pooler(self) -> str | None:
        """Return which pooler the database is behind: "transaction", "session", None for none.

        In the first, each transaction may come to another session of the server.
        """
        return self._database.pooler()

    def _dates(self, statement: str, market: str) -> tuple[date, ...]:
        rows = [row for row in self._selected(statement, (market,)) if row[0] is not None]
        return tuple(self._parsed(market, rows, _parse_day))

    def _bar_rows(
        self, columns: str, market: str, until: date, sessions: int, symbols: Sequence[str] | None
    ) -> list[Any]:
        if symbols is not None and not symbols:
            return []
        last = until.isoformat()
        return self._selected(
            sql.select_bars(columns, None if symbols is None else len(symbols)),
            (market, last, market, last, sessions, *(symbols or ())),
        )

    def _selected(self, statement: str, parameters: tuple[object, ...]) -> list[Any]:
        def work(cursor: Cursor) -> list[Any]:
            cursor.execute(statement, parameters)
            return cursor.fetchall()

        return self._database.read(work)

    def _parsed(self, market: str, rows: Sequence[Sequence[Any]], make: Callable[..., _T]) -> list[_T]:
        """Return what `make` makes of each row; warn once of those it cannot make anything of."""
        with suppress(*tick_codec.DECODE_ERRORS):  # as a rule
            return [make(*row) for row in rows]
        made, spoilt = [], 0
        for row in rows:
            try:
                made.append(make(*row))
            except tick_codec.DECODE_ERRORS:
                spoilt += 1
        if spoilt:
            self._warn(
                f"{market}: {spoilt} of {spoilt + len(made)} entries of the history are damaged and were "
                "left out: a backup or a backfill would bring them back"
            )
        return made


def open_store(
    options: HistoryOptions,
    directory: Path,
    warn: Callable[[str], None],
    deadline: Deadline | None = None,
) -> Store:
    """Open the history, made if need be: the database at `options.url`, or a file in the state directory.

    `warn` is called with a sentence for whatever was found damaged and set aside. `deadline` is that of the
    run, of whose time a database may take a part; None where there is no run. Raises HistoryError.
    """
    if options.url is not None:
        from heatmap.history.postgres import Postgres

        return Store(Postgres(options.url, options.password_env, deadline), warn)
    from heatmap.history.sqlite import Sqlite

    return Store(Sqlite(directory / FILE_NAME, warn), warn)


def _parse_volumes(
    day: date, as_of: str, figures: bytes
) -> tuple[date, datetime, Mapping[str, float | None]]:
    return day, datetime.fromisoformat(as_of), tick_codec.decode_volumes(figures)


def _format_time(moment: datetime) -> str:
    """Return a moment as it is kept: always of the same length, so that its order is that of time."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds")


def _fetch_value(cursor: Cursor, statement: str, *parameters: object) -> Any:  # noqa: ANN401 -- as the database has it
    """Return the first value of the first row; None where there is none."""
    cursor.execute(statement, parameters)
    return next((row[0] for row in cursor.fetchall()), None)
