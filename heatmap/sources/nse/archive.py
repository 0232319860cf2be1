"""The closing figures of a session from the exchange's daily archives: the last resort, once it is over.

Archives lie on another server than live quotes, which as a rule lets addresses in that the other blocks. They
come in the evening, hold every share, and know neither names nor market values.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, TypeVar

from heatmap.errors import (
    ConfigError,
    DeadlineError,
    HistoryNonsense,
    SourceBlocked,
    SourceEmpty,
    SourceError,
    SourcePassed,
    SourceRenamed,
    SourceReshaped,
)
from heatmap.sources.nse import site
from heatmap.sources.options import OnlineSource

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence
    from datetime import date, datetime
    from pathlib import Path

    from heatmap.market.bars import Bar
    from heatmap.market.calendar.phases import SymbolChange
    from heatmap.market.calendar.session import Session
    from heatmap.market.quotes import Quote, Snapshot
    from heatmap.sources.nse.archive_files import ArchiveServer
    from heatmap.sources.nse.bhavcopy import Archive

_T = TypeVar("_T")
NAME = "nse-archive"
FUTURES_AND_OPTIONS = "SECURITIES IN F&O"
OPTIONAL_SHARE = 0.2  # of a fetch's time, for what a page can do without
MOST_DAYS_BACK = 10  # further than from any session to the one before it
SATURDAY = 5
SETTLED_HOUR = 16  # when closing prices are final, as a rule, in the exchange's zone


@dataclass(frozen=True, slots=True)
class NseArchive(OnlineSource):
    """A session's closing prices, restricted to an index's stocks.

    They are those of the market's page of that session. Without such a page they are the exchange's list of
    those with futures and options, if `index` asks for them, else those of an older page. `base_url` differs
    for a test; None: the exchange's own.
    """

    index: str = FUTURES_AND_OPTIONS
    base_url: str | None = None

    def __post_init__(self) -> None:
        """Raise ConfigError for values that cannot be."""
        from heatmap.sources.nse import live

        problems = self.option_problems()
        try:
            live.Nse(
                index=self.index, base_url=self.base_url or live.BASE_URL
            )  # which knows what these may be
        except ConfigError as error:
            problems += error.problems
        if problems:
            raise ConfigError(problems)

    def closing(
        self,
        session: Session,
        *,
        symbols: Collection[str] = (),
        listed_on: date | None = None,
        folder: Path | None = None,
    ) -> Snapshot:
        """Return a session's closing figures, as of when it settled.

        The exchange's list of symbols that changed is kept beside `folder`, for the history as well. Raises
        SourcePassed until the archive is there, other SourceErrors where it cannot be used.
        """
        as_of = session.settles or session.windows[-1].closes

        def work(shelf: ArchiveServer) -> Snapshot:
            archive = _read_archive(shelf, session.date)
            if archive is None:
                raise SourcePassed(f"the archive of {session.date:%d %b %Y} is not there yet")
            is_of_today = bool(symbols) and listed_on == session.date
            wanted = symbols if is_of_today else self._listed_or(shelf, symbols)
            return parse(archive, self._renamed(shelf, wanted, archive, session.date, folder), as_of)

        return self._within(work)

    def fetch(self, *, now: datetime, folder: Path | None = None) -> Snapshot:
        """Return the figures of the newest archive there is, which `check` looks at. Raises SourceError."""
        del folder
        from heatmap.sources.nse.body import ZONE

        here = now.astimezone(ZONE)
        today = here.replace(hour=SETTLED_HOUR, minute=0, second=0, microsecond=0)
        days = (today - timedelta(days=back) for back in range(MOST_DAYS_BACK + 1))
        possible = [settled for settled in days if settled <= here and settled.weekday() < SATURDAY]

        def work(shelf: ArchiveServer) -> Snapshot:
            for settled in possible:
                archive = _read_archive(shelf, settled.date())
                if archive is not None:
                    return parse(archive, self._listed(shelf), settled)
            raise SourceRenamed(
                f"the exchange has no archive of the last {MOST_DAYS_BACK} days: look for a newer version "
                "of this program"
            )

        return self._within(work)

    def _within(self, work: Callable[[ArchiveServer], Snapshot]) -> Snapshot:
        """Return what is made of the archives before the time is over. Raises SourceError."""
        from heatmap.sources.nse import archive_files, bhavcopy, live
        from heatmap.system.deadline import run_with_timeout

        base, page = self.base_url or bhavcopy.BASE_URL, self.base_url or live.BASE_URL
        client = self.client(headers=site.BROWSER_HEADERS, limits=archive_files.LIMITS)
        with archive_files.ArchiveServer(base, page, {}, client) as shelf:
            try:
                snapshot = run_with_timeout(self.fetch_timeout_seconds, lambda: work(shelf))
                return replace(snapshot, clock_offset=client.clock_offset)
            except DeadlineError as error:
                raise SourceBlocked(
                    f"the exchange's archives gave nothing within {self.fetch_timeout_seconds:g} seconds: "
                    "this address may be blocked there"
                ) from error

    def _listed_or(self, shelf: ArchiveServer, symbols: Collection[str]) -> Collection[str]:
        """Return the stocks of the index as the exchange lists them; where that fails, `symbols`.

        Raises SourceError where there are none of these either.
        """
        if not symbols:
            return self._listed(shelf)
        return self._optional(lambda: self._listed(shelf)) or symbols

    def _renamed(
        self,
        shelf: ArchiveServer,
        symbols: Collection[str],
        archive: Archive,
        day: date,
        folder: Path | None,
    ) -> Collection[str]:
        """Return the symbols as they are called on that day, of those that the archive has not.

        The exchange's own list is read where neither the packaged one nor the one kept knows them.
        """
        from heatmap.sources.nse import symbols as nse_symbols

        traded = {bar.symbol for bar in archive.bars}
        kept = nse_symbols.load(folder.parent) if folder else ()

        def renamed(changes: Sequence[SymbolChange]) -> set[str]:
            newer = {symbol: nse_symbols.find_symbol_on(symbol, day, changes) for symbol in missing}
            return {new if new in traded else old for old, new in newer.items()}

        missing = set(symbols) - traded
        if not missing:
            return symbols
        present, missing = set(symbols) & traded, renamed((*nse_symbols.load_packaged(), *kept))
        if missing - traded:
            found = self._optional(lambda: self._changes(shelf))
            if found and folder:
                with suppress(OSError):  # a full disk: the page comes first
                    nse_symbols.save(folder.parent, found)
            missing = renamed(found or ())
        return present | missing

    def _changes(self, shelf: ArchiveServer) -> tuple[SymbolChange, ...]:
        """Return what the exchange's list of symbols that changed has of recent years. Raises SourceError."""
        from heatmap.sources.nse import bhavcopy
        from heatmap.sources.nse import symbols as nse_symbols

        body = shelf.read((self.base_url or bhavcopy.BASE_URL).rstrip("/") + nse_symbols.PATH)
        return nse_symbols.select_recent(nse_symbols.parse(body)) if body else ()

    def _optional(self, work: Callable[[], _T]) -> _T | None:
        """Return what `work` gives within a part of the time; None where it fails: a page can do without."""
        from heatmap.system.deadline import run_with_timeout

        try:
            return run_with_timeout(OPTIONAL_SHARE * self.fetch_timeout_seconds, work)
        except (SourceError, DeadlineError):
            return None

    def _listed(self, shelf: ArchiveServer) -> Collection[str]:
        """Return the stocks of the index, as the exchange lists them. Raises SourceError."""
        from heatmap.sources.nse import bhavcopy, lots

        if self.index.strip().upper() != FUTURES_AND_OPTIONS:
            raise SourceEmpty(
                f"which stocks {self.index} has is only known once there is a first page with live quotes"
            )
        url = (self.base_url or bhavcopy.BASE_URL).rstrip("/") + lots.PATH
        body = shelf.read(url)
        if body is None:
            raise SourceRenamed(
                f"{url} is gone, which tells the stocks with futures and options: look for a newer version "
                "of this program"
            )
        return lots.parse(body)


