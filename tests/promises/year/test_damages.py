"""Every file that an installation keeps can be damaged, and every fault of the year is seen to strike."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from random import Random

import pytest

from tests.promises.year import damages, plan
from tests.promises.year.mishaps import MISHAPS, Terms
from tests.promises.year.runs import Ended
from tests.promises.year.simulation import SURE_TIMES, Simulation
from tests.servers.process import Missing

SEED = 20260917


@pytest.mark.parametrize("kind", damages.KINDS)
def test_damage_changes_the_file(tmp_path: Path, kind: str) -> None:
    """In every way that is drawn, and says which file it was; where there is none, that nothing was struck."""
    assert damages.damage(tmp_path, kind, Random(0)) is None
    names = {
        "state.json": "state.json",
        "last tick": "last/nse-fno.json",
        "history": "history.sqlite",
        "history's digest": "digest-nse-fno.kept",
        "history's tape": "tape-nse-fno.kept",
        "archive's record": "archive-nse-fno.json",
        "archive's newest day": "archive-nse-fno-2026-07-20.zip",
        "outcomes": "outcomes.jsonl",
        "alerts": "alerts.json",
        "cookies": "sources/nse-fno-1/cookies.json",
        "compiled templates": "compiled-templates/page",
        "nap": "nap",
    }
    path = tmp_path / names[kind]
    path.parent.mkdir(parents=True, exist_ok=True)
    for seed in range(30):
        path.write_bytes(before := b'{"version":1,"any":"thing"}')
        done = damages.damage(tmp_path, kind, Random(seed))
        assert done and done.path == path and path.read_bytes() != before
    assert [] == damages.uncovered(tmp_path)


def test_a_file_that_no_fault_strikes_is_named(tmp_path: Path) -> None:
    """So that whoever adds one to the program adds its damage to the year."""
    for name in (
        "lock",
        "state.damaged.json",
        "history.sqlite-wal",
        ".heatmap-nap.12.tmp",
        "tape-nse-fno.kept",
    ):
        (tmp_path / name).touch()
    (tmp_path / "marks.json").touch()

    assert ["marks.json"] == damages.uncovered(tmp_path)


@pytest.mark.real
def test_a_fault_that_never_struck_is_named(tmp_path: Path) -> None:
    """It was due, and the file was not there; or all the runs had ended before, which by chance one may."""
    try:
        with Simulation(tmp_path, SEED) as simulation:
            (simulation.home / "state").mkdir()
            day = plan.make(SEED)[0]
            for mishap, terms, ended in (
                ("nap damaged", Terms(has_struck=False), Ended(0, "", "", 1.0, 1)),
                *[("killed", MISHAPS["killed"].begin, Ended(0, "", "", 1.0, 1))] * SURE_TIMES,
                ("terminated", MISHAPS["terminated"].begin, Ended(0, "", "", 1.0, 1)),
                ("lock held by who is then killed", Terms(), Ended(75, "", "", 1.0, 1)),
            ):
                if callable(terms):
                    with terms(simulation.home, Random(0)) as begun:
                        simulation._count_strikes(day, day.ticks[0]._replace(mishap=mishap), begun, ended)
                else:
                    simulation._count_strikes(day, day.ticks[0]._replace(mishap=mishap), terms, ended)
            tick = day.ticks[0]._replace(fault="html")
            simulation._count_strikes(day, tick, Terms(), Ended(0, "", "", 1.0, 1))

            assert ["html", "killed", "nap damaged"] == simulation.blind_faults()
            assert Counter({"lock held by who is then killed": 1}) == +simulation.strikes
    except Missing as missing:
        pytest.skip(str(missing))
