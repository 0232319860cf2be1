"""Renews a market's calendar from the exchange's holiday list, and says what is known where that fails.

From 1 December, and on each date past the calendar's end, a run asks for the list once: after its pages are
published, or at the first run of a date that the calendar does not cover. Nothing in here fails a run.
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
    from heatmap.state.report import Report
    from heatmap.system.deadline import Deadline

SOURCE = "nse"  # the type of source whose site has the list
LEAST_SECONDS = 5.0  # a run with less time left leaves the list to the next one
FAILING_DAYS = 3  # for so long a list that cannot be had is not reported: it may pass
LATE_DAYS = 10  # so close to the calendar's end a list that is not there yet is reported


class MissingHolidays(NamedTuple):
    """Why a list did not renew the calendar. A year that is not listed yet is no failure."""

    sentence: str
    is_failure: bool


def is_due(market: Market, memory: Memory, now: datetime, *, is_published: bool) -> bool:
    """Whether this run should ask for the list; `is_published` says whether it published the market."""
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
    report: Report,
    published: Collection[str] = (),
) -> bool:
    """Ask for the list for each of the markets that is due; return whether a calendar has changed.

    `published` names the markets that this run published. The state directory's lock must be held. What
    was found, and what is worth a warning, is in the report.
    """
    answers: dict[str, tuple[Holidays, ...] | str] = {}
    renewed = set()
    for market in markets:
        if not is_due(market, state[market.name], now, is_published=market.name in published):
            continue
        named = _source(market)
        if named is None or _rests(config, state, market, named, now):
            continue
        if deadline.remaining() < LEAST_SECONDS:
            break
        try:
            # First, so that a run that hangs here is not followed by others.
            state.remember(market.name, holidays_asked_on=_today(market, now).isoformat())
        except ConfigError:
            break  # a full disk: every run would ask
        address = named.source.base_url  # type: ignore[attr-defined]  # each source of this type has one
        report.say(f"{market.name}: asking {named.label} for its holiday list")
        if address not in answers:
            answers[address] = _ask(state, market, named, now, deadline)
        lists = answers[address]
        lack = (
            MissingHolidays(lists, is_failure=True)
            if isinstance(lists, str)
            else _merge(config, market, lists, now, report)
        )
        if lack is None:
            renewed.add(market.name)
        _note(state, market, lack, now)
    for market in markets:
        if market.name not in renewed:
            _warn(state, market, now, report)
    return bool(renewed)


def notice(market: Market, memory: Memory, now: datetime) -> str | None:
    """Say that a calendar ends soon or has ended, and why there is no list yet; None where neither is so."""
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


def _warn(state: State, market: Market, now: datetime, report: Report) -> None:
    """Report once a date that a calendar ends or has ended, where the renewal has failed for days."""
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
    report.warnings.append(f"{market.name}: {sentence}")


def is_warning_due(market: Market, memory: Memory, now: datetime) -> bool:
    """Whether a run of this date still has to say that the calendar ends or has ended."""
    today = _today(market, now)
    return memory.warned_on != today.isoformat() and _is_worth_warning(market, memory, now)


def _is_worth_warning(market: Market, memory: Memory, now: datetime) -> bool:
    calendar, today = market.calendar, _today(market, now)
    if not phases.is_ending_soon(calendar, now) or calendar.last is None:
        return False
    asked_today = memory.holidays_asked_on == today.isoformat()
    if _source(market) and not asked_today and not phases.is_past_end(calendar, today):
        return False  # the run that asks will know more
    since = _date(memory.holidays_failing_since)
    if since and (today - since).days >= FAILING_DAYS:
        return True
    return (calendar.last - today).days < LATE_DAYS


def _ask(
    state: State, market: Market, named: NamedSource, now: datetime, deadline: Deadline
) -> tuple[Holidays, ...] | str:
    """Return the exchange's lists, or why there are none."""
    from heatmap.sources.nse import holidays

    seconds = deadline.remaining()
    try:
        return run_with_timeout(seconds, partial(holidays.fetch, named.source))  # type: ignore[arg-type]  # as above
    except DeadlineError:
        error: Exception = SourceBlocked(f"no answer within {seconds:.0f} seconds")
    except SourceError as failure:
        error = failure
    except Exception as mistake:  # noqa: BLE001 -- not even a bug in here may fail the run
        return f"asking for the list ended in a bug, please report it: {mistake!r}"
    _note_block(state, market, named, error, now)
    return str(error)


