"""Phases, against answers written by hand from the exchange's circulars."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import groupby
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from heatmap.market.calendar.packaged import SessionOptions, load
from heatmap.market.calendar.phases import Calendar, coverage_end, is_ending_soon, phase_at, session_on

NSE = load(SessionOptions(), Path())
OVERNIGHT = load(SessionOptions(open="22:00", close="4:00", time_zone="Asia/Kolkata"), Path())
NEW_YORK = load(SessionOptions(open="9:30", close="16:00", time_zone="America/New_York"), Path())
SHORT = load(SessionOptions(open="17:00", close="17:30", time_zone="Asia/Kolkata"), Path())
MICROSECOND = timedelta(microseconds=1)


def ist(text: str) -> datetime:
    """Return a moment written as India's wall clock shows it."""
    return datetime.fromisoformat(f"{text}+05:30")


CHANGES = [
    # at this instant, the phase just before, the phase from then on
    ("2026-07-31T09:15", "closed", "open"), ("2026-07-31T15:30", "open", "settling"), ("2026-07-31T15:45", "settling", "final"),
    ("2026-08-03T09:15", "closed", "open"), ("2026-08-03T15:15", "open", "auction"),
    ("2026-08-03T15:35", "auction", "settling"), ("2026-08-03T15:45", "settling", "final"),
    ("2026-08-04T00:00", "final", "closed"),
    ("2026-12-04T15:15", "open", "auction"), ("2026-12-04T15:45", "settling", "final"),
    ("2026-12-07T15:30", "open", "auction"), ("2026-12-07T15:40", "auction", "settling"), ("2026-12-07T15:50", "settling", "final"),
    ("2023-11-12T18:15", "closed", "open"), ("2023-11-12T19:15", "open", "settling"), ("2023-11-12T19:30", "settling", "final"),
    ("2024-01-20T09:15", "closed", "open"), ("2024-01-20T15:30", "open", "settling"), ("2024-01-20T15:45", "settling", "final"),
    ("2024-03-02T10:00", "open", "closed"), ("2024-03-02T11:30", "closed", "open"), ("2024-03-02T12:30", "open", "settling"),
    ("2024-05-18T10:00", "open", "closed"), ("2024-05-18T11:30", "closed", "open"), ("2024-05-18T12:45", "settling", "final"),
    ("2024-11-01T18:00", "closed", "open"), ("2024-11-01T19:00", "open", "settling"), ("2024-11-01T19:15", "settling", "final"),
    ("2025-02-01T09:15", "closed", "open"), ("2025-02-01T15:45", "settling", "final"),
    ("2025-10-21T13:45", "closed", "open"), ("2025-10-21T14:45", "open", "settling"), ("2025-10-21T15:00", "settling", "final"),
    ("2026-02-01T09:15", "closed", "open"), ("2026-02-01T15:30", "open", "settling"),
    ("2026-11-08T00:00", "closed", "unknown"), ("2026-11-09T00:00", "unknown", "closed"),
    ("2027-01-01T00:00", "final", "closed"), ("2023-01-01T00:00", "unknown", "closed"),
    # Past the calendar's end: weekdays in the last known hours, of which only the source knows more.
    ("2027-01-01T09:15", "closed", "unknown"), ("2027-01-01T15:40", "unknown", "settling"), ("2027-01-01T15:50", "settling", "final"),
    ("2027-01-02T00:00", "final", "closed"), ("2027-01-04T09:15", "closed", "unknown"), ("2027-01-26T09:15", "closed", "unknown"),
]  # fmt: skip


@pytest.mark.parametrize(("at", "before", "after"), CHANGES)
def test_phase_changes_at_this_microsecond(at: str, before: str, after: str) -> None:
    """Windows are half-open: the instant itself belongs to what begins."""
    moment = ist(at)

    assert (before, after) == (phase_at(NSE, moment - MICROSECOND).phase, phase_at(NSE, moment).phase)


