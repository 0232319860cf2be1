"""Fills the history from archives. Each session is stored whole or not at all, so a kill loses nothing."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, NamedTuple
from zoneinfo import ZoneInfo

from heatmap.errors import HeatmapError, HistoryNonsense, SourceRenamed
from heatmap.history import corporate_actions, quoted_closes, symbol_changes
from heatmap.market.calendar import phases

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from datetime import date, datetime
    from typing import Protocol

    from heatmap.history.store import Store
    from heatmap.market.bars import Bar
    from heatmap.market.calendar.phases import Calendar, SymbolChange

    class Archive(Protocol):
        """One session as an archive has it."""

        @property
        def bars(self) -> Sequence[Bar]:
            """The bars of the session, one a symbol."""
            ...

        @property
        def dropped(self) -> int:
            """How many rows were left out because they cannot be used."""
            ...

    class ArchiveReader(Protocol):
        """Reads a market's archives."""

        max_missing_in_a_row: int | None  # sessions without an archive; None: any number
        may_be_trimmed: bool  # whether the user may have removed shares from the files

        def names(self, day: date) -> Sequence[str]:
            """Return the names of a day's archives, the best first."""
            ...

        def read_archive(self, name: str, day: date) -> Archive | None:
            """Return the archive of that name and day; None where there is none.

            Raises HistoryNonsense for an archive that cannot be used, and another HeatmapError where no
            further archive can be read.
            """
            ...


LEAST_SHARE = 0.5  # of the shares of a neighbouring session: an archive with fewer is incomplete
FEWEST_INSTRUMENTS = 50  # a smaller market is not compared with an archive: most of its stocks may be new
FEWEST_SHARES = 1000  # in an archive without neighbours to compare with; the exchange's have over 2,000
ONE_DAY = timedelta(days=1)


class BackfillResult(NamedTuple):
    """The result of a backfill. `stopped` is why it ended before its last session; None if it did not."""

    stored: int  # sessions
    bars: int
    dropped: int  # rows that were left out
    missing: tuple[date, ...]  # sessions without an archive
    problems: tuple[HeatmapError, ...]  # archives that could not be used
    stopped: HeatmapError | None


def find_settled_sessions(calendar: Calendar, first: date, last: date, now: datetime) -> list[date]:
    """Return the sessions from `first` to `last`, both included, whose closing prices are final at `now`."""
    days = (first + n * ONE_DAY for n in range((last - first).days + 1))
    sessions = [session for day in days if (session := phases.session_on(calendar, day))]
    today = now.astimezone(ZoneInfo(calendar.time_zone)).date()
    return [
        session.date
        for session in sessions
        if (session.settles <= now if session.settles else session.date < today)
    ]


def fill(
    store: Store,
    market: str,
    days: Sequence[date],
    archives: ArchiveReader,
    *,
    aliases: Sequence[SymbolChange],
    say: Callable[[str], None],
    progress: Callable[[date, int, int], None],
) -> BackfillResult:
    """Store the bars of each day, in the order given.

    `aliases` are the changes of symbols: an archive has the old symbols, the market has the new ones.
    `progress` is called before each day with the day, the number of days done, and the number of all days.
    `say` is called with each sentence for the user. An archive that cannot be used is a problem of its day
    only. An error of the store or of the connection to the archives ends the backfill; stored days stay.
    """
    stored = bars = dropped = missing_in_a_row = 0
    completeness = _CompletenessCheck(store, market, aliases, say, may_be_trimmed=archives.may_be_trimmed)
    missing: list[date] = []
    problems: list[HeatmapError] = []
    stopped: HeatmapError | None = None
    for done, day in enumerate(days):
        progress(day, done, len(days))
        try:
            archive = _read_archive(archives, day, completeness, say)
            if archive:
                bars += store.add_bars(market, _replace_previous_closes(store, market, day, archive.bars))
                completeness.add(day, len(archive.bars))
        except HistoryNonsense as error:
            problems.append(error)
            continue
        except HeatmapError as error:
            stopped = error
            break
        if archive:
            stored, dropped, missing_in_a_row = stored + 1, dropped + archive.dropped, 0
            continue
        missing.append(day)
        missing_in_a_row += 1
        if missing_in_a_row == archives.max_missing_in_a_row:
            stopped = SourceRenamed(
                f"the exchange has no archive of {missing_in_a_row} sessions in a row, the last that of "
                f"{day:%d %b %Y}: look at them in a browser, and for a newer version of this program; "
                "files you have can be read with --folder"
            )
            break
    return BackfillResult(stored, bars, dropped, tuple(missing), tuple(problems), stopped)


def verify(
    store: Store,
    market: str,
    calendar: Calendar,
    first: date,
    last: date,
    symbols: Sequence[str] | None = None,
) -> corporate_actions.Detection:
    """Compare each previous close with the close of the session before.

    Covers the sessions from `first` to the session after `last`. `symbols` limits it to symbols as they were
    then; None: all symbols.
    """
    return corporate_actions.detect(
        _read_sessions(store, market, calendar, first, last, symbols),
        lambda *days: not find_gaps(calendar, days),
        corporate_actions.find_declared_splits(calendar),
        quoted_closes.make_lookup(store, market, calendar.symbol_changes),
    )