def _merge(
    config: Config, market: Market, lists: Sequence[Holidays], now: datetime, report: Report
) -> MissingHolidays | None:
    """Merge the lists into the file that keeps them; None once the calendar covers a further year."""
    from heatmap.sources.nse import holiday_files

    known = holiday_files.drop_incomplete_years(lists)
    whole = [listed for listed in known if not (listed.missing and _is_further(listed, market))]
    base = config.files[0].parent if config.files else config.state_directory
    try:
        files = holiday_files.find_files(market.session, base, config.state_directory)
        file, updates = holiday_files.save(files, whole, _today(market, now))
    except HeatmapError as error:
        return MissingHolidays(f"the list cannot be used: {error}".replace("\n", "; "), is_failure=True)
    except Exception as mistake:  # noqa: BLE001 -- not even a bug in here may fail the run
        return MissingHolidays(
            f"merging the list ended in a bug, please report it: {mistake!r}", is_failure=True
        )
    is_late = not any(_is_further(listed, market) for listed in whole)
    changes = [change for update in updates for change in update.new]
    if updates and updates[-1].text != file.text:  # else another market has reported the same file
        end = max(filter(None, (update.after.last for update in updates)))
        report.warnings.append(
            f"{market.name}: the exchange's holiday list is merged into {file.path}: {_counted(changes)}; "
            f"the calendar ends on {end}"
        )
    return MissingHolidays(_lateness(lists, market), is_failure=False) if is_late else None


def _counted(changes: Sequence[CalendarChange]) -> str:
    """Return in words what a list adds."""
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


def _lateness(lists: Sequence[Holidays], market: Market) -> str:
    further = [listed for listed in lists if _is_further(listed, market)]
    if further:
        return f"its list of {further[-1].year} is not whole (no {', no '.join(further[-1].missing)})"
    return f"it still lists {lists[-1].year}"


def _note(state: State, market: Market, lack: MissingHolidays | None, now: datetime) -> None:
    """Remember why the calendar was not renewed, and since when the list fails."""
    since = state[market.name].holidays_failing_since or _today(market, now).isoformat()
    try:
        state.remember(
            market.name,
            holidays_lack=lack.sentence if lack else None,
            holidays_failing_since=since if lack and lack.is_failure else None,
        )
    except ConfigError:
        return  # a full disk: the next run that asks notes it anew


def _rests(config: Config, state: State, market: Market, named: NamedSource, now: datetime) -> bool:
    """Whether the site is left alone for now: it blocked us again and again, or just now in this run."""
    blocks = circuit_breaker.from_plain(state[market.name].sources).get(named.label, circuit_breaker.NONE)
    if blocks.last_at and datetime.fromisoformat(blocks.last_at) == now:
        return True
    return circuit_breaker.open_until(blocks, config.interval_minutes, now) is not None


def _note_block(state: State, market: Market, named: NamedSource, error: Exception, now: datetime) -> None:
    """Count a block of the list as one of its site; an answer says nothing of the quotes: not counted."""
    blocks = circuit_breaker.from_plain(state[market.name].sources)
    before = blocks.get(named.label, circuit_breaker.NONE)
    after = circuit_breaker.record_attempt(before, error, now) if isinstance(error, SourceError) else before
    if after in (before, circuit_breaker.NONE):
        return
    try:
        state.remember(market.name, sources=circuit_breaker.to_plain({**blocks, named.label: after}))
    except ConfigError:
        return


def _source(market: Market) -> NamedSource | None:
    """Return the market's source whose site has the list; None where no source here can be asked for it."""
    if not packaged.is_listed(market.session):
        return None
    return next((named for named in market.sources if named.name == SOURCE), None)


def _today(market: Market, now: datetime) -> date:
    return now.astimezone(ZoneInfo(market.calendar.time_zone)).date()


def _date(text: str | None) -> date | None:
    """Return the date that the state remembers; None for what is none."""
    try:
        return date.fromisoformat(text or "")
    except ValueError:
        return None
