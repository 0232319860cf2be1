"""A month of real runs with kills at random instants: nothing is lost, nothing is stored twice."""

from __future__ import annotations

import json
import os
import sqlite3
from pathlib import Path

import pytest

from tests.history import month
from tests.history.figures import MARKET, at
from tests.history.month import FINAL, SYMBOLS, price

pytestmark = pytest.mark.real
KILLS = int(os.environ.get("HEATMAP_KILLS", "20"))
SEED = 20261120


def test_a_month_with_kills(tmp_path: Path) -> None:
    """Then the history has every promised tick, and history.json has the month's changes."""
    simulated = month.simulate(tmp_path, max(21, KILLS // 3), KILLS, SEED)

    assert simulated.kills >= KILLS / 2  # else nothing was tried
    month.check(simulated)
    document = json.loads((tmp_path / "site" / MARKET / "history.json").read_bytes())
    assert f"{simulated.days[-21].day} {simulated.days[-21]:%b %Y}" == document["periods"]["20d"]["since"]
    assert "change 20d" in document["readings"]
    assert (simulated.sessions < 60) == ("60d" not in document["periods"])
    lines = document["sparks"]["sixty"]
    assert len(SYMBOLS) == len(lines["points"])
    assert price(at(simulated.days[0], *FINAL), 0) > 0


def test_the_check_can_fail(tmp_path: Path) -> None:
    """The same check fails for a month that lost a tick."""
    simulated = month.simulate(tmp_path, 1, 0, SEED)
    connection = sqlite3.connect(tmp_path / "state" / "history.sqlite")
    with connection:
        connection.execute("DELETE FROM ticks WHERE as_of = (SELECT min(as_of) FROM ticks)")
    connection.close()

    with pytest.raises(AssertionError):
        month.check(simulated)
