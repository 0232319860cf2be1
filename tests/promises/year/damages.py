"""Damage to each kind of file that an installation keeps in its state directory.

The names of the files come from the program's own definitions: when the program calls a file otherwise, the
fault follows. A file that no kind covers is reported by `uncovered`: it needs a fault of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from random import Random
from typing import NamedTuple

from heatmap.history import store
from heatmap.notify.alerts import memory
from heatmap.pages.archive import day_files, record
from heatmap.pictures import compiled_templates
from heatmap.run import last_good
from heatmap.sources import options
from heatmap.state import cache, idle, run_log
from heatmap.state import memory as state

MARKET = "nse-fno"
STATE_NAME = idle.STATE_DIRECTORY
WARNED = "is reported"  # damage that the operator is told of, by the name of the file
IGNORED = "is made anew"  # damage to what can be had again: nothing is reported
SIDE_FILES = ("-wal", "-shm", "-journal")
ASIDE = ("damaged", "version-")  # stands in the name of a file that the program has set aside
SURE_WAYS = frozenset({"torn", "empty", "noise", "zeros"})  # no reader can take these for the real content


class Kind(NamedTuple):
    """One kind of file: where it is, in the state directory, and whether and when its damage is reported."""

    files: Callable[[Path], list[Path]]
    report: str = IGNORED
    is_read_at_finals: bool = False  # and at no other run


class Damage(NamedTuple):
    """What was done to which file."""

    kind: str
    path: Path
    way: str

    @property
    def is_owed_a_sentence(self) -> bool:
        """Whether the program must say that the file was damaged."""
        return KINDS[self.kind].report == WARNED and self.way in SURE_WAYS


def _one(*names: str) -> Callable[[Path], list[Path]]:
    return lambda folder: [path for path in [folder.joinpath(*names)] if path.is_file()]


def _days(folder: Path) -> list[Path]:
    return [*day_files.find(folder, MARKET).values()][-1:]  # the older ones are read if a target lacks them


def _all_in(name: str) -> Callable[[Path], list[Path]]:
    return lambda folder: sorted(path for path in (folder / name).rglob("*") if path.is_file())


KINDS: Mapping[str, Kind] = {
    "state.json": Kind(_one(state.FILE_NAME), WARNED),
    "last tick": Kind(_one(last_good.FOLDER, f"{MARKET}.json"), WARNED),
    "history": Kind(_one(store.FILE_NAME), WARNED),
    "history's digest": Kind(_one(cache.summary_name(MARKET))),
    "history's tape": Kind(_one(cache.replay_track_name(MARKET))),
    "archive's record": Kind(lambda folder: _one(record.path(folder, MARKET).name)(folder), WARNED),
    "archive's newest day": Kind(_days, WARNED, is_read_at_finals=True),
    "outcomes": Kind(_one(run_log.FILE_NAME)),
    "alerts": Kind(_one(memory.FILE_NAME), WARNED),
    "cookies": Kind(_all_in(options.FOLDER)),
    "compiled templates": Kind(_all_in(compiled_templates.FOLDER)),
    "nap": Kind(_one(idle.FILE_NAME)),
}


def damage(folder: Path, kind: str, rng: Random) -> Damage | None:
    """Damage one file of a kind in the state directory; None where there is no such file now."""
    files = KINDS[kind].files(folder)
    if not files:
        return None
    path = rng.choice(files)
    before = path.read_bytes()
    ways = {way: content for way, content in _ways(before, rng) if content != before}
    way = rng.choice(sorted(ways))
    path.write_bytes(ways[way])
    assert path.read_bytes() != before, f"{path} is as it was"
    return Damage(kind, path, way)


def _ways(content: bytes, rng: Random) -> Iterator[tuple[str, bytes]]:
    half = len(content) // 2
    yield "torn", content[:half]
    yield "empty", b""
    yield "noise", rng.randbytes(len(content) or 100)
    yield "a bit of noise", content[:half] + rng.randbytes(64) + content[half + 64 :]
    yield "zeros", bytes(len(content) or 100)  # as after a power cut
    yield "other JSON", b'{"version": 1, "markets": [], "days": 7}'
    newer = content.replace(b'"version": 1', b'"version": 99').replace(b'"version":1', b'"version":99')
    yield "newer", newer


def uncovered(folder: Path) -> list[str]:
    """Return the files of a state directory that no kind of damage strikes, but the lock."""
    covered = {path for kind in KINDS.values() for path in kind.files(folder)}
    covered |= {*day_files.find(folder, MARKET).values()}
    return sorted(
        str(path.relative_to(folder))
        for path in folder.rglob("*")
        if path.is_file()
        and path not in covered
        and path.name != state.LOCK_NAME
        and not path.name.endswith((*SIDE_FILES, ".tmp"))
        and not any(word in path.name for word in ASIDE)
    )