@pytest.mark.parametrize(
    "day",
    [
        "2024-01-22",
        "2024-05-20",
        "2024-11-20",
        "2026-01-15",
        "2023-06-29",
        "2026-11-24",
        "2026-11-21",
        "2026-11-22",
    ],
)
def test_closed_the_whole_day(day: str) -> None:
    """Late closures, holidays and weekends have no session at any hour."""
    verdicts = [phase_at(NSE, ist(f"{day}T{hour:02}:20")) for hour in range(24)]

    assert {("closed", None)} == {(str(v.phase), v.session) for v in verdicts}


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        ("2026-11-20T16:00", "2026-11-23T09:15"),  # Friday to Monday
        ("2026-11-23T16:00", "2026-11-25T09:15"),  # over a holiday
        ("2026-11-23T09:14:59", "2026-11-23T09:15"),
        ("2026-11-23T09:15", "2026-11-25T09:15"),  # strictly later, and the auction opens nothing
        ("2024-03-02T10:30", "2024-03-02T11:30"),  # later the same day
        ("2026-11-06T16:00", None),  # the next session's hours are not known
        ("2026-11-08T10:00", None),
        ("2026-12-31T10:00", None),  # the next year is not known
    ],
)
def test_next_open(now: str, expected: str | None) -> None:
    """The next opening is later than the moment; None if the calendar does not know it."""
    assert (ist(expected) if expected else None) == phase_at(NSE, ist(now)).next_open


def test_past_the_calendar_it_says_so() -> None:
    """A presumed calendar differs from a listed session whose hours are not known."""
    verdict = phase_at(NSE, ist("2027-01-04T11:00"))

    assert (True, date(2027, 1, 4)) == (verdict.past_calendar, verdict.session and verdict.session.date)
    assert "presumed trading calendar" in verdict.reason
    assert "2026-12-31" in verdict.reason
    assert phase_at(NSE, ist("2027-01-02T11:00")).past_calendar  # a Saturday
    assert not phase_at(NSE, ist("2026-11-08T11:00")).past_calendar
    assert not phase_at(NSE, ist("2026-12-31T23:59")).past_calendar


def test_before_the_calendar_nothing_is_presumed() -> None:
    """A clock that is decades behind makes no session."""
    verdict = phase_at(NSE, ist("1970-01-01T11:00"))

    assert ("unknown", None, None) == (verdict.phase, verdict.session, verdict.next_regular_open)
    assert "begins on 2023-01-01" in verdict.reason
    assert session_on(NSE, date(2022, 12, 30)) is None


def test_what_is_listed_past_the_end_is_no_presumption() -> None:
    """Sessions and closures that an overrides file lists hold before its year is covered."""
    hours = NSE.special[date(2026, 2, 1)]
    listed = replace(NSE, special={date(2027, 1, 9): hours}, closed={date(2027, 1, 26): "Republic Day"})

    assert "open" == phase_at(listed, ist("2027-01-09T11:00")).phase  # a Saturday
    assert "open" != phase_at(NSE, ist("2027-01-09T11:00")).phase
    closed = phase_at(listed, ist("2027-01-26T11:00"))
    assert ("closed", True) == (closed.phase, closed.reason.startswith("Closed for Republic Day."))


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        ("2026-11-20T16:00", "2026-11-23T09:15"),  # as next_open has it
        ("2026-11-06T16:00", "2026-11-09T09:15"),  # after the Sunday whose hours are not known
        ("2026-11-08T19:30", "2026-11-09T09:15"),
        ("2026-12-31T16:00", "2027-01-01T09:15"),  # presumed
        ("2027-01-01T16:00", "2027-01-04T09:15"),
        ("2027-01-25T16:00", "2027-01-26T09:15"),  # a holiday that nobody has listed yet
    ],
)
def test_next_regular_open(now: str, expected: str) -> None:
    """Newer figures are due then at the latest, also where the very next session is not known."""
    assert ist(expected) == phase_at(NSE, ist(now)).next_regular_open


def test_the_end_of_a_calendar() -> None:
    """The first moment of which it knows nothing; a market that never closes has no end."""
    assert ist("2027-01-01T00:00") == coverage_end(NSE)
    assert coverage_end(Calendar("always", "UTC", always=True)) is None
    assert coverage_end(replace(NSE, last=date.max)) is None


