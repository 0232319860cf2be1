"""Asks the sources of a market in turn, within their share of the time, until one gives what can be drawn."""

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
    SourceReshaped,
    SourceResting,
)
from heatmap.market.calendar.session import Phase
from heatmap.sources import options
from heatmap.state import circuit_breaker
from heatmap.system import limits
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

SILENCE_SECONDS = 12.0  # from then on it is the source that says nothing, not its name server or our hurry


class Fetched(NamedTuple):
    """What can be drawn, which of a market's sources gave it, and what is to be said of those before it."""

    snapshot: Snapshot
    source: NamedSource
    failures: tuple[str, ...] = ()


class Fetcher:
    """The sources of all markets, for one run at `now`; the state directory's lock must be held.

    `patient` leaves alone for a while who blocked us again and again; without it, all are asked.
    """

    def __init__(
        self,
        config: Config,
        state: State,
        now: datetime,
        say: Callable[[str], None],
        *,
        patient: bool = True,
        dry_run: bool = False,
    ) -> None:
        self._config = config
        self._state = state
        self._now = now
        self._say = say
        self._patient = patient
        self._dry_run = dry_run

    def ask(
        self,
        market: Market,
        verdict: MarketStatus,
        seconds: float,
        judge: Callable[[Snapshot], Snapshot],
        listed: Callable[[], tuple[Collection[str], date | None]],
    ) -> Fetched:
        """Return the first answer that `judge` lets pass, within `seconds`.

        `judge` returns the snapshot as it may be drawn, or raises SourceError. `listed` returns the symbols
        of the last page and its date, for sources that know more instruments than the market has. Each source
        may take an equal share of the time that is left, so that one that hangs leaves the next ones theirs.
        Raises SourceError: that of the first source asked, in which the others' are told; SourcePassed where
        nothing failed; SourceResting where nothing failed that was asked, and something was not.
        """
        until = monotonic() + seconds
        waiting = [each for each in market.sources if can_serve(each, verdict)]
        resting: list[str] = []
        errors: list[tuple[NamedSource, SourceError]] = []
        while waiting:
            named = waiting.pop(0)
            blocks = circuit_breaker.from_plain(self._state[market.name].sources).get(
                named.label, circuit_breaker.NONE
            )
            rests = circuit_breaker.open_until(blocks, self._config.interval_minutes, self._now)
            if rests and self._patient:
                local = rests.astimezone(ZoneInfo(market.calendar.time_zone))
                resting.append(f"{named.label} until {local:%H:%M %Z}")
                self._say(f"{market.name}: leaving {resting[-1]}: {blocks.in_a_row} blocks in a row")
                continue
            self._say(f"{market.name}: asking {named.label}")
            share = (until - monotonic()) / (1 + len(waiting))
            try:
                snapshot = judge(self._fetch(market, named, verdict, share, listed))
            except SourceError as error:
                self._note(market, named, blocks, error)
                errors.append((named, error))
                if waiting:
                    self._say(f"{market.name}: {named.label}: {error}")
                continue
            self._note(market, named, blocks, None)
            left = (f"{rest}: left alone, for it blocked again and again" for rest in resting)
            return Fetched(snapshot, named, (*left, *(f"{other.label}: {error}" for other, error in errors)))
        failure = _of_all(errors) if errors else None
        if resting and (failure is None or isinstance(failure, SourcePassed)):
            rest = f"left alone after blocking again and again: {', '.join(resting)}"
            raise SourceResting(f"{rest}; {failure}" if failure else rest)
        if failure:
            raise failure
        raise SourcePassed(f"none of its sources has figures while the market is {verdict.phase}")

    def _fetch(
        self,
        market: Market,
        named: NamedSource,
        verdict: MarketStatus,
        seconds: float,
        listed: Callable[[], tuple[Collection[str], date | None]],
    ) -> Snapshot:
        """Return what a source gives within `seconds`. Raises SourceError."""
        folder = folder_of(self._config.state_directory, market, named)
        if is_closing(named) and verdict.session:
            source = cast("ClosingSource", named.source)
            symbols, day = listed()
            work = partial(source.closing, verdict.session, symbols=symbols, listed_on=day, folder=folder)
        else:
            work = partial(named.source.fetch, now=self._now, folder=folder)
        try:
            return _refuse_too_many(run_with_timeout(seconds, work))
        except DeadlineError as error:
            if seconds < SILENCE_SECONDS:
                raise SourceError(
                    "no answer while the run had time to ask: the next run asks again"
                ) from error
            raise SourceBlocked(
                f"no answer within {seconds:.0f} seconds: this address may be blocked there"
            ) from error

    def _note(
        self, market: Market, named: NamedSource, before: BlockRecord, error: SourceError | None
    ) -> None:
        """Remember what became of asking a source, if that changes anything."""
        blocks = circuit_breaker.record_attempt(before, error, self._now)
        if blocks == before or self._dry_run:
            return
        kept = circuit_breaker.from_plain(self._state[market.name].sources)
        labels = {each.label for each in market.sources}  # of a source that is no more, nothing is kept
        kept = {label: each for label, each in kept.items() if label in labels and label != named.label}
        if blocks != circuit_breaker.NONE:
            kept[named.label] = blocks
        with suppress(ConfigError):  # a full disk: the page comes first
            self._state.remember(market.name, sources=circuit_breaker.to_plain(kept))


def is_closing(named: NamedSource) -> bool:
    """Whether a source has a session's final figures alone."""
    return hasattr(named.source, "closing")


def can_serve(named: NamedSource, verdict: MarketStatus) -> bool:
    """Whether a source may have figures for this phase."""
    return not is_closing(named) or verdict.phase is Phase.FINAL


def folder_of(state_directory: Path, market: Market, named: NamedSource) -> Path:
    """Return where a source may keep what makes its next fetch better; it need not exist."""
    return state_directory / options.FOLDER / f"{market.name}-{1 + market.sources.index(named)}"


def _refuse_too_many(snapshot: Snapshot) -> Snapshot:
    """Return the snapshot. Raises SourceReshaped for one of more quotes than a page can have."""
    if len(snapshot.quotes) > limits.QUOTES:
        why = limits.TOO_MANY_QUOTES.format(count=len(snapshot.quotes))
        raise SourceReshaped(f"the snapshot cannot be used: {why}")
    return snapshot


def _of_all(errors: list[tuple[NamedSource, SourceError]]) -> SourceError:
    """Return the first error, which decides what became of the market; the others are told in it."""
    (_, first), *others = errors
    if not others:
        return first
    return first.with_sentence(
        "; ".join([str(first), *(f"{named.label}: {error}" for named, error in others)])
    )
