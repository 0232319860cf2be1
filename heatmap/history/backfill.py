"""Fills the history from archives: a session at a time, whole or not at all, so that a kill costs nothing."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, NamedTuple
from zoneinfo import ZoneInfo

from heatmap.errors import HeatmapError, HistoryNonsense, SourceRenamed
from heatmap.history import corporate_actions, quoted_closes, symbol_changes
from heatmap.market.calendar import phases
from heatmap.sources.nse import bhavcopy

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from datetime import date, datetime
    from typing import Protocol

    from heatmap.history.store import Store
    from heatmap.market.bars import Bar
    from heatmap.market.calendar.phases import Calendar, SymbolChange

    class ArchiveReader(Protocol):
        """Where archives are."""

        max_missing_in_a_row: int | None  # sessions without an archive; None: any number
        may_be_trimmed: bool  # whether somebody may have left out shares before

        def names(self, day: date) -> Sequence[str]:
            """Return what the archives of a day are called, the best first."""
            ...

        def read(self, name: str) -> bytes | None:
            """Return an archive; None where there is none. Raises HistoryNonsense, or what ends it all."""
            ...


LEAST_SHARE = 0.5  # of the shares of a session beside it: an archive of fewer is not whole
FEWEST_INSTRUMENTS = 50  # of a market that is compared with an archive: of a few stocks, most may be young
FEWEST_SHARES = 1000  # of an archive that nothing can be compared with; the exchange's have 2,000 or more
ONE_DAY = timedelta(days=1)


class BackfillResult(NamedTuple):
    """What a backfill did. `stopped` is why it ended before its last session; None where it did not."""

    stored: int  # sessions
    bars: int
    dropped: int  # rows left out
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
    """Keep the bars of each day, in the order given.

    `aliases` are the symbols that changed: an archive has the earlier ones, the market the present ones.
    `progress` is called before each day with it, how many are done, and how many there are; `say` with a
    sentence on what else is worth knowing. An archive that cannot be used is a problem of its day only;
    an error of the store or of the way to the archives ends it all: what was stored stays.
    """
    stored = bars = dropped = in_a_row = 0
    whole = _CompletenessCheck(store, market, aliases, say, may_be_trimmed=archives.may_be_trimmed)
    missing: list[date] = []
    problems: list[HeatmapError] = []
    stopped: HeatmapError | None = None
    for done, day in enumerate(days):
        progress(day, done, len(days))
        try:
            archive = _read_archive(archives, day, whole, say)
            if archive:
                bars += store.add_bars(market, _replace_previous_closes(store, market, day, archive.bars))
                whole.add(day, len(archive.bars))
        except HistoryNonsense as error:
            problems.append(error)
            continue
        except HeatmapError as error:
            stopped = error
            break
        if archive:
            stored, dropped, in_a_row = stored + 1, dropped + archive.dropped, 0
            continue
        missing.append(day)
        in_a_row += 1
        if in_a_row == archives.max_missing_in_a_row:
            stopped = SourceRenamed(
                f"the exchange has no archive of {in_a_row} sessions in a row, the last that of "
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
    """Compare the previous closes from `first` to the session after `last` with the closes before them.

    Of these symbols only, as they were then; None: of all.
    """
    return corporate_actions.detect(
        _read_sessions(store, market, calendar, first, last, symbols),
        lambda *days: not find_gaps(calendar, days),
        corporate_actions.find_declared_splits(calendar),
        quoted_closes.make_lookup(store, market, calendar.symbol_changes),
    )


def find_gaps(calendar: Calendar, stored: Sequence[date]) -> list[date]:
    """Return the sessions of the calendar that are missing between the first and the last of those stored."""
    if not stored:
        return []
    known = set(stored)
    between = (stored[0] + n * ONE_DAY for n in range((stored[-1] - stored[0]).days))
    return [day for day in between if day not in known and phases.session_on(calendar, day)]


def _read_sessions(
    store: Store, market: str, calendar: Calendar, first: date, last: date, symbols: Sequence[str] | None
) -> Iterator[Sequence[Bar]]:
    known = store.sessions(market)
    earlier = [day for day in known if day < first][-1:]
    later = [day for day in known if day > last][:1]
    for day in (*earlier, *(day for day in known if first <= day <= last), *later):
        yield symbol_changes.rename(store.bars(market, day, 1, symbols), calendar.symbol_changes)


def _replace_previous_closes(store: Store, market: str, day: date, bars: Sequence[Bar]) -> Sequence[Bar]:
    """Return an archive's bars with the previous closes that the day's ticks had."""
    known = {bar.symbol: bar for bar in store.bars(market, day, 1) if bar.date == day}
    return quoted_closes.replace_closes(bars, quoted_closes.read_session(store, market, day), known)


class _CompletenessCheck:
    """Judges whether an archive is whole: by the archives beside it, and by the market's own instruments.

    The instruments count where there are FEWEST_INSTRUMENTS or more, and by their present symbols.
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

    def check(self, day: date, name: str, archive: bhavcopy.Archive) -> None:
        """Raise HistoryNonsense for an archive of a day that is not whole; say where that is not known."""
        count = len(archive.bars)
        beside = self._beside(day)
        for neighbour in beside:
            usual = self._size(neighbour)
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
            present = symbol_changes.rename(archive.bars, self._aliases)
            found = len(self._expected.intersection(bar.symbol for bar in present))
            if found < LEAST_SHARE * len(self._expected):
                raise HistoryNonsense(
                    f"holds {found:,} of the {len(self._expected):,} instruments of the market: "
                    "it is not whole, so download it again"
                )
        if self._may_be_trimmed and not beside and count < FEWEST_SHARES:
            self._say(
                f"{name} holds {count:,} shares, and there is no other session to compare it with; the "
                f"exchange's own archives have more than {FEWEST_SHARES:,}: if it is not whole, "
                "download it again and read it with --again"
            )

    def add(self, day: date, count: int) -> None:
        """Note an archive that was stored."""
        self._sizes[day] = count

    def _beside(self, day: date) -> list[date]:
        """Return the nearest archived sessions before and after a day."""
        before = [other for other in self._sizes if other < day]
        after = [other for other in self._sizes if other > day]
        return [*([max(before)] if before else []), *([min(after)] if after else [])]

    def _size(self, day: date) -> int:
        size = self._sizes[day]
        if size is None:
            size = self._sizes[day] = len(self._store.bars(self._market, day, 1))
        return size


def _read_archive(
    archives: ArchiveReader, day: date, whole: _CompletenessCheck, say: Callable[[str], None]
) -> bhavcopy.Archive | None:
    """Return the first usable archive of a day; None where there is none. Raises HistoryNonsense."""
    problems: list[str] = []
    for name in archives.names(day):
        try:
            body = archives.read(name)
            if body is None:
                continue
            archive = bhavcopy.parse(body, day)
            whole.check(day, name, archive)
        except HistoryNonsense as error:
            problems.append(f"{name} {error}")
            continue
        if problems:
            say(f"{'; '.join(problems)}; {name} was read instead")
        return archive
    if problems:
        raise HistoryNonsense("; ".join(problems))
    return None