def test_a_calendar_is_ending_from_december_on() -> None:
    """From the first moment of December on the market's clock, and for as long as the next year is missing."""
    assert not is_ending_soon(NSE, ist("2026-12-01T00:00") - MICROSECOND)
    assert is_ending_soon(NSE, ist("2026-12-01T00:00"))
    assert is_ending_soon(NSE, ist("2027-05-01T00:00"))
    assert not is_ending_soon(NSE, ist("2025-12-15T11:00"))
    assert not is_ending_soon(replace(NSE, last=None), ist("2026-12-15T11:00"))
    spring = replace(NSE, last=date(2027, 3, 31))  # as an overrides file may have it
    assert not is_ending_soon(spring, ist("2027-02-28T23:59"))
    assert is_ending_soon(spring, ist("2027-03-01T00:00"))


def test_naive_time_is_refused() -> None:
    """A time without an offset is ambiguous."""
    with pytest.raises(ValueError, match="aware"):
        phase_at(NSE, datetime(2026, 9, 17, 11))  # noqa: DTZ001 -- naive is the point


@pytest.mark.parametrize(
    ("calendar", "now", "phase", "session_date"),
    [
        (OVERNIGHT, "2026-09-17T21:59", "final", "2026-09-16"), (OVERNIGHT, "2026-09-17T22:00", "open", "2026-09-17"),
        (OVERNIGHT, "2026-09-18T03:59", "open", "2026-09-17"), (OVERNIGHT, "2026-09-18T04:00", "settling", "2026-09-17"),
        (OVERNIGHT, "2026-09-18T04:15", "final", "2026-09-17"), (OVERNIGHT, "2026-09-19T03:00", "open", "2026-09-18"),
        (SHORT, "2026-09-17T17:29", "open", "2026-09-17"), (SHORT, "2026-09-17T17:45", "final", "2026-09-17"),
    ],
)  # fmt: skip
def test_windows_over_midnight_and_within_an_hour(
    calendar: object, now: str, phase: str, session_date: str
) -> None:
    """A session belongs to the date it opens on, however short it is or wherever midnight falls."""
    verdict = phase_at(calendar, ist(now))  # type: ignore[arg-type] -- parametrised

    assert (phase, session_date) == (verdict.phase, str(verdict.session and verdict.session.date))


@pytest.mark.parametrize(
    ("day", "opens_utc"), [("2026-03-06", 14), ("2026-03-09", 13), ("2026-10-30", 13), ("2026-11-02", 14)]
)
def test_summer_time_moves_the_open_in_utc(day: str, opens_utc: int) -> None:
    """New York opens at 9:30 of its own clock on both sides of a change."""
    session = session_on(NEW_YORK, date.fromisoformat(day))

    assert session is not None
    assert datetime(*map(int, day.split("-")), opens_utc, 30, tzinfo=UTC) == session.windows[0].opens  # type: ignore[misc, arg-type]


@pytest.mark.parametrize(
    ("day", "expected"),
    [
        ("2026-09-17", "closed open auction settling final"),
        ("2026-07-15", "closed open settling final"),
        ("2024-03-02", "closed open closed open settling final"),
    ],
)
def test_a_day_walked_by_the_minute(day: str, expected: str) -> None:
    """Each phase comes once and in order, so a session date has exactly one final."""
    phases = [
        phase_at(NSE, ist(f"{day}T00:00") + timedelta(minutes=minute)).phase for minute in range(24 * 60)
    ]

    assert expected.split() == [str(phase) for phase, _ in groupby(phases)]


@given(moment=st.datetimes(datetime(2022, 12, 1), datetime(2027, 2, 1), timezones=st.just(UTC)))  # noqa: DTZ001 -- hypothesis wants naive bounds
@settings(max_examples=150, deadline=None)
def test_next_open_begins_trading(moment: datetime) -> None:
    """The next open is in the future, and the market is open at that instant, but not just before."""
    found = phase_at(NSE, moment).next_open

    if found is not None:
        assert found > moment
        assert ("open", "open") != (phase_at(NSE, found - MICROSECOND).phase, phase_at(NSE, found).phase)
        assert phase_at(NSE, found).phase == "open"
