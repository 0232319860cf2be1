"""`heatmap session` as it is read by people and by machines."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from heatmap import cli


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_json_is_a_list_of_one_object_a_market(capsys: pytest.CaptureFixture[str]) -> None:
    """The five keys of the contract; next_open is null where the calendar does not know."""
    assert 0 == cli.main(["session", "--json", "--now", "2026-11-08T10:00:00+05:30"])

    (found,) = json.loads(capsys.readouterr().out)
    assert {"market", "phase", "session_date", "next_open", "reason"} == set(found)
    assert ("nse-fno", "unknown", "2026-11-08", None) == tuple(list(found.values())[:4])


@pytest.mark.parametrize(
    ("now", "told"),
    [
        (
            "2026-11-06T16:00:00+05:30",
            "Mon 09 Nov 2026 09:15 IST at the latest\n",
        ),  # Sunday's hours are not known
        ("2026-12-31T16:00:00+05:30", "Fri 01 Jan 2027 09:15 IST at the latest (presumed)\n"),
    ],
)
def test_an_opening_that_is_not_sure(capsys: pytest.CaptureFixture[str], now: str, told: str) -> None:
    """Told as the latest one, and as presumed where no calendar has it."""
    assert 0 == cli.main(["session", "--now", now])

    assert f"next open  {told}" in capsys.readouterr().out


def test_a_holiday_is_called_by_its_name(capsys: pytest.CaptureFixture[str]) -> None:
    """People learn why, and when trading starts again on the market's clock."""
    assert 0 == cli.main(["session", "--now", "2026-11-24T11:00:00+05:30"])

    out = capsys.readouterr().out
    assert "closed" in out
    assert "Prakash Gurpurb Sri Guru Nanak Dev" in out
    assert "Wed 25 Nov 2026 09:15 IST" in out
