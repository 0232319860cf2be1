"""The history of every market, in any database.

A tick is one row with its figures encoded as one value, because it is written and read as a whole. A row for
each quote would take many times the space and time. Daily bars are read by instrument and over hundreds of
sessions, so each is a row. Times are stored as text in UTC, dates as ISO text.
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

    `warn` is called with a sentence about damaged entries, which are left out.
    """

    def __init__(self, database: Database, warn: Callable[[str], None]) -> None:
        self._database = database
        self._warn = warn

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the database. All additions are on the disk then."""
        self._database.close()

    def add_tick(self, market: str, snapshot: Snapshot, session_date: date, phase: Phase) -> AddResult:
        """Store a snapshot as a tick of a session, whole or not at all; a tick of its `as_of` stays.

        In the phase FINAL its quotes become the session's daily bars, too, unless a newer final is stored.
        An archive's figures of an instrument stay, except the previous close. Raises HistoryNonsense if the
        snapshot cannot belong to that session.
        """
        incoming.refuse_other_session(market, snapshot.as_of, session_date)
        as_of, session = _format_time(snapshot.as_of), session_date.isoformat()
        figures = tick_codec.encode(snapshot.quotes)
        is_final = phase is Phase.FINAL
        bars = incoming.make_bar_rows(market, session, snapshot.quotes) if is_final else []

        def work(cursor: Cursor) -> AddResult:
            stored_phase = _fetch_value(cursor, sql.PHASE, market, as_of)
            newest = _fetch_value(cursor, sql.NEWEST_TICK, market, session)
            newer_as_of = datetime.fromisoformat(newest) if newest and newest > as_of else None
            # After the close as_of may not change.
            if stored_phase is None or (is_final and stored_phase != phase):
                cursor.execute(sql.ADD_TICK, (market, as_of, session, str(phase), figures))
            is_stored = bars and final_bars.replace(cursor, market, session, as_of, bars)
            return AddResult(stored_phase is None, len(bars) if is_stored else 0, newer_as_of)

        return self._database.write(work)

    def add_bars(self, market: str, bars: Sequence[Bar]) -> int:
        """Store an archive's daily bars, all or none, in place of earlier ones. Return how many.

        Raises HistoryNonsense for an impossible bar.
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
        """Return a session's ticks, the oldest first."""
        return self.decode(market, self.encoded_ticks(market, session_date))

    def encoded_ticks(self, market: str, session_date: date) -> list[EncodedTick]:
        """Return a session's ticks as they are stored, the oldest first."""
        rows = self._select(sql.TICKS, (market, session_date.isoformat()))
        return self._parse_rows(market, rows, tick_codec.make_encoded_tick)

    def decode(self, market: str, ticks: Sequence[EncodedTick]) -> list[Tick]:
        """Return the decoded ticks, without damaged ones."""
        return self._parse_rows(market, ticks, tick_codec.make_tick)

    def volumes_at(
        self, market: str, times: Mapping[date, datetime]
    ) -> list[tuple[date, datetime, Mapping[str, float | None]]]:
        """Return the volumes of each session's last tick up to a time, with the session and the tick's time.

        `times` has the time for each session. Sessions without such a tick are left out.
        """

        def work(cursor: Cursor) -> list[Any]:
            rows = []
            for day, time in times.items():
                cursor.execute(sql.TICK_AT, (market, day.isoformat(), _format_time(time)))
                rows += [(day, as_of, figures) for as_of, _, figures in cursor.fetchall()]
            return rows

        return self._parse_rows(market, self._database.read(work), _parse_volumes)

    def tick_sessions(self, market: str) -> tuple[date, ...]:
        """Return the sessions that have ticks, the oldest first."""
        return self._select_dates(sql.TICK_SESSIONS, market)

    def newest_symbols(self, market: str) -> frozenset[str]:
        """Return the symbols in the newest tick; none without any tick."""
        days = self.tick_sessions(market)[-1:]
        newest = [tick for day in days for tick in self.encoded_ticks(market, day)[-1:]]
        return frozenset(symbol for tick in self.decode(market, newest) for symbol in tick.rows)

    def sessions(self, market: str) -> tuple[date, ...]:
        """Return the sessions that have daily bars, the oldest first."""
        return self._select_dates(sql.SESSIONS, market)

    def archived_sessions(self, market: str) -> tuple[date, ...]:
        """Return the sessions whose bars come from an archive, the oldest first."""
        return self._select_dates(sql.ARCHIVED_SESSIONS, market)

    def latest_final(self, market: str) -> date | None:
        """Return the newest session with bars from a final tick; None if there is none."""
        dates = self._select_dates(sql.LATEST_FINAL, market)
        return dates[0] if dates else None

    def bars(
        self, market: str, until: date, sessions: int, symbols: Sequence[str] | None = None
    ) -> list[Bar]:
        """Return the daily bars of the last `sessions` sessions up to `until`, by date, then symbol.

        `symbols` limits the instruments; None: all.
        """
        rows = self._bar_rows(sql.BAR_COLUMNS, market, until, sessions, symbols)
        return self._parse_rows(
            market, rows, lambda symbol, day, *figures: Bar(intern(symbol), _parse_day(day), *figures)
        )

    def series(
        self, market: str, figure: str, until: date, sessions: int, symbols: Sequence[str] | None = None
    ) -> Series:
        """Return one figure of a Bar ("close") over the last `sessions` sessions up to `until`.

        It takes a third of the time of `bars`. Raises ValueError for an unknown figure.
        """
        if figure not in sql.BAR_FIGURES:
            raise ValueError(figure)
        rows = self._bar_rows(f"symbol, date, {figure}", market, until, sessions, symbols)
        days = sorted({row[1] for row in rows})
        places = {day: place for place, day in enumerate(days)}
        values_by_symbol: dict[str, list[float | None]] = {}
        for symbol, day, value in rows:
            if symbol not in values_by_symbol:
                values_by_symbol[symbol] = [None] * len(days)
            values_by_symbol[symbol][places[day]] = value
        dates = self._parse_rows(market, [(day,) for day in days], _parse_day)
        return Series(tuple(dates), {symbol: tuple(values) for symbol, values in values_by_symbol.items()})

    def prune(self, options: HistoryOptions) -> PruneResult:
        """Delete what is older than the options allow, counted in sessions with figures.

        The last tick of a session without daily bars stays as long as bars would.
        """
        pruned = self._database.write(lambda cursor: retention.prune(cursor, options))
        self._database.compact()
        return pruned

    def status(self) -> tuple[MarketStats, ...]:
        """Return how much is stored of each market, by name."""
        return tuple(
            self._parse_rows("history", self._database.read(retention.read_status), retention.parse_stats)
        )

    def shared_value(self, market: str, name: str) -> bytes | None:
        """Return the value of a name that machines with this history share; None if there is none."""
        rows = self._select(sql.SHARED_VALUE, (market, name))
        return bytes(rows[0][0]) if rows else None

    def share_values(self, market: str, values: Mapping[str, bytes]) -> None:
        """Store values for machines that share this history, all or none."""
        rows = [(market, name, content) for name, content in values.items()]
        self._database.write(lambda cursor: cursor.executemany(sql.SET_SHARED_VALUE, rows))

    def size_bytes(self) -> int:
        """Return the size of the whole history."""
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
        """Return the mode of the pooler before the database: "transaction" or "session"; None: no pooler.

        In transaction mode each transaction may use another session of the server.
        """
        return self._database.pooler()

    def _select_dates(self, statement: str, market: str) -> tuple[date, ...]:
        rows = [row for row in self._select(statement, (market,)) if row[0] is not None]
        return tuple(self._parse_rows(market, rows, _parse_day))

    def _bar_rows(
        self, columns: str, market: str, until: date, sessions: int, symbols: Sequence[str] | None
    ) -> list[Any]:
        if symbols is not None and not symbols:
            return []
        last = until.isoformat()
        return self._select(
            sql.select_bars(columns, None if symbols is None else len(symbols)),
            (market, last, market, last, sessions, *(symbols or ())),
        )

    def _select(self, statement: str, parameters: tuple[object, ...]) -> list[Any]:
        def work(cursor: Cursor) -> list[Any]:
            cursor.execute(statement, parameters)
            return cursor.fetchall()

        return self._database.read(work)

    def _parse_rows(self, market: str, rows: Sequence[Sequence[Any]], make: Callable[..., _T]) -> list[_T]:
        """Return the result of `make` for each row; warn once about damaged rows."""
        with suppress(*tick_codec.DECODE_ERRORS):  # no row is damaged, as a rule
            return [make(*row) for row in rows]
        values = []
        for row in rows:
            with suppress(*tick_codec.DECODE_ERRORS):
                values.append(make(*row))
        if len(values) < len(rows):
            self._warn(
                f"{market}: {len(rows) - len(values)} of {len(rows)} entries of the history are damaged and "
                "were left out: a backup or a backfill would bring them back"
            )
        return values


