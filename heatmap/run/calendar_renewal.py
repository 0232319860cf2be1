"""Renews a market's calendar from the holiday list of the exchange, and warns if that fails.

From 1 December, and on each date after the calendar's end, a run fetches the list once: after its pages are
published, or in the first run of a date that the calendar does not cover. A failure here never fails a run.
"""

from __future__ import annotations

from collections import Counter
from datetime import date, datetime
from functools import partial
from typing import TYPE_CHECKING, NamedTuple
from zoneinfo import ZoneInfo

from heatmap.errors import ConfigError, DeadlineError, HeatmapError, SourceBlocked, SourceError
from heatmap.market.calendar import packaged, phases
from heatmap.state import circuit_breaker
from heatmap.system.deadline import run_with_timeout

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from heatmap.config.loader import Config, Market, NamedSource
    from heatmap.sources.nse.calendar_update import CalendarChange
    from heatmap.sources.nse.holidays import Holidays
    from heatmap.state.memory import Memory, State
    from heatmap.state.report import Messages
    from heatmap.system.deadline import Deadline

SOURCE = "nse"  # the type of the source whose site has the list
LEAST_SECONDS = 5.0  # a run with less time left does not fetch the list
FAILING_DAYS = 3  # a list that fails for fewer days is not reported: it may heal
LATE_DAYS = 10  # a list that is not published yet is reported so many days before the calendar's end


class MissingHolidays(NamedTuple):
    """The reason why a list did not renew the calendar. A year that is not listed yet is no failure."""

    sentence: str
    is_failure: bool


def is_due(market: Market, memory: Memory, now: datetime, *, is_published: bool) -> bool:
    """Whether this run fetches the list; `is_published` says whether it published the market."""
    today = _today(market, now)
    if not phases.is_ending_soon(market.calendar, now) or _source(market) is None:
        return False
    if memory.holidays_asked_on == today.isoformat():
        return False
    return is_published or phases.is_past_end(market.calendar, today)


def renew(
    config: Config,
    state: State,
    markets: Sequence[Market],
    now: datetime,
    deadline: Deadline,
    messages: Messages,
    published: Collection[str] = (),
) -> bool:
    """Fetch the list for each market that is due; return whether a calendar has changed.

    `published` names the markets that this run published. The caller must hold the lock of the state
    directory.
    """
    answers: dict[str, tuple[Holidays, ...] | str] = {}
    renewed = set()
    for market in markets:
        if not is_due(market, state[market.name], now, is_published=market.name in published):
            continue
        named_source = _source(market)
        if named_source is None or _is_blocked(config, state, market, named_source, now):
            continue
        if deadline.remaining() < LEAST_SECONDS:
            break
        try:
            # First, so that no other run tries again if this one hangs here.
            state.remember(market.name, holidays_asked_on=_today(market, now).isoformat())
        except ConfigError:
            break  # a full disk: every run would fetch it
        address = named_source.source.base_url  # type: ignore[attr-defined]  # each source of this type has one
        messages.say(f"{market.name}: asking {named_source.label} for its holiday list")
        if address not in answers:
            answers[address] = _fetch(state, market, named_source, now, deadline)
        lists = answers[address]
        missing = (
            MissingHolidays(lists, is_failure=True)
            if isinstance(lists, str)
            else _merge(config, market, lists, now, messages)
        )
        if missing is None:
            renewed.add(market.name)
        _remember(state, market, missing, now)
    for market in markets:
        if market.name not in renewed:
            _warn(state, market, now, messages)
    return bool(renewed)


