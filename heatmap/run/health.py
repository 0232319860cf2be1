"""How a market fares, judged by what its ticks have left: what is wrong, and what to do about it. Pure."""

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

SPARE_MINUTES = 2  # by which a tick may come late, beside its deadline
FUTURE_TOLERANCE = timedelta(minutes=5)


class Issue(NamedTuple):
    """One thing that is not as it should be: a sentence that says what to do, and the exit code it is worth.

    EXIT_OK for what is only to be known: it fails nothing yet.
    """

    sentence: str
    code: int = EXIT_OK


class Cooldown(NamedTuple):
    """A source that is left alone for a while, because it blocked us again and again."""

    source: str
    until: datetime
    blocks: int  # in a row


class Health(NamedTuple):
    """How one market fares. None means that there was none, or that it is not known."""

    status: MarketStatus
    last: RunOutcome | None  # of its ticks
    last_good: RunOutcome | None  # the one that published the page there is
    published_at: datetime | None
    rests: tuple[Cooldown, ...]
    troubles: tuple[Issue, ...]

    @property
    def code(self) -> int:
        """0 where all is well, as far as this market goes."""
        return worst_exit_code(self.troubles)


def worst_exit_code(troubles: Iterable[Issue]) -> int:
    """Return the exit code that some troubles share, EXIT_TEMPORARY where they differ."""
    codes = {trouble.code for trouble in troubles} - {EXIT_OK}
    return codes.pop() if len(codes) == 1 else EXIT_TEMPORARY if codes else EXIT_OK


def assess(
    config: Config, market: Market, ended: Sequence[RunOutcome], memory: Memory, now: datetime
) -> Health:
    """Return how a market fares at `now`; `ended` are its outcomes, oldest first."""
    status = phases.phase_at(market.calendar, now)
    last = ended[-1] if ended else None
    rests = _rests(config, memory, now)
    published_at = parsing.aware_datetime(memory.published_at)
    found = [
        _uncovered(status),
        _missed(config, market, status, [*(outcome.at for outcome in ended), published_at], memory, now),
        None if _uncovered(status) else _failed(market, ended, rests),
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
        next((outcome for outcome in reversed(ended) if outcome.is_good), None),
        published_at,
        rests,
        tuple(trouble for trouble in found if trouble),
    )


def last_due(calendar: Calendar, until: datetime) -> tuple[datetime, Session | None] | None:
    """Return the latest moment up to `until` at which a tick had something to do, and its session.

    None where there was none in the last weeks. At a session's settle time its final page is due.
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
        begun = [window for window in session.windows if window.opens <= until]
        return min(until, begun[-1].closes), session
    return None


def _uncovered(status: MarketStatus) -> Issue | None:
    """Return that the calendar has not begun, as by a clock that is decades behind."""
    is_uncovered = status.phase is Phase.UNKNOWN and status.session is None
    return Issue(status.reason, EXIT_CONFIGURATION) if is_uncovered else None


def _missed(
    config: Config,
    market: Market,
    status: MarketStatus,
    signs: Sequence[datetime | None],
    memory: Memory,
    now: datetime,
) -> Issue | None:
    """Return that no tick has come although one was due, as where cron does not run.

    `signs` are the moments at which there was one.
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
    seen = [at for at in signs if at is not None and at <= now]  # a clock may have run ahead
    last = max(seen, default=None)
    if last is not None and last >= (moment if is_final else moment - interval):
        return None
    is_open = status.phase in (Phase.OPEN, Phase.AUCTION)
    is_todays = session is None or (status.session is not None and session.date == status.session.date)
    if last is None and not (is_open and is_todays):  # it may have been set up since
        return Issue("no run has come yet. For the line that makes cron run it: `heatmap schedule`")
    zone = ZoneInfo(market.calendar.time_zone)
    since = f"since {shown(last, zone)}" if last else "yet"
    why = "the market is open" if is_open else f"one was due at {shown(moment, zone)}"
    return Issue(
        f"no run has come {since}, though {why}: check that cron, the timer or the container runs, and read "
        "what it wrote to its mail or log. For the line that cron needs: `heatmap schedule`",
        EXIT_TEMPORARY,
    )