def open_store(
    options: HistoryOptions, directory: Path, warn: Callable[[str], None], deadline: Deadline | None = None
) -> Store:
    """Open or create the history: the database at `options.url`, or a file in the state directory.

    `warn` is called with a sentence about a damaged file or entry. `deadline` is the run's: a database may
    take a part of its time; None: there is no run. Raises HistoryError.
    """
    if options.url is not None:
        from heatmap.history.postgres import Postgres

        return Store(Postgres(options.url, options.password_env, deadline), warn)
    from heatmap.history.sqlite import Sqlite

    return Store(Sqlite(directory / FILE_NAME, warn), warn)


def _parse_volumes(day: date, as_of: str, value: bytes) -> tuple[date, datetime, Mapping[str, float | None]]:
    return day, datetime.fromisoformat(as_of), tick_codec.decode_volumes(value)


def _format_time(time: datetime) -> str:
    """Return a time as it is stored: texts of one length, so that they sort by time."""
    return time.astimezone(UTC).isoformat(timespec="microseconds")


def _fetch_value(cursor: Cursor, statement: str, *parameters: object) -> Any:  # noqa: ANN401 -- of any SQL type
    """Return the first value of the first row; None if there is no row."""
    cursor.execute(statement, parameters)
    return next((row[0] for row in cursor.fetchall()), None)
