"""`heatmap schedule` prints what can be pasted: absolute, escaped, with every session's hours."""

from __future__ import annotations

from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from heatmap import cli
from heatmap.cli import schedule

MONDAY = "2026-11-23T10:00:00+00:00"


@pytest.mark.parametrize(("zone", "hours"), [("UTC", "3-14"), ("Asia/Kolkata", "9-19")])
def test_the_cron_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], zone: str, hours: str
) -> None:
    """One line, the configuration by its absolute path, and what cron would take for a newline escaped."""
    folder = tmp_path / "100% mine"
    folder.mkdir()
    (folder / "heatmap.toml").write_text("")
    monkeypatch.chdir(folder)
    monkeypatch.setattr(schedule, "server_zone", lambda: ZoneInfo(zone))

    assert 0 == cli.main(["schedule", "--now", MONDAY])

    (line,) = [line for line in capsys.readouterr().out.splitlines() if line and not line.startswith("#")]
    assert line.startswith(f"2-57/5 {hours} * * * timeout -k 10 240 /")
    escaped = str(folder / "heatmap.toml").replace("%", "\\%")
    assert line.endswith(f"heatmap run --config '{escaped}'")


def test_the_next_runs_in_both_zones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Monday's auction and one final run, then Wednesday: Tuesday is a holiday."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(schedule, "server_zone", lambda: ZoneInfo("UTC"))

    assert 0 == cli.main(["schedule", "--now", MONDAY])

    out = capsys.readouterr().out
    assert out.index("Mon 23 Nov 2026 10:02 UTC  =  Mon 15:32 IST") < out.index(
        "10:17 UTC  =  Mon 15:47 IST  (final)"
    )
    assert "Wed 25 Nov 2026 03:47 UTC  =  Wed 09:17 IST" in out


def test_systemd_units(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The timer says its zone, so the server's own does not matter."""
    monkeypatch.chdir(tmp_path)

    assert 0 == cli.main(["schedule", "--systemd", "--now", MONDAY])

    out = capsys.readouterr().out
    assert f"WorkingDirectory={tmp_path}" in out
    assert "OnCalendar=*-*-* 3..14:02/5:00 UTC\n" in out
