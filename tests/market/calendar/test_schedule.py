"""The hours cron must know, and the runs it will make, against answers written by hand."""

from __future__ import annotations

import re
import shutil
import subprocess
from datetime import UTC, date, datetime, timedelta
from itertools import islice
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from heatmap.market.calendar import schedule
from heatmap.market.calendar.packaged import SessionOptions, load
from tests.checkout import CHECKOUT

NSE = load(SessionOptions(), Path())
SPARE = timedelta(minutes=10)
EVERY_FIVE = schedule.run_minutes(5, 2)


def expanded(field: str) -> set[int]:
    """Return the numbers of a crontab field."""
    low, high, step = re.fullmatch(r"(\d+)-(\d+)(?:/(\d+))?", field).groups("1")  # type: ignore[union-attr]
    return set(range(int(low), int(high) + 1, int(step)))


def test_hours_of_nse_in_utc_and_in_india() -> None:
    """The regular day, the afternoon session of 2025 and the evening ones of 2023 and 2024, with their final runs."""
    today = date(2026, 11, 20)

    assert {*range(3, 11), 12, 13, 14} == schedule.run_hours([NSE], UTC, today, SPARE)
    assert {*range(9, 17), 18, 19} == schedule.run_hours([NSE], ZoneInfo("Asia/Kolkata"), today, SPARE)


def test_hours_hold_both_sides_of_a_clock_change() -> None:
    """New York's 9:30 to 16:15 is 13 to 20 in UTC in summer, 14 to 21 in winter."""
    own = load(SessionOptions(open="9:30", close="16:00", time_zone="America/New_York"), Path())

    assert set(range(13, 22)) == schedule.run_hours([own], UTC, date(2026, 1, 1), SPARE)


def test_a_market_that_never_closes_takes_every_hour() -> None:
    """All 24, written as a star."""
    found = schedule.run_hours(
        [load(SessionOptions(calendar="always"), Path())], UTC, date(2026, 1, 1), SPARE
    )

    assert "*" == schedule.cron_field(found, 24)


def test_next_ticks_go_over_the_weekend_and_the_holiday() -> None:
    """After Monday's one final run comes Wednesday: Tuesday is a holiday."""
    now = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)
    ticks = schedule.next_runs(NSE, now, frozenset(range(3, 15)), EVERY_FIVE, UTC)

    assert [
        ("2026-11-23T10:02", "auction"), ("2026-11-23T10:17", "final"), ("2026-11-25T03:47", "open"),
    ] == [(f"{at:%Y-%m-%dT%H:%M}", str(verdict.phase)) for at, verdict in islice(ticks, 3)]  # fmt: skip


@pytest.mark.parametrize(("line", "zone"), [(0, "UTC"), (1, "Asia/Kolkata")])
def test_crontab_example_covers_every_session(line: int, zone: str) -> None:
    """Each example line has every hour its server needs, and no field of cron is restricted besides."""
    text = (CHECKOUT / "crontab.example").read_text("utf-8")
    lines = [line.lstrip("#") for line in text.splitlines() if re.match(r"#?\d", line)]
    minute, hour, *days = lines[line].split()[:5]

    assert expanded(hour) >= schedule.run_hours([NSE], ZoneInfo(zone), date(2026, 11, 20), SPARE)
    assert (set(EVERY_FIVE), ["*", "*", "*"]) == (expanded(minute), days)
    assert "%" not in lines[line]


@pytest.mark.process
@pytest.mark.skipif(
    not shutil.which("systemd-analyze"), reason="systemd-analyze is missing: apt install systemd"
)
def test_systemd_understands_the_timer() -> None:
    """Its first start after 03:00 UTC is 03:02."""
    calendar = re.search(
        "^OnCalendar=(.+)$", (CHECKOUT / "deploy" / "heatmap.timer").read_text("utf-8"), re.MULTILINE
    )

    assert calendar
    command = ["systemd-analyze", "calendar", "--base-time=2026-11-23 03:00:00 UTC", calendar[1]]
    assert "03:02:00 UTC" in subprocess.run(command, check=True, capture_output=True, text=True).stdout


@pytest.mark.process
def test_the_example_s_command_is_found_from_every_home(tmp_path: Path) -> None:
    """Cron's shell puts the home folder in place of ~, in the program's path and in the configuration's."""
    program = tmp_path / "heatmap/bin/heatmap"
    program.parent.mkdir(parents=True)
    program.write_text('#!/bin/sh\nprintf "%s " "$@"\n')
    program.chmod(0o755)
    lines = (CHECKOUT / "crontab.example").read_text("utf-8").splitlines()
    (command,) = {line.split("* * * ")[1] for line in lines if re.match(r"#?\d", line)}

    environment = {"HOME": str(tmp_path), "PATH": "/usr/bin:/bin"}
    done = subprocess.run(
        ["/bin/sh", "-c", command], env=environment, capture_output=True, text=True, check=True, timeout=60
    )

    assert f"run --config {tmp_path}/heatmap/heatmap.toml " == done.stdout
