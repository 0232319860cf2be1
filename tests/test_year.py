"""A seeded sample of the simulated year; what its plan has; and that its judge would notice a broken promise."""

from __future__ import annotations

import html
import json
import os
from datetime import date, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest

from tests.promises.year import measure, plan, sessions
from tests.promises.year.judge import Judge
from tests.promises.year.market import Market, Price
from tests.promises.year.mishaps import MISHAPS
from tests.promises.year.plan import STUCK, VETO, Day, Tick
from tests.promises.year.runs import Ended
from tests.promises.year.sessions import at
from tests.servers.exchange_faults import FAULTS
from tests.servers.process import Missing

SEED = 20260917
MONDAY = date(2026, 7, 20)
MORNING, NOON, EVENING = (at(MONDAY, clock) for clock in ("09:30", "12:00", "15:45"))
MARKET = Market(sessions.sessions())
WELL = Ended(0, "", "", 0.5, 50_000)


@pytest.mark.real
def test_some_days_of_the_year(tmp_path: Path) -> None:
    """Real runs at an exchange that misbehaves and on a machine to which things happen keep every promise."""
    try:
        found = measure.measure(tmp_path, Random(SEED), measure.SAMPLE)
    except Missing as missing:
        pytest.skip(str(missing))

    assert found.holds, found


def test_the_year_has_everything() -> None:
    """250 sessions with the special ones, every fault of the exchange, and everything that may befall a machine."""
    days = plan.make(SEED)
    met = {tick.fault for day in days for tick in day.ticks} | {
        tick.mishap for day in days for tick in day.ticks
    }

    assert 250 == sum(day.session is not None for day in days)
    assert {*sessions.SPECIAL} < {day.date for day in days if day.session}
    assert {*FAULTS, *plan.OWN_FAULTS, *MISHAPS} <= met
    assert days == plan.make(SEED) != plan.make(SEED + 1)


def test_without_root_no_disk_is_filled() -> None:
    """Nor is anything else planned that only root can do."""
    met = {tick.mishap for day in plan.make(SEED, root=False) for tick in day.ticks}

    assert not met & {name for name, mishap in MISHAPS.items() if mishap.needs_root}


def test_a_session_can_be_had_alone() -> None:
    """As it was planned, after a calm one."""
    days = plan.make(SEED)
    day = next(day for day in days if day.date == MONDAY)

    before, alone = plan.only(days, MONDAY)

    assert day == alone
    assert not any(tick.trouble for tick in before.ticks)


