"""Temporary folders: gone at the end, and those of killed runs with the next one; nobody else's ever."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from heatmap.publishers.git import commands
from heatmap.system import temporary
from tests.publishers.git.test_publisher import PAGES, Place, soon

HOUR = 3600
LETTERS = "ab_12xyz"


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty folder for temporary files."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    monkeypatch.setattr(tempfile, "tempdir", None)
    yield folder
    tempfile.tempdir = None


def left(place: Path) -> list[str]:
    return sorted(path.name for path in place.iterdir())


def name(age: float) -> str:
    """As of a run that many seconds ago."""
    return f"heatmap-{int(time.time() - age):08x}-{LETTERS}.tmp"


def test_nothing_is_left(place: Path) -> None:
    """Of a folder with something in it, and of a file; both are this user's alone."""
    with temporary.make_folder() as folder, temporary.make_file() as file:
        (Path(folder) / "site").mkdir()
        (Path(folder) / "site/index.html").touch()
        assert ["temporary"] == sorted({Path(path).parent.name for path in (folder, file.name)})
        assert [0o700, 0o600] == [os.stat(path).st_mode & 0o777 for path in (folder, file.name)]
        assert all(re.fullmatch(r"heatmap-[0-9a-f]{8}-\w{8}\.tmp", found) for found in left(place))

    assert [] == left(place)


def test_what_killed_runs_left_behind_is_removed(place: Path) -> None:
    """After an hour; folders with all that is in them."""
    (place / name(HOUR + 10) / "site/2026").mkdir(parents=True)
    (place / name(HOUR + 10) / "site/2026/index.html").touch()
    (place / name(2 * HOUR)).touch()
    fresh = name(HOUR - 60)
    (place / fresh).mkdir()

    with temporary.make_folder():
        assert 2 == len(left(place))

    assert [fresh] == left(place)


@pytest.mark.process
def test_what_is_in_use_stays(place: Path) -> None:
    """However old: the demo runs for hours. Once its process is killed it goes."""
    code = (
        "import time, sys; from heatmap.system import temporary\n"
        "made = time.time() - 7200; time.time = lambda: made\n"
        "with temporary.make_folder() as folder, temporary.make_file():\n"
        "    print(folder, flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout
        other.stdout.readline()
        time.sleep(0.5)  # until the file is there, too
        temporary.remove_stale(time.time())
        assert 2 == len(left(place))
        other.kill()
    temporary.remove_stale(time.time())

    assert [] == left(place)


def test_other_files_stay(place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of other names, of other users, links, and what is no file."""
    elsewhere = tmp_path / "elsewhere"
    (elsewhere / "mine").mkdir(parents=True)
    old = name(HOUR + 10)
    (place / old).symlink_to(elsewhere)
    os.mkfifo(place / old.replace(LETTERS, "pipe____"))
    others = ["heatmap-projects", f"x{old}", f"{old}.gz", f"heatmap-00000001-{LETTERS}", "heatmap-1-x.tmp"]
    for other in others:
        (place / other / "thesis").mkdir(parents=True)
        os.utime(place / other, (1, 1))
    before = left(place)

    temporary.remove_stale(time.time())

    assert before == left(place)
    assert (elsewhere / "mine").is_dir()

    (place / name(HOUR + 20)).mkdir()
    user = place.stat().st_uid
    monkeypatch.setattr(os, "geteuid", lambda: user + 1)
    temporary.remove_stale(time.time())
    assert len(before) + 1 == len(left(place))


def test_those_of_earlier_versions(place: Path) -> None:
    """After a day, and only with nothing in them but what those versions put there."""
    for number, files in enumerate(
        (["index"], ["index", "index.lock"], ["known_hosts"], [], ["index", "mine"])
    ):
        folder = place / f"heatmap-former_{number}"
        folder.mkdir(0o700)
        for file in files:
            (folder / file).touch()
        os.utime(folder, (time.time() - 25 * HOUR,) * 2)
    (place / "heatmap-projects").mkdir(0o755)
    os.utime(place / "heatmap-projects", (1, 1))
    (place / "heatmap-yesterda").mkdir(0o700)

    temporary.remove_stale(time.time())

    assert ["heatmap-former_4", "heatmap-projects", "heatmap-yesterda"] == left(place)


@pytest.mark.process
def test_a_killed_git_run_leaves_a_folder_that_the_next_one_removes(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each publish looks; the age of the folder is in its name."""
    for variable in [variable for variable in os.environ if variable.startswith("GIT_")]:
        monkeypatch.delenv(variable)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    repository = Place(tmp_path)
    original = commands.Git.run

    def killed(self: commands.Git, *words: str, **more: object) -> str:
        if words[0] == "write-tree":
            os.kill(os.getpid(), 9)
        return original(self, *words, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(commands.Git, "run", killed)
    process = os.fork()
    if process == 0:
        repository.publisher().publish(PAGES, soon())
        os._exit(1)
    assert 9 == os.waitpid(process, 0)[1]
    monkeypatch.setattr(commands.Git, "run", original)
    (found,) = left(place)
    assert ["index"] == [path.name for path in (place / found).iterdir()]
    (place / found).rename(place / name(HOUR + 10))

    repository.publisher().publish(PAGES, soon())

    assert [] == left(place)


def test_no_file_is_made_to_try_a_folder(place: Path) -> None:
    """Python's `tempfile` makes one before it chooses a folder; a process killed then would leave it."""
    with temporary.make_folder() as folder, temporary.make_file() as file, temporary.make_unnamed_file():
        assert {folder, file.name} == {str(path) for path in place.iterdir()}

    assert tempfile.tempdir is None


def test_a_folder_that_is_not_there(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The next one that is named counts."""
    monkeypatch.setenv("TMPDIR", str(place / "none"))
    monkeypatch.setenv("TEMP", str(place))

    assert str(place) == temporary.find_folder()