def _failed(market: Market, ended: Sequence[RunOutcome], rests: Sequence[Cooldown]) -> Issue | None:
    """Return that the last tick failed; ticks that asked nothing, since all sources rest, mend nothing."""
    last = next((outcome for outcome in reversed(ended) if outcome.kind != RESTING), None)
    if last is None or last.code == EXIT_OK:
        return None
    zone = ZoneInfo(market.calendar.time_zone)
    times = 0
    for outcome in reversed(ended):
        if outcome.code == EXIT_OK and outcome.kind != RESTING:
            break
        times += outcome.kind != RESTING
    before = "one" if times == 2 else f"{times - 1}"
    how_often = f", as the {before} before it" if times > 1 else ""
    rest = "".join(
        f"; {each.source} is left alone until {shown(each.until, zone)}, so that a ban is not prolonged"
        for each in rests
    )
    sentence = last.sentence or "see what it wrote to cron's mail or the log"
    return Issue(f"the last tick failed ({last.kind}{how_often}): {sentence}{rest}", last.code)


def _vetoed(status: MarketStatus, last: RunOutcome | None) -> Issue | None:
    """Return that the source contradicts the calendar, as on a holiday that was announced late."""
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
    """Return that ticks came and did not fail, and yet the last session has no closing page."""
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
        "a holiday announced late; else the source is behind, and each tick until midnight asks it again"
    )


def _second_best(market: Market, last: RunOutcome | None) -> Issue | None:
    """Return that the page is there, but not from the source that should give it."""
    live = [each.label for each in market.sources if not hasattr(each.source, "closing")]
    others = {each.label for each in market.sources}.difference(live[:1])
    if last is None or not (live and last.is_good and last.source in others):
        return None
    why = f" ({last.sentence})" if last.sentence else ""
    return Issue(f"the page came from {last.source}, for {live[0]} gave nothing{why}")


def _clock(last: RunOutcome | None) -> Issue | None:
    """Return that this machine's clock and that of the source differed at the last tick."""
    if last is None or not last.clock_seconds:
        return None
    return Issue(clocks.describe(timedelta(seconds=last.clock_seconds)))


def _in_future(last: RunOutcome | None, now: datetime) -> Issue | None:
    if last is None or last.at <= now + FUTURE_TOLERANCE:
        return None
    return Issue("the last tick is dated in the future: look at this machine's clock")


def _ending(market: Market, memory: Memory, now: datetime) -> Issue | None:
    """Return that the calendar ends soon or has ended, which fails nothing: the map goes on."""
    sentence = calendar_renewal.notice(market, memory, now)
    return Issue(sentence) if sentence else None


def _failed_parts(config: Config, memory: Memory) -> list[Issue]:
    """Return what follows the page and failed when it was last tried; the page itself is out."""
    owed = final_parts.find_missing(config, memory)
    wanted = final_parts.find_configured(config)
    found = []
    for part, why in (memory.faults or {}).items():
        if part in parts.OF_FINAL and part not in wanted:
            continue  # it has been switched off since
        again = ""
        if part in owed:
            day = memory.closed_date
            again = f"; of {day} it is still missing, and later runs try again until the next close"
        found.append(Issue(f"{parts.WORDS.get(part, part)} failed, though the page is out: {why}{again}"))
    return found


def _rests(config: Config, memory: Memory, now: datetime) -> tuple[Cooldown, ...]:
    found = []
    for label, blocks in circuit_breaker.from_plain(memory.sources).items():
        until = circuit_breaker.open_until(blocks, config.interval_minutes, now)
        if until:
            found.append(Cooldown(label, until, blocks.consecutive))
    return tuple(found)


def shown(moment: datetime, zone: ZoneInfo) -> str:
    """Return a moment as people of that zone write it."""
    return f"{moment.astimezone(zone):%a %d %b %Y %H:%M %Z}"
