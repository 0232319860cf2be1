"""The last good tick of each market, kept in the state directory, and whether the next may follow it."""

from __future__ import annotations

from contextlib import suppress
from datetime import date, datetime
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from heatmap.market import market_figures, quality
from heatmap.market.periods import DAY
from heatmap.market.quality import LastPage, ShrunkMarket
from heatmap.state import json_files
from heatmap.system import parsing

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from heatmap.config.loader import Config, Market
    from heatmap.market.calendar.session import MarketStatus
    from heatmap.market.quotes import Snapshot
    from heatmap.run.history_session import HistorySession
    from heatmap.state.report import Report

VERSION = 1
FOLDER = "last"


class LastGood:
    """The gates of one run. What they compare with changes only once a target has the page: see `keep`."""

    def __init__(
        self,
        config: Config,
        report: Report,
        chronicle: HistorySession,
        *,
        force: bool = False,
        dry_run: bool = False,
    ) -> None:
        """Prepare; with `force` even figures that can hardly be are admitted."""
        self._config = config
        self._force = force
        self._chronicle = chronicle
        self._options = config.gates or quality.GateOptions()
        self._report = report
        self._dry_run = dry_run
        self._before: dict[str, LastPage] = {}
        self._admitted: dict[str, LastPage] = {}

    def admit(
        self, market: Market, snapshot: Snapshot, verdict: MarketStatus, now: datetime, *, whatever: bool
    ) -> Snapshot:
        """Return the snapshot as it may be drawn: without rows that contradict themselves.

        `now` is the time that the page goes by. With `whatever` it may be worse than the page there is.
        Raises SourceGated.
        """
        zone = ZoneInfo(market.calendar.time_zone)
        quality.refuse_unfinished(snapshot, verdict, zone)
        last = self._load(market)
        if snapshot.unadjusted:
            snapshot = self._with_known_terms(market, snapshot, verdict, last)
        closes = self._missing_closes(market, snapshot, verdict, last) if last else {}
        snapshot, sentences = market_figures.remove_impossible_figures(snapshot, closes)
        for sentence in sentences:
            self._tell(market, sentence)
        snapshot, bad = quality.remove_contradictions(
            snapshot,
            zone,
            lambda symbols: self._chronicle.closes_before(market, snapshot, verdict, symbols),
        )
        if bad:
            self._tell(market, f"left out, for they contradict themselves: {', '.join(bad)}")
        if not self._force:
            quality.refuse_impossible(last, snapshot, verdict, now)
        if last:
            if not whatever:
                self._compare(market, last, snapshot, verdict, now)
            change = quality.describe_membership_change(last, snapshot)
            if change:
                self._tell(market, change)
            self._before[market.name] = last
        self._admitted[market.name] = quality.make_last_page(last, snapshot, now)
        return snapshot

    def listed(self, market: Market) -> tuple[frozenset[str], date | None]:
        """Return the instruments of a market's last page, and its date; none where there is no page."""
        last = self._load(market)
        zone = ZoneInfo(market.calendar.time_zone)
        return (last.symbols, last.as_of.astimezone(zone).date()) if last else (frozenset(), None)

    def begin(self) -> None:
        """Remember what is about to be published: a run that is killed meanwhile cannot say what is out."""
        for name, last in self._before.items():
            self._save(name, last._replace(attempted_as_of=self._admitted[name].as_of))

    def keep(self) -> None:
        """Remember what was admitted, if anybody can see it; else what was before."""
        is_out = self._report.failed_targets < self._report.targets
        for name, last in (self._admitted if is_out else self._before).items():
            self._save(name, last)

    def _with_known_terms(
        self, market: Market, snapshot: Snapshot, verdict: MarketStatus, last: LastPage | None
    ) -> Snapshot:
        """Return an archive's figures with previous closes on the session's own terms, and tell of doubts."""
        from heatmap.history import ex_dates

        zone = ZoneInfo(market.calendar.time_zone)
        is_of_today = last and last.as_of.astimezone(zone).date() == snapshot.as_of.astimezone(zone).date()
        closes = last.closes if last and is_of_today else {}
        evidence = self._chronicle.evidence(market, snapshot, verdict, closes)
        known = ex_dates.correct_previous_closes(snapshot, evidence)
        for quote in known.quotes:
            if DAY in quote.doubts:
                advice = " An [[action]] in your overrides file says what it was."
                self._tell(market, f"{quote.symbol}: {quote.doubts[DAY]}{advice}")
        return known

    def _missing_closes(
        self, market: Market, snapshot: Snapshot, verdict: MarketStatus, last: LastPage
    ) -> Mapping[str, float]:
        """Return previous closes, by symbol, that the source gave before and that it lacks now.

        They are those of the last page, where it is of the same date, or else the history's.
        """
        if last.price_source not in (None, snapshot.source):
            return {}  # another source may count its changes from elsewhere
        missing = {
            quote.symbol for quote in snapshot.quotes if quote.last_price and quote.previous_close is None
        }
        missing &= last.closes.keys()
        zone = ZoneInfo(market.calendar.time_zone)
        if not missing:
            return {}
        if last.as_of.astimezone(zone).date() == snapshot.as_of.astimezone(zone).date():
            return last.closes
        return self._chronicle.closes_before(market, snapshot, verdict, missing)

    def _compare(
        self, market: Market, last: LastPage, snapshot: Snapshot, verdict: MarketStatus, now: datetime
    ) -> None:
        """Raise SourceGated for figures that are worse than the last page's."""
        zone = ZoneInfo(market.calendar.time_zone)
        longest = self._options.stale_after(self._config.interval_minutes)
        quality.refuse_older(last, snapshot, now, zone)
        quality.refuse_stale(last, snapshot, verdict, now, longest, zone)
        quality.refuse_lost_prices(last, snapshot, self._options.least_share)
        refused = quality.shrinkage(last, snapshot, now, self._options.least_share)
        if refused:
            if refused != last.shrunk_market:
                self._save(market.name, last._replace(shrunk_market=refused))
            quality.refuse_shrunk(last, refused, snapshot, verdict, now)

    def _tell(self, market: Market, sentence: str) -> None:
        """Say it on a terminal, and keep it with the run's outcome."""
        self._report.say(f"{market.name}: {sentence}")
        self._report.notes.append(f"{market.name}: {sentence}")

    def _path(self, name: str) -> Path:
        return self._config.state_directory / FOLDER / f"{name}.json"

    def _load(self, market: Market) -> LastPage | None:
        """Return what is remembered of a market; one that cannot be used is told of, and bars nothing."""

        def warn(sentence: str) -> None:
            self._report.warnings.append(f"{market.name}: {sentence}")

        path = self._path(market.name)
        try:
            return json_files.load(path, VERSION, _made, warn)
        except OSError as error:
            warn(f"{path} cannot be read or set aside ({error.strerror}): let this user write there")
            return None

    def _save(self, name: str, last: LastPage) -> None:
        if self._dry_run:
            return
        with suppress(OSError):  # a full disk, of which the state itself tells: the page comes first
            json_files.save(self._path(name), VERSION, _plain(last))


