"""Runs that are killed at random instants, and what visitors and the next run find then."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random
from tempfile import mkdtemp
from typing import NamedTuple

from tests.promises.places import Place
from tests.promises.runs import Run, configuration, run
from tests.promises.versions import NAME, moment

SAMPLE, WHOLE = 5, 60
KILLED = -9
MOST_MISSES = 8  # runs for each kill: some end before it


class Kills(NamedTuple):
    """What so many kills did."""

    kills: int  # that came before the run's end
    old_pages: int  # runs after which the page was still the one before
    new_pages: int
    no_page: int  # deleted for its successor, which did not come: the price of delete-then-rename
    spoilt_files: int  # neither the old nor the new, byte by byte, or of a foreign name
    leftovers: int  # temporary files, all with names of ours
    swept: int  # of those, by a run an hour later
    children: int  # processes left behind
    unhealed: int  # next runs that did not put all in place with exit code 0

    @property
    def holds(self) -> bool:
        """Nothing is lost, nothing stays, and each next run heals."""
        lost = self.spoilt_files or self.children or self.unhealed
        return not lost and self.leftovers == self.swept and self.kills > 0


def measure(place: Place, rng: Random, amount: int) -> Kills:
    """Kill `amount` runs, each after a whole one: one of three anywhere, the others while they publish."""
    folder = Path(mkdtemp(dir=place.folder))
    path = configuration(folder, [place.table()])
    versions = [_drawn(folder / f"reference{number}", number) for number in (0, 1)]
    run(path, moment(0))  # a first run compiles the templates
    begun, usual = place.publishing(), Run(path, moment(1))
    until_publishing = usual.wait_until(begun)
    usual_seconds = usual.end().seconds
    publishing = usual_seconds - until_publishing
    kills = old_pages = new_pages = no_page = spoilt = children = unhealed = 0
    leftovers: set[str] = set()
    for _ in range(amount * MOST_MISSES):
        if kills == amount:
            break
        number = kills % 2
        before, after = versions[1 - number], versions[number]
        begun, doomed = place.publishing(), Run(path, moment(number))
        if not place.watched:
            ended = doomed.kill(rng.uniform(usual_seconds / 3, usual_seconds))
        elif kills % 3:
            doomed.wait_until(begun)
            ended = doomed.kill(rng.uniform(0, publishing))
        else:
            ended = doomed.kill(rng.uniform(0, until_publishing + publishing))
        if ended.code != KILLED:
            unhealed += ended.code != 0 or run(path, moment(1 - number)).code != 0
            continue
        kills += 1
        children += len(doomed.children())
        files = place.files()
        leftovers.update(place.leftovers())
        spoilt += len(files.keys() - before.keys() - leftovers)
        for name in before:
            gone = name not in files and not place.renames
            no_page += gone
            spoilt += not gone and files.get(name) not in (before[name], after[name])
        old_pages += files.get(NAME) == before[NAME]
        new_pages += files.get(NAME) == after[NAME]
        healed = run(path, moment(number))
        state = json.loads((folder / "state/state.json").read_text("utf-8"))
        whole = {name: place.files().get(name) for name in after} == after
        unhealed += healed.code != 0 or healed.said != "" or not whole or not state["markets"]
    assert kills == amount, f"only {kills} of {amount} kills struck"
    if place.watched:  # else a sweep that does nothing would go unnoticed where no kill has left a file
        leftovers.add(place.leave())
    for name in place.leftovers():
        place.age(name)
    unhealed += run(path, moment(2)).code != 0
    swept = len(leftovers) - len(place.leftovers())
    return Kills(kills, old_pages, new_pages, no_page, spoilt, len(leftovers), swept, children, unhealed)


def _drawn(folder: Path, number: int) -> dict[str, bytes]:
    """Every file of the page at a moment, as it must arrive."""
    assert run(configuration(folder, ['[[publish]]\nurl = "file:site"']), moment(number)).code == 0
    site = folder / "site"
    return {str(file.relative_to(site)): file.read_bytes() for file in site.rglob("*") if file.is_file()}
