"""The closing figures of a session from the exchange's daily archives: the last source, after the session.

Archives are on another server than live quotes. As a rule it accepts addresses that the other one blocks.
Archives are published in the evening. They have every share, but no names and no market values.
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
OPTIONAL_SHARE = 0.2  # of a fetch's time, for optional data
MOST_DAYS_BACK = 10  # more than between any two consecutive sessions
SATURDAY = 5
SETTLED_HOUR = 16  # closing prices are final then, as a rule, in the exchange's zone


@dataclass(frozen=True, slots=True)
class NseArchive(OnlineSource):
    """A session's closing prices, restricted to an index's stocks.

    The stocks are those of the market's page of that session. Without such a page they come from the
    exchange's list of stocks with futures and options, if `index` is that index, else from an older page.
    `base_url` is another server, for a test; None: the exchange's.
    """

    index: str = FUTURES_AND_OPTIONS
    base_url: str | None = None

    def __post_init__(self) -> None:
        """Raise ConfigError for impossible values."""
        from heatmap.sources.nse import live

        problems = self.find_option_problems()
        try:
            live.Nse(index=self.index, base_url=self.base_url or live.BASE_URL)  # validates both values
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
        """Return a session's closing figures, as of the time when it settled.

        The exchange's list of symbol changes is saved beside `folder`, also for the history. Raises
        SourcePassed until the archive is published, another SourceError if it cannot be used.
        """
        as_of = session.settles or session.windows[-1].closes

        def work(server: ArchiveServer) -> Snapshot:
            archive = _read_archive(server, session.date)
            if archive is None:
                raise SourcePassed(f"the archive of {session.date:%d %b %Y} is not there yet")
            is_page_of_session = bool(symbols) and listed_on == session.date
            wanted_symbols = symbols if is_page_of_session else self._find_symbols(server, symbols)
            return parse(
                archive, self._find_symbols_on(server, wanted_symbols, archive, session.date, folder), as_of
            )

        return self._run(work)

    def fetch(self, *, now: datetime, folder: Path | None = None) -> Snapshot:
        """Return the figures of the newest archive, for `heatmap check`. Raises SourceError."""
        del folder
        from heatmap.sources.nse.body import ZONE

        local_now = now.astimezone(ZONE)
        today = local_now.replace(hour=SETTLED_HOUR, minute=0, second=0, microsecond=0)
        times = (today - timedelta(days=days_back) for days_back in range(MOST_DAYS_BACK + 1))
        past_times = [time for time in times if time <= local_now and time.weekday() < SATURDAY]

        def work(server: ArchiveServer) -> Snapshot:
            for time in past_times:
                archive = _read_archive(server, time.date())
                if archive is not None:
                    return parse(archive, self._read_listed_symbols(server), time)
            raise SourceRenamed(
                f"the exchange has no archive of the last {MOST_DAYS_BACK} days: look for a newer version "
                "of this program"
            )

        return self._run(work)

    def _run(self, work: Callable[[ArchiveServer], Snapshot]) -> Snapshot:
        """Return the result of `work` within the fetch's time. Raises SourceError."""
        from heatmap.sources.nse import archive_files, bhavcopy, live
        from heatmap.system.deadline import run_with_timeout

        base, page = self.base_url or bhavcopy.BASE_URL, self.base_url or live.BASE_URL
        client = self.client(headers=site.BROWSER_HEADERS, limits=archive_files.LIMITS)
        with archive_files.ArchiveServer(base, page, {}, client) as server:
            try:
                snapshot = run_with_timeout(self.fetch_timeout_seconds, lambda: work(server))
                return replace(snapshot, clock_offset=client.clock_offset)
            except DeadlineError as error:
                raise SourceBlocked(
                    f"the exchange's archives gave nothing within {self.fetch_timeout_seconds:g} seconds: "
                    "this address may be blocked there"
                ) from error

    def _find_symbols(self, server: ArchiveServer, symbols: Collection[str]) -> Collection[str]:
        """Return the stocks of the index by the exchange's list; if that fails, `symbols`.

        Raises SourceError if `symbols` is empty, too.
        """
        if not symbols:
            return self._read_listed_symbols(server)
        return self._try_within_share(lambda: self._read_listed_symbols(server)) or symbols

    def _find_symbols_on(
        self,
        server: ArchiveServer,
        symbols: Collection[str],
        archive: Archive,
        day: date,
        folder: Path | None,
    ) -> Collection[str]:
        """Return the symbols, with those that the archive lacks as they were called on that day.

        The exchange's own list is read if neither the packaged nor the saved list has them.
        """
        from heatmap.sources.nse import symbols as nse_symbols

        traded = {bar.symbol for bar in archive.bars}
        saved_changes = nse_symbols.load(folder.parent) if folder else ()

        def find_symbols_then(changes: Sequence[SymbolChange]) -> set[str]:
            newer = {symbol: nse_symbols.find_symbol_on(symbol, day, changes) for symbol in missing}
            return {new if new in traded else old for old, new in newer.items()}

        missing = set(symbols) - traded
        if not missing:
            return symbols
        present, missing = (
            set(symbols) & traded,
            find_symbols_then((*nse_symbols.load_packaged(), *saved_changes)),
        )
        if missing - traded:
            listed_changes = self._try_within_share(lambda: self._read_symbol_changes(server))
            if listed_changes and folder:
                with suppress(OSError):  # such as a full disk: the page is more important
                    nse_symbols.save(folder.parent, listed_changes)
            missing = find_symbols_then(listed_changes or ())
        return present | missing

    def _read_symbol_changes(self, server: ArchiveServer) -> tuple[SymbolChange, ...]:
        """Return recent changes in the exchange's list of symbol changes. Raises SourceError."""
        from heatmap.sources.nse import bhavcopy
        from heatmap.sources.nse import symbols as nse_symbols

        body = server.read((self.base_url or bhavcopy.BASE_URL).rstrip("/") + nse_symbols.PATH)
        return nse_symbols.select_recent(nse_symbols.parse(body)) if body else ()

    def _try_within_share(self, work: Callable[[], _T]) -> _T | None:
        """Return the result of `work` within a part of the time; None if it fails: it is optional."""
        from heatmap.system.deadline import run_with_timeout

        try:
            return run_with_timeout(OPTIONAL_SHARE * self.fetch_timeout_seconds, work)
        except (SourceError, DeadlineError):
            return None

    def _read_listed_symbols(self, server: ArchiveServer) -> Collection[str]:
        """Return the stocks of the index by the exchange's list. Raises SourceError."""
        from heatmap.sources.nse import bhavcopy, lots

        if self.index.strip().upper() != FUTURES_AND_OPTIONS:
            raise SourceEmpty(
                f"which stocks {self.index} has is only known once there is a first page with live quotes"
            )
        url = (self.base_url or bhavcopy.BASE_URL).rstrip("/") + lots.PATH
        body = server.read(url)
        if body is None:
            raise SourceRenamed(
                f"{url} is gone, the list of stocks with futures and options: look for a newer version "
                "of this program"
            )
        return lots.parse(body)


def parse(archive: Archive, symbols: Collection[str], as_of: datetime) -> Snapshot:
    """Return the quotes of these symbols in an archive, in its order. Raises SourceEmpty if there are none.

    Percent changes count from the archive's previous close, which is not adjusted on the first day of a split
    or bonus: `ex_dates` corrects it. `dropped` counts the symbols that the archive lacks.
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


def _read_archive(server: ArchiveServer, day: date) -> Archive | None:
    """Return the first usable archive of a day; None where there is none yet. Raises SourceError."""
    from heatmap.system.http.responses import redacted_url

    problems = []
    for name in server.names(day):
        try:
            archive = server.read_archive(name, day)
        except HistoryNonsense as error:
            problems.append(f"{redacted_url(name)} {error}")
            continue
        if archive is not None:
            return archive
    if problems:
        raise SourceReshaped("; ".join(problems))
    return None


def _make_quote(bar: Bar, industry: str | None) -> Quote | None:
    """Return a bar's quote; None if its change is not known."""
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
