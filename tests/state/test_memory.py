"""The memory between runs, and the lock."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import suppress
from datetime import datetime
from pathlib import Path

import pytest

from heatmap.errors import ConfigError, LockedError
from heatmap.state import file_names, json_files, run_log
from heatmap.state.memory import Memory, State, lock


def test_nothing_is_remembered_at_first(tmp_path: Path) -> None:
    """A market never seen has an empty memory, and asking for it writes nothing."""
    assert Memory() == State(tmp_path / "state")["nse-fno"]
    assert not (tmp_path / "state").exists()


def test_memories_outlive_the_process(tmp_path: Path) -> None:
    """The next run knows what one run remembers; other markets are untouched."""
    first = State(tmp_path)
    first.remember("a", final_date="2026-09-17")
    first.remember("b", published_at="2026-09-17T10:00:00+05:30")
    first.remember("a", warned_on="2027-01-01")

    second = State(tmp_path)

    assert Memory(final_date="2026-09-17", warned_on="2027-01-01") == second["a"]
    assert Memory(published_at="2026-09-17T10:00:00+05:30") == second["b"]
    assert ["state.json"] == [path.name for path in tmp_path.iterdir()]


@pytest.mark.parametrize(
    "damage", [b"", b"{", b"[]", b'{"markets": 3}', b"\xff\xfe", b'{"markets": {"a": []}}']
)
def test_a_damaged_file_is_set_aside(tmp_path: Path, damage: bytes) -> None:
    """The run goes on with nothing remembered, and the damaged file is kept for whoever wants to look."""
    (tmp_path / "state.json").write_bytes(damage)

    state = State(tmp_path)
    state.remember("a", final_date="2026-09-17")

    assert Memory(final_date="2026-09-17") == State(tmp_path)["a"]
    assert damage == (tmp_path / "state.damaged.json").read_bytes()


def test_keys_of_a_later_version_are_passed_over(tmp_path: Path) -> None:
    """A key this version does not know costs nothing that it does know."""
    kept = {"version": 1, "markets": {"a": {"final_date": "2026-09-17", "mood": "calm"}}}
    (tmp_path / "state.json").write_text(json.dumps(kept))

    assert "2026-09-17" == State(tmp_path)["a"].final_date


def test_a_state_without_marks_owes_nothing(tmp_path: Path) -> None:
    """A final of 0.1.0 and 0.2.0 had all its parts; a final of this version has those that are marked."""
    kept = {"version": 1, "markets": {"a": {"final_date": "2026-09-17"}}}
    (tmp_path / "state.json").write_text(json.dumps(kept))
    marks = ("bars_date", "archive_date", "feed_date", "alerts_date")

    state = State(tmp_path)
    assert ["2026-09-17"] * 4 == [getattr(state["a"], mark) for mark in marks]
    state.remember("a", final_date="2026-09-18", bars_date="2026-09-18", faults={"feed": "gone"})
    again = State(tmp_path)["a"]
    assert ["2026-09-18", *["2026-09-17"] * 3] == [getattr(again, mark) for mark in marks]
    assert {"feed": "gone"} == again.faults


@pytest.mark.parametrize("faults", [["feed"], {"feed": 3}, "feed"])
def test_faults_that_are_none_are_damage(tmp_path: Path, faults: object) -> None:
    """They are shown to people: what is no text is not read."""
    (tmp_path / "state.json").write_text(json.dumps({"version": 1, "markets": {"a": {"faults": faults}}}))
    told: list[str] = []

    assert Memory() == State(tmp_path, told.append)["a"]
    assert "damaged" in told[0]


@pytest.mark.process
def test_a_second_run_leaves_at_once(tmp_path: Path) -> None:
    """While one process holds the lock another gets LockedError; afterwards it may have it."""
    attempt = "import sys; from pathlib import Path; from heatmap.errors import LockedError; from heatmap.state.memory import lock\ntry:\n    with lock(Path(sys.argv[1])): print('held')\nexcept LockedError as error: print(error)"

    def other() -> str:
        return subprocess.run(
            [sys.executable, "-c", attempt, str(tmp_path)],
            capture_output=True,
            text=True,
            check=True,
            timeout=30,
        ).stdout.strip()

    with lock(tmp_path):
        assert "another run holds" in other()
        with pytest.raises(LockedError), lock(tmp_path):
            pass
    assert "held" == other()


@pytest.mark.process
def test_a_dead_holder_frees_the_lock(tmp_path: Path) -> None:
    """A holder killed by force leaves nothing behind that stops the next run."""
    hold = (
        "import sys, time; from pathlib import Path; from heatmap.state.memory import lock\n"
        "with lock(Path(sys.argv[1])): print('held', flush=True); time.sleep(60)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", hold, str(tmp_path)], stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        assert "held\n" == holder.stdout.readline()
        holder.kill()
    with lock(tmp_path):
        assert (tmp_path / "lock").exists()


def test_a_state_directory_that_cannot_be(tmp_path: Path) -> None:
    """A file in its place is a fault of the configuration that says what to do."""
    (tmp_path / "state").write_text("")

    with (
        pytest.raises(ConfigError, match=r"state_directory .* cannot be used .*: make it writable"),
        lock(tmp_path / "state"),
    ):
        pass


def test_outcomes_of_an_earlier_version_move(tmp_path: Path) -> None:
    """Its state.json held them; they stand before those kept since, and what makes no sense is left out."""
    began = datetime.fromisoformat("2026-09-17T11:10:00+05:30")
    kept = [["2026-09-17T11:00:00+05:30", 75], ["2026-09-17T11:05:00+05:30", 0], ["x", 0], 3, [1, 2]]
    former = {
        "version": 1,
        "markets": {"a": {"final_date": "2026-09-16", "outcomes": kept}, "b": {"outcomes": 3}},
    }
    (tmp_path / "state.json").write_text(json.dumps(former))
    run_log.append(tmp_path, [run_log.RunOutcome("a", began, 65, "changed")])

    State(tmp_path).remember("a", warned_on="2027-01-01")
    State(tmp_path).remember("a", published_at="2026-09-17T11:10:00+05:30")

    assert [
        ("11:00", 75, "failed, exit 75"),
        ("11:05", 0, "published"),
        ("11:10", 65, "changed"),
    ] == [(f"{each.at:%H:%M}", each.code, each.kind) for each in run_log.read(tmp_path)]
    memory = State(tmp_path)["a"]
    assert ("2026-09-16", "2027-01-01") == (memory.final_date, memory.warned_on)


FIRST, SECOND, KILLED = ('{"pid": 1, "began": {"a": "first"}}', '{"pid": 2}', '{"pid": 3, "began": ')


def test_the_mark_of_a_holder_stands_while_it_holds(tmp_path: Path) -> None:
    """It is gone when the block ends, however it ends; without a mark what stands there is left alone."""
    with lock(tmp_path, FIRST) as left:
        assert ("", FIRST) == (left, (tmp_path / "lock").read_text())
    assert "" == (tmp_path / "lock").read_text()
    with suppress(InterruptedError), lock(tmp_path, SECOND):
        raise InterruptedError
    assert "" == (tmp_path / "lock").read_text()
    (tmp_path / "lock").write_text(KILLED)
    with lock(tmp_path) as left:
        assert ("", KILLED) == (left, (tmp_path / "lock").read_text())
    with lock(tmp_path, FIRST) as left:
        assert KILLED == left


def test_a_lock_of_zeros_takes_a_mark(tmp_path: Path) -> None:
    """As a power cut may leave it."""
    (tmp_path / "lock").write_bytes(bytes(40))
    with lock(tmp_path, FIRST):
        assert FIRST == (tmp_path / "lock").read_text()


@pytest.mark.parametrize("words", ["mine\n", '{"process": 7}', FIRST + "x" * 5000])
def test_another_program_s_lock_keeps_its_words(tmp_path: Path, words: str) -> None:
    """The lock is held all the same; only the mark is left out."""
    (tmp_path / "lock").write_text(words)
    with lock(tmp_path, FIRST) as left:
        assert ("", words) == (left, (tmp_path / "lock").read_text())
        with pytest.raises(LockedError), lock(tmp_path):
            pass
    assert words == (tmp_path / "lock").read_text()


@pytest.mark.parametrize(
    "words", ['{"version": 4, "terraform_version": "1.9", "resources": []}', "[1, 2]", '"x"']
)
def test_another_program_s_state_is_refused(tmp_path: Path, words: str) -> None:
    """It is neither renamed nor replaced; the sentence names it. Something empty may be replaced."""
    (tmp_path / "state.json").write_text(words)

    with pytest.raises(ConfigError, match=r"state.json in it is another program's file. Name another state_"):
        State(tmp_path)

    assert [("state.json", words)] == [(path.name, path.read_text()) for path in tmp_path.iterdir()]


def test_a_state_that_came_meanwhile_is_not_replaced(tmp_path: Path) -> None:
    """Another program's that was not there when the run began."""
    state = State(tmp_path)
    (tmp_path / "state.json").write_text('{"theirs": 1}')

    with pytest.raises(ConfigError, match="another program's file"):
        state.remember("a", final_date="2026-09-17")

    assert '{"theirs": 1}' == (tmp_path / "state.json").read_text()


