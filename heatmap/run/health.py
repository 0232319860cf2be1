"""Diagnoses a market from the outcomes that its runs recorded: what is wrong, and how to fix it. Pure."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple
from zoneinfo import ZoneInfo

from heatmap.errors import EXIT_CONFIGURATION, EXIT_OK, EXIT_TEMPORARY, SourcePassed
from heatmap.market.calendar import phases
from heatmap.market.calendar.session import Phase
from heatmap.run import calendar_renewal, final_parts
from heatmap.state import circuit_breaker
from heatmap.state.run_log import RESTING
from heatmap.system import clocks, parsing, parts

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from heatmap.config.loader import Config, Market
    from heatmap.market.calendar.phases import Calendar
    from heatmap.market.calendar.session import MarketStatus, Session
    from heatmap.state.memory import Memory
    from heatmap.state.run_log import RunOutcome

SPARE_MINUTES = 2  # the greatest delay of a run, beside its deadline
FUTURE_TOLERANCE = timedelta(minutes=5)


class Issue(NamedTuple):
    """One fault: a sentence that says how to fix it, and its exit code.

    EXIT_OK marks an issue that is only worth knowing.
    """

    sentence: str
    code: int = EXIT_OK


class Cooldown(NamedTuple):
    """A source whose circuit breaker is open: it is not asked until a time, after repeated blocks."""

    source: str
    until: datetime
    blocks: int  # in a row


class Health(NamedTuple):
    """The health of one market. None means that there was none, or that it is not known."""

    status: MarketStatus
    last: RunOutcome | None  # of its runs
    last_good: RunOutcome | None  # the run that published the current page
    published_at: datetime | None
    rests: tuple[Cooldown, ...]
    troubles: tuple[Issue, ...]

    @property
    def code(self) -> int:
        """The exit code of this market's issues; 0 if nothing is wrong."""
        return worst_exit_code(self.troubles)


def worst_exit_code(issues: Iterable[Issue]) -> int:
    """Return the exit code that all failing issues share; EXIT_TEMPORARY if they differ."""
    codes = {issue.code for issue in issues} - {EXIT_OK}
    return codes.pop() if len(codes) == 1 else EXIT_TEMPORARY if codes else EXIT_OK


def assess(
    config: Config, market: Market, outcomes: Sequence[RunOutcome], memory: Memory, now: datetime
) -> Health:
    """Return the health of a market at `now`; `outcomes` are those of its runs, oldest first."""
    status = phases.phase_at(market.calendar, now)
    last = outcomes[-1] if outcomes else None
    cooldowns = _find_cooldowns(config, memory, now)
    published_at = parsing.aware_datetime(memory.published_at)
    issues = [
        _uncovered(status),
        _missed(config, market, status, [*(outcome.at for outcome in outcomes), published_at], memory, now),
        None if _uncovered(status) else _failed(market, outcomes, cooldowns),
        _vetoed(status, last),
        _unfinished(market, last, memory, now),
        _second_best(market, last),
        _clock(last),
        _in_future(last, now),
        _ending(market, memory, now),
        *_failed_parts(config, memory),
    ]
    return Health(
        status,
        last,
        next((outcome for outcome in reversed(outcomes) if outcome.is_good), None),
        published_at,
        cooldowns,
        tuple(issue for issue in issues if issue),
    )


def last_due(calendar: Calendar, until: datetime) -> tuple[datetime, Session | None] | None:
    """Return the latest moment up to `until` at which a run was due, and its session.

    None means that none was due in the last weeks. A session's final is due at its settle time.
    """
    if calendar.always:
        return until, None
    day = until.astimezone(ZoneInfo(calendar.time_zone)).date()
    for days in range(phases.LONGEST_BREAK_DAYS):
        session = phases.session_on(calendar, day - timedelta(days=days))
        if session is None or session.settles is None or session.windows[0].opens > until:
            continue
        if session.settles <= until:
            return session.settles, session
        started = [window for window in session.windows if window.opens <= until]
        return min(until, started[-1].closes), session
    return None


def _uncovered(status: MarketStatus) -> Issue | None:
    """Return the issue of a calendar that begins later, as with a clock that is decades behind."""
    is_uncovered = status.phase is Phase.UNKNOWN and status.session is None
    return Issue(status.reason, EXIT_CONFIGURATION) if is_uncovered else None


def _missed(
    config: Config,
    market: Market,
    status: MarketStatus,
    run_times: Sequence[datetime | None],
    memory: Memory,
    now: datetime,
) -> Issue | None:
    """Return the issue that no run came although one was due, as if cron does not run.

    `run_times` are the times of earlier runs.
    """
    interval = timedelta(minutes=config.interval_minutes)
    spare = interval + timedelta(minutes=SPARE_MINUTES, seconds=config.deadline_seconds)
    due = last_due(market.calendar, now - spare)
    if due is None:
        return None
    moment, session = due
    is_final = session is not None and moment == session.settles
    if session and is_final and memory.final_date == session.date.isoformat():
        return None
    seen = [at for at in run_times if at is not None and at <= now]  # a clock may have run ahead
    last = max(seen, default=None)
    if last is not None and last >= (moment if is_final else moment - interval):
        return None
    is_open = status.phase in (Phase.OPEN, Phase.AUCTION)
    is_todays = session is None or (status.session is not None and session.date == status.session.date)
    if last is None and not (is_open and is_todays):  # the program may have been installed since
        return Issue("no run has come yet. For the line that makes cron run it: `heatmap schedule`")
    zone = ZoneInfo(market.calendar.time_zone)
    since = f"since {shown(last, zone)}" if last else "yet"
    why = "the market is open" if is_open else f"one was due at {shown(moment, zone)}"
    return Issue(
        f"no run has come {since}, though {why}: check that cron, the timer or the container runs, and read "
        "what it wrote to its mail or log. For the line that cron needs: `heatmap schedule`",
        EXIT_TEMPORARY,
    )


