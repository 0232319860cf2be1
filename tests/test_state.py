"""What is remembered between ticks, and the lock."""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import suppress
from datetime import datetime
from pathlib import Path

import pytest

from heatmap import outcomes
from heatmap.errors import ConfigError, LockedError
from heatmap.state import Memory, State, lock


def test_nothing_is_remembered_at_first(tmp_path: Path) -> None:
    """A market never seen has an empty memory, and asking for it writes nothing."""
    assert Memory() == State(tmp_path / "state")["nse-fno"]
    assert not (tmp_path / "state").exists()


def test_memories_outlive_the_process(tmp_path: Path) -> None:
    """What one run remembers the next one knows; other markets are untouched."""
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

    assert Memory(final_date="2026-09-17") == State(tmp_path)["a"]


def test_a_second_run_leaves_at_once(tmp_path: Path) -> None:
    """While one process holds the lock another gets LockedError; afterwards it may have it."""
    attempt = "import sys; from pathlib import Path; from heatmap.errors import LockedError; from heatmap.state import lock\ntry:\n    with lock(Path(sys.argv[1])): print('held')\nexcept LockedError as error: print(error)"

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


def test_a_dead_holder_frees_the_lock(tmp_path: Path) -> None:
    """A holder killed by force leaves nothing behind that stops the next run."""
    hold = (
        "import sys, time; from pathlib import Path; from heatmap.state import lock\n"
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
    outcomes.append(tmp_path, [outcomes.Outcome("a", began, 65, "changed")])

    State(tmp_path).remember("a", warned_on="2027-01-01")
    State(tmp_path).remember("a", published_at="2026-09-17T11:10:00+05:30")

    assert [
        ("11:00", 75, "failed, exit 75"),
        ("11:05", 0, "published"),
        ("11:10", 65, "changed"),
    ] == [(f"{each.at:%H:%M}", each.code, each.word) for each in outcomes.read(tmp_path)]
    assert ("2026-09-16", "2027-01-01") == State(tmp_path)["a"][1:3]


def test_the_mark_of_a_holder_stands_while_it_holds(tmp_path: Path) -> None:
    """It is gone when the block ends, however it ends; without a mark what stands there is left alone."""
    with lock(tmp_path, "of the first") as left:
        assert ("", "of the first") == (left, (tmp_path / "lock").read_text())
    assert "" == (tmp_path / "lock").read_text()
    with suppress(InterruptedError), lock(tmp_path, "of the second"):
        raise InterruptedError
    assert "" == (tmp_path / "lock").read_text()
    (tmp_path / "lock").write_text("of one that was killed")
    with lock(tmp_path) as left:
        assert ("", "of one that was killed") == (left, (tmp_path / "lock").read_text())
    with lock(tmp_path, "of the next") as left:
        assert "of one that was killed" == left


def test_what_a_killed_run_had_half_written_is_swept(tmp_path: Path) -> None:
    """The next run removes it, wherever it lies, and nothing else; who only asks for the lock leaves it."""
    (tmp_path / "last").mkdir()
    files = [tmp_path / name for name in ("state.json.17.tmp", "last/nse-fno.json.17.tmp", "history.sqlite")]
    for file in files:
        file.write_text("half")

    with lock(tmp_path):
        assert all(file.exists() for file in files)
    with lock(tmp_path, "of a run"):
        assert [False, False, True] == [file.exists() for file in files]