def test_the_state_directory_is_this_user_s_alone(tmp_path: Path) -> None:
    """A new one, whatever the umask; the folder above is as usual. One that is there keeps its mode."""
    there = tmp_path / "there"
    there.mkdir()
    before = os.umask(0o002)
    try:
        with lock(tmp_path / "new/state"):
            State(tmp_path / "new/state").remember("a", final_date="2026-09-17")
        json_files.save(tmp_path / "new/state/last/a.json", 1, {"figures": ""})
        run_log.append(tmp_path / "by outcomes", [])
        for mode in (0o755, 0o2770):
            there.chmod(mode)
            with lock(there):
                State(there).remember("a", final_date="2026-09-17")
            assert mode == there.stat().st_mode & 0o7777
    finally:
        os.umask(before)

    modes = [tmp_path / name for name in ("new", "new/state", "new/state/last", "by outcomes")]
    assert [0o775, 0o700, 0o775, 0o700] == [path.stat().st_mode & 0o777 for path in modes]


DEAD = 999_999_999  # a number that no process has
LEFT_BEHIND = [
    *(f".heatmap-{name}.{DEAD}.tmp" for name in ("state.json", "archive-nse-fno-2026-09-17.html", "nap")),
    f"last/.heatmap-nse-fno.json.{DEAD}.tmp",
    f"sources/.heatmap-nse-symbols.json.{DEAD}.tmp",
    f"sources/nse-fno-1/.heatmap-cookies.json.{DEAD}.tmp",
    f"compiled-templates/.heatmap-{'a' * 40}.{DEAD}.tmp",
    # As versions before 0.3 named them.
    *(f"{name}.{DEAD}.tmp" for name in ("state.json", "alerts.json", "nap", "outcomes.jsonl")),
    *(f"archive-nse-fno{end}.{DEAD}.tmp" for end in (".json", "-2026-09-17.html")),
    *(f".holidays-nse-equity-fno.toml.{DEAD}.tmp", "alerts.json.room"),
    *("digest-nse-fno.tmp", "tape-nse-fno.tmp"),
    *(f"__jinja2_{'0a' * 20}.cache{end}" for end in ("", "x1_yz.tmp")),
    f"last/nse-fno.json.{DEAD}.tmp",
    f"sources/nse-symbols.json.{DEAD}.tmp",
    "sources/nse-fno-1/cookies.json.part",
]
NOT_OURS = [
    *("thesis.tmp", "report.json.17.tmp", ".mine.tmp", "state.json.tmp", "last.tmp", "digest.tmp"),
    *("photos/2026.tmp", f"photos/.heatmap-state.json.{DEAD}.tmp", f"photos/state.json.{DEAD}.tmp"),
    *(f"last/state.{DEAD}.tmp", "last/photos/a.tmp", "sources/notes.tmp", "sources/nse-fno-1/x/a.tmp"),
    # Of a target in the same folder: its own sweep knows their age.
    ".heatmap-00000001-0123456789abcdef.tmp",
    *("history.sqlite", "history.sqlite-wal", "state.json"),
]