def notice(market: Market, memory: Memory, now: datetime) -> str | None:
    """Return that a calendar ends soon or has ended, and why there is no list yet; None otherwise."""
    if not phases.is_ending_soon(market.calendar, now):
        return None
    calendar, today = market.calendar, _today(market, now)
    is_past = phases.is_past_end(calendar, today)
    begins = f"the calendar {calendar.name} {'ended' if is_past else 'ends'} on {calendar.last}"
    presumed = (
        f"{'' if is_past else 'from then on '}weekdays are presumed to be sessions in the last known hours"
    )
    if not packaged.is_listed(market.session):
        return (
            f"{begins}: add the next year's dates to the overrides file and move its coverage_to; {presumed}"
        )
    if _source(market) is None:
        return (
            f"{begins}: no source of this market can be asked for the exchange's holiday list; {presumed}. "
            "To ask it all the same: `heatmap calendar update`"
        )
    asked = "the exchange is asked for its holiday list once a day"
    if memory.holidays_lack is None:
        return f"{begins}: {asked}, after the pages; {presumed}"
    if memory.holidays_failing_since is None:
        return f"{begins}: {asked}, but {memory.holidays_lack}; {presumed}"
    return (
        f"{begins}: {asked}, which has failed since {memory.holidays_failing_since}: {memory.holidays_lack}; "
        f"{presumed}. With a list that was saved by hand: `heatmap calendar update --from FILE`"
    )


def _warn(state: State, market: Market, now: datetime, messages: Messages) -> None:
    """Warn, once a date, that a calendar ends or has ended, if the renewal has failed for days."""
    memory, today = state[market.name], _today(market, now)
    sentence = notice(market, memory, now)
    if (
        sentence is None
        or memory.warned_on == today.isoformat()
        or not _is_worth_warning(market, memory, now)
    ):
        return
    try:
        state.remember(market.name, warned_on=today.isoformat())
    except ConfigError:
        return  # a full disk, which every run would report
    messages.warn(f"{market.name}: {sentence}")


def is_warning_due(market: Market, memory: Memory, now: datetime) -> bool:
    """Whether a run of this date still has to warn that the calendar ends or has ended."""
    today = _today(market, now)
    return memory.warned_on != today.isoformat() and _is_worth_warning(market, memory, now)


def _is_worth_warning(market: Market, memory: Memory, now: datetime) -> bool:
    calendar, today = market.calendar, _today(market, now)
    if not phases.is_ending_soon(calendar, now) or calendar.last is None:
        return False
    is_fetched_today = memory.holidays_asked_on == today.isoformat()
    if _source(market) and not is_fetched_today and not phases.is_past_end(calendar, today):
        return False  # the run that fetches the list will know more
    since = _date(memory.holidays_failing_since)
    if since and (today - since).days >= FAILING_DAYS:
        return True
    return (calendar.last - today).days < LATE_DAYS


def _fetch(
    state: State, market: Market, named_source: NamedSource, now: datetime, deadline: Deadline
) -> tuple[Holidays, ...] | str:
    """Return the exchange's lists, or a sentence that says why there are none."""
    from heatmap.sources.nse import holidays

    seconds = deadline.remaining()
    try:
        return run_with_timeout(seconds, partial(holidays.fetch, named_source.source))  # type: ignore[arg-type]  # as above
    except DeadlineError:
        error: Exception = SourceBlocked(f"no answer within {seconds:.0f} seconds")
    except SourceError as failure:
        error = failure
    except Exception as bug:  # noqa: BLE001 -- a bug here must not fail the run
        return f"asking for the list ended in a bug, please report it: {bug!r}"
    _note_block(state, market, named_source, error, now)
    return str(error)


