"""A tick that may leave at once does, and one that may not does not."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from heatmap import cli
from heatmap.run import one_run
from heatmap.state import idle
from tests.servers.exchange import Exchange

OPEN = "2026-09-17T11:00:00+05:30"
SETTLING = "2026-09-17T15:40:00+05:30"
FINAL = "2026-09-17T15:47:00+05:30"
NIGHT = "2026-09-18T03:00:00+05:30"
BEFORE = "2026-09-18T09:14:59+05:30"
NEXT = "2026-09-18T09:15:00+05:30"


@pytest.fixture
def looked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], bool]:
    """Whether a run at a time, in a folder where a page was published before, looked at the market at all."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "holidays.toml").touch()
    (tmp_path / "heatmap.toml").write_text(
        '[[market]]\nname = "nse-fno"\n[market.source]\ntype = "recording"\n[market.session]\noverrides = "holidays.toml"\n[page]\npng = false\n'
    )
    assert cli.main(["run", "--now", OPEN]) == 0
    runs: list[bool] = []
    original = one_run.run
    monkeypatch.setattr(one_run, "run", lambda *a, **k: (runs.append(True), original(*a, **k))[1])

    def run(now: str, *more: str) -> bool:
        runs.clear()
        assert cli.main(["run", "--now", now, *more]) == 0
        return bool(runs)

    return run


def test_between_sessions_one_tick_looks_for_all(looked: Callable[[str], bool]) -> None:
    """After the final page only the first tick looks; the next session's first one looks again."""
    assert looked(FINAL)  # publishes
    assert looked(FINAL)  # finds nothing due, and notes it
    assert not looked(FINAL)
    assert not looked(NIGHT)
    assert not looked(BEFORE)
    assert looked(NEXT)


def test_settling_ends_with_a_look(looked: Callable[[str], bool]) -> None:
    """The note of a settling market lasts until its settle time, so that the final page comes."""
    assert looked(SETTLING)
    assert not looked("2026-09-17T15:44:59+05:30")
    assert looked("2026-09-17T15:45:00+05:30")


@pytest.mark.slow
def test_an_open_market_is_never_slept_through(looked: Callable[[str], bool]) -> None:
    """A tick in a session always looks, whatever was noted before."""
    assert looked("2026-09-17T09:00:00+05:30")
    assert all(
        looked(f"2026-09-17T{hour:02}:{minute:02}:00+05:30") for hour in range(10, 15) for minute in (0, 30)
    )


def test_a_clock_set_back_wakes(looked: Callable[[str], bool]) -> None:
    """A note holds from the time it was made: before that, nothing is known."""
    looked(NIGHT)
    looked(NIGHT)
    assert looked("2026-09-17T15:50:00+05:30")


@pytest.mark.parametrize("name", ["heatmap.toml", "holidays.toml", "state/state.json"])
@pytest.mark.parametrize(
    "change", [Path.unlink, lambda path: path.write_text("# changed\n"), lambda path: os.utime(path, (1, 1))]
)
def test_a_changed_file_wakes(
    tmp_path: Path, looked: Callable[[str], bool], name: str, change: Callable[[Path], object]
) -> None:
    """The configuration, the overrides, what is remembered: touched, rewritten or gone, the note is void."""
    looked(NIGHT)
    assert idle.is_idle(["run", "--now", NIGHT])

    change(tmp_path / name)

    assert not idle.is_idle(["run", "--now", NIGHT])


@pytest.mark.parametrize(
    "more",
    [
        ["--force"],
        ["--dry-run"],
        ["-v"],
        ["--quiet"],
        ["--market", "nse-fno"],
        ["--config"],
        ["--config", "other.toml"],
        ["--now", "soon"],
        ["extra"],
    ],
)
def test_anything_but_a_plain_run_looks(looked: Callable[[str], bool], more: list[str]) -> None:
    """Options that ask for more, another configuration, and nonsense are not answered by a note."""
    looked(NIGHT)
    assert idle.is_idle(["run", "--now", NIGHT])
    assert not idle.is_idle(["run", "--now", NIGHT, *more])
    assert not idle.is_idle(["check"])


def test_two_configurations_in_one_folder_keep_apart(tmp_path: Path, looked: Callable[[str], bool]) -> None:
    """They share the state directory, but not the note."""
    looked(NIGHT)
    (tmp_path / "other.toml").write_text('[[market]]\nname = "x"\n[market.session]\ncalendar = "always"\n')

    assert not idle.is_idle(["run", "--config", "other.toml", "--now", NIGHT])
    assert idle.is_idle(["run", "--config", str(tmp_path / "heatmap.toml"), "--now", NIGHT])