class Installation:
    """Pages as a run would leave them, and their judge."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.judge = Judge(folder, MARKET, lambda _: None)
        self.session = sessions.session(MONDAY)

    def publish(
        self, moment: datetime, prices: dict[str, Price] | None = None, *, to: str = "site/nse-fno"
    ) -> None:
        """Put the pages of a moment."""
        as_of = MARKET.shown(moment).as_of
        prices = MARKET.prices(as_of) if prices is None else prices
        folder = self.folder / to
        folder.mkdir(parents=True, exist_ok=True)
        cells = "".join(
            f'<td data-symbol="{html.escape(symbol)}" data-percent-change="{price.percent}">'
            for symbol, price in prices.items()
        )
        page = f'<html><time datetime="{as_of.isoformat()}">{cells}</html>\n'
        quotes = [
            {
                "symbol": symbol,
                "last_price": price.last,
                "previous_close": price.previous_close,
                "percent_change": price.percent,
            }
            for symbol, price in prices.items()
        ]
        (folder / "index.html").write_text(page)
        (folder / "snapshot.json").write_text(json.dumps({"as_of": as_of.isoformat(), "quotes": quotes}))
        if to == "site/nse-fno":
            (self.folder / "site/index.html").write_text(page)

    def look(self, tick: Tick, ended: Ended = WELL, **more: Any) -> list[str]:
        """Return the promises that the judge finds broken."""
        before = len(self.judge.violations)
        day = Day(MONDAY, self.session, (tick,), "a test")
        self.judge.look(day, tick, ended, **{"stuck_since": None} | more)
        return [violation.promise for violation in self.judge.violations[before:]]

    def over(self, *ticks: Tick, told: tuple[Tick, ...] = ()) -> list[str]:
        """The same, of a session that is over; `told` are the ticks of which status has a line."""
        before = len(self.judge.violations)
        lines = [{"at": tick.at.isoformat(), "exit_code": 0} for tick in told]
        status = WELL._replace(out=json.dumps({"markets": [{"ticks": lines}]}))
        self.judge.session_over(Day(MONDAY, self.session, ticks, "a test"), status)
        return [violation.promise for violation in self.judge.violations[before:]]


@pytest.fixture
def installation(tmp_path: Path) -> Installation:
    """One whose pages are of this morning."""
    made = Installation(tmp_path)
    made.publish(MORNING)
    assert [] == made.look(Tick(MORNING))
    return made


def test_the_judge_is_content_with_what_is_true(installation: Installation) -> None:
    """A page of each tick, its line in status, and a final page."""
    installation.publish(NOON)
    assert [] == installation.look(Tick(NOON))
    installation.publish(EVENING)
    assert [] == installation.look(Tick(EVENING))
    installation.publish(EVENING, to="site/nse-fno/2026/07/20")
    (installation.folder / "state").mkdir()
    state = {"markets": {"nse-fno": {"final_date": "2026-07-20"}}}
    (installation.folder / "state/state.json").write_text(json.dumps(state))

    assert [] == installation.over(Tick(EVENING), told=(Tick(MORNING), Tick(NOON)))


def test_the_judge_notices_an_older_page(installation: Installation) -> None:
    """In all three files."""
    installation.publish(MORNING - timedelta(minutes=10))

    assert ["worse"] * 3 == installation.look(Tick(NOON, VETO))


def test_the_judge_notices_a_smaller_page(installation: Installation) -> None:
    """Of which two of three stocks are gone."""
    prices = MARKET.prices(MARKET.shown(NOON).as_of)
    installation.publish(NOON, dict([*prices.items()][: len(prices) // 3]))

    assert ["worse"] * 3 == installation.look(Tick(NOON, VETO))


def test_the_judge_notices_a_wrong_figure(installation: Installation) -> None:
    """One percent change of one stock."""
    prices = MARKET.prices(MARKET.shown(NOON).as_of)
    first, price = next(iter(prices.items()))
    installation.publish(NOON, prices | {first: price._replace(percent=price.percent + 0.01)})

    assert ["wrong"] * 3 == installation.look(Tick(NOON))


def test_the_judge_notices_figures_that_stand_still_for_too_long(installation: Installation) -> None:
    """They may be believed for a while, not for hours."""
    since = MARKET.shown(MORNING).as_of
    tick = Tick(MORNING + timedelta(minutes=5), STUCK)
    installation.publish(tick.at, MARKET.prices(since))
    assert [] == installation.look(tick, stuck_since=since)
    installation.publish(NOON, MARKET.prices(since))

    assert ["wrong"] * 3 == installation.look(Tick(NOON, STUCK), stuck_since=since)


@pytest.mark.parametrize("damage", ["torn", "gone"])
def test_the_judge_notices_a_page_that_is_not_whole(installation: Installation, damage: str) -> None:
    """Half of one, or none."""
    page = installation.folder / "site/nse-fno/index.html"
    if damage == "torn":
        os.truncate(page, 3000)
    else:
        page.unlink()

    assert ["worse"] == installation.look(Tick(NOON, VETO))


def test_the_judge_notices_a_page_that_stays_though_all_is_well(installation: Installation) -> None:
    """And no source has a reason to be left alone."""
    assert ["stale"] == installation.look(Tick(NOON))


@pytest.mark.parametrize(
    ("ended", "broken"),
    [
        (WELL._replace(code=70, err="heatmap: this is a bug"), ["code"]),
        (WELL._replace(code=65, err="heatmap: renamed"), ["code"]),
        (WELL._replace(code=75), ["words"]),
        (WELL, []),
        (WELL._replace(err="heatmap: all is well"), ["words"]),
        (WELL._replace(code=75, err="Traceback (most recent call last):\n  File"), ["words"]),
        (WELL._replace(seconds=36.0), ["too late"]),
        (WELL._replace(peak_kib=200_000), ["memory"]),
    ],
)
def test_the_judge_notices_how_a_run_ends(
    installation: Installation, ended: Ended, broken: list[str]
) -> None:
    """A wrong code, no sentence, something else than sentences, too much time or memory."""
    assert broken == installation.look(Tick(NOON, "html" if ended.code else VETO), ended)


def test_the_judge_notices_a_failure_in_silence(installation: Installation) -> None:
    """A source that fails while the market trades does not end with 0; one that rests may."""
    block = Tick(NOON, "403")
    blocks = [Tick(MORNING + timedelta(minutes=minutes), "403") for minutes in (135, 140, 145)]

    assert ["code"] == installation.look(Tick(MORNING + timedelta(minutes=130), "403"))
    blocked = WELL._replace(code=75, err="heatmap: blocked")
    assert [] == [found for tick in blocks for found in installation.look(tick, blocked)]
    assert [] == installation.look(block)


def test_the_judge_notices_a_failure_that_is_not_told(installation: Installation) -> None:
    """Here the morning's line is there, and noon's is not."""
    installation.look(Tick(NOON, "html"), WELL._replace(code=75, err="heatmap: blocked"))

    assert ["untold"] == installation.over(Tick(NOON, "html"), told=(Tick(MORNING),))


def test_the_judge_notices_a_lost_final(installation: Installation) -> None:
    """Where a source answered after the close; not where none did."""
    assert ["lost"] == installation.over(Tick(EVENING), told=(Tick(MORNING),))
    assert [] == installation.over(Tick(EVENING, "html"))


def test_the_judge_notices_a_premature_final(installation: Installation) -> None:
    """One as of noon, as from a clock that was ahead."""
    installation.publish(NOON, to="site/nse-fno/2026/07/20")

    assert ["worse"] * 2 == installation.over(Tick(EVENING, "html"), told=(Tick(MORNING),))