def _failed(market: Market, outcomes: Sequence[RunOutcome], cooldowns: Sequence[Cooldown]) -> Issue | None:
    """Return the issue that the last run failed. Runs without a fetch, due to cooldowns, do not count."""
    last = next((outcome for outcome in reversed(outcomes) if outcome.kind != RESTING), None)
    if last is None or last.code == EXIT_OK:
        return None
    zone = ZoneInfo(market.calendar.time_zone)
    times = 0
    for outcome in reversed(outcomes):
        if outcome.code == EXIT_OK and outcome.kind != RESTING:
            break
        times += outcome.kind != RESTING
    before = "one" if times == 2 else f"{times - 1}"
    how_often = f", as the {before} before it" if times > 1 else ""
    pauses = "".join(
        f"; {each.source} is left alone until {shown(each.until, zone)}, so that a ban is not prolonged"
        for each in cooldowns
    )
    sentence = last.sentence or "see what it wrote to cron's mail or the log"
    return Issue(f"the last run failed ({last.kind}{how_often}): {sentence}{pauses}", last.code)


def _vetoed(status: MarketStatus, last: RunOutcome | None) -> Issue | None:
    """Return the issue that the source contradicts the calendar, as on a holiday announced late."""
    if last is None or last.kind != SourcePassed.kind:
        return None
    if status.phase is Phase.UNKNOWN and status.past_calendar:
        return Issue(f"{last.sentence}: that is right on a holiday, which a presumed calendar does not know")
    if status.phase not in (Phase.OPEN, Phase.AUCTION):
        return None
    if status.session is None:
        return Issue(f"this market is always open, but {last.sentence}: see whether its source still works")
    return Issue(
        f"the calendar has a session, but {last.sentence}: that is right on a holiday announced late. "
        "To bring it into the calendar: `heatmap calendar update`"
    )


def _unfinished(market: Market, last: RunOutcome | None, memory: Memory, now: datetime) -> Issue | None:
    """Return the issue that no run failed, but the last session has no closing page."""
    due = last_due(market.calendar, now)
    if due is None or last is None or last.kind != SourcePassed.kind:
        return None
    moment, session = due
    if session is None or moment != session.settles or last.at < moment:
        return None
    if memory.final_date == session.date.isoformat():
        return None
    return Issue(
        f"the session of {session.date:%d %b %Y} has no closing page, for {last.sentence}: that is right on "
        "a holiday announced late; else the source is behind, and each run until midnight asks it again"
    )


def _second_best(market: Market, last: RunOutcome | None) -> Issue | None:
    """Return the issue that the page is not from the first live source."""
    live = [each.label for each in market.sources if not hasattr(each.source, "closing")]
    others = {each.label for each in market.sources}.difference(live[:1])
    if last is None or not (live and last.is_good and last.source in others):
        return None
    why = f" ({last.sentence})" if last.sentence else ""
    return Issue(f"the page came from {last.source}, for {live[0]} gave nothing{why}")


def _clock(last: RunOutcome | None) -> Issue | None:
    """Return the issue that this machine's clock and the source's differed in the last run."""
    if last is None or not last.clock_seconds:
        return None
    return Issue(clocks.describe(timedelta(seconds=last.clock_seconds)))


def _in_future(last: RunOutcome | None, now: datetime) -> Issue | None:
    if last is None or last.at <= now + FUTURE_TOLERANCE:
        return None
    return Issue("the last run is dated in the future: look at this machine's clock")


def _ending(market: Market, memory: Memory, now: datetime) -> Issue | None:
    """Return the issue that the calendar ends soon or has ended. It fails nothing: the map goes on."""
    sentence = calendar_renewal.notice(market, memory, now)
    return Issue(sentence) if sentence else None


def _failed_parts(config: Config, memory: Memory) -> list[Issue]:
    """Return the issues of failed parts; the page itself is published."""
    missing = final_parts.find_missing(config, memory)
    configured = final_parts.find_configured(config)
    issues = []
    for part, why in (memory.faults or {}).items():
        if part in parts.OF_FINAL and part not in configured:
            continue  # the configuration no longer has it
        again = ""
        if part in missing:
            day = memory.closed_date
            again = f"; of {day} it is still missing, and later runs try again until the next close"
        issues.append(Issue(f"{parts.WORDS.get(part, part)} failed, though the page is out: {why}{again}"))
    return issues


def _find_cooldowns(config: Config, memory: Memory, now: datetime) -> tuple[Cooldown, ...]:
    cooldowns = []
    for label, blocks in circuit_breaker.from_plain(memory.sources).items():
        until = circuit_breaker.open_until(blocks, config.interval_minutes, now)
        if until:
            cooldowns.append(Cooldown(label, until, blocks.consecutive))
    return tuple(cooldowns)


def shown(moment: datetime, zone: ZoneInfo) -> str:
    """Return a moment as text, in a time zone."""
    return f"{moment.astimezone(zone):%a %d %b %Y %H:%M %Z}"
