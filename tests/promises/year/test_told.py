"""The judge of alerts notices what is not told, told twice, or told without cause."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from tests.promises.year import sessions
from tests.promises.year.installation import MARKET, WELL, Installation, message
from tests.promises.year.plan import Tick
from tests.promises.year.sessions import at

DAYS = [session.date for session in sessions.sessions() if f"{session.date}" >= "2026-07-20"][:2]
NOON, CLOSE, NEXT_CLOSE = at(DAYS[0], "12:00"), at(DAYS[0], "15:45"), at(DAYS[1], "15:45")
KILLED = WELL._replace(code=-9, is_struck=True)


@pytest.fixture
def installation(tmp_path: Path) -> Installation:
    """One that has published a day's final, which nobody has judged yet."""
    made = Installation(tmp_path)
    made.finish(CLOSE)
    return made


def _message(moment: object = CLOSE, **more: object) -> object:
    assert isinstance(moment, type(CLOSE))
    return message(moment.date(), MARKET.prices(MARKET.shown(moment).as_of), **more)  # type: ignore[arg-type]


def _next_session(made: Installation) -> list[str]:
    made.finish(NEXT_CLOSE)
    made.look(Tick(NEXT_CLOSE), calls=[_message(NEXT_CLOSE)])  # type: ignore[list-item]
    return made.over(Tick(NEXT_CLOSE))


def test_there_is_something_to_tell() -> None:
    """Or none of these tests could fail."""
    assert b'"symbol"' in _message().body  # type: ignore[attr-defined]


def test_an_event_that_nobody_is_told(installation: Installation) -> None:
    """Once the next session is over: until then it may wait."""
    assert [] == installation.look(Tick(CLOSE))
    assert [] == installation.over(Tick(CLOSE))

    assert ["not told"] == _next_session(installation)


@pytest.mark.parametrize(
    ("tick", "ended"),
    [(Tick(CLOSE, hook_fault="error"), WELL), (Tick(CLOSE, mishap="killed"), KILLED)],
    ids=["web hook down", "killed"],
)
def test_an_event_that_may_be_untold(installation: Installation, tick: Tick, ended: object) -> None:
    """Where no later run of the session could tell it."""
    assert [] == installation.look(tick, ended)  # type: ignore[arg-type]
    assert [] == installation.over(tick)

    assert [] == _next_session(installation)


def test_an_event_that_waited_and_is_not_told_by_the_next_run(installation: Installation) -> None:
    """The web hook was down at noon, and not at the close."""
    installation.publish(NOON)
    installation.look(Tick(NOON, hook_fault="error"))
    installation.finals.clear()
    installation.finish(CLOSE)
    installation.look(Tick(CLOSE))
    installation.over(Tick(CLOSE))

    assert ["not told"] == _next_session(installation)


def test_an_event_that_is_told_twice(installation: Installation) -> None:
    """Each of them; not where the run was killed that told it first, nor where the memory was damaged."""
    assert [] == installation.look(Tick(CLOSE, mishap="killed"), KILLED, [_message()])  # type: ignore[list-item]
    assert [] == installation.look(Tick(CLOSE + timedelta(minutes=5)), calls=[_message()])  # type: ignore[list-item]
    again = installation.look(Tick(CLOSE + timedelta(minutes=10)), calls=[_message()])  # type: ignore[list-item]
    damage = installation.strike("alerts", "alerts.json", "newer")
    after = Tick(CLOSE + timedelta(minutes=15), mishap="alerts damaged")

    assert {"told twice"} == {*again}
    assert [] == installation.look(after, calls=[_message()], damage=damage)  # type: ignore[list-item]


def test_an_event_that_no_page_has_shown(installation: Installation) -> None:
    """It was told of the next session, which nobody has seen yet."""
    calls = [_message(), _message(NEXT_CLOSE)]

    assert {"alerts"} == {*installation.look(Tick(CLOSE), calls=calls)}  # type: ignore[arg-type]


def test_a_message_that_is_not_whole(installation: Installation) -> None:
    """It counts more events than it has."""
    call = _message()
    body = call.body.replace(b'"count": ', b'"count": 9')  # type: ignore[attr-defined]

    assert ["alerts"] == installation.look(Tick(CLOSE), calls=[call.__class__("POST", "/", body)])  # type: ignore[call-arg,list-item]


def test_a_feed_that_lacks_an_event(installation: Installation) -> None:
    """All of the session's must be there."""
    installation.write_feed(lines=["SOMETHING else"])
    installation.look(Tick(CLOSE), calls=[_message()])  # type: ignore[list-item]

    assert ["feed"] == installation.over(Tick(CLOSE))
