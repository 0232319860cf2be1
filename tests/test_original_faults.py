"""The faults of the market-hours check this program replaces, each shown at an instant where it errs.

`flawed` repeats those mistakes in a few words of our own; the guard must answer otherwise. Numbers are the
faults' own. The lock, the log and the exit codes (17) are tested where they live.
"""

from __future__ import annotations

import compileall
import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from heatmap.market.calendar.packaged import SessionOptions, load
from heatmap.market.calendar.phases import phase_at
from tests.checkout import CHECKOUT

NSE = load(SessionOptions(), Path())


def flawed(now: datetime, opens: tuple[int, int] = (9, 10), closes: tuple[int, int] = (15, 30)) -> bool:
    """A check by hour and minute apart, inclusive, blind to dates and zones."""
    hour, minute = now.hour, now.minute
    if hour == opens[0]:
        return minute >= opens[1]
    if hour == closes[0]:
        return minute <= closes[1]
    return opens[0] < hour < closes[0]


def ist(text: str) -> datetime:
    """Return a moment written as India's wall clock shows it."""
    return datetime.fromisoformat(f"{text}+05:30")


def test_fault_1_everything_compiles() -> None:
    """A module that does not compile is no program."""
    assert compileall.compile_dir(CHECKOUT / "heatmap", quiet=1, force=False)


def test_fault_2_a_server_in_utc_opens_with_india() -> None:
    """At 09:30 in India the market is open, at 20:00 not, whatever zone the moment is written in."""
    morning, evening = (ist(f"2026-07-15T{at}").astimezone(UTC) for at in ("09:30", "20:00"))

    assert (False, True) == (flawed(morning), flawed(evening))
    assert ("open", "final") == (phase_at(NSE, morning).phase, phase_at(NSE, evening).phase)


@pytest.mark.parametrize(
    ("fault", "at", "flawed_says", "phase"),
    [
        (3, "2026-07-15T09:10", True, "closed"),
        (4, "2026-07-15T15:30:59", True, "settling"),
        (5, "2026-07-18T11:00", True, "closed"),
        (5, "2026-07-19T11:00", True, "closed"),
        (6, "2026-11-24T11:00", True, "closed"),
        (6, "2026-01-15T11:00", True, "closed"),
        (6, "2025-10-21T11:00", True, "closed"),
        (7, "2024-11-01T18:30", False, "open"),
        (7, "2024-03-02T10:30", True, "closed"),
        (8, "2026-07-15T15:50", False, "final"),
    ],
)
def test_faults_3_to_8_the_wrong_moments(fault: int, at: str, *, flawed_says: bool, phase: str) -> None:
    """Opening early, closing late, weekends, holidays, special sessions, and no run after the close."""
    assert flawed_says is flawed(ist(at)), f"fault {fault} is not shown by this instant"
    assert phase == phase_at(NSE, ist(at)).phase


def test_fault_7_a_sunday_session_is_meant() -> None:
    """The budget Sunday is open because it is listed; the Sunday after it is closed."""
    assert ("open", "closed") == (
        phase_at(NSE, ist("2026-02-01T11:00")).phase,
        phase_at(NSE, ist("2026-02-08T11:00")).phase,
    )


@pytest.mark.parametrize(
    ("opens", "closes", "at", "flawed_says", "is_open"),
    [((17, 0), (17, 30), "17:45", True, False), ((22, 0), (4, 0), "23:30", False, True)],
)
def test_faults_9_and_10_short_and_overnight_windows(
    opens: tuple[int, int], closes: tuple[int, int], at: str, *, flawed_says: bool, is_open: bool
) -> None:
    """A window within one hour ends in it; one over midnight is open."""
    now = ist(f"2026-07-15T{at}")
    own = SessionOptions(
        open="{}:{:02}".format(*opens), close="{}:{:02}".format(*closes), time_zone="Asia/Kolkata"
    )

    if opens[0] == closes[0]:
        assert flawed_says is flawed(now, opens, closes)
    else:
        assert flawed_says is (opens[0] < now.hour < closes[0])
    assert is_open is (phase_at(load(own, Path()), now).phase == "open")


def test_fault_11_times_as_people_write_them() -> None:
    """9:15 is a time, and seconds count."""
    calendar = load(SessionOptions(open="9:15:30", close="15:30", time_zone="Asia/Kolkata"), Path())

    assert ("closed", "open") == tuple(
        phase_at(calendar, ist(f"2026-07-15T09:15:{second}")).phase for second in (29, 30)
    )


def test_faults_12_and_14_the_clock_is_passed_in_once_and_aware() -> None:
    """Two moments give two answers in one process, and the guard reads no clock of its own."""
    source = (CHECKOUT / "heatmap/market/calendar/phases.py").read_text("utf-8")

    assert ("open", "closed") == (
        phase_at(NSE, ist("2026-07-15T11:00")).phase,
        phase_at(NSE, ist("2026-07-15T09:00")).phase,
    )
    assert not re.search(r"\.now\(|utcnow|today\(\)|import time", source)


def test_faults_13_15_16_cron_runs_a_command_every_five_minutes() -> None:
    """The example's line calls `heatmap run` itself, every five minutes."""
    lines = [
        line
        for line in (CHECKOUT / "crontab.example").read_text("utf-8").splitlines()
        if re.match(r"#?\d", line)
    ]
    minutes = [re.fullmatch(r"(\d+)-(\d+)/5", line.lstrip("#").split()[0]) for line in lines]

    assert 2 == len(lines)
    assert all("~/heatmap/bin/heatmap run --config ~/heatmap/heatmap.toml" in line for line in lines)
    assert all(match and int(match[2]) - int(match[1]) == 55 for match in minutes)