def parse(archive: Archive, symbols: Collection[str], as_of: datetime) -> Snapshot:
    """Return the quotes of those symbols in an archive, in its order. Raises SourceEmpty for none of them.

    Percent changes are of the close from the previous one, which the archive does not adjust on the first day
    of a split or bonus: `ex_dates` does. `dropped` counts the symbols that are not in the archive.
    """
    from heatmap.market.quotes import Snapshot
    from heatmap.sources.nse.body import CURRENCY, ZONE, load_industries

    wanted, industries = frozenset(symbols), load_industries()
    quotes = tuple(
        quote
        for bar in archive.bars
        if bar.symbol in wanted and (quote := _make_quote(bar, industries.get(bar.symbol))) is not None
    )
    if not quotes:
        raise SourceEmpty("the exchange's archive holds none of the market's instruments")
    return Snapshot(
        NAME,
        as_of.astimezone(ZONE),
        quotes,
        CURRENCY,
        is_open=False,
        dropped=len(wanted) - len(quotes),
        unadjusted=True,
    )


def _read_archive(shelf: ArchiveServer, day: date) -> Archive | None:
    """Return the first usable archive of a day; None where there is none yet. Raises SourceError."""
    from heatmap.system import http

    problems = []
    for name in shelf.names(day):
        try:
            archive = shelf.read_archive(name, day)
        except HistoryNonsense as error:
            problems.append(f"{http.redacted_url(name)} {error}")
            continue
        if archive is not None:
            return archive
    if problems:
        raise SourceReshaped("; ".join(problems))
    return None


def _make_quote(bar: Bar, industry: str | None) -> Quote | None:
    """Return a bar's quote; None where its change is not known."""
    from heatmap.market.quotes import Quote
    from heatmap.system import parsing

    if bar.previous_close is None:
        return None
    percent = parsing.percent(round((bar.close / bar.previous_close - 1) * 100, 2))
    if percent is None:
        return None
    return Quote(
        symbol=bar.symbol,
        percent_change=percent,
        sector=industry,
        last_price=bar.close,
        previous_close=bar.previous_close,
        open=bar.open,
        high=bar.high,
        low=bar.low,
        volume=bar.volume,
        turnover=bar.turnover,
    )
