"""The last good page of each market, saved in the state directory, and the checks of the next one."""

from __future__ import annotations

from contextlib import suppress
from datetime import date, datetime
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from heatmap.market import market_figures, quality
from heatmap.market.gates import GateOptions
from heatmap.market.periods import DAY
from heatmap.market.quality import LastPage, ShrunkMarket
from heatmap.run import terms_evidence
from heatmap.state import json_files
from heatmap.system import parsing

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from heatmap.config.loader import Config, Market
    from heatmap.market.calendar.session import MarketStatus
    from heatmap.market.quotes import Snapshot
    from heatmap.run.history_session import HistorySession
    from heatmap.state.report import Messages

VERSION = 1
FOLDER = "last"


class LastGood:
    """Checks the figures of one run against the last good page. See `commit` for when that page changes."""

    def __init__(
        self,
        config: Config,
        messages: Messages,
        history: HistorySession,
        *,
        force: bool = False,
        dry_run: bool = False,
    ) -> None:
        """Prepare. With `force`, `check` accepts even figures that are almost certainly wrong."""
        self._config = config
        self._force = force
        self._history = history
        self._options = config.gates or GateOptions()
        self._messages = messages
        self._dry_run = dry_run
        self._last_pages: dict[str, LastPage] = {}  # by market
        self._next_pages: dict[str, LastPage] = {}  # by market: as `check` let them pass

    def check(
        self, market: Market, snapshot: Snapshot, status: MarketStatus, now: datetime, *, force: bool
    ) -> Snapshot:
        """Return the snapshot without rows that contradict themselves. Raises SourceGated.

        `now` is the time that the page uses. With `force` the figures may be worse than the last page's.
        """
        zone = ZoneInfo(market.calendar.time_zone)
        quality.refuse_unfinished(snapshot.as_of, status, zone, is_open=snapshot.is_open)
        last = self._load(market)
        if snapshot.unadjusted:
            snapshot = self._with_known_terms(market, snapshot, status, last)
        closes = self._missing_closes(market, snapshot, status, last) if last else {}
        snapshot, sentences = market_figures.remove_impossible_figures(snapshot, closes)
        for sentence in sentences:
            self._add_note(market, sentence)
        snapshot, bad_rows = quality.remove_contradictions(
            snapshot,
            zone,
            lambda symbols: self._history.read_previous_closes(market, snapshot, status, symbols),
        )
        if bad_rows:
            self._add_note(market, f"left out, for they contradict themselves: {', '.join(bad_rows)}")
        if not self._force:
            quality.refuse_impossible(last, snapshot, status, now)
        if last:
            if not force:
                self._compare(market, last, snapshot, status, now)
            change = quality.describe_membership_change(last, snapshot)
            if change:
                self._add_note(market, change)
            self._last_pages[market.name] = last
        self._next_pages[market.name] = quality.make_last_page(last, snapshot, now)
        return snapshot

    def list_instruments(self, market: Market) -> tuple[frozenset[str], date | None]:
        """Return the symbols and the date of a market's last page; no symbols and None without a page."""
        last = self._load(market)
        zone = ZoneInfo(market.calendar.time_zone)
        return (last.symbols, last.as_of.astimezone(zone).date()) if last else (frozenset(), None)

    def mark_attempt(self) -> None:
        """Save the time of the figures to be published: a killed run cannot say if a target has them."""
        for name, last in self._last_pages.items():
            self._save(name, last._replace(attempted_as_of=self._next_pages[name].as_of))

    def commit(self, *, is_published: bool) -> None:
        """Save the new pages as the last ones if a target has them; else save the earlier ones again."""
        for name, last in (self._next_pages if is_published else self._last_pages).items():
            self._save(name, last)

    def _with_known_terms(
        self, market: Market, snapshot: Snapshot, status: MarketStatus, last: LastPage | None
    ) -> Snapshot:
        """Return an archive's figures; previous closes on unknown terms become unknown, with a note."""
        from heatmap.history import ex_dates

        zone = ZoneInfo(market.calendar.time_zone)
        is_of_today = last and last.as_of.astimezone(zone).date() == snapshot.as_of.astimezone(zone).date()
        closes = last.closes if last and is_of_today else {}
        evidence = terms_evidence.gather(self._history, market, snapshot, status, closes)
        marked = ex_dates.correct_previous_closes(snapshot, evidence)
        for quote in marked.quotes:
            if DAY in quote.doubts:
                advice = " An [[action]] in your overrides file says what it was."
                self._add_note(market, f"{quote.symbol}: {quote.doubts[DAY]}{advice}")
        return marked

    def _missing_closes(
        self, market: Market, snapshot: Snapshot, status: MarketStatus, last: LastPage
    ) -> Mapping[str, float]:
        """Return previous closes, by symbol, that the source gave earlier and does not give now.

        They come from the last page if it has the same date, or else from the history.
        """
        if last.price_source not in (None, snapshot.source):
            return {}  # another source may have other previous closes
        missing = {
            quote.symbol for quote in snapshot.quotes if quote.last_price and quote.previous_close is None
        }
        missing &= last.closes.keys()
        zone = ZoneInfo(market.calendar.time_zone)
        if not missing:
            return {}
        if last.as_of.astimezone(zone).date() == snapshot.as_of.astimezone(zone).date():
            return last.closes
        return self._history.read_previous_closes(market, snapshot, status, missing)

    def _compare(
        self, market: Market, last: LastPage, snapshot: Snapshot, status: MarketStatus, now: datetime
    ) -> None:
        """Raise SourceGated if the figures are worse than the last page's."""
        zone = ZoneInfo(market.calendar.time_zone)
        longest = self._options.stale_after(self._config.interval_minutes)
        quality.refuse_older(last, snapshot, now, zone)
        quality.refuse_stale(last, snapshot, status, now, longest, zone)
        quality.refuse_lost_prices(last, snapshot, self._options.least_share)
        shrinkage = quality.shrinkage(last, snapshot, now, self._options.least_share)
        if shrinkage:
            if shrinkage != last.shrunk_market:
                self._save(market.name, last._replace(shrunk_market=shrinkage))
            quality.refuse_shrunk(last, shrinkage, snapshot, status, now)

    def _add_note(self, market: Market, sentence: str) -> None:
        """Say a sentence on a terminal, and add it to the run log."""
        self._messages.say(f"{market.name}: {sentence}")
        self._messages.note(f"{market.name}: {sentence}")

    def _path(self, name: str) -> Path:
        return self._config.state_directory / FOLDER / f"{name}.json"

    def _load(self, market: Market) -> LastPage | None:
        """Return a market's last page; None if there is none or its file is damaged, which is a warning."""

        def warn(sentence: str) -> None:
            self._messages.warn(f"{market.name}: {sentence}")

        path = self._path(market.name)
        try:
            return json_files.load(path, VERSION, _parse, warn)
        except OSError as error:
            warn(f"{path} cannot be read or set aside ({error.strerror}): let this user write there")
            return None

    def _save(self, name: str, last: LastPage) -> None:
        if self._dry_run:
            return
        with suppress(OSError):  # a full disk: saving the state reports it, and the page comes first
            json_files.save(self._path(name), VERSION, _to_plain(last))


