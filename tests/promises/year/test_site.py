"""The judge of a target notices each kind of damage to what visitors have."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import pytest

from tests.promises.year import sessions
from tests.promises.year.installation import MARKET, WELL, Installation, message
from tests.promises.year.market import Price
from tests.promises.year.plan import VETO, Tick
from tests.promises.year.sessions import at
from tests.promises.year.site import folder_of

DAYS = [session.date for session in sessions.sessions() if f"{session.date}" >= "2026-07-20"][:3]
CLOSES = [at(day, "15:45") for day in DAYS]
BOTH = ("site", "mirror")


@pytest.fixture
def installation(tmp_path: Path) -> Installation:
    """One with the finals of two days, whose judge is content."""
    made = Installation(tmp_path)
    for close in CLOSES[:2]:
        _finish(made, close)
    return made


def _finish(made: Installation, close: object) -> None:
    assert isinstance(close, type(CLOSES[0]))
    made.finish(close)
    calls = [message(close.date(), MARKET.prices(MARKET.shown(close).as_of))]
    assert [] == made.look(Tick(close), calls=calls)
    assert [] == made.over(Tick(close))


def _path(made: Installation, name: str) -> Path:
    return made.home / "site" / name


@pytest.mark.parametrize(
    "name",
    [
        "index.html",
        "nse-fno/snapshot.json",
        "nse-fno/snapshot.csv",
        "nse-fno/heatmap.svg",
        "nse-fno/history.json",
        "nse-fno/status.json",
        "nse-fno/archive.html",
        "nse-fno/feed.xml",
        f"{folder_of(DAYS[0])}index.html",
        f"{folder_of(DAYS[0])}snapshot.json",
        f"{folder_of(DAYS[0])}snapshot.csv",
        f"{folder_of(DAYS[0])}heatmap.svg",
        f"{folder_of(DAYS[0])}history.json",
    ],
)
def test_a_file_that_is_cut_or_gone(installation: Installation, name: str) -> None:
    """Whatever it is, and of whatever day: no run may have to do with it any more."""
    path = _path(installation, name)
    whole = path.read_text("utf-8")
    path.write_text(whole[: len(whole) // 2 - 1], "utf-8")
    assert "worse" in installation.look(Tick(CLOSES[1], VETO))
    path.unlink()

    assert "lost" in installation.look(Tick(CLOSES[1], VETO))


def test_a_day_that_changes_after_its_day(installation: Installation) -> None:
    """But for the link to the next day, which the page of the first day has got by now."""
    assert DAYS[1].strftime("%Y/%m/%d") in _path(installation, f"{folder_of(DAYS[0])}index.html").read_text()
    for name in ("index.html", "snapshot.json"):
        path = _path(installation, folder_of(DAYS[0]) + name)
        path.write_text(path.read_text("utf-8").replace("T15:30:28", "T15:30:27"), "utf-8")

    assert ["worse"] * 2 == [found for found in installation.look(Tick(CLOSES[1], VETO)) if found == "worse"]


def test_a_day_of_other_figures(installation: Installation) -> None:
    """In the place of a day's page there is another day's, with that day's figures or as of that day."""
    as_of = MARKET.shown(CLOSES[2]).as_of
    prices = MARKET.prices(MARKET.shown(CLOSES[0]).as_of)
    installation.finals.pop()
    installation.finish(CLOSES[2])
    document = {"as_of": as_of.isoformat(), "quotes": _quotes(prices)}
    for target in BOTH:
        installation.write(target, f"{folder_of(DAYS[2])}snapshot.json", json.dumps(document))

    assert ["wrong"] * 2 == installation.look(Tick(CLOSES[2]))
    document["as_of"] = MARKET.shown(CLOSES[0]).as_of.isoformat()
    installation.write("site", f"{folder_of(DAYS[2])}snapshot.json", json.dumps(document))
    assert ["worse"] == installation.look(Tick(CLOSES[2], VETO))


def _quotes(prices: dict[str, Price]) -> list[dict[str, object]]:
    return [
        {
            "symbol": name,
            "last_price": one.last,
            "previous_close": one.previous_close,
            "percent_change": one.percent,
        }
        for name, one in prices.items()
    ]


@pytest.mark.parametrize("name", ["index.html", "nse-fno/archive.html"])
def test_a_link_that_leads_nowhere(installation: Installation, name: str) -> None:
    """It is reported once, and not before a run has ended by itself."""
    path = _path(installation, name)
    path.write_text(path.read_text("utf-8").replace("<a ", '<a href="2026/07/01/"><a ', 1), "utf-8")

    assert [] == installation.look(Tick(CLOSES[1], mishap="killed"), WELL._replace(code=-9, is_struck=True))
    assert ["dead link"] == installation.look(Tick(CLOSES[1], VETO))
    assert [] == installation.look(Tick(CLOSES[1], VETO))