def _plain(last: LastPage) -> dict[str, Any]:
    refused = last.shrunk_market
    return {
        "as_of": last.as_of.isoformat(),
        "figures": last.figures,
        "unchanged_since": last.unchanged_since.isoformat(),
        "tried": last.attempted_as_of and last.attempted_as_of.isoformat(),
        "symbols": sorted(last.symbols),
        "closes": dict(last.closes),
        "prices": dict(last.prices),
        "priced_by": last.price_source,
        "refused": refused
        and {
            "since": refused.since.isoformat(),
            "symbols": sorted(refused.symbols),
        },
    }


def _made(document: Any) -> LastPage:  # noqa: ANN401 -- whatever a file may hold
    """Return what was kept. Raises ValueError, KeyError, TypeError or AttributeError."""
    refused, tried = document["refused"], document["tried"]
    return LastPage(
        _aware(document["as_of"]),
        _symbols(document["symbols"]),
        str(document["figures"]),
        _aware(document["unchanged_since"]),
        None if refused is None else ShrunkMarket(_aware(refused["since"]), _symbols(refused["symbols"])),
        _prices(document.get("closes", {})),
        None if tried is None else _aware(tried),
        _prices(document.get("prices", {})),
        parsing.clean_text(document.get("priced_by")),
    )


def _prices(kept: dict[str, object]) -> dict[str, float]:
    prices = {str(symbol): parsing.positive(price) for symbol, price in kept.items()}
    if None in prices.values():
        raise ValueError(kept)
    return {symbol: price for symbol, price in prices.items() if price is not None}


def _aware(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.utcoffset() is None:
        raise ValueError(text)
    return moment


def _symbols(kept: list[str]) -> frozenset[str]:
    if not kept or not all(isinstance(symbol, str) for symbol in kept):
        raise ValueError(kept)
    return frozenset(kept)
