"""A seeded day of two machines that share a history; and that its judge would notice a broken promise."""

from __future__ import annotations

import json
from datetime import date, timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest

from tests.promises.machines import measure, plan
from tests.promises.machines.judge import Ended, Judge
from tests.promises.machines.plan import CALM, Tick, Trouble
from tests.promises.year import sessions
from tests.promises.year.market import Market
from tests.promises.year.sessions import at
from tests.servers.process import Missing

SEED = 20260917
MONDAY = date(2026, 8, 3)
MORNING, LATER, NEXT = (at(MONDAY, clock) for clock in ("09:17", "09:22", "09:27"))
MARKET = Market(sessions.sessions())
DOWN = (Trouble(plan.BOTH), Trouble(plan.BOTH))
DEAD = (Trouble("killed", share=0.5), Trouble("killed", share=0.5))


@pytest.mark.real
def test_a_day_of_two_machines(tmp_path: Path) -> None:
    """Real runs, a real database and a network that misbehaves keep every promise."""
    pytest.importorskip("psycopg", reason="psycopg is not here: pip install 'market-heatmap[postgres]'")
    try:
        found = measure.measure(tmp_path / "place", Random(SEED), measure.SAMPLE)
    except Missing as missing:
        pytest.skip(str(missing))

    assert found.holds, found


def test_the_plan_has_everything() -> None:
    """In ten sessions; and it follows from the seed."""
    days = plan.make(SEED, 10)

    assert 10 == len(days)
    assert {*plan.KINDS} == plan.kinds(days[:5])
    assert days == plan.make(SEED, 10) != plan.make(SEED + 1, 10)
    assert all(ticks[-1].is_calm for ticks in days)


class Site:
    """Pages as runs would leave them, and their judge."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "nse-fno"
        self.judge = Judge(folder, MARKET, lambda _: None)

    def publish(self, tick: Tick, *, factor: float = 1) -> None:
        """Put the page of a tick."""
        as_of = MARKET.shown(tick.at).as_of
        self.folder.mkdir(exist_ok=True)
        prices = MARKET.prices(as_of)
        cells = "".join(
            f'<td data-symbol="{symbol}" data-percent-change="{price.percent}">'
            for symbol, price in prices.items()
            if "&" not in symbol
        )
        quotes = [
            {
                "symbol": symbol,
                "last_price": price.last * factor,
                "previous_close": price.previous_close,
                "percent_change": price.percent,
            }
            for symbol, price in prices.items()
        ]
        page = f'<html><time datetime="{as_of.isoformat()}">{cells}</html>\n'
        (self.folder / "index.html").write_text(page)
        (self.folder / "snapshot.json").write_text(json.dumps({"as_of": as_of.isoformat(), "quotes": quotes}))

    def look(self, tick: Tick, *ended: Ended) -> dict[str, int]:
        """Return which promises the judge finds broken, how often each."""
        before = self.judge.broken.copy()
        for each in ended:
            self.judge.look_at_run(tick, each)
        self.judge.look_at_tick(tick, ended)
        return dict(self.judge.broken - before)


def ended(machine: int = 0, **more: Any) -> Ended:
    """A run that ended well."""
    return Ended(machine, 0, "", 1.0, has_drawn=False)._replace(**more)


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """One whose page is of the morning."""
    made = Site(tmp_path)
    tick = Tick(MORNING, 0, CALM)
    made.publish(tick)
    assert {} == made.look(tick, ended(has_drawn=True), ended(1))
    return made


def test_the_judge_notices(site: Site) -> None:
    """A page that is not renewed though only the database is away; or of which nobody says a word."""
    assert {"old": 1} == site.look(Tick(LATER, 0, DOWN), ended(), ended(1))
    assert {} == site.look(Tick(LATER, 0, DEAD), ended(code=-9), ended(1, code=-9))
    late = Tick(NEXT + timedelta(minutes=5), 0, DEAD)
    assert {"untold": 1} == site.look(late, ended(), ended(1))
    assert {} == site.look(late, ended(code=75, err="heatmap: another machine has the turn"), ended(1))


def test_the_judge_notices_a_worse_page(site: Site) -> None:
    """Older, wrong or gone."""
    newer = Tick(NEXT, 0, CALM)
    site.publish(newer)
    assert {} == site.look(newer)
    site.publish(Tick(LATER, 0, CALM))
    assert 1 == site.look(newer)["worse"]
    site.publish(newer, factor=1.01)
    assert {"wrong": 1} == site.look(newer)
    (site.folder / "index.html").unlink()
    assert {"worse": 1} == site.look(newer)


@pytest.mark.parametrize(
    ("run", "promise"),
    [
        (ended(code=75), "failed"),
        (ended(code=70, err="heatmap: this is a bug"), "failed"),
        (ended(err="Traceback (most recent call last):"), "failed"),
        (ended(seconds=1000.0), "too late"),
    ],
)
def test_the_judge_notices_how_a_run_ends(site: Site, run: Ended, promise: str) -> None:
    """A wrong code, no sentence, something else than sentences, too much time."""
    later = Tick(LATER, 0, CALM)
    site.publish(later)

    assert promise in site.look(later, run)


def test_the_judge_notices_what_is_lost_or_doubled(site: Site) -> None:
    """A session without its final page, bars, ticks or events; an event that was told twice."""
    body = json.dumps({"session": f"{MONDAY}", "events": [{"symbol": "TCS"}]}).encode()
    tick, killed = Tick(LATER, 0, CALM), Tick(LATER, 0, DEAD)
    site.judge.session_over(MONDAY, (), ())
    assert 3 <= site.judge.broken["lost"]  # its final page, its bars, the morning's tick

    site.judge.hear(killed, 0, [body])
    site.judge.hear(tick, 1, [body])
    assert 0 == site.judge.broken["doubled"]
    other = body.replace(b"TCS", b"INFY")
    site.judge.hear(tick, 0, [other])
    site.judge.hear(tick, 1, [other])
    assert 1 == site.judge.broken["doubled"]