def test_temporary_files_of_killed_runs_are_removed(tmp_path: Path) -> None:
    """By the next run: each name that this program gives, in its own folders, and nothing else."""
    for name in [*LEFT_BEHIND, *NOT_OURS]:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("half")

    with lock(tmp_path):
        assert [] == [name for name in LEFT_BEHIND if not (tmp_path / name).exists()]
    with lock(tmp_path, FIRST):
        assert [] == [name for name in LEFT_BEHIND if (tmp_path / name).exists()]
        assert [] == [name for name in NOT_OURS if not (tmp_path / name).exists()]


@pytest.mark.process
def test_temporary_files_of_a_process_that_works_stay(tmp_path: Path) -> None:
    """`heatmap calendar update` writes without the lock."""
    with subprocess.Popen(["sleep", "60"]) as other:
        working = tmp_path / f".heatmap-holidays-nse-equity-fno.toml.{other.pid}.tmp"
        working.touch()
        with lock(tmp_path, FIRST):
            assert working.exists()
        other.kill()
    with lock(tmp_path, SECOND):
        assert not working.exists()


def test_no_link_is_followed(tmp_path: Path) -> None:
    """Neither a folder of a name of ours that is elsewhere, nor a file."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    name = f".heatmap-nse-fno.json.{DEAD}.tmp"
    (elsewhere / name).touch()
    state = tmp_path / "state"
    state.mkdir()
    for folder in ("last", "sources", "compiled-templates"):
        (state / folder).symlink_to(elsewhere)
    (state / name).symlink_to(elsewhere / name)

    with lock(state, FIRST):
        assert (elsewhere / name).exists()


def test_names_of_ours_and_others(tmp_path: Path) -> None:
    """Temporary files, caches and what was set aside are ours; a user's are told by their names."""
    ours = ["state.damaged.json", "state.version-9.json", "history.damaged-1.sqlite", "tape-nse-fno.kept"]
    for name in [*LEFT_BEHIND, *ours, "holidays-nse-equity-fno.toml", "archive-nse-fno-2026-09-17.zip"]:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    assert [] == file_names.find_foreign(tmp_path)

    for name in ("heatmap.toml", "site", ".ssh", "statement.pdf", "lock.txt"):
        (tmp_path / name).touch()
    assert [".ssh", "heatmap.toml", "lock.txt", "site", "statement.pdf"] == file_names.find_foreign(tmp_path)
