"""Fetches from the sources of a market in turn, within a share of the time, until one can be drawn."""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from time import monotonic
from typing import TYPE_CHECKING, NamedTuple, cast
from zoneinfo import ZoneInfo

from heatmap.errors import (
    ConfigError,
    DeadlineError,
    SourceBlocked,
    SourceError,
    SourcePassed,
    SourceResting,
)
from heatmap.market.calendar.session import Phase
from heatmap.sources import options
from heatmap.state import circuit_breaker
from heatmap.system.deadline import run_with_timeout

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from datetime import date, datetime
    from pathlib import Path

    from heatmap.config.loader import Config, Market, NamedSource
    from heatmap.market.calendar.session import MarketStatus
    from heatmap.market.quotes import Snapshot
    from heatmap.sources.interface import ClosingSource
    from heatmap.state.circuit_breaker import BlockRecord
    from heatmap.state.memory import State

SILENCE_SECONDS = 12.0  # a longer wait without an answer is the source's fault, not a lack of time


class CheckedSnapshot(NamedTuple):
    """A snapshot that may be drawn."""

    snapshot: Snapshot
    now: datetime  # the time that the page uses
    status: MarketStatus  # at `now`


class Fetched(NamedTuple):
    """The snapshot to draw, the source that gave it, and a sentence for each source that failed before."""

    checked: CheckedSnapshot
    source: NamedSource
    failures: tuple[str, ...] = ()


class Fetcher:
    """Fetches from the sources of one run at `now`. The caller must hold the lock of the state directory.

    With `respects_cooldown` it leaves out sources whose circuit breaker is open, after several blocks.
    """

    def __init__(
        self,
        config: Config,
        state: State,
        now: datetime,
        say: Callable[[str], None],
        *,
        respects_cooldown: bool = True,
        dry_run: bool = False,
    ) -> None:
        self._config = config
        self._state = state
        self._now = now
        self._say = say
        self._respects_cooldown = respects_cooldown
        self._dry_run = dry_run

    def fetch(
        self,
        market: Market,
        status: MarketStatus,
        seconds: float,
        check: Callable[[Snapshot], CheckedSnapshot],
        list_instruments: Callable[[], tuple[Collection[str], date | None]],
    ) -> Fetched:
        """Return the first snapshot that passes `check`, within `seconds`.

        `check` raises SourceError for a snapshot that may not be drawn. `list_instruments` returns symbols
        and date of the last page, for sources that have more instruments than the market. Each source may
        take an equal share of the time left, so that one that hangs leaves time for the next ones.
        Raises the SourceError of the first source, with the others' sentences; SourcePassed if no source
        failed; SourceResting if no source failed and the circuit breaker of one is open.
        """
        until = monotonic() + seconds
        sources = [each for each in market.sources if can_serve(each, status)]
        cooldowns: list[str] = []
        errors: list[tuple[NamedSource, SourceError]] = []
        while sources:
            named_source = sources.pop(0)
            blocks = circuit_breaker.from_plain(self._state[market.name].sources).get(
                named_source.label, circuit_breaker.NONE
            )
            open_until = circuit_breaker.open_until(blocks, self._config.interval_minutes, self._now)
            if open_until and self._respects_cooldown:
                local = open_until.astimezone(ZoneInfo(market.calendar.time_zone))
                cooldowns.append(f"{named_source.label} until {local:%H:%M %Z}")
                self._say(f"{market.name}: leaving {cooldowns[-1]}: {blocks.consecutive} blocks in a row")
                continue
            self._say(f"{market.name}: asking {named_source.label}")
            share = (until - monotonic()) / (1 + len(sources))
            try:
                checked = check(self._fetch(market, named_source, status, share, list_instruments))
            except SourceError as error:
                self._record_attempt(market, named_source, blocks, error)
                errors.append((named_source, error))
                if sources:
                    self._say(f"{market.name}: {named_source.label}: {error}")
                continue
            self._record_attempt(market, named_source, blocks, None)
            skipped = (f"{cooldown}: left alone, for it blocked again and again" for cooldown in cooldowns)
            return Fetched(
                checked, named_source, (*skipped, *(f"{other.label}: {error}" for other, error in errors))
            )
        failure = _join_errors(errors) if errors else None
        if cooldowns and (failure is None or isinstance(failure, SourcePassed)):
            sentence = f"left alone after blocking again and again: {', '.join(cooldowns)}"
            raise SourceResting(f"{sentence}; {failure}" if failure else sentence)
        if failure:
            raise failure
        raise SourcePassed(f"none of its sources has figures while the market is {status.phase}")

    def _fetch(
        self,
        market: Market,
        named_source: NamedSource,
        status: MarketStatus,
        seconds: float,
        list_instruments: Callable[[], tuple[Collection[str], date | None]],
    ) -> Snapshot:
        """Return the snapshot of a source, within `seconds`. Raises SourceError."""
        folder = cache_folder(self._config.state_directory, market, named_source)
        if is_closing(named_source) and status.session:
            source = cast("ClosingSource", named_source.source)
            symbols, day = list_instruments()
            work = partial(source.closing, status.session, symbols=symbols, listed_on=day, folder=folder)
        else:
            work = partial(named_source.source.fetch, now=self._now, folder=folder)
        try:
            return run_with_timeout(seconds, work)
        except DeadlineError as error:
            if seconds < SILENCE_SECONDS:
                raise SourceError(
                    "no answer while the run had time to ask: the next run asks again"
                ) from error
            raise SourceBlocked(
                f"no answer within {seconds:.0f} seconds: this address may be blocked there"
            ) from error

    def _record_attempt(
        self, market: Market, named_source: NamedSource, before: BlockRecord, error: SourceError | None
    ) -> None:
        """Save the result of a fetch in the source's circuit breaker, if it changes that."""
        blocks = circuit_breaker.record_attempt(before, error, self._now)
        if blocks == before or self._dry_run:
            return
        records = circuit_breaker.from_plain(self._state[market.name].sources)
        labels = {each.label for each in market.sources} - {named_source.label}  # without removed sources
        records = {label: each for label, each in records.items() if label in labels}
        if blocks != circuit_breaker.NONE:
            records[named_source.label] = blocks
        with suppress(ConfigError):  # a full disk: the page comes first
            self._state.remember(market.name, sources=circuit_breaker.to_plain(records))


def is_closing(named_source: NamedSource) -> bool:
    """Whether a source has only the final figures of a session."""
    return hasattr(named_source.source, "closing")


def can_serve(named_source: NamedSource, status: MarketStatus) -> bool:
    """Whether a source may have figures for this phase."""
    return not is_closing(named_source) or status.phase is Phase.FINAL


def cache_folder(state_directory: Path, market: Market, named_source: NamedSource) -> Path:
    """Return the folder in which a source may save data for its next fetch; it need not exist."""
    return state_directory / options.FOLDER / f"{market.name}-{1 + market.sources.index(named_source)}"


def _join_errors(errors: list[tuple[NamedSource, SourceError]]) -> SourceError:
    """Return the first error, which decides the outcome of the run, with the sentences of the others."""
    (_, first), *others = errors
    if not others:
        return first
    return first.with_sentence(
        "; ".join([str(first), *(f"{named_source.label}: {error}" for named_source, error in others)])
    )
