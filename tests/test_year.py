"""A seeded sample of the simulated year; what its plan has; and that its judge would notice a broken promise."""

from __future__ import annotations

import os
import re
from datetime import date, timedelta
from pathlib import Path
from random import Random

import pytest

from tests.promises.year import damages, measure, plan, sessions
from tests.promises.year.installation import MARKET, WELL, Installation, message
from tests.promises.year.mishaps import MISHAPS
from tests.promises.year.plan import STUCK, VETO, Tick
from tests.promises.year.runs import Ended
from tests.promises.year.sessions import at
from tests.servers.exchange_faults import FAULTS
from tests.servers.process import Missing

SEED = 20260917
MONDAY = date(2026, 7, 20)
MORNING, NOON, EVENING = (at(MONDAY, clock) for clock in ("09:30", "12:00", "15:45"))


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


def test_the_sample_has_all_damage() -> None:
    """To every kind of file, and calm sessions before and after it."""
    first, *_, last = days = plan.sample(plan.make(SEED), measure.SAMPLE, Random(SEED))
    met = {tick.mishap for day in days for tick in day.ticks}

    assert {f"{kind} damaged" for kind in damages.KINDS} <= met
    assert not any(tick.trouble for tick in (*first.ticks, *last.ticks))


def test_without_root_no_disk_is_filled() -> None:
    """Nor is anything else planned that only root can do."""
    met = {tick.mishap for day in plan.make(SEED, root=False) for tick in day.ticks}

    assert not met & {name for name, mishap in MISHAPS.items() if mishap.needs_root}


def test_a_session_can_be_had_alone() -> None:
    """As it was planned, between calm ones: the next one shows what it has done."""
    days = plan.make(SEED)
    day = next(day for day in days if day.date == MONDAY)

    before, alone, after = plan.only(days, MONDAY)

    assert day == alone
    assert not any(tick.trouble for tick in (*before.ticks, *after.ticks))


@pytest.fixture
def installation(tmp_path: Path) -> Installation:
    """One whose pages are of this morning."""
    made = Installation(tmp_path)
    made.publish(MORNING)
    assert [] == made.look(Tick(MORNING), calls=[message(MONDAY, MARKET.prices(MARKET.shown(MORNING).as_of))])
    return made


def test_the_judge_is_content_with_what_is_true(installation: Installation) -> None:
    """A page of each tick, its line in status, and a final page."""
    installation.publish(NOON)
    assert [] == installation.look(Tick(NOON))
    installation.finish(EVENING)
    assert [] == installation.look(Tick(EVENING))

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
    page = installation.home / "site/nse-fno/index.html"
    if damage == "torn":
        os.truncate(page, 3000)
    else:
        page.unlink()

    assert ["worse" if damage == "torn" else "lost"] == installation.look(Tick(NOON, VETO))


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
    """One as of noon, as from a clock that was ahead: its page, its numbers and its picture."""
    installation.finish(NOON)
    installation.look(Tick(NOON))

    broken = installation.over(Tick(EVENING, "html"), told=(Tick(MORNING), Tick(NOON)))

    assert ["worse"] * 3 == broken


@pytest.mark.parametrize(
    "mishap", ["a target down", "lock held by who is then killed", "nobody listens", "no such name"]
)
def test_the_judge_notices_a_mishap_in_silence(installation: Installation, mishap: str) -> None:
    """A run that cannot have published all does not end with 0 while the market trades."""
    told = WELL._replace(code=75, err="heatmap: it cannot be reached")

    assert ["code"] == installation.look(Tick(NOON, mishap=mishap))
    assert [] == installation.look(Tick(NOON, mishap=mishap), told)


def test_the_judge_notices_targets_that_differ(installation: Installation) -> None:
    """A file that only one of them has, and one that is another there."""
    installation.finish(EVENING)
    installation.look(Tick(EVENING))
    installation.write("site", "nse-fno/later.js", "let us;")
    installation.write("mirror", "nse-fno/status.json", '{"as_of": "2026-07-20T15:30:28+05:30", "more": 1}')
    installation.look(Tick(EVENING, VETO))

    assert ["targets"] * 2 == installation.over(Tick(EVENING), told=(Tick(MORNING),))


def test_no_figures_hold_where_nothing_was_seen() -> None:
    """A year without finals, pages, alerts or faults has proved nothing, whatever else is 0."""
    held = {"finals": 1, "pages": 1, "alerts": 1, "faults": 1}
    figures = {name: held.get(name, 0) for name in measure.Year._fields}

    assert measure.Year(**figures).holds
    for name in held:
        assert not measure.Year(**figures | {name: 0}).holds
    for name in figures.keys() - {*held, "sessions", "runs", "with_trouble", "kills", "without_a_chance"}:
        assert not measure.Year(**figures | {name: 10**6}).holds or "history" in name or "longest" in name


def test_every_promise_of_the_judge_has_a_column() -> None:
    """One that the judge finds broken under a name that no column has is counted as failed."""
    source = "".join(path.read_text("utf-8") for path in Path(measure.__file__).parent.glob("*.py"))
    named = {*re.findall(r"violate\(\s*\"([\w ]+)\"", source)}
    known = {promise for promises in measure.COLUMNS.values() for promise in promises}

    assert {"code", "words", "stale", "memory", "unreadable"} == named - known
    assert known <= named
