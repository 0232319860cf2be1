"""One run: guard, fetch, measure, colour, render, publish, for every market, from top to bottom."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from heatmap import duty, guard
from heatmap.errors import (
    EXIT_BUG,
    EXIT_OK,
    EXIT_TEMPORARY,
    ConfigError,
    HeatmapError,
    PublishError,
    SourceError,
    SourceNonsense,
)
from heatmap.session import Phase
from heatmap.state import State, lock

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from heatmap.config import Config, Market
    from heatmap.model import Page, Snapshot, Table
    from heatmap.session import Verdict

FUTURE_TOLERANCE = timedelta(minutes=5)  # how far a source's clock may run ahead of ours


@dataclass
class Report:
    """What a run did, in the order it happened: one sentence each, and the errors among them."""

    say: Callable[[str], None]  # called with each sentence as it happens
    errors: list[BaseException] = field(default_factory=list)
    targets: int = 0  # how many targets were tried
    failed_targets: int = 0
    idle_until: datetime | None = None  # before then none of these markets can be due; None: not known

    @property
    def exit_code(self) -> int:
        """The code all errors share; EXIT_TEMPORARY where they differ or where only some targets failed."""
        codes = {error.exit_code if isinstance(error, HeatmapError) else EXIT_BUG for error in self.errors}
        if EXIT_BUG in codes:
            return EXIT_BUG
        if 0 < self.failed_targets < self.targets or len(codes) > 1:
            return EXIT_TEMPORARY
        return codes.pop() if codes else EXIT_OK


def _keep_quiet(_: str) -> None:
    """Say nothing: what a run does is of interest on a terminal alone."""


def run(
    config: Config,
    *,
    now: datetime,
    only: str | None = None,
    force: bool = False,
    dry_run: bool = False,
    interactive: bool = False,
    say: Callable[[str], None] = _keep_quiet,
) -> Report:
    """Do one tick at `now` for every market, or the one called `only`.

    `interactive` is True on a terminal: then a market that is closed and has no page yet gets one.
    Faults of a source or a target are in the report. Raises ConfigError, LockedError, and UsageError
    where no market is called `only`.
    """
    report = Report(say)
    verdicts = [(market, guard.judge(market.calendar, now)) for market in config.named(only)]
    for market, verdict in verdicts:
        say(f"{market.name}: {verdict.phase}. {verdict.reason}")

    def due(state: State) -> list[tuple[Market, Verdict]]:
        return [
            (market, verdict)
            for market, verdict in verdicts
            if force or duty.is_due(verdict, state[market.name], interactive=interactive)
        ]

    state = State(config.state_directory)
    to_draw = due(state)
    for market, verdict in verdicts:
        if verdict.past_calendar and (market, verdict) not in to_draw:
            _warn_of_calendar(state, market, verdict, now, report)
    if not to_draw:
        report.idle_until = duty.idle_until([verdict for _, verdict in verdicts])
        return report
    problems = [f"{target.name}: {problem}" for target in config.publishers for problem in target.problems()]
    if problems:
        raise ConfigError(problems)
    with lock(config.state_directory):
        state = State(config.state_directory)  # a run that has just ended may have changed it
        unheeded = {
            market.name
            for market, _ in verdicts
            if force or (interactive and state[market.name].published_at is None)
        }
        drawn, pages = _draw_all(config, due(state), now, unheeded, report)
        if dry_run:
            for page in pages:
                say(f"dry run: {page.path}, {len(page.content):,} bytes, not published")
        elif pages:
            _publish(config, pages, report)
            _remember(state, drawn, now, report)
    return report


def _draw_all(
    config: Config, due: Sequence[tuple[Market, Verdict]], now: datetime, unheeded: set[str], report: Report
) -> tuple[list[tuple[Market, Verdict]], list[Page]]:
    """Draw every market that can be; one whose source fails does not stop the others.

    `unheeded` names the markets whose veto is told but not heeded.
    """
    drawn: list[tuple[Market, Verdict]] = []
    pages: list[Page] = []
    for market, verdict in due:
        try:
            result = _draw(
                config, market, verdict, now, whatever_date=market.name in unheeded, say=report.say
            )
        except SourceError as error:
            report.errors.append(_of_market(market, error))
            continue
        if result is not None:
            drawn.append((market, result[0]))
            pages += result[1]
    return drawn, pages


def _draw(
    config: Config,
    market: Market,
    verdict: Verdict,
    now: datetime,
    *,
    whatever_date: bool,
    say: Callable[[str], None],
) -> tuple[Verdict, Sequence[Page]] | None:
    """Fetch and draw one market; None where the source's answer is a veto. Raises SourceError.

    With `whatever_date` a veto is told but not heeded: the page is marked closed, never fresh.
    """
    say(f"{market.name}: asking {market.source_name}")
    snapshot = market.source.fetch(now=now)
    zone = ZoneInfo(market.calendar.time_zone)
    as_of = snapshot.as_of.astimezone(zone)
    say(
        f"{market.name}: {len(snapshot.quotes)} quotes as of {as_of:%d %b %Y %H:%M:%S %Z}"
        + (f", {snapshot.dropped} rows left out" if snapshot.dropped else "")
    )
    if snapshot.as_of > now + FUTURE_TOLERANCE:
        when = f"{as_of:%d %b %Y %H:%M %Z}"
        message = f"its figures are dated {when}, which is still to come: check this machine's clock"
        raise SourceNonsense(message)
    objection = duty.veto(verdict, snapshot, now, zone)
    if objection:
        if not whatever_date:
            say(f"{market.name}: skipped, {objection}")
            return None
        say(f"{market.name}: {objection}; drawn all the same, marked closed")
        verdict = verdict._replace(phase=Phase.CLOSED)
    return verdict, _pages(config, market, snapshot, verdict, now)


def _pages(config: Config, market: Market, snapshot: Snapshot, verdict: Verdict, now: datetime) -> list[Page]:
    """Draw one market's files, parts before the page that refers to them."""
    from heatmap import plugins, readings, snapshots
    from heatmap.images import png, svg
    from heatmap.model import Occasion, Page
    from heatmap.render.fragment import fragment, named
    from heatmap.render.page import render

    look = config.page
    found = readings.read_all(snapshot, look.clamp_percent, look.period_clamps)
    view = plugins.view("table")(  # type: ignore[call-arg]  # a Protocol does not tell its fields
        columns=look.columns, gradient=look.gradient, up=look.up, scale=look.heat
    )
    table: Table = view.draw(snapshot, next(iter(found.values())))
    occasion = Occasion(
        market=market.name,
        title=market.title,
        time_zone=market.calendar.time_zone,
        generated_at=now.astimezone(ZoneInfo(market.calendar.time_zone)),
        verdict=verdict,
        interval_minutes=config.interval_minutes,
        markets=tuple(each.name for each in config.markets),
        public_url=config.public_url,
    )
    cache = config.state_directory
    pictures = [Page(f"{market.name}/heatmap.svg", svg.draw(table, snapshot, occasion, cache))]
    if look.png and png.is_possible():
        pictures.append(Page(f"{market.name}/heatmap.png", png.draw(table, snapshot, occasion)))
    parts = [
        Page(
            f"{market.name}/fragment-{wanted.name}.html",
            fragment(wanted, snapshot, found[wanted.mode, "1d"], occasion, look, cache),
        )
        for wanted in filter(None, map(named, look.fragments))
    ]
    picture = pictures[-1].path.rpartition(".")[2]
    page, page_above = render(table, snapshot, found, occasion, look, cache, picture)
    pages = [
        Page(f"{market.name}/snapshot.json", snapshots.to_json(snapshot, table, occasion)),
        Page(f"{market.name}/snapshot.csv", snapshots.to_csv(table)),
        *pictures,
        *parts,
        Page(f"{market.name}/index.html", page),
    ]
    if market is config.markets[0]:
        pages.append(Page("index.html", page_above))
    return pages


