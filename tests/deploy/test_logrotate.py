"""deploy/heatmap.logrotate, by the real logrotate."""

from __future__ import annotations

import grp
import gzip
import os
import pwd
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.checkout import CHECKOUT
from tests.servers import unpack

DEPLOY = CHECKOUT / "deploy"
pytestmark = pytest.mark.real


def test_logs_are_moved_and_kept_for_eight_weeks(tool: Callable[[str], Path], tmp_path: Path) -> None:
    """Each rotation moves the log, packs the one before, and ends with eight; an empty log is let be."""
    logs = tmp_path / "log"
    logs.mkdir()
    own = f"su {pwd.getpwuid(os.geteuid()).pw_name} {grp.getgrgid(os.getegid()).gr_name}"
    text = (DEPLOY / "heatmap.logrotate").read_text("utf-8").replace("/var/log/heatmap", str(logs))
    assert "su heatmap heatmap" in text
    settings = tmp_path / "heatmap.conf"
    settings.write_text(text.replace("su heatmap heatmap", own))
    settings.chmod(0o644)
    logrotate = tool("logrotate")

    def rotate(*options: str) -> str:
        words = [logrotate, *options, "-v", "-s", tmp_path / "state", settings]
        done = subprocess.run(
            words, env=unpack.environment(), capture_output=True, text=True, timeout=60, check=False
        )
        assert 0 == done.returncode, done.stderr
        assert "error" not in done.stderr.lower()
        return done.stderr

    rotate("--force")  # nothing is there yet, which is fine
    for week in range(12):
        with (logs / "heatmap.log").open("a") as log:  # as the shell opens it for each run
            log.write(f"week {week}\n")
        rotate("--force")

    assert {"heatmap.log", "heatmap.log.1", *(f"heatmap.log.{n}.gz" for n in range(2, 9))} == set(
        os.listdir(logs)
    )
    assert "" == (logs / "heatmap.log").read_text("utf-8")
    assert "week 11\n" == (logs / "heatmap.log.1").read_text("utf-8")
    with gzip.open(logs / "heatmap.log.8.gz", "rt") as oldest:
        assert "week 4\n" == oldest.read()
    assert 0o640 == (logs / "heatmap.log").stat().st_mode & 0o777

    rotate("--force")
    assert "week 11\n" == (logs / "heatmap.log.1").read_text("utf-8")


def test_a_large_log_does_not_wait_for_the_week(tool: Callable[[str], Path], tmp_path: Path) -> None:
    """Beyond 10 MB the daily look moves it."""
    text = (DEPLOY / "heatmap.logrotate").read_text("utf-8").replace("/var/log/heatmap", str(tmp_path))
    own = f"su {pwd.getpwuid(os.geteuid()).pw_name} {grp.getgrgid(os.getegid()).gr_name}"
    settings = tmp_path / "heatmap.conf"
    settings.write_text(text.replace("su heatmap heatmap", own))
    settings.chmod(0o644)
    for name, size in {"large.log": 11 << 20, "small.log": 9 << 20}.items():
        (tmp_path / name).write_bytes(b"x" * size)
    words = [tool("logrotate"), "-s", tmp_path / "state", settings]
    for _ in range(2):  # a log that logrotate has not met before is only noted
        subprocess.run(words, env=unpack.environment(), timeout=60, check=True)

    assert (tmp_path / "large.log.1").exists()
    assert not (tmp_path / "small.log.1").exists()
