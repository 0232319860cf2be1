"""The judge of the state directory notices each kind of damage to what a run must remember."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.promises.year import sessions
from tests.promises.year.installation import MARKET, WELL, Installation, message
from tests.promises.year.plan import VETO, Tick
from tests.promises.year.sessions import at

DAYS = [session.date for session in sessions.sessions() if f"{session.date}" >= "2026-07-20"][:2]
NOON, CLOSE = at(DAYS[0], "12:00"), at(DAYS[0], "15:45")


@pytest.fixture
def installation(tmp_path: Path) -> Installation:
    """One with the moments of a day, and its final, which the judge has seen."""
    made = Installation(tmp_path)
    made.publish(NOON)
    assert [] == made.look(Tick(NOON), calls=[message(DAYS[0], MARKET.prices(MARKET.shown(NOON).as_of))])
    made.finish(CLOSE)
    assert [] == made.look(Tick(CLOSE))
    return made


def _told() -> tuple[Tick, ...]:
    return (Tick(NOON),)


def _change(made: Installation, statement: str) -> None:
    with closing(sqlite3.connect(made.home / "state/history.sqlite")) as connection, connection:
        assert connection.execute(statement).rowcount > 0


def test_the_judge_is_content(installation: Installation) -> None:
    """With what is there."""
    assert [] == installation.over(Tick(CLOSE), told=_told())


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM ticks WHERE as_of LIKE '2026-07-20T06%'",
        "UPDATE ticks SET figures = (SELECT figures FROM ticks ORDER BY as_of DESC LIMIT 1)",
        "DELETE FROM bars WHERE symbol = 'TCS'",
        "UPDATE bars SET close = close + 0.05 WHERE symbol = 'TCS'",
        "UPDATE bars SET previous_close = NULL WHERE symbol = 'TCS'",
        "DELETE FROM sessions",
    ],
)
def test_a_history_that_lacks_something(installation: Installation, statement: str) -> None:
    """A moment, a moment's figures, a daily bar or its figures, a session."""
    _change(installation, statement)

    assert {"history"} == {*installation.over(Tick(CLOSE), told=_told())}


def test_a_database_that_is_damaged_or_gone(installation: Installation) -> None:
    """Its pages, then all of it."""
    path = installation.home / "state/history.sqlite"
    content = bytearray(path.read_bytes())
    content[5000:20000] = b"\xff" * 15000
    path.write_bytes(content)
    assert {"history"} == {*installation.over(Tick(CLOSE), told=_told())}
    installation.publish(NOON)
    installation.look(Tick(NOON, VETO))
    path.unlink()

    assert "history" in installation.over(Tick(CLOSE), told=_told())


def test_a_history_that_was_damaged_owes_nothing_older(installation: Installation) -> None:
    """A run has said so; but what came after it must be there."""
    damage = installation.strike("history", "history.sqlite")
    (installation.home / "state/history.sqlite").unlink()
    said = WELL._replace(err="heatmap: the history history.sqlite is damaged")
    tick = Tick(CLOSE, mishap="history damaged")
    assert [] == installation.look(tick, said, damage=damage)

    assert [] == installation.over(tick, told=_told())


@pytest.mark.parametrize("name", ["state.json", "alerts.json", "last/nse-fno.json", "archive-nse-fno.json"])
def test_a_file_that_a_whole_run_left_unreadable(installation: Installation, name: str) -> None:
    """Whoever reads it next forgets what it held."""
    path = installation.home / "state" / name
    path.parent.mkdir(exist_ok=True)
    path.write_text('{"version": 1, "mar', "utf-8")
    installation.publish(CLOSE)
    path.write_text('{"version": 1, "mar', "utf-8")

    assert ["unreadable"] == installation.look(Tick(CLOSE))


def test_a_final_that_is_forgotten(installation: Installation) -> None:
    """The date went back, though nothing was damaged."""
    state = {"version": 1, "markets": {"nse-fno": {"final_date": "2026-07-17"}}}
    (installation.home / "state/state.json").write_text(json.dumps(state))
    damage = installation.strike("state.json", "state.json", "other JSON")

    assert ["lost"] == installation.look(Tick(CLOSE, VETO))
    assert [] == installation.look(Tick(CLOSE, mishap="state.json damaged"), damage=damage)


def test_half_written_files(installation: Installation) -> None:
    """A killed run may leave them, a whole one may not."""
    path = installation.home / "state/.heatmap-state.json.123.tmp"
    path.touch()
    assert [] == installation.look(Tick(CLOSE, mishap="killed"), WELL._replace(code=-9, is_struck=True))
    installation.publish(CLOSE)
    installation.write("site", "nse-fno/history.json", '{"as_of": "2026-07-20T15:30:28+05:30"}')
    for target in ("site", "mirror"):
        page = installation.home / target / "nse-fno/index.html"
        page.write_text(page.read_text("utf-8").replace("<html>", "<html >"), "utf-8")

    assert ["left behind"] == installation.look(Tick(CLOSE))


def test_damage_that_nobody_is_told_of(installation: Installation) -> None:
    """A whole run must name the file; what can be had again needs no words."""
    page = installation.home / "site/nse-fno/index.html"
    for number, (kind, name, broken) in enumerate(
        [("state.json", "state.json", ["silent"]), ("nap", "nap", []), ("history's tape", "tape", [])]
    ):
        page.write_text(page.read_text("utf-8").replace("<html", f"<html {number}", 1), "utf-8")
        damage = installation.strike(kind, name)
        assert broken == installation.look(Tick(CLOSE, mishap=f"{kind} damaged"), damage=damage)


def test_damage_that_is_read_at_a_final_is_reported_there(installation: Installation) -> None:
    """The archive's days are of no use before."""
    damage = installation.strike("archive's newest day", "archive-nse-fno-2026-07-20.zip")
    noon, close = (at(DAYS[1], clock) for clock in ("12:00", "15:45"))
    for moment, broken in ((noon, set()), (close, {"silent"})):
        installation.publish(moment)
        calls = [message(DAYS[1], MARKET.prices(MARKET.shown(moment).as_of))] if moment == noon else []
        found = installation.look(Tick(moment), calls=calls, damage=damage if moment == noon else None)
        assert broken == {*found}