def _publish(config: Config, pages: Sequence[Page], report: Report) -> None:
    """Bring the pages to every target; one that fails does not stop the others."""
    for target in config.publishers:
        report.targets += 1
        try:
            target.publish(pages)
        except PublishError as error:
            report.failed_targets += 1
            report.errors.append(error)
        except Exception as error:  # noqa: BLE001 -- a bug in one target must not cost the others their page
            report.failed_targets += 1
            report.errors.append(error)
        else:
            report.say(f"{target.name}: {len(pages)} files published")


def _remember(state: State, drawn: Sequence[tuple[Market, Verdict]], now: datetime, report: Report) -> None:
    if report.failed_targets == report.targets:
        return
    for market, verdict in drawn:
        changes = {"published_at": now.astimezone(ZoneInfo(market.calendar.time_zone)).isoformat()}
        # A final page counts only once every target has it, so that the next tick heals the rest.
        if verdict.phase is Phase.FINAL and verdict.session and not report.failed_targets:
            changes["final_date"] = verdict.session.date.isoformat()
        state.remember(market.name, **changes)


def _warn_of_calendar(state: State, market: Market, verdict: Verdict, now: datetime, report: Report) -> None:
    """Report the end of a calendar once a date; cron would otherwise mail it with every tick."""
    today = now.astimezone(ZoneInfo(market.calendar.time_zone)).date().isoformat()
    if state[market.name].warned_on == today:
        return
    with lock(state.directory):
        State(state.directory).remember(market.name, warned_on=today)
    report.errors.append(ConfigError([f"{market.name}: {verdict.reason}"]))


def _of_market(market: Market, error: SourceError) -> SourceError:
    """Return the same error, telling whose source failed."""
    named = type(error)(f"{market.name}: {error}")
    named.__cause__ = error
    return named