@pytest.mark.parametrize(
    ("name", "was", "now"),
    [
        ("nse-fno/snapshot.csv", "", ""),
        ("nse-fno/heatmap.svg", "15:30:28", "15:20:28"),
        ("nse-fno/status.json", "15:30:28", "15:20:28"),
        ("index.html", "T15:30:28", "T15:30:26"),
    ],
)
def test_files_of_other_runs_beside_a_new_page(
    installation: Installation, name: str, was: str, now: str
) -> None:
    """A run that ended well has published all of them, as of one time and with one set of figures."""
    installation.finish(CLOSES[2])
    path = _path(installation, name)
    text = path.read_text("utf-8")
    changed = text.replace(was, now) if was else "\n".join(text.splitlines()[:-1]) + "\n"
    assert changed != text
    path.write_text(changed, "utf-8")

    assert "apart" in installation.look(Tick(CLOSES[2]))


def test_a_file_that_a_new_page_lacks(installation: Installation) -> None:
    """Beside being lost."""
    installation.finish(CLOSES[2])
    _path(installation, "nse-fno/snapshot.csv").unlink()

    assert {"apart", "lost", "dead link"} == {*installation.look(Tick(CLOSES[2]))}


def test_a_list_that_lacks_a_day(installation: Installation) -> None:
    """Unless its record was damaged; and one that has a day too many."""
    installation.write_list(DAYS[1:2])
    installation.look(Tick(CLOSES[1], VETO))
    assert ["unlisted"] * 2 == [what for what in installation.over(Tick(CLOSES[1])) if what != "way"]
    installation.write_list([*DAYS[:2], DAYS[2]])
    assert ["dead link"] * 2 == installation.look(Tick(CLOSES[1], VETO))

    assert ["unlisted"] * 2 == [what for what in installation.over(Tick(CLOSES[1])) if what != "way"]


def test_a_list_that_begins_anew(installation: Installation) -> None:
    """After damage to its record it has to have the days from then on, and nothing of it is forgotten later."""
    record = installation.strike("archive's record", "archive-nse-fno.json")
    installation.finish(CLOSES[2])
    installation.write_list(DAYS[2:])
    said = WELL._replace(err="heatmap: archive-nse-fno.json was damaged and set aside")

    assert "unlisted" not in installation.look(
        Tick(CLOSES[2], mishap="archive's record damaged"), said, damage=record
    )
    assert [] == installation.over(Tick(CLOSES[2]))


@pytest.mark.parametrize("rel", ["next", "prev"])
def test_days_that_do_not_lead_to_each_other(installation: Installation, rel: str) -> None:
    """Forward from the first day, back from the second."""
    day, other = (DAYS[0], DAYS[1]) if rel == "next" else (DAYS[1], DAYS[0])
    for target in BOTH:
        path = installation.home / target / f"{folder_of(day)}index.html"
        text = path.read_text("utf-8")
        changed = text.replace(f"{other:%Y/%m/%d}/", f"{day:%Y/%m/%d}/")
        assert text != changed
        path.write_text(changed, "utf-8")
    installation.look(Tick(CLOSES[1]))

    assert ["way"] * 2 == installation.over(Tick(CLOSES[1]))


def test_a_day_without_its_files(installation: Installation) -> None:
    """The page alone is not the day; nor is the history of another moment the day's."""
    installation.finish(CLOSES[2])
    for target in BOTH:
        (installation.home / target / f"{folder_of(DAYS[2])}snapshot.csv").unlink()
        other = '{"as_of": "2026-07-22T15:30:28+05:30", "under": "other"}'
        installation.write(target, f"{folder_of(DAYS[2])}history.json", other)
    installation.look(Tick(CLOSES[2]), calls=[message(DAYS[2], MARKET.prices(MARKET.shown(CLOSES[2]).as_of))])

    assert ["worse"] * 4 == installation.over(Tick(CLOSES[2]))


def test_a_feed_without_the_day(installation: Installation) -> None:
    """It announces each day, and links only to what is there."""
    installation.write_feed(finals=DAYS[:1])
    installation.look(Tick(CLOSES[1], VETO))
    assert ["feed"] * 2 == installation.over(Tick(CLOSES[1]))
    installation.write_feed(finals=DAYS)
    installation.look(Tick(CLOSES[1], VETO))

    assert ["feed"] * 2 == installation.over(Tick(CLOSES[1]))


def test_a_temporary_file_that_stays(installation: Installation) -> None:
    """One of a killed run may stay for an hour, and no longer."""
    name = "nse-fno/.heatmap-6a5f0000-0123456789abcdef.tmp"
    installation.write("site", name, "half")
    assert [] == installation.look(Tick(CLOSES[1], VETO))
    assert [] == installation.look(Tick(CLOSES[1] + timedelta(minutes=60), VETO))

    assert ["left behind"] == installation.look(Tick(CLOSES[1] + timedelta(minutes=70), VETO))
