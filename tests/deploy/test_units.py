"""deploy/heatmap.service and heatmap.timer: tight, understood by systemd, and the same as `heatmap schedule` prints."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from heatmap.cli import schedule
from heatmap.config.loader import load
from tests.checkout import CHECKOUT

DEPLOY = CHECKOUT / "deploy"
pytestmark = pytest.mark.real


def settings(text: str) -> list[tuple[str, str]]:
    """A unit file's keys and values, in order."""
    return re.findall(r"^([A-Z]\w+)=(.*)$", text, re.MULTILINE)


@pytest.fixture
def units(tmp_path: Path) -> Path:
    """The units in a folder, with a program that is there: systemd looks for it."""
    for name in ("heatmap.service", "heatmap.timer"):
        text = (DEPLOY / name).read_text("utf-8")
        (tmp_path / name).write_text(re.sub("^ExecStart=.*", "ExecStart=/bin/true", text, flags=re.MULTILINE))
    return tmp_path


def test_the_service_is_exposed_below_2(tool: Callable[[str], Path]) -> None:
    """By systemd's own reckoning, of 10."""
    done = subprocess.run(
        [tool("systemd-analyze"), "security", "--offline=true", "--threshold=20", DEPLOY / "heatmap.service"],
        env={**os.environ, "LC_ALL": "C"}, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip

    (exposure,) = re.findall(r"exposure level for heatmap\.service: ([\d.]+)", done.stdout)
    assert float(exposure) < 2.0
    assert 0 == done.returncode


@pytest.mark.parametrize("name", ["heatmap.service", "heatmap.timer"])
def test_systemd_finds_nothing_wrong(tool: Callable[[str], Path], units: Path, name: str) -> None:
    """No unknown key, no value that it does not take."""
    done = subprocess.run(
        [tool("systemd-analyze"), "verify", "--man=no", units / name],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip

    assert (0, "") == (
        done.returncode,
        "".join(line for line in done.stderr.splitlines() if "heatmap" in line),
    )


def test_what_a_run_needs_is_left_to_it() -> None:
    """Network and local sockets, its folders, the umask of pages, and no filter that kills in place of refusing."""
    service = dict(settings((DEPLOY / "heatmap.service").read_text("utf-8")))

    assert {"AF_INET", "AF_INET6", "AF_UNIX"} == set(service["RestrictAddressFamilies"].split())
    assert ("heatmap", "/var/lib/heatmap") == (service["StateDirectory"], service["WorkingDirectory"])
    assert "PrivateNetwork" not in service
    assert "IPAddressDeny" not in service
    assert "0022" == service["UMask"]
    assert "EPERM" == service["SystemCallErrorNumber"]


def test_schedule_prints_the_same(tmp_path: Path) -> None:
    """One truth: the default market's timer, and how long a run may take."""
    (tmp_path / "heatmap.toml").write_text("")
    printed = schedule.systemd_units(load(tmp_path / "heatmap.toml"), datetime(2026, 11, 23, tzinfo=UTC))
    service, timer = printed.split("heatmap.timer\n", 1)

    shipped = settings((DEPLOY / "heatmap.timer").read_text("utf-8"))
    assert shipped == settings(timer)
    kept = dict(settings((DEPLOY / "heatmap.service").read_text("utf-8")))
    for key in ("Type", "TimeoutStartSec", "Description"):
        assert kept[key] == dict(settings(service))[key]
    assert kept["ExecStart"].split()[1:3] == dict(settings(service))["ExecStart"].split()[-3:-1]


@pytest.mark.parametrize("interval", [1, 3, 5, 7, 20, 30, 60])
def test_systemd_understands_every_interval(
    tool: Callable[[str], Path], tmp_path: Path, interval: int
) -> None:
    """The timer of any interval_minutes starts runs at cron's minutes."""
    (tmp_path / "heatmap.toml").write_text(f"interval_minutes = {interval}\n")
    config = load(tmp_path / "heatmap.toml")
    (moment,) = re.findall("OnCalendar=(.+)", schedule.timer(config, datetime(2026, 11, 23, tzinfo=UTC)))

    done = subprocess.run(
        [tool("systemd-analyze"), "calendar", "--iterations=60", "--base-time=2026-11-23 04:59:59 UTC", moment],
        env={**os.environ, "TZ": "UTC", "LC_ALL": "C"}, capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip

    minutes = {
        int(minute) for hour, minute in re.findall(r"(\d\d):(\d\d):00 UTC", done.stdout) if hour == "05"
    }
    assert set(range(2 % interval, 60, interval)) == minutes