def _merge(
    config: Config, market: Market, lists: Sequence[Holidays], now: datetime, messages: Messages
) -> MissingHolidays | None:
    """Merge the lists into the overrides file. Return None if the calendar now covers a further year."""
    from heatmap.sources.nse import holiday_files

    complete_years = holiday_files.drop_incomplete_years(lists)
    whole = [listed for listed in complete_years if not (listed.missing and _is_further(listed, market))]
    base = config.files[0].parent if config.files else config.state_directory
    try:
        files = holiday_files.find_files(market.session, base, config.state_directory)
        file, updates = holiday_files.save(files, whole, _today(market, now))
    except HeatmapError as error:
        return MissingHolidays(f"the list cannot be used: {error}".replace("\n", "; "), is_failure=True)
    except Exception as bug:  # noqa: BLE001 -- a bug here must not fail the run
        return MissingHolidays(f"merging the list ended in a bug, please report it: {bug!r}", is_failure=True)
    is_late = not any(_is_further(listed, market) for listed in whole)
    changes = [change for update in updates for change in update.new]
    if updates and updates[-1].text != file.text:  # else another market has reported this file
        end = max(filter(None, (update.after.last for update in updates)))
        counts = _describe_changes(changes)
        messages.warn(
            f"{market.name}: the exchange's holiday list is merged into {file.path}: {counts}; "
            f"the calendar ends on {end}"
        )
    return MissingHolidays(_describe_lateness(lists, market), is_failure=False) if is_late else None


def _describe_changes(changes: Sequence[CalendarChange]) -> str:
    """Return the changes of a list in words."""
    counts = Counter(change.table for change in changes)
    parts = [f"{counts['closed']} closed weekdays"]
    if counts["session"]:
        days = ", ".join(f"{change.day}" for change in changes if change.table == "session")
        parts.append(f"a Muhurat session of unknown hours ({days})")
    if counts["regular"]:
        parts.append(f"{counts['regular']} weekdays that are no holidays any more")
    return ", ".join(parts)


def _is_further(listed: Holidays, market: Market) -> bool:
    return market.calendar.last is not None and market.calendar.last < date(listed.year, 12, 31)


def _describe_lateness(lists: Sequence[Holidays], market: Market) -> str:
    further = [listed for listed in lists if _is_further(listed, market)]
    if further:
        return f"its list of {further[-1].year} is not whole (no {', no '.join(further[-1].missing)})"
    return f"it still lists {lists[-1].year}"


def _remember(state: State, market: Market, missing: MissingHolidays | None, now: datetime) -> None:
    """Save why the calendar was not renewed, and since when the list fails."""
    since = state[market.name].holidays_failing_since or _today(market, now).isoformat()
    try:
        state.remember(
            market.name,
            holidays_lack=missing.sentence if missing else None,
            holidays_failing_since=since if missing and missing.is_failure else None,
        )
    except ConfigError:
        return  # a full disk: the next run that fetches the list saves it


def _is_blocked(
    config: Config, state: State, market: Market, named_source: NamedSource, now: datetime
) -> bool:
    """Whether the site blocked this run, or its circuit breaker is open."""
    blocks = circuit_breaker.from_plain(state[market.name].sources).get(
        named_source.label, circuit_breaker.NONE
    )
    if blocks.last_at and datetime.fromisoformat(blocks.last_at) == now:
        return True
    return circuit_breaker.open_until(blocks, config.interval_minutes, now) is not None


def _note_block(
    state: State, market: Market, named_source: NamedSource, error: Exception, now: datetime
) -> None:
    """Count a block of the list as a block of its site. An answer is not counted: it has no quotes."""
    blocks = circuit_breaker.from_plain(state[market.name].sources)
    before = blocks.get(named_source.label, circuit_breaker.NONE)
    after = circuit_breaker.record_attempt(before, error, now) if isinstance(error, SourceError) else before
    if after in (before, circuit_breaker.NONE):
        return
    try:
        state.remember(market.name, sources=circuit_breaker.to_plain({**blocks, named_source.label: after}))
    except ConfigError:
        return


def _source(market: Market) -> NamedSource | None:
    """Return the market's source whose site has the list; None if it has no such source."""
    if not packaged.is_listed(market.session):
        return None
    return next((named_source for named_source in market.sources if named_source.name == SOURCE), None)


def _today(market: Market, now: datetime) -> date:
    return now.astimezone(ZoneInfo(market.calendar.time_zone)).date()


def _date(text: str | None) -> date | None:
    """Return the date in a text of the state; None if it is not a date."""
    try:
        return date.fromisoformat(text or "")
    except ValueError:
        return None