def _to_plain(last: LastPage) -> dict[str, Any]:
    shrinkage = last.shrunk_market
    return {
        "as_of": last.as_of.isoformat(),
        "figures": last.figures,
        "unchanged_since": last.unchanged_since.isoformat(),
        "tried": last.attempted_as_of and last.attempted_as_of.isoformat(),
        "symbols": sorted(last.symbols),
        "closes": dict(last.closes),
        "prices": dict(last.prices),
        "priced_by": last.price_source,
        "refused": shrinkage
        and {
            "since": shrinkage.since.isoformat(),
            "symbols": sorted(shrinkage.symbols),
        },
    }


def _parse(document: Any) -> LastPage:  # noqa: ANN401 -- a file may hold anything
    """Return the last page of a file. Raises ValueError, KeyError, TypeError or AttributeError."""
    shrinkage, attempted_as_of = document["refused"], document["tried"]
    return LastPage(
        _aware(document["as_of"]),
        _symbols(document["symbols"]),
        str(document["figures"]),
        _aware(document["unchanged_since"]),
        None
        if shrinkage is None
        else ShrunkMarket(_aware(shrinkage["since"]), _symbols(shrinkage["symbols"])),
        _prices(document.get("closes", {})),
        None if attempted_as_of is None else _aware(attempted_as_of),
        _prices(document.get("prices", {})),
        parsing.clean_text(document.get("priced_by")),
    )


def _prices(document: dict[str, object]) -> dict[str, float]:
    prices = {str(symbol): parsing.positive(price) for symbol, price in document.items()}
    if None in prices.values():
        raise ValueError(document)
    return {symbol: price for symbol, price in prices.items() if price is not None}


def _aware(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.utcoffset() is None:
        raise ValueError(text)
    return moment


def _symbols(symbols: list[str]) -> frozenset[str]:
    if not symbols or not all(isinstance(symbol, str) for symbol in symbols):
        raise ValueError(symbols)
    return frozenset(symbols)