@pytest.mark.parametrize("content", ["", "\n\n\n", "0.1.0\nx\ny\nz", "\udcff"])
def test_a_damaged_note_is_none(tmp_path: Path, looked: Callable[[str], bool], content: str) -> None:
    """The file may have any content: then the run looks for itself."""
    looked(NIGHT)
    (tmp_path / "state/nap").write_bytes(content.encode("utf-8", "surrogateescape"))

    assert looked(NIGHT)


def test_markets_wake_with_the_first_of_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of two markets the one that opens first ends the note; one that never closes allows none."""
    monkeypatch.chdir(tmp_path)
    early = '[[market]]\nname = "early"\n[market.source]\ntype = "recording"\n[market.session]\nopen = "08:00"\nclose = "09:00"\ntime_zone = "Asia/Kolkata"\n'
    (tmp_path / "state").mkdir()
    (tmp_path / "heatmap.toml").write_text('[[market]]\nname = "nse-fno"\n' + early)
    assert cli.main(["run", "--now", NIGHT]) == 0
    assert idle.is_idle(["run", "--now", "2026-09-18T07:59:00+05:30"])
    assert not idle.is_idle(["run", "--now", "2026-09-18T08:00:00+05:30"])

    with Exchange(now=datetime.fromisoformat(NIGHT) - timedelta(minutes=1)) as exchange:
        always = f'[[market]]\nname = "x"\n[market.source]\nbase_url = "{exchange.url}"\n[market.session]\ncalendar = "always"\n'
        (tmp_path / "heatmap.toml").write_text('[[market]]\nname = "nse-fno"\n' + always)
        cli.main(["run", "--now", NIGHT])
    assert not idle.is_idle(["run", "--now", NIGHT])


def test_the_end_of_the_calendar_allows_no_sleep(looked: Callable[[str], bool]) -> None:
    """Where the next opening is not known every tick looks, and says what it has to say."""
    assert looked("2026-12-31T20:00:00+05:30")
    assert looked("2026-12-31T20:05:00+05:30")


def test_a_note_that_cannot_be_put_in_place_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a full disk each closed tick would leave another file, under its own process's number."""
    config = tmp_path / "heatmap.toml"
    (tmp_path / idle.STATE_DIRECTORY).mkdir()

    def fail(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", fail)
    idle.mark_idle(str(config), 0.0, 1.0, [])

    assert [] == [*(tmp_path / idle.STATE_DIRECTORY).iterdir()]


@pytest.mark.parametrize("words", ["an afternoon\n", "one\ntwo\nthree\nfour\n", "1.0\nrelative\nx\ny\n"])
def test_another_program_s_file_stays(tmp_path: Path, looked: Callable[[str], bool], words: str) -> None:
    """Of the name of the note; each tick then looks for itself."""
    (tmp_path / "state/nap").write_text(words)

    assert looked(NIGHT)
    assert looked(NIGHT)

    assert words == (tmp_path / "state/nap").read_text()


@pytest.mark.parametrize("words", ["0.1.0\n/home/me/heatmap.toml\n1.0\n2.0\n- /x", "", "\0\0\0\0"])
def test_a_former_note_is_replaced(tmp_path: Path, looked: Callable[[str], bool], words: str) -> None:
    """One of an earlier version, or one that a power cut emptied."""
    (tmp_path / "state/nap").write_text(words)

    assert looked(NIGHT)
    assert not looked(NIGHT)


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir])
def test_no_file_in_its_place(
    tmp_path: Path, looked: Callable[[str], bool], make: Callable[[Path], None]
) -> None:
    """A pipe would block each tick before its deadline counts."""
    make(tmp_path / "state/nap")

    assert looked(NIGHT)
    assert looked(NIGHT)


def test_a_folder_called_state_may_be_another_s(tmp_path: Path, looked: Callable[[str], bool]) -> None:
    """Where the state directory is elsewhere, nothing is noted in it."""
    (tmp_path / "state").rename(tmp_path / "own")
    (tmp_path / "state").mkdir()
    configuration = (tmp_path / "heatmap.toml").read_text()
    (tmp_path / "heatmap.toml").write_text(f'state_directory = "own"\n{configuration}')

    assert looked(NIGHT)
    assert looked(NIGHT)

    assert [] == [*(tmp_path / "state").iterdir()]


def test_a_folder_that_is_no_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name of other bytes than UTF-8 has, as old systems gave them."""
    folder = tmp_path / os.fsdecode(b"m\xe4rkte")
    (folder / idle.STATE_DIRECTORY).mkdir(parents=True)
    config = str(folder / "heatmap.toml")
    monkeypatch.setattr(sys, "stdout", io.StringIO())

    idle.mark_idle(config, 0.0, 9e9, [config])

    assert idle.is_idle(["run", "--config", config, "--now", NIGHT])