def find_gaps(calendar: Calendar, stored: Sequence[date]) -> list[date]:
    """Return the calendar's sessions between the first and the last stored session that are not stored."""
    if not stored:
        return []
    stored_days = set(stored)
    between = (stored[0] + n * ONE_DAY for n in range((stored[-1] - stored[0]).days))
    return [day for day in between if day not in stored_days and phases.session_on(calendar, day)]


def _read_sessions(
    store: Store, market: str, calendar: Calendar, first: date, last: date, symbols: Sequence[str] | None
) -> Iterator[Sequence[Bar]]:
    days = store.sessions(market)
    earlier = [day for day in days if day < first][-1:]
    later = [day for day in days if day > last][:1]
    for day in (*earlier, *(day for day in days if first <= day <= last), *later):
        yield symbol_changes.rename(store.bars(market, day, 1, symbols), calendar.symbol_changes)


def _replace_previous_closes(store: Store, market: str, day: date, bars: Sequence[Bar]) -> Sequence[Bar]:
    """Return an archive's bars with the previous closes that the day's ticks had."""
    bars_so_far = {bar.symbol: bar for bar in store.bars(market, day, 1) if bar.date == day}
    return quoted_closes.replace_closes(bars, quoted_closes.read_session(store, market, day), bars_so_far)


class _CompletenessCheck:
    """Checks that an archive is complete, by neighbouring archives and by the market's instruments.

    The instruments are compared by their new symbols, in a market of FEWEST_INSTRUMENTS or more.
    """

    def __init__(
        self,
        store: Store,
        market: str,
        aliases: Sequence[SymbolChange],
        say: Callable[[str], None],
        *,
        may_be_trimmed: bool,
    ) -> None:
        self._store, self._market, self._aliases, self._say = store, market, aliases, say
        self._may_be_trimmed = may_be_trimmed
        self._sizes: dict[date, int | None] = dict.fromkeys(store.archived_sessions(market))  # None: not read
        self._expected = {
            symbol_changes.newest_symbol(symbol, day, aliases)
            for day in store.tick_sessions(market)[-1:]
            for symbol in store.newest_symbols(market)
        }

    def check(self, day: date, name: str, archive: Archive) -> None:
        """Raise HistoryNonsense for an incomplete archive; say so where this cannot be checked."""
        count = len(archive.bars)
        neighbours = self._find_neighbours(day)
        for neighbour in neighbours:
            usual = self._count_bars(neighbour)
            if count < LEAST_SHARE * usual:
                raise HistoryNonsense(
                    f"holds {count:,} shares, the archive of {neighbour:%d %b %Y} {usual:,}: "
                    "it is not whole, so download it again"
                )
            if usual < LEAST_SHARE * count:
                self._say(
                    f"the archive of {neighbour:%d %b %Y} holds {usual:,} shares only, that of "
                    f"{day:%d %b %Y} {count:,}: download the former again and read it with --again"
                )
        if len(self._expected) >= FEWEST_INSTRUMENTS:
            renamed_bars = symbol_changes.rename(archive.bars, self._aliases)
            count_listed = len(self._expected.intersection(bar.symbol for bar in renamed_bars))
            if count_listed < LEAST_SHARE * len(self._expected):
                raise HistoryNonsense(
                    f"holds {count_listed:,} of the {len(self._expected):,} instruments of the market: "
                    "it is not whole, so download it again"
                )
        if self._may_be_trimmed and not neighbours and count < FEWEST_SHARES:
            self._say(
                f"{name} holds {count:,} shares, and there is no other session to compare it with; the "
                f"exchange's own archives have more than {FEWEST_SHARES:,}: if it is not whole, "
                "download it again and read it with --again"
            )

    def add(self, day: date, count: int) -> None:
        """Record the size of an archive that was stored."""
        self._sizes[day] = count

    def _find_neighbours(self, day: date) -> list[date]:
        """Return the nearest archived session before a day and the nearest one after it."""
        before = [other for other in self._sizes if other < day]
        after = [other for other in self._sizes if other > day]
        return [*([max(before)] if before else []), *([min(after)] if after else [])]

    def _count_bars(self, day: date) -> int:
        size = self._sizes[day]
        if size is None:
            size = self._sizes[day] = len(self._store.bars(self._market, day, 1))
        return size


def _read_archive(
    archives: ArchiveReader, day: date, completeness: _CompletenessCheck, say: Callable[[str], None]
) -> Archive | None:
    """Return the first usable archive of a day; None where there is none. Raises HistoryNonsense."""
    problems: list[str] = []
    for name in archives.names(day):
        try:
            archive = archives.read_archive(name, day)
            if archive is None:
                continue
            completeness.check(day, name, archive)
        except HistoryNonsense as error:
            problems.append(f"{name} {error}")
            continue
        if problems:
            say(f"{'; '.join(problems)}; {name} was read instead")
        return archive
    if problems:
        raise HistoryNonsense("; ".join(problems))
    return None
